package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/internal/store"
)

const (
	putKeyed    = "INSERT INTO @.keyed (task_id, value) SELECT task_id, value FROM unnest($1::bytea[], $2::bytea[]) AS v(task_id, value) ON CONFLICT (task_id) DO UPDATE SET value = excluded.value"
	deleteKeyed = "DELETE FROM @.keyed WHERE task_id = ANY($1::bytea[])"

	// The blobs of the records that are to be replaced, and those that came and
	// went within the batch, are nobody's from now on; Expire frees their room.
	dropBlobs = `UPDATE @.blob SET run = -1 WHERE id = ANY($3::bigint[] || ARRAY(
		SELECT r.blob FROM unnest($1::bytea[], $2::bytea[]) AS v(kind, key) JOIN @.record r ON r.kind = v.kind AND r.key = v.key WHERE r.blob <> 0))`
	ownBlobs     = "UPDATE @.blob SET run = -2 WHERE id = ANY($1::bigint[])"
	deleteRecord = "DELETE FROM @.record r USING unnest($1::bytea[], $2::bytea[]) AS v(kind, key) WHERE r.kind = v.kind AND r.key = v.key"
	// One that exists is a violation of the key.
	addRecord = "INSERT INTO @.record (kind, key, value, blob) SELECT kind, key, value, blob FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[]) AS v(kind, key, value, blob)"
	putRecord = addRecord + " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, blob = excluded.blob"
)

var (
	setRecord = checked(`UPDATE @.record r SET value = v.value, blob = v.blob
		FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bytea[]) AS v(kind, key, value, blob, was)
		WHERE r.kind = v.kind AND r.key = v.key AND r.value = v.was`, 6)
	removeRecord = checked(`DELETE FROM @.record r USING unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS v(kind, key, was)
		WHERE r.kind = v.kind AND r.key = v.key AND r.value = v.was`, 4)
	noRecord = countIs("FROM unnest($1::bytea[], $2::bytea[]) AS v(kind, key) JOIN @.record r ON r.kind = v.kind AND r.key = v.key", 3)
)

// addKeyed queues what is kept under task ids.
func (st *statements) addKeyed(writes []store.KeyedWrite) {
	writes = slices.Clone(writes)
	slices.SortStableFunc(writes, func(a, b store.KeyedWrite) int { return strings.Compare(a.TaskID, b.TaskID) })
	var put []store.KeyedWrite
	var gone [][]byte
	for i, k := range writes {
		switch {
		case i+1 < len(writes) && writes[i+1].TaskID == k.TaskID: // the last counts
		case k.Value == nil:
			gone = append(gone, []byte(k.TaskID))
		default:
			put = append(put, k)
		}
	}
	st.add(len(put), putKeyed, nil,
		column(put, func(k *store.KeyedWrite) []byte { return []byte(k.TaskID) }),
		column(put, func(k *store.KeyedWrite) []byte { return k.Value }))
	st.add(len(gone), deleteKeyed, nil, gone)
}

// addRecords queues records, one write for each; dropped are blobs that nobody has
// any more. What is to be there, or not, is held to that by the write itself, so
// that of two sessions which write at a time one finds what the other has left.
func (st *statements) addRecords(writes []store.RecordWrite, dropped []int64) {
	if len(writes) == 0 {
		return
	}
	var put, gone, add, set, remove, none []store.RecordWrite
	own := []int64{}
	for _, r := range writes {
		list := &put
		switch has := r.Value != nil; {
		case !has && !r.Check:
			list = &gone
		case r.Check && r.Was == nil && has:
			list = &add
		case r.Check && has:
			list = &set
		case r.Check && r.Was != nil:
			list = &remove
		case r.Check:
			list = &none
		}
		*list = append(*list, r)
		if r.Value != nil && r.Blob != 0 {
			own = append(own, r.Blob)
		}
	}
	kind := func(r *store.RecordWrite) []byte { return []byte(r.Kind) }
	key := func(r *store.RecordWrite) []byte { return []byte(r.Key) }
	value := func(r *store.RecordWrite) []byte { return r.Value }
	blob := func(r *store.RecordWrite) int64 { return r.Blob }
	was := func(r *store.RecordWrite) []byte { return r.Was }
	st.add(len(writes), dropBlobs, nil, column(writes, kind), column(writes, key), append([]int64{}, dropped...))
	st.add(len(none), noRecord, nil, column(none, kind), column(none, key), 0)
	st.add(len(gone), deleteRecord, nil, column(gone, kind), column(gone, key))
	st.add(len(remove), removeRecord, nil, column(remove, kind), column(remove, key), column(remove, was), int64(len(remove)))
	st.add(len(put), putRecord, nil, column(put, kind), column(put, key), column(put, value), column(put, blob))
	st.add(len(add), addRecord, nil, column(add, kind), column(add, key), column(add, value), column(add, blob))
	st.add(len(set), setRecord, nil, column(set, kind), column(set, key), column(set, value), column(set, blob), column(set, was), int64(len(set)))
	st.add(len(own), ownBlobs, nil, own)
}

// Records calls yield for what is kept under a kind, page by page as Tasks does.
func (s *Store) Records(ctx context.Context, kind, from string, yield func(key string, value []byte) error) error {
	type record struct{ key, value []byte }
	const page = "SELECT key, value FROM @.record WHERE kind = $1 AND key >= $2 ORDER BY key LIMIT $3"
	next := []byte(from)
	// Who looks for one record has it at once.
	return paged(1, func(size int) ([]record, int, error) {
		bytes := 0
		rows, err := collect(ctx, s, page, func(row pgx.CollectableRow) (r record, err error) {
			err = row.Scan(&r.key, &r.value)
			bytes += len(r.value)
			return r, err
		}, []byte(kind), next, size)
		if n := len(rows); n > 0 {
			next = slices.Concat(rows[n-1].key, []byte{0}) // what follows it at once
		}
		return rows, bytes, err
	}, func(r *record) error { return yield(string(r.key), r.value) })
}
