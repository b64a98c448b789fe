package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/report"
)

// Migrate brings the schema that the DSN names to the present version, and makes it if
// it is not there. Dry, it does nothing. It gives the version that it found.
func Migrate(ctx context.Context, dsn string, dry bool) (was report.Schema, err error) {
	err = beside(ctx, dsn, func(s *Store, conn *pgx.Conn) error {
		was, err = s.schemaOf(ctx, conn)
		if err != nil || dry || len(was.Pending) == 0 {
			return err
		}
		return s.migrate(ctx, conn)
	})
	return was, err
}

// Vacuum frees what rows that are gone took up in the tables of the schema, for rows
// that come, and has the database count what is there. Whoever has the schema open goes
// on. It gives the bytes before and after, which differ where the end of a file was free.
func Vacuum(ctx context.Context, dsn string) (before, after int64, err error) {
	cfg, err := parse(dsn, Options{})
	if err != nil {
		return 0, 0, err
	}
	s := &Store{settings: cfg}
	var refused *pgconn.Notice // a table that is another user's is passed over with a warning
	s.pool.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.Severity == "WARNING" {
			refused = n
		}
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return 0, 0, s.openError(ctx, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing is left to be done over it
	version, err := s.version(ctx, conn)
	if err != nil {
		return 0, 0, s.openError(ctx, err)
	}
	if version == 0 {
		return 0, 0, s.absent()
	}
	names, before, err := s.sizes(ctx, conn)
	for _, name := range names {
		if err == nil {
			_, err = conn.Exec(ctx, "VACUUM (ANALYZE) "+s.tables+pgx.Identifier{name}.Sanitize(), pgx.QueryExecModeSimpleProtocol)
		}
		if err == nil && refused != nil {
			return 0, 0, api.Errorf(api.ErrStore, s.location, "%s: the database says: %s; do it as the owner of the tables", name, refused.Message)
		}
	}
	if err == nil {
		_, after, err = s.sizes(ctx, conn)
	}
	if err != nil {
		return 0, 0, s.openError(ctx, err)
	}
	return before, after, nil
}

// sizes gives the tables of the schema, and what they take up together.
func (s *Store) sizes(ctx context.Context, conn *pgx.Conn) (names []string, bytes int64, err error) {
	const list = `SELECT c.relname::text, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind = 'r' ORDER BY 1`
	rows, err := conn.Query(ctx, list, s.schema)
	if err != nil {
		return nil, 0, err
	}
	var name string
	var size int64
	_, err = pgx.ForEachRow(rows, []any{&name, &size}, func() error {
		names, bytes = append(names, name), bytes+size
		return nil
	})
	return names, bytes, err
}

// absent is the error of a schema that is not there.
func (s *Store) absent() error {
	return api.Errorf(api.ErrNotFound, s.location, "there is no schema %q, or nothing is in it", s.schema)
}
