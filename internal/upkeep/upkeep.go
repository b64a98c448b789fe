// Package upkeep is what is done to a database beside engines: look at it, bring it up
// to date, free its room, write all of it to a file and fill an empty one from that.
//
// It must not know the engine: nothing runs meanwhile.
package upkeep

import (
	"context"
	"io"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/place"
	"github.com/runnel-dev/runnel/internal/store/dump"
	"github.com/runnel-dev/runnel/internal/store/postgres"
	"github.com/runnel-dev/runnel/internal/store/report"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
)

// Database is one that outlives its processes.
type Database struct {
	at   string
	look func(ctx context.Context, at string) (report.Database, error)
	// The others say what they do where they are.
	migrate  func(ctx context.Context, at string, dry bool) (report.Schema, error)
	vacuum   func(ctx context.Context, at string) (before, after int64, err error)
	toFile   func(ctx context.Context, at string, to *dump.Writer) error
	fromFile func(ctx context.Context, at string, from *dump.Reader) error
}

// Of gives the database that a DSN names; nothing is opened yet.
func Of(dsn string) (*Database, error) {
	at, err := place.Read(dsn)
	if err != nil {
		return nil, err
	}
	switch at.Kind {
	case place.SQLite:
		return &Database{at.Path, sqlite.Look, sqlite.Migrate, sqlite.Vacuum, sqlite.Export, sqlite.Import}, nil
	case place.Postgres:
		return &Database{at.DSN, postgres.Look, postgres.Migrate, postgres.Vacuum, postgres.Export, postgres.Import}, nil
	case place.Server:
		return nil, api.Errorf(api.ErrInvalid, "", "a server looks after its database by itself: name that, as in sqlite:FILE or postgres://USER@HOST/DATABASE")
	}
	return nil, api.Errorf(api.ErrInvalid, "", "a database in memory is gone with its process: there is nothing to look after")
}

// Look reports on it, and changes nothing. Engines that have it open go on.
func (d *Database) Look(ctx context.Context) (report.Database, error) { return d.look(ctx, d.at) }

// Migrate brings it to the schema of this program, and makes it if it is not there; dry,
// it only looks. It gives the schema that was found.
func (d *Database) Migrate(ctx context.Context, dry bool) (was report.Schema, err error) {
	return d.migrate(ctx, d.at, dry)
}

// Vacuum frees room, and gives the bytes before and after.
func (d *Database) Vacuum(ctx context.Context) (before, after int64, err error) {
	return d.vacuum(ctx, d.at)
}

// Export writes all that it holds, as of one moment, and says how many rows of each kind.
// Engines that have it open go on.
func (d *Database) Export(ctx context.Context, w io.Writer) (rows map[string]int64, err error) {
	to := dump.NewWriter(w)
	return to.Rows(), d.toFile(ctx, d.at, to)
}

// Import fills it, which must be empty, with what Export wrote: all or nothing.
func (d *Database) Import(ctx context.Context, r io.Reader) (rows map[string]int64, err error) {
	from, err := dump.NewReader(r)
	if err != nil {
		return nil, err
	}
	return from.Rows(), d.fromFile(ctx, d.at, from)
}
