package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	zombie "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
	"github.com/runnel-dev/runnel/internal/store/storetest"
)

// small is for tests that open many stores.
var small = sqlite.Options{WAL: 1 << 20}

func open(tb testing.TB, path string, opts sqlite.Options) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), path, opts)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() { closeStore(tb, s) })
	return s
}

func closeStore(tb testing.TB, s *sqlite.Store) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Errorf("Close: %v", err)
	}
}

func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "runnel.db")
}

func openNew(t *testing.T) store.Store {
	t.Helper()
	return open(t, newPath(t), small)
}

func TestPromises(t *testing.T) { storetest.Run(t, openNew) }

func TestReopen(t *testing.T) {
	storetest.RunReopen(t, func(t *testing.T) (store.Store, func() store.Store) {
		t.Helper()
		path := newPath(t)
		last := open(t, path, small)
		return last, func() store.Store {
			closeStore(t, last)
			last = open(t, path, small)
			return last
		}
	})
}

func TestRandom(t *testing.T) {
	open := func(t *testing.T) store.Store {
		t.Helper()
		s := open(t, newPath(t), small)
		s.SetLag(2)
		return s
	}
	storetest.RunRandom(t, open, func(*testing.T) store.Store { return memory.Open() })
}

func commit(tb testing.TB, s store.Store, batch ...*store.Transition) {
	tb.Helper()
	if _, err := s.Commit(tb.Context(), batch); err != nil {
		tb.Fatalf("Commit: %v", err)
	}
}

func newRun(id int64) *store.Transition {
	return &store.Transition{Run: id, NewRun: &store.RunRow{ID: id, State: api.Running}}
}

// task is a transition of run 1 that inserts a task run.
func task(id int64, state api.State, cell []byte) *store.Transition {
	t := &store.Transition{Run: 1}
	*t.AddTask() = store.TaskWrite{
		ID: id, Frame: 1, Place: int32(id % 1000), Task: "add", State: state, Attempt: 1, Cell: cell,
	}
	return t
}

func TestLocation(t *testing.T) {
	path := newPath(t)
	if got := open(t, path, small).Location(); got != path {
		t.Errorf("Location is %q, want %q", got, path)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, newPath(t), small)
	commit(t, s, newRun(1))
	b, err := s.PutBlob(t.Context(), 1, zeros(600_000))
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.OpenBlob(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	closeStore(t, s)
	_, commitErr := s.Commit(t.Context(), []*store.Transition{newRun(2)})
	_, keysErr := s.ReserveKeys(t.Context(), 1)
	_, runErr := s.Run(t.Context(), 1)
	_, putErr := s.PutBlob(t.Context(), 1, zeros(5))
	_, readErr := r.Read(make([]byte, 10))
	for what, err := range map[string]error{"Commit": commitErr, "ReserveKeys": keysErr, "Run": runErr, "PutBlob": putErr, "Read": readErr} {
		if !errors.Is(err, api.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", what, err)
		}
	}
}

// Another program may hold the file's own lock for a while.
func TestBusy(t *testing.T) {
	path := newPath(t)
	s := open(t, path, small)
	commit(t, s, newRun(1))
	s.SetBusyTimeout(0)
	conn, err := zombie.OpenConn(path, zombie.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.Execute(conn, "BEGIN IMMEDIATE", nil); err != nil {
		t.Fatal(err)
	}
	batch := []*store.Transition{task(5, api.Running, nil), newRun(2)}
	if _, err := s.Commit(t.Context(), batch); !errors.Is(err, store.ErrRetry) {
		t.Errorf("Commit on a locked file: %v, want ErrRetry", err)
	}
	if err := sqlitex.Execute(conn, "ROLLBACK", nil); err != nil {
		t.Fatal(err)
	}
	commit(t, s, batch...)
}

// What was laid out of the log is used again and again.
func TestLogStartsOver(t *testing.T) {
	path := newPath(t)
	s := open(t, path, sqlite.Options{WAL: 2 << 20})
	size := func() int64 {
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if size() != 2<<20 {
		t.Errorf("the log is %d bytes long after Open, want 2 MiB", size())
	}
	commit(t, s, newRun(1))
	cell := make([]byte, 10_000)
	const n = 4_000 // 40 MB
	for id := int64(1); id <= n; {
		var batch []*store.Transition
		for range 50 {
			batch = append(batch, task(id, api.Completed, cell))
			id++
		}
		commit(t, s, batch...)
	}
	if size() > 10<<20 {
		t.Errorf("the log has grown to %d bytes", size())
	}
	check(t, path)
}

// check runs SQLite's own check of a file, beside the store.
func check(t *testing.T, path string) {
	t.Helper()
	conn, err := zombie.OpenConn(path, zombie.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := sqlitex.ResultText(prepare(t, conn, "PRAGMA integrity_check"))
	if err != nil || answer != "ok" {
		t.Errorf("integrity_check: %s %v", answer, err)
	}
}

func prepare(t *testing.T, conn *zombie.Conn, query string) *zombie.Stmt {
	t.Helper()
	st, err := conn.Prepare(query)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestOptions(t *testing.T) {
	path := newPath(t)
	if _, err := sqlite.Open(t.Context(), path, sqlite.Options{Sync: "off"}); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("Open with sync off: %v, want ErrInvalid", err)
	}
	s := open(t, path, sqlite.Options{Sync: "normal", WAL: -1, PageSize: 4096})
	commit(t, s, newRun(1))
	closeStore(t, s)
	commit(t, open(t, path, small), newRun(2)) // another page size now does no harm
}

func TestManyNames(t *testing.T) {
	s := open(t, newPath(t), small)
	tr := newRun(1)
	for id := int64(1); id <= 3000; id++ {
		*tr.AddTask() = store.TaskWrite{ID: id, Task: strconv.FormatInt(id%1000, 10), State: api.Running}
	}
	commit(t, s, tr)
	err := s.Tasks(t.Context(), 1, 0, 4000, func(r *store.TaskRow) error {
		if r.Task != strconv.FormatInt(r.ID%1000, 10) {
			t.Errorf("task run %d is of task %q", r.ID, r.Task)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
