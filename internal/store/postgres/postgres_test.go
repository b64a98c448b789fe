package postgres_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/store/postgres"
	"github.com/runnel-dev/runnel/internal/store/storetest"
)

// server gives the DSN of the server that the tests may use.
func server(tb testing.TB) string {
	tb.Helper()
	dsn := os.Getenv("RUNNEL_POSTGRES")
	if dsn == "" {
		tb.Fatal("RUNNEL_POSTGRES is not set: run `make test`, which starts a PostgreSQL of its own, or set it to the DSN of one that tests may use")
	}
	return dsn
}

// with adds a parameter to a DSN.
func with(dsn, name, value string) string {
	sep := "?"
	if strings.Contains(dsn, "?") {
		sep = "&"
	}
	return dsn + sep + name + "=" + url.QueryEscape(value)
}

var schemas atomic.Int64

// newDSN gives one with a schema of its own, which goes after the test.
func newDSN(tb testing.TB) string {
	tb.Helper()
	schema := fmt.Sprintf("Test \"%d\" %d", os.Getpid(), schemas.Add(1))
	dsn := with(server(tb), "schema", schema)
	tb.Cleanup(func() {
		exec(tb, "DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize()+" CASCADE")
	})
	return dsn
}

// connect opens a connection beside the store.
func connect(tb testing.TB) *pgx.Conn {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	conn, err := pgx.Connect(ctx, server(tb))
	if err != nil {
		tb.Fatalf("connecting: %v", err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(ctx); err != nil {
			tb.Errorf("closing a connection: %v", err)
		}
	})
	return conn
}

// exec runs statements beside the store.
func exec(tb testing.TB, text string, args ...any) {
	tb.Helper()
	if _, err := connect(tb).Exec(context.WithoutCancel(tb.Context()), text, args...); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
}

// number runs a query beside the store that gives one.
func number(tb testing.TB, text string, args ...any) (n int64) {
	tb.Helper()
	if err := connect(tb).QueryRow(context.WithoutCancel(tb.Context()), text, args...).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return n
}

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
	tb.Cleanup(func() { closeStore(tb, s) })
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
	return open(t, newDSN(t))
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
		return open(t, with(newDSN(t), "pooler", "transaction"))
	})
}

func TestShared(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunShared(t, func(t *testing.T) storetest.Sharing {
				t.Helper()
				param, value, _ := strings.Cut(way, "=")
				x := sharing(t, with(with(newDSN(t), param, value), "lease", "1h"))
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
			exec(t, "UPDATE "+schemaOf(t, dsn)+".process SET beat = 1 WHERE id = $1", s.Session())
		},
	}
}

// schemaOf gives the name of a DSN's schema, quoted.
func schemaOf(tb testing.TB, dsn string) string {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	return pgx.Identifier{u.Query().Get("schema")}.Sanitize()
}

func TestReopen(t *testing.T) {
	t.Parallel()
	storetest.RunReopen(t, func(t *testing.T) (store.Store, func() store.Store) {
		t.Helper()
		dsn := newDSN(t)
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

func TestRandom(t *testing.T) {
	t.Parallel()
	storetest.RunRandom(t, openNew, func(*testing.T) store.Store { return memory.Open() })
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
