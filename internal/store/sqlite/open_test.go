package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	zombie "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
)

// refused opens a path that can't be, and looks for words in the error.
func refused(t *testing.T, path string, words ...string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, small)
	if err == nil {
		closeStore(t, s)
		t.Fatalf("Open(%q) worked", path)
	}
	if !errors.Is(err, api.ErrStore) {
		t.Errorf("Open(%q): %v, does not wrap ErrStore", path, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Open(%q): %q does not say %q", path, err, w)
		}
	}
}

func script(t *testing.T, path, text string) {
	t.Helper()
	conn, err := zombie.OpenConn(path, zombie.OpenReadWrite|zombie.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sqlitex.ExecScript(conn, text), conn.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	text := strings.Repeat("this is not a database\n", 1000)
	if err := os.WriteFile(at("text"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	script(t, at("other.db"), "CREATE TABLE t (x)")
	script(t, at("marked.db"), "PRAGMA application_id = 7")
	closeStore(t, open(t, at("newer.db"), small))
	script(t, at("newer.db"), "PRAGMA user_version = 1000")

	refused(t, "", "not a path")
	refused(t, ":memory:", "not a path")
	refused(t, dir, "is a directory", "runnel.db")
	refused(t, at("no/such.db"), "no directory", at("no"))
	refused(t, os.DevNull, "not a regular file")
	refused(t, at("text"), "not a SQLite database")
	refused(t, at("other.db"), "another program")
	refused(t, at("marked.db"), "another program")
	refused(t, at("newer.db"), "newer Runnel", "schema 1000")

	// And it left all of them alone.
	if got, err := os.ReadFile(at("text")); err != nil || string(got) != text {
		t.Errorf("the text file was changed: %v", err)
	}
	for _, name := range []string{"text", "other.db", "marked.db"} {
		if _, err := os.Stat(at(name + "-wal")); err == nil {
			t.Errorf("%s has a write-ahead log now", name)
		}
	}
}

func TestOpenDamaged(t *testing.T) {
	path := newPath(t)
	closeStore(t, open(t, path, small))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(make([]byte, 4000), 100) // the schema
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	refused(t, path, "is damaged", "backup")
}

func TestOpenEmptyFile(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	commit(t, open(t, path, small), newRun(1))
}

func TestOpenTwice(t *testing.T) {
	path := newPath(t)
	s := open(t, path, small)
	refused(t, path, "in use", fmt.Sprintf("pid %d", os.Getpid()))
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	refused(t, link, "in use")
	commit(t, s, newRun(1)) // the refused ones did not disturb it
	closeStore(t, s)
	open(t, path, small)
}
