package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/internal/store/report"
)

// tables are those that hold what users have there, in the order of exports.
var tables = []string{"run", "task", "frame", "block", "log", "keyed", "record", "blob", "blob_chunk"}

// beside runs f on a connection of its own, without a session.
func beside(ctx context.Context, dsn string, f func(s *Store, conn *pgx.Conn) error) error {
	cfg, err := parse(dsn, Options{})
	if err != nil {
		return err
	}
	s := &Store{settings: cfg}
	conn, err := s.connect(ctx)
	if err != nil {
		return s.openError(ctx, err)
	}
	err = f(s, conn)
	if closed := conn.Close(context.WithoutCancel(ctx)); err == nil {
		err = closed
	}
	if err != nil {
		return s.openError(ctx, err)
	}
	return nil
}

// moment is a transaction that reads, and sees one moment.
var moment = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// Look reports on the schema that the DSN names, whoever has it open, and changes nothing.
func Look(ctx context.Context, dsn string) (r report.Database, err error) {
	err = beside(ctx, dsn, func(s *Store, conn *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, moment, func(tx pgx.Tx) error {
			r, err = s.describe(ctx, tx)
			return err
		})
	})
	return r, err
}

func (s *Store) describe(ctx context.Context, tx pgx.Tx) (r report.Database, err error) {
	r = report.Database{Store: "postgres", Location: s.location, Users: []report.User{}, Tables: []report.Table{}}
	if r.Schema, err = s.schemaOf(ctx, tx); err != nil {
		return r, err
	}
	const server = "SELECT current_setting('server_version'), 'wal, synchronous_commit=' || current_setting('synchronous_commit')"
	if err := tx.QueryRow(ctx, server).Scan(&r.Server, &r.Journal); err != nil || r.Schema.Version == 0 {
		return r, err
	}
	const size = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'S')"
	if err := tx.QueryRow(ctx, size, s.schema).Scan(&r.Bytes); err != nil {
		return r, err
	}
	if r.Users, err = s.users(ctx, tx); err != nil {
		return r, err
	}
	for _, name := range tables {
		t := report.Table{Name: name}
		if t.Rows, t.Bytes, err = s.count(ctx, tx, name); err != nil {
			return r, err
		}
		r.Tables = append(r.Tables, t)
	}
	// There is an index of those that live.
	live := fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM @.run WHERE state%s LIMIT %d) r", firstFinal("<"), report.Counted+1)
	if err := tx.QueryRow(ctx, s.sql(live)).Scan(&r.Live.N); err != nil {
		return r, err
	}
	if r.Live.N > report.Counted {
		r.Live = report.Count{N: report.Counted, More: true}
	}
	if r.Oldest, err = s.found(ctx, tx, "ASC"); err != nil {
		return r, err
	}
	r.Newest, err = s.found(ctx, tx, "DESC")
	return r, err
}

func (s *Store) schemaOf(ctx context.Context, q queryer) (x report.Schema, err error) {
	x = report.Schema{Newest: len(migrations), Pending: []string{}}
	if x.Version, err = s.version(ctx, q); err != nil {
		return x, err
	}
	entries, err := files.ReadDir("migrations")
	for _, e := range entries[min(x.Version, len(entries)):] {
		x.Pending = append(x.Pending, strings.TrimSuffix(e.Name(), ".sql"))
	}
	return x, err
}

// users are the sessions that there are.
func (s *Store) users(ctx context.Context, tx pgx.Tx) ([]report.User, error) {
	rows, err := tx.Query(ctx, s.sql("SELECT name, started, beat + lease < "+now+" FROM @.process ORDER BY id"))
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows([]report.User{}, rows, func(row pgx.CollectableRow) (u report.User, err error) {
		var started int64
		err = row.Scan(&u.Name, &started, &u.Silent)
		u.Since = time.UnixMicro(started).UTC()
		return u, err
	})
}

// count counts the rows of a table, or takes the estimate of the last ANALYZE where
// there are many.
func (s *Store) count(ctx context.Context, tx pgx.Tx, table string) (c report.Count, bytes int64, err error) {
	var estimate float64
	name := s.tables + table
	const known = `SELECT sum(greatest(reltuples, 0)), sum(pg_total_relation_size(oid))::bigint FROM pg_class
		WHERE oid = $1::text::regclass OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::text::regclass)`
	if err := tx.QueryRow(ctx, known, name).Scan(&estimate, &bytes); err != nil {
		return c, 0, err
	}
	if estimate > report.Counted {
		return report.Count{N: int64(estimate), About: true}, bytes, nil
	}
	exact := fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s LIMIT %d) r", name, report.Counted+1)
	err = tx.QueryRow(ctx, exact).Scan(&c.N)
	if c.N > report.Counted {
		c = report.Count{N: report.Counted, More: true}
	}
	return c, bytes, err
}

func (s *Store) found(ctx context.Context, tx pgx.Tx, order string) (*report.Run, error) {
	var id []byte
	var created int64
	err := tx.QueryRow(ctx, s.sql("SELECT uid, created FROM @.run ORDER BY id "+order+" LIMIT 1")).Scan(&id, &created)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	uid, err := uuid.FromBytes(id)
	return &report.Run{ID: uid.String(), Created: time.UnixMicro(created).UTC()}, err
}
