package postgres

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
)

//go:embed migrations/*.sql
var files embed.FS

// migrations are all there are in their order. A released one never changes; the
// schema's table migration says which of them it has.
var migrations = readMigrations()

func readMigrations() (list []string) {
	entries, err := files.ReadDir("migrations")
	if err != nil {
		panic(err) // it is part of the program
	}
	for i, e := range entries { // ordered by name
		var n int
		if _, err := fmt.Sscanf(e.Name(), "%04d_", &n); err != nil || n != i+1 {
			panic("postgres: migration " + e.Name() + " is not numbered in order")
		}
		text, err := files.ReadFile("migrations/" + e.Name())
		if err != nil {
			panic(err)
		}
		list = append(list, string(text))
	}
	return list
}

// migrate makes the schema if there is none, and applies what is missing: all of
// it in one transaction, and one process at a time.
func (s *Store) migrate(ctx context.Context, conn *pgx.Conn) error {
	if version, err := s.version(ctx, conn); err != nil || version == len(migrations) {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('runnel ' || $1))", s.schema); err != nil {
			return err
		}
		version, err := s.version(ctx, tx) // another process may have been faster
		if err != nil {
			return err
		}
		if version == 0 {
			if err := s.begin(ctx, tx); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "SELECT set_config('search_path', $1, true)", pgx.Identifier{s.schema}.Sanitize()); err != nil {
			return err
		}
		for ; version < len(migrations); version++ {
			// The simple protocol takes several statements at once.
			if _, err := tx.Conn().PgConn().Exec(ctx, migrations[version]).ReadAll(); err != nil {
				return fmt.Errorf("schema version %d to %d: %w", version, version+1, err)
			}
			if _, err := tx.Exec(ctx, s.sql("INSERT INTO @.migration (version) VALUES ($1)"), version+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// queryer is a connection or a transaction.
type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// version gives the version of the schema, 0 if it has none, and refuses one of
// another program or of a newer Runnel.
func (s *Store) version(ctx context.Context, q queryer) (version int, err error) {
	var tables int
	var ours bool
	const look = `SELECT count(*), coalesce(bool_or(table_name = 'migration'), false)
		FROM information_schema.tables WHERE table_schema = $1`
	if err := q.QueryRow(ctx, look, s.schema).Scan(&tables, &ours); err != nil || tables == 0 {
		return 0, err
	}
	if !ours {
		return 0, api.Errorf(api.ErrStore, s.location, "schema %q has tables of another program; choose another with schema=NAME in the dsn", s.schema)
	}
	if err := q.QueryRow(ctx, s.sql("SELECT coalesce(max(version), 0) FROM @.migration")).Scan(&version); err != nil {
		return 0, err
	}
	if version > len(migrations) {
		return 0, api.Errorf(api.ErrStore, s.location, "was written by a newer Runnel (schema version %d, this one knows %d); use that one",
			version, len(migrations))
	}
	return version, nil
}

// begin makes schema and table for the first migration. Who may not make schemas
// may still use one that was made for it.
func (s *Store) begin(ctx context.Context, tx pgx.Tx) error {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)", s.schema).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{s.schema}.Sanitize()); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, s.sql("CREATE TABLE IF NOT EXISTS @.migration (version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"))
	return err
}
