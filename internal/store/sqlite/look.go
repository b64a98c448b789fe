package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/report"
)

// Look reports on the file at path, whether or not an engine has it open, and changes
// nothing.
func Look(ctx context.Context, path string) (r report.Database, err error) {
	err = beside(ctx, path, func(conn *sqlite.Conn, path string) error {
		r, err = describe(conn, path)
		return err
	})
	return r, err
}

// beside runs f on a connection that only reads, in a transaction, so that f sees one
// moment. An engine that has the file open goes on.
func beside(ctx context.Context, path string, f func(conn *sqlite.Conn, path string) error) error {
	path, err := existing(path)
	if err != nil {
		return err
	}
	// A connection that may write takes its files away at the end; one that may not
	// leaves them. Where the file is read-only, SQLite opens it as such.
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return openError(path, err)
	}
	conn.SetInterrupt(ctx.Done())
	conn.SetBusyTimeout(busyTimeout)
	err = prepareReader(conn)
	if err == nil {
		err = identify(conn, path)
	}
	if err == nil {
		err = sqlitex.ExecuteTransient(conn, "BEGIN", nil)
	}
	if err == nil {
		err = f(conn, path)
	}
	conn.SetInterrupt(nil)
	err = errors.Join(err, conn.Close())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return readError(ctx, path, err)
	}
	return openError(path, err)
}

// existing is checkPath for a file that must be there.
func existing(path string) (string, error) {
	path, err := checkPath(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", api.Errorf(api.ErrNotFound, path, "there is no such file")
	}
	return path, nil
}

func describe(conn *sqlite.Conn, path string) (r report.Database, err error) {
	r = report.Database{Store: "sqlite", Location: path, Users: []report.User{}, Tables: []report.Table{}}
	if r.Schema, err = schemaOf(conn); err != nil {
		return r, err
	}
	var pages, free int64
	for query, into := range map[string]*int64{
		"PRAGMA page_size": &r.Page, "PRAGMA page_count": &pages, "PRAGMA freelist_count": &free,
	} {
		if *into, err = pragmaInt(conn, query); err != nil {
			return r, err
		}
	}
	if r.Journal, err = pragma(conn, "journal_mode"); err != nil {
		return r, err
	}
	r.Log = length(path + "-wal")
	r.Bytes, r.Free = length(path)+r.Log, free*r.Page
	if owner, held := lockHolder(path); held {
		r.Users = append(r.Users, report.User{Name: owner})
	}
	if r.Schema.Version == 0 {
		return r, nil
	}
	for _, name := range tables {
		n, err := count(conn, name)
		if err != nil {
			return r, err
		}
		r.Tables = append(r.Tables, report.Table{Name: name, Rows: n})
	}
	if r.Live, err = count(conn, "run WHERE state"+firstFinal("<")); err != nil {
		return r, err
	}
	if r.Oldest, err = found(conn, "ASC"); err != nil {
		return r, err
	}
	r.Newest, err = found(conn, "DESC")
	return r, err
}

// tables are those that hold what users have there, in the order of exports.
var tables = []string{"run", "task", "frame", "block", "log", "keyed", "record", "blob", "blob_chunk"}

func schemaOf(conn *sqlite.Conn) (s report.Schema, err error) {
	version, err := pragmaInt(conn, "PRAGMA user_version")
	s = report.Schema{Version: int(version), Newest: len(schema.Migrations), Pending: []string{}}
	for _, name := range migrationNames[min(s.Version, s.Newest):] {
		s.Pending = append(s.Pending, strings.TrimSuffix(name, ".sql"))
	}
	return s, err
}

func length(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func count(conn *sqlite.Conn, from string) (c report.Count, err error) {
	c.N, err = pragmaInt(conn, fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s LIMIT %d)", from, report.Counted+1))
	if c.N > report.Counted {
		c.N, c.More = report.Counted, true
	}
	return c, err
}

func found(conn *sqlite.Conn, order string) (f *report.Run, err error) {
	err = sqlitex.ExecuteTransient(conn, "SELECT uid, created FROM run ORDER BY id "+order+" LIMIT 1", &sqlitex.ExecOptions{
		ResultFunc: func(st *sqlite.Stmt) error {
			var id uuid.UUID
			st.ColumnBytes(0, id[:])
			f = &report.Run{ID: id.String(), Created: time.UnixMicro(st.ColumnInt64(1)).UTC()}
			return nil
		},
	})
	return f, err
}
