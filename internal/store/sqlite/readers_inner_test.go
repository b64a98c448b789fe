package sqlite

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{WAL: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// SQLite compiles a statement once for each connection, and not again because it is
// asked for another run, range or kind: that would take longer than to run it.
func TestStatementsOfReadersAreCompiledOnce(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "runnel.db"))
	compiled := 0
	for _, r := range s.read.all {
		err := r.conn.SetAuthorizer(sqlite.AuthorizeFunc(func(sqlite.Action) sqlite.AuthResult {
			compiled++
			return sqlite.AuthResultOK
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	for round := range int64(3) {
		for i, read := range map[string]func() error{
			"run": func() error {
				if _, err := s.Run(ctx, round+1); !errors.Is(err, api.ErrNotFound) {
					return err
				}
				return nil
			},
			"runs": func() error {
				f := api.RunFilter{Name: string(rune('a' + round)), States: []api.State{api.State(round)}, Since: time.UnixMicro(round)}
				_, err := s.Runs(ctx, f, 1000+round, int(round)+10)
				return err
			},
			"live runs": func() error { _, err := s.LiveRuns(ctx, round, int(round)+10); return err },
			"blocks":    func() error { _, err := s.Blocks(ctx, round+1); return err },
			"frames": func() error {
				return s.Frames(ctx, round+1, round, math.MaxInt64-round, func(*store.FrameRow) error { return nil })
			},
			"tasks": func() error {
				return s.Tasks(ctx, round+1, round, math.MaxInt64-round, func(*store.TaskRow) error { return nil })
			},
			"logs":    func() error { return s.Logs(ctx, round+1, round+1, func(api.LogLine) error { return nil }) },
			"keyed":   func() error { _, err := s.Keyed(ctx, string(rune('a'+round))); return err },
			"records": func() error { return s.Records(ctx, string(rune('a'+round)), string(rune('a'+round)), nil) },
		} {
			for range s.read.all { // each connection in turn
				compiled = 0
				if err := read(); err != nil {
					t.Fatalf("%s: %v", i, err)
				}
				if round > 0 && compiled > 0 {
					t.Errorf("%s, asked for something else, was compiled anew", i)
				}
			}
		}
	}
}

// A connection that was interrupted is as good as new for who takes it next, also if the
// interrupt comes late.
func TestInterruptedReaderIsRenewed(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "runnel.db"))
	for i := range 1000 {
		ctx, cancel := context.WithCancel(t.Context())
		if i%2 == 0 {
			go cancel()
		} else {
			cancel()
		}
		err := s.query(ctx, "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n) SELECT x FROM n WHERE x < 0", nil,
			func(*sqlite.Stmt) bool { return false }) // without end
		if !errors.Is(err, api.ErrCancelled) {
			t.Fatalf("a query that was cancelled gives %v", err)
		}
		if _, err := s.LastRun(t.Context()); err != nil {
			t.Fatalf("after %d interrupts: %v", i+1, err)
		}
	}
}

// Close interrupts what is being read, and waits for it.
func TestCloseInterruptsReaders(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "runnel.db"))
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		first := true
		ended <- s.query(t.Context(), "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n) SELECT x FROM n", nil,
			func(*sqlite.Stmt) bool {
				if first {
					close(begun)
				}
				first = false
				return false
			})
	}()
	<-begun
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("a query without end has ended by itself")
	}
	if _, err := s.LastRun(t.Context()); !errors.Is(err, api.ErrClosed) {
		t.Errorf("a read of a closed store gives %v", err)
	}
}
