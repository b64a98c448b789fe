package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// insertRun is one statement in a transaction that is not ours: so it names the
// type of each parameter, and looks whether the transaction is one of the schema
// that this store has open, not of another database with a schema of that name.
// It adds a row to each of two tables and locks nothing else. To notify costs a
// moment when the transaction commits; without it, the letter is found before
// long.
var insertRun = func() string {
	var values []string
	for i, kind := range strings.Fields(runTypes) {
		values = append(values, "$"+strconv.Itoa(i+1)+"::"+kind)
	}
	return `WITH here AS (SELECT 1 FROM @.counter WHERE name = 'schema' AND value = $13::bigint),
		r AS (INSERT INTO @.run (` + runColumns + `) SELECT ` + strings.Join(values, ", ") + ` FROM here RETURNING 1),
		l AS (INSERT INTO @.letter (receiver, sender, body) SELECT $14::bigint, $14::bigint, $15::bytea FROM r RETURNING 1)
		SELECT CASE $16::text WHEN '' THEN NULL ELSE pg_notify($16::text, '') END FROM l`
}()

// InsertRun puts a run into a transaction of somebody else's.
func (s *Store) InsertRun(ctx context.Context, in store.Statement, r *store.RunRow, letter store.Letter) error {
	if s.closed.Load() {
		return s.closedError()
	}
	schema, err := s.schemaNumber(ctx)
	if err != nil {
		return err
	}
	channel := ""
	if !s.quiet {
		channel = s.channel(letter.To)
	}
	rows, err := in(ctx, s.sql(insertRun), r.ID, r.UID[:], []byte(r.Name), int64(r.State), int64(r.Gen), int64(r.Epoch), r.Base, r.Created,
		r.Finished, int64(0), r.Plan, r.Cell, schema, letter.To, letter.Body, channel)
	if err != nil {
		return api.Errorf(api.ErrStore, s.location, "the run was not added to the transaction: %w", err)
	}
	if rows != 1 {
		return api.Errorf(api.ErrInvalid, s.location, "the transaction is one of another database: a run can only be submitted with one of the database that the engine has open")
	}
	return nil
}

// schemaNumber tells this schema from those of the same name in other databases.
func (s *Store) schemaNumber(ctx context.Context) (int64, error) {
	if n := s.schemaID.Load(); n != 0 {
		return n, nil
	}
	n, found, err := one[int64](ctx, s, "SELECT value FROM @.counter WHERE name = $1", "schema")
	if err == nil && !found {
		err = api.Errorf(api.ErrStore, s.location, "the schema was damaged: its number is missing")
	}
	if err == nil {
		s.schemaID.Store(n)
	}
	return n, err
}
