package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"sort"

	"github.com/jackc/pgx/v5"
)

// readPostgres reads what a schema holds at one moment.
func (d *database) readPostgres(ctx context.Context, dsn string) (err error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return err
	}
	query := u.Query()
	schema := query.Get("schema")
	if schema == "" {
		schema = "runnel"
	}
	for _, own := range []string{"schema", "lease", "pooler", "notify"} { // the server does not know them
		query.Del(own)
	}
	u.RawQuery = query.Encode()
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, "SELECT set_config('search_path', $1, false)", pgx.Identifier{schema}.Sanitize()); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback(ctx)) }()
	var tables int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM information_schema.tables WHERE table_schema = $1", schema).Scan(&tables); err != nil || tables == 0 {
		return err // nobody has made them yet
	}
	return d.readTables(ctx, tx)
}

// keys is a range of keys of task runs: the block that a run's row names, which
// ends where the others begin to number, or one of the table block.
type keys struct{ run, first, count, seq int64 }

func (d *database) readTables(ctx context.Context, tx pgx.Tx) error {
	ids := map[int64]string{}
	rows, err := tx.Query(ctx, "SELECT id, uid, state FROM run")
	if err != nil {
		return err
	}
	var id int64
	var uid []byte
	var state int
	if _, err := pgx.ForEachRow(rows, []any{&id, &uid, &state}, func() error {
		ids[id] = idText(uid)
		d.runs[ids[id]] = state
		return nil
	}); err != nil {
		return err
	}
	rows, err = tx.Query(ctx, `SELECT run, first, count, seq FROM block UNION ALL
		SELECT r.id, r.base, coalesce((SELECT min(seq) FROM block b WHERE b.run = r.id), 16), 0 FROM run r ORDER BY 2`)
	if err != nil {
		return err
	}
	blocks, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k keys, err error) {
		return k, row.Scan(&k.run, &k.first, &k.count, &k.seq)
	})
	if err != nil {
		return err
	}
	d.overlaps(blocks)
	rows, err = tx.Query(ctx, "SELECT id, run, name, state, attempt, coalesce(cell, '') FROM task")
	if err != nil {
		return err
	}
	var key, run int64
	var name, cell []byte
	var attempt int
	_, err = pgx.ForEachRow(rows, []any{&key, &run, &name, &state, &attempt, &cell}, func() error {
		at := sort.Search(len(blocks), func(i int) bool { return blocks[i].first > key }) - 1
		if at < 0 || blocks[at].run != run || key >= blocks[at].first+blocks[at].count || ids[run] == "" {
			d.wrong = append(d.wrong, fmt.Sprintf("task row %d has no run or block of keys", key))
			return nil
		}
		d.add(taskRun{
			id:   fmt.Sprintf("%s/%d", ids[run], blocks[at].seq+key-blocks[at].first),
			task: string(name), state: state, attempts: attempt, sum: crc32.ChecksumIEEE(cell),
		})
		return nil
	})
	return err
}

// overlaps looks for keys that were given out twice, in blocks by their first key.
func (d *database) overlaps(blocks []keys) {
	for i := 1; i < len(blocks); i++ {
		before := blocks[i-1]
		if before.seq == 0 && before.count == 16 {
			before.count = 1 // perhaps more, but that is not known
		}
		if blocks[i].first < before.first+before.count {
			d.wrong = append(d.wrong, fmt.Sprintf("the blocks of keys from %d and from %d overlap", before.first, blocks[i].first))
		}
	}
}
