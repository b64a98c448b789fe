package postgres_test

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
	"github.com/runnel-dev/runnel/internal/store/postgres"
	"github.com/runnel-dev/runnel/internal/store/storetest"
)

func open(tb testing.TB, dsn string) *postgres.Store {
	tb.Helper()
	return openWith(tb, dsn, postgres.Options{})
}

func openWith(tb testing.TB, dsn string, opts postgres.Options) *postgres.Store {
	tb.Helper()
	opts.Log = slog.New(slog.DiscardHandler)
	s, err := postgres.Open(tb.Context(), dsn, opts)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() {
		closeStore(tb, s)
		namesKeys(tb, s)
	})
	return s
}

func closeStore(tb testing.TB, s *postgres.Store) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Errorf("Close: %v", err)
	}
}

func openNew(t *testing.T) store.Store {
	t.Helper()
	return open(t, pgtest.DSN(t))
}

// ways are the ways to the server.
var ways = map[string]string{"direct": "pooler=none", "quiet": "notify=off", "pooled": "pooler=transaction"}

func TestPromises(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openNew)
}

func TestPromisesOverPooler(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		return open(t, pgtest.With(pgtest.DSN(t), "pooler", "transaction"))
	})
}

func TestShared(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunShared(t, func(t *testing.T) storetest.Sharing {
				t.Helper()
				param, value, _ := strings.Cut(way, "=")
				x := sharing(t, pgtest.With(pgtest.With(pgtest.DSN(t), param, value), "lease", "1h"))
				x.Deaf = name != "direct"
				return x
			})
		})
	}
}

func sharing(t *testing.T, dsn string) storetest.Sharing {
	t.Helper()
	return storetest.Sharing{
		Join: func(t *testing.T, name string) store.Shared {
			t.Helper()
			return openWith(t, dsn, postgres.Options{Name: name})
		},
		Age: func(t *testing.T, s store.Shared) {
			t.Helper()
			pgtest.Exec(t, "UPDATE "+pgtest.Schema(t, dsn)+".process SET beat = 1 WHERE id = $1", s.Session())
		},
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	storetest.RunReopen(t, func(t *testing.T) (store.Store, func() store.Store) {
		t.Helper()
		dsn := pgtest.DSN(t)
		last := open(t, dsn)
		return last, func() store.Store {
			closeStore(t, last)
			last = open(t, dsn)
			adoptAll(t, last)
			return last
		}
	})
}

// adoptAll makes all live runs the session's, as an engine does that finds that
// the process before it has ended.
func adoptAll(t *testing.T, s *postgres.Store) {
	t.Helper()
	for after := int64(0); ; {
		rows, err := s.Orphans(t.Context(), after, 100)
		if err != nil {
			t.Fatalf("Orphans: %v", err)
		}
		if len(rows) == 0 {
			return
		}
		var numbers []int64
		for i := range rows {
			after = rows[i].ID
			numbers = append(numbers, after)
		}
		if _, err := s.Adopt(t.Context(), numbers); err != nil {
			t.Fatalf("Adopt: %v", err)
		}
	}
}

// TestRandom holds the store to the model, and each statement that a commit sends to
// the keys of its tables.
func TestRandom(t *testing.T) {
	t.Parallel()
	w := &watched{open(t, pgtest.DSN(t)), map[string]bool{}}
	storetest.RunRandom(t, func(*testing.T) store.Store { return w }, func(*testing.T) store.Store { return memory.Open() })
	w.commitsNameKeys(t)
}

func commit(tb testing.TB, s store.Store, batch ...*store.Transition) []store.FrameRef {
	tb.Helper()
	closed, err := s.Commit(tb.Context(), batch)
	if err != nil {
		tb.Fatalf("Commit: %v", err)
	}
	return closed
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

// zeros gives n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
