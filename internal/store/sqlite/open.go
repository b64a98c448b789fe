package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
)

// applicationID marks a SQLite file as Runnel's, in its header.
const applicationID = 0x52756e6c // "Runl"

// checkPath gives the path free of symbolic links, so that one file has one
// lock, and refuses what can't be a database file.
func checkPath(path string) (string, error) {
	if path == "" || path == ":memory:" {
		return "", api.Errorf(api.ErrStore, path, "%q is not a path; give that of a file", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", api.Errorf(api.ErrStore, path, "%w", err)
	}
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		abs = target
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	info, err := os.Stat(abs)
	switch {
	case err == nil && info.IsDir():
		return "", api.Errorf(api.ErrStore, path, "is a directory; give the path of a file, such as %s", filepath.Join(path, "runnel.db"))
	case err == nil && !info.Mode().IsRegular():
		return "", api.Errorf(api.ErrStore, path, "is not a regular file (%s); give another path", info.Mode().Type())
	case err == nil:
		return abs, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", api.Errorf(api.ErrStore, path, "can't be looked at: %w", err)
	}
	dir := filepath.Dir(abs)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", api.Errorf(api.ErrStore, path, "there is no directory %s; make it first", dir)
	}
	return abs, nil
}

// checkFile refuses a file that may not be written, before SQLite says so in
// its own words and after the lock is held: closing a descriptor drops the
// process's locks on the file.
func checkFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the path is the caller's choice
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return api.Errorf(api.ErrStore, path, "is read-only for this user; change its permissions, or choose another path: %w", err)
	}
	return f.Close()
}

// openWriter opens the connection that writes, makes sure that the file is
// ours, and brings it to the present schema.
func openWriter(ctx context.Context, path string, opts Options) (_ *sqlite.Conn, err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, openError(path, err)
	}
	defer func() {
		if err != nil {
			err = openError(path, errors.Join(err, conn.Close()))
		}
	}()
	if err := identify(conn, path); err != nil {
		return nil, err
	}
	if err := pragmas(conn, fmt.Sprintf("page_size=%d", opts.PageSize)); err != nil {
		return nil, err
	}
	mode, err := pragma(conn, "journal_mode=wal")
	if err != nil {
		return nil, err
	}
	if mode != "wal" {
		return nil, api.Errorf(api.ErrStore, path,
			"the file system can't do a write-ahead log (journal mode %s); choose a local disk", mode)
	}
	err = pragmas(conn, "synchronous="+opts.Sync, fmt.Sprintf("cache_size=-%d", opts.Cache>>10),
		"wal_autocheckpoint=0", "journal_size_limit=-1", "temp_store=memory")
	if err != nil {
		return nil, err
	}
	return conn, migrate(ctx, conn, path)
}

// identify makes sure that a file is empty or ours, and not of a newer schema.
func identify(conn *sqlite.Conn, path string) error {
	tables, err := pragmaInt(conn, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	id, err := pragmaInt(conn, "PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := pragmaInt(conn, "PRAGMA user_version")
	switch {
	case err != nil:
		return err
	case id != applicationID && (tables != 0 || id != 0):
		return api.Errorf(api.ErrStore, path, "is a SQLite database of another program; choose another path")
	case version > int64(len(schema.Migrations)):
		return api.Errorf(api.ErrStore, path, "was written by a newer Runnel (schema %d, this one knows %d); use that one",
			version, len(schema.Migrations))
	}
	return nil
}

func prepareReader(conn *sqlite.Conn) error {
	return pragmas(conn, "query_only=on", "cache_size=-2048", "temp_store=memory")
}

// pragmas sets some.
func pragmas(conn *sqlite.Conn, settings ...string) error {
	for _, p := range settings {
		if _, err := pragma(conn, p); err != nil {
			return fmt.Errorf("pragma %s: %w", p, err)
		}
	}
	return nil
}

// pragma runs one and gives what it answers.
func pragma(conn *sqlite.Conn, setting string) (answer string, err error) {
	err = sqlitex.ExecuteTransient(conn, "PRAGMA "+setting, &sqlitex.ExecOptions{
		ResultFunc: func(st *sqlite.Stmt) error {
			answer = strings.ToLower(st.ColumnText(0))
			return nil
		},
	})
	return answer, err
}

func pragmaInt(conn *sqlite.Conn, query string) (n int64, err error) {
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{
		ResultFunc: func(st *sqlite.Stmt) error {
			n = st.ColumnInt64(0)
			return nil
		},
	})
	return n, err
}
