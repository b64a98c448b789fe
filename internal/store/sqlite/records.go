package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/staging"
)

// PutRecords keeps values under kinds and keys. It looks at no context: a write
// that was begun is finished.
func (s *Store) PutRecords(_ context.Context, writes ...store.RecordWrite) error {
	size := int64(defaultPageSize)
	for i := range writes {
		size += int64(len(writes[i].Value))
	}
	writes, dropped, err := staging.FoldRecords(writes)
	if err == nil {
		err = s.write(size, func() error { return s.w.applyRecords(writes, dropped) })
	}
	if err != nil {
		return writeError(s.path, err)
	}
	return nil
}

func (w *writer) applyRecords(writes []store.RecordWrite, dropped []int64) error {
	for _, id := range dropped {
		if err := w.do(w.dropID, id); err != nil {
			return err
		}
		if err := exec(w.buryBlobs); err != nil {
			return err
		}
	}
	for i := range writes {
		r := &writes[i]
		if err := w.checkRecord(r); err != nil {
			return err
		}
		if err := w.disown(r); err != nil {
			return err
		}
		st := w.deleteRecord
		if r.Value != nil {
			st = w.putRecord
			st.BindBytes(3, r.Value)
			st.BindInt64(4, r.Blob)
		}
		st.BindText(1, r.Kind)
		st.BindBytes(2, []byte(r.Key))
		if err := exec(st); err != nil {
			return err
		}
		if r.Value != nil && r.Blob != 0 {
			if err := w.do(w.ownBlob, r.Blob); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRecord fences a write if what is kept is not as it expects.
func (w *writer) checkRecord(r *store.RecordWrite) error {
	if !r.Check {
		return nil
	}
	st := w.isRecord
	st.BindText(1, r.Kind)
	st.BindBytes(2, []byte(r.Key))
	if r.Was == nil {
		st.BindNull(3)
	} else {
		st.BindBytes(3, r.Was)
	}
	is, err := sqlitex.ResultBool(st)
	if err == nil && !is {
		err = fmt.Errorf("record %s %q is not as expected: %w", r.Kind, r.Key, store.ErrFenced)
	}
	return err
}

// disown takes the blob from a record that is to be replaced. Its room is freed
// by Expire, as that of a run that is gone.
func (w *writer) disown(r *store.RecordWrite) error {
	w.dropBlob.BindText(1, r.Kind)
	w.dropBlob.BindBytes(2, []byte(r.Key))
	if err := exec(w.dropBlob); err != nil || w.conn.Changes() == 0 {
		return err
	}
	return exec(w.buryBlobs)
}

// Records calls yield for what is kept under a kind, page by page as Tasks does.
func (s *Store) Records(ctx context.Context, kind, from string, yield func(key string, value []byte) error) error {
	type record struct {
		key   string
		value []byte
	}
	var page []record
	size := 1 // who looks for one record has it at once
	for next := []byte(from); ; size = min(16*size, fullPage) {
		page = page[:0]
		err := s.query(ctx, "SELECT key, value FROM record WHERE kind = +? AND key >= ? ORDER BY key",
			func(st *sqlite.Stmt) {
				st.BindText(1, kind)
				st.BindBytes(2, next)
			},
			func(st *sqlite.Stmt) bool {
				value := make([]byte, st.ColumnLen(1))
				st.ColumnBytes(1, value)
				page = append(page, record{string(column(st, 0)), value})
				return len(page) == size
			})
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := yield(r.key, r.value); err != nil {
				return err
			}
		}
		if len(page) < size {
			return nil
		}
		next = append([]byte(page[len(page)-1].key), 0) // what follows it at once
	}
}
