package postgres_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
	"github.com/runnel-dev/runnel/internal/store/postgres"
)

func beat(tb testing.TB, s *postgres.Store) (sessions []int64, lost int) {
	tb.Helper()
	live, lost, err := s.Beat(tb.Context(), nil)
	if err != nil {
		tb.Fatalf("Beat: %v", err)
	}
	for _, m := range live {
		sessions = append(sessions, m.Session)
	}
	return sessions, lost
}

// A process that stands still in the middle of a transaction holds its locks for
// as long as its connection lives. Neither the one that gives it up nor anybody
// else waits for that.
func TestStuckTransaction(t *testing.T) {
	t.Parallel()
	dsn := pgtest.With(pgtest.DSN(t), "lease", "1h")
	schema := pgtest.Schema(t, dsn)
	for _, table := range []string{"writer", "process"} {
		a, b, c := open(t, dsn), open(t, dsn), open(t, dsn)
		id := map[string]string{"writer": "process", "process": "id"}[table]
		stuck, ctx := pgtest.Connect(t), t.Context()
		for _, text := range []string{"BEGIN", "SELECT 1 FROM " + schema + "." + table + " WHERE " + id + " = $1 FOR KEY SHARE"} {
			var args []any
			if strings.Contains(text, "$1") {
				args = []any{a.Session()}
			}
			if _, err := stuck.Exec(ctx, text, args...); err != nil {
				t.Fatal(err)
			}
		}
		pgtest.Exec(t, "UPDATE "+schema+".process SET beat = 1 WHERE id = $1", a.Session())
		var all sync.WaitGroup
		sum := make(chan int, 2)
		began := time.Now()
		for _, s := range []*postgres.Store{b, c} {
			all.Go(func() {
				_, lost := beat(t, s)
				sum <- lost
			})
		}
		all.Wait()
		if n := <-sum + <-sum; n != 1 {
			t.Errorf("stuck in %s: given up by %d, want 1", table, n)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("stuck in %s: it took %s", table, took)
		}
		if err := stuck.Ping(ctx); err == nil {
			t.Errorf("stuck in %s: its connection lives", table)
		}
		if _, err := a.Commit(ctx, []*store.Transition{newRun(1)}); !errors.Is(err, store.ErrLost) {
			t.Errorf("Commit: %v, want ErrLost", err)
		}
	}
}

// When the database was away nobody could beat, and nobody is given up for it.
func TestOutageIsNobodysFault(t *testing.T) {
	t.Parallel()
	dsn := pgtest.With(pgtest.DSN(t), "lease", "1m")
	a, b := open(t, dsn), open(t, dsn)
	pgtest.Exec(t, "UPDATE "+pgtest.Schema(t, dsn)+".process SET beat = beat - 3600000000")
	both := []int64{a.Session(), b.Session()}
	for _, s := range []*postgres.Store{b, b, a, b} {
		if sessions, lost := beat(t, s); lost != 0 || !slices.Equal(sessions, both) {
			t.Errorf("after an outage %d sees %v and gave up %d, want %v and none", s.Session(), sessions, lost, both)
		}
	}
	commit(t, a, newRun(1))
}

// What a living process puts is not yet anybody's, and no garbage.
func TestSweepSparesTheLiving(t *testing.T) {
	t.Parallel()
	dsn := pgtest.With(pgtest.DSN(t), "lease", "1h")
	a := open(t, dsn)
	ctx := t.Context()
	var blobs []store.Blob
	for _, run := range []int64{0, 7} {
		b, err := a.PutBlob(ctx, run, zeros(300_000))
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, b)
	}
	there := func(s *postgres.Store) (n int) {
		for _, b := range blobs {
			r, err := s.OpenBlob(ctx, b)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				n++
			}
			if err != nil && !errors.Is(err, api.ErrNotFound) {
				t.Errorf("reading a blob: %v", err)
			}
		}
		return n
	}
	b := open(t, dsn)
	if n := there(b); n != 2 {
		t.Errorf("%d of 2 blobs are there while the one that put them lives", n)
	}
	pgtest.Exec(t, "UPDATE "+pgtest.Schema(t, dsn)+".process SET beat = 1 WHERE id = $1", a.Session())
	if _, lost := beat(t, b); lost != 1 {
		t.Fatalf("gave up %d, want 1", lost)
	}
	if n := there(open(t, dsn)); n != 0 {
		t.Errorf("%d blobs are there after the one that put them was given up", n)
	}
}

// An answer that is lost does not make anything happen twice, or not at all.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fate fate
	}{{"done", unheard}, {"not done", unsaid}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, dsn := tapped(t, pgtest.With(pgtest.DSN(t), "lease", "1h"))
			a, ctx := open(t, dsn), t.Context()
			group := store.FrameWrite{ID: 20, Kind: store.GroupFrame, State: store.FrameOpen, Count: 1, Pending: 1}
			commit(t, a, newRun(1), &store.Transition{Run: 1, Frames: []store.FrameWrite{group}})

			last := task(10, api.Completed, nil)
			last.AddJoin(store.Join{Frame: 20, Ended: 1})
			p.doom(c.fate)
			closed, err := a.Commit(ctx, []*store.Transition{last})
			if c.fate == unsaid {
				if !errors.Is(err, store.ErrRetry) {
					t.Errorf("Commit: %v, want ErrRetry", err)
				}
				closed, err = a.Commit(ctx, []*store.Transition{last})
			}
			if want := (store.FrameRef{Run: 1, Frame: 20}); err != nil || len(closed) != 1 || closed[0] != want {
				t.Errorf("Commit: closed %v, error %v; want %v", closed, err, want)
			}

			letter := []store.Letter{{To: a.Session(), Body: []byte("x")}}
			p.doom(c.fate)
			if err = a.Send(ctx, letter); c.fate == unsaid {
				if !errors.Is(err, store.ErrRetry) {
					t.Errorf("Send: %v, want ErrRetry", err)
				}
				err = a.Send(ctx, letter)
			}
			box, err2 := a.Receive(ctx, nil, 10)
			if err := errors.Join(err, err2); err != nil || len(box) != 1 {
				t.Errorf("%d letters, want 1: %v", len(box), err)
			}

			b := open(t, dsn)
			pgtest.Exec(t, "UPDATE "+pgtest.Schema(t, dsn)+".process SET beat = 1 WHERE id = $1", a.Session())
			beat(t, b)
			p.doom(c.fate)
			adopted, err := b.Adopt(ctx, []int64{1})
			if c.fate == unsaid {
				if !errors.Is(err, store.ErrRetry) {
					t.Errorf("Adopt: %v, want ErrRetry", err)
				}
				adopted, err = b.Adopt(ctx, []int64{1})
			}
			if err != nil || !slices.Equal(adopted, []int64{1}) {
				t.Errorf("Adopt: %v, %v; want 1", adopted, err)
			}
		})
	}
}

// A pooler in transaction mode may give each transaction another connection of the
// server: nothing that is left on one may be needed later.
func TestNothingIsLeftAtAPooler(t *testing.T) {
	t.Parallel()
	p, dsn := tapped(t, pgtest.With(pgtest.With(pgtest.DSN(t), "pooler", "transaction"), "lease", "1h"))
	a, b := open(t, dsn), open(t, dsn)
	commit(t, a, newRun(1), task(10, api.Completed, []byte("x")))
	commit(t, a, newRun(2), &store.Transition{Run: 1, SetRun: &store.RunSet{State: api.Completed}})
	if err := a.Send(t.Context(), []store.Letter{{To: b.Session(), Body: []byte("x")}}); err != nil {
		t.Error(err)
	}
	if _, _, err := a.Expire(t.Context(), 1<<60, 100); err != nil {
		t.Error(err)
	}
	pgtest.Exec(t, "UPDATE "+pgtest.Schema(t, dsn)+".process SET beat = 1 WHERE id = $1", a.Session())
	beat(t, b)
	if _, err := b.Hold(t.Context(), "duty", true); err != nil {
		t.Error(err)
	}
	statements, _ := p.said()
	left := regexp.MustCompile(`^stmtcache|^(?i:LISTEN|SET|PREPARE|NOTIFY) |pg_notify|pg_advisory_lock|set_config\([^)]*, false\)`)
	for _, text := range statements {
		if left.MatchString(text) {
			t.Errorf("said to the pooler: %s", text)
		}
	}
	if len(statements) < 10 {
		t.Errorf("only %d statements went through the tap", len(statements))
	}
}

// A process that has nothing to do leaves the database alone.
func TestIdleIsQuiet(t *testing.T) {
	t.Parallel()
	const atMost = 2.0 // a second
	p, dsn := tapped(t, pgtest.DSN(t))
	s := open(t, dsn)
	n := cluster.New(cluster.Config{Store: s, Every: 2500 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	count := func() (n int, at time.Time) {
		_, n = p.said()
		return n, time.Now()
	}
	before, began := count()
	for n := before; n < before+20; n, _ = count() { // the first looks into the box come fast
		<-time.After(100 * time.Millisecond)
		if time.Since(began) > 2*time.Second {
			break
		}
	}
	before, began = count()
	<-time.After(10 * time.Second)
	after, ended := count()
	t.Logf("%d statements", after-before)
	if rate := float64(after-before) / ended.Sub(began).Seconds(); rate > atMost || after == before {
		t.Errorf("%.2f statements a second, want 0 < rate <= %.1f", rate, atMost)
	}
}

// While one process commits, others open, beat and close the store.
func TestNobodyWaitsForACommit(t *testing.T) {
	t.Parallel()
	dsn := pgtest.With(pgtest.DSN(t), "lease", "1h")
	a, b := open(t, dsn), open(t, dsn)
	hold, ctx := pgtest.Connect(t), t.Context()
	tx, err := hold.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO "+pgtest.Schema(t, dsn)+".keyed VALUES ('k', 'other')"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { // waits for the other one's insert
		_, err := a.Commit(ctx, []*store.Transition{newRun(1), {Run: 1, Keyed: []store.KeyedWrite{{TaskID: "k", Value: []byte("v")}}}})
		done <- err
	}()
	for pgtest.Number(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%'||$1||'%keyed%'", pgtest.Schema(t, dsn)) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the commit does not wait")
		}
	}
	beat(t, a)
	beat(t, b)
	if _, err := b.Hold(ctx, "duty", true); err != nil {
		t.Error(err)
	}
	commit(t, b, newRun(2))
	if err := b.Send(ctx, []store.Letter{{To: a.Session(), Body: []byte("x")}}); err != nil {
		t.Error(err)
	}
	if list, err := a.Receive(ctx, nil, 10); err != nil || len(list) != 1 || !bytes.Equal(list[0].Body, []byte("x")) {
		t.Errorf("Receive: %v, %v", list, err)
	}
	closeStore(t, open(t, dsn))
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Commit: %v", err)
	}
}
