package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// story is a log whose lines tests wait for.
type story struct {
	mu    sync.Mutex
	text  strings.Builder
	grows chan struct{}
}

func newStory() *story { return &story{grows: make(chan struct{})} }

func (s *story) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.grows)
	s.grows = make(chan struct{})
	return s.text.Write(p)
}

// tells waits until a line of the log has some text.
func (s *story) tells(t *testing.T, text string) {
	t.Helper()
	patience := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		all, grows := s.text.String(), s.grows
		s.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		select {
		case <-grows:
		case <-patience:
			t.Fatalf("the log does not say %q:\n%s", text, all)
		}
	}
}

// told opens an engine whose log is a story.
func told(t *testing.T, dsn string, opts ...runnel.OpenOption) (*runnel.Engine, *story) {
	t.Helper()
	s := newStory()
	return process(t, dsn, append(opts, runnel.LogTo(slog.New(slog.NewTextHandler(s, nil))))...), s
}

// turns waits until the health of an engine is as wanted, which changes with a beat
// or a commit.
func turns(t *testing.T, eng *runnel.Engine, what string, is func(h api.Health) bool) api.Health {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for patience := time.After(30 * time.Second); ; {
		h := eng.Health()
		if is(h) {
			return h
		}
		select {
		case <-look.C:
		case <-patience:
			t.Fatalf("not %s: %+v", what, h)
		}
	}
}

func isAway(h api.Health) bool { return !h.Reachable && !h.Ready() && h.LastError != "" }

func isBack(h api.Health) bool { return h.Reachable && h.Ready() }

// toil is work whose bodies are counted by their keys.
type toil struct {
	task   runnel.Task1[int, int]
	bodies sync.Map // key to *atomic.Int32
	begun  atomic.Int32
	some   chan struct{} // closed when so many bodies have begun
}

func newToil(some int32) *toil {
	w := &toil{some: make(chan struct{})}
	w.task = runnel.NewTask1("toil", func(ctx context.Context, n int) (int, error) {
		count, _ := w.bodies.LoadOrStore(runnel.IdempotencyKey(ctx), new(atomic.Int32))
		count.(*atomic.Int32).Add(1)
		if w.begun.Add(1) == some {
			close(w.some)
		}
		select {
		case <-time.After(2 * time.Millisecond):
			return n + 1, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	})
	return w
}

// chain is so many steps one after the other.
func (w *toil) chain(n, steps int) runnel.Pipeline[int] {
	p := w.task.Send(n)
	for range steps - 1 {
		p = p.ContinueWith(w.task)
	}
	return p
}

// again counts the bodies that began more than once.
func (w *toil) again() (keys, twice int) {
	w.bodies.Range(func(_, count any) bool {
		keys++
		if count.(*atomic.Int32).Load() > 1 {
			twice++
		}
		return true
	})
	return keys, twice
}

// submits hands in chains, one after the other, and again what is refused, until
// there are so many.
func (w *toil) submits(t *testing.T, eng *runnel.Engine, runs, steps int) (made []*runnel.Run[int], refused int) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for len(made) < runs {
		run, err := eng.Submit(t.Context(), w.chain(len(made), steps))
		switch {
		case err == nil:
			made = append(made, run)
		case errors.Is(err, runnel.ErrStore):
			refused++
			select {
			case <-again.C:
			case <-t.Context().Done():
				return made, refused
			}
		default:
			t.Errorf("submit: %v", err)
			return made, refused
		}
	}
	return made, refused
}

// Two processes work on a primary that has a synchronous standby. In the middle of
// it the primary is gone at once, and a moment later the standby takes its place.
// Nothing of what was acknowledged is lost, nothing happens twice, and since nobody
// was given up no body runs again.
func TestFailover(t *testing.T) {
	t.Parallel()
	const runs, steps, width = 150, 8, 600 // the runs of each process
	primary := pgtest.Start(t)
	standby := primary.Standby()
	dsn := pgtest.With(primary.DSN(standby), "lease", "30s")
	work := newToil(1000)
	tasks := runnel.Register(work.task)
	a, log := told(t, dsn, tasks)
	b, _ := told(t, dsn, tasks)
	wide, err := a.Submit(t.Context(), runnel.InParallel(func() (all []runnel.Pipeline[int]) {
		for i := range width {
			all = append(all, work.task.Send(i))
		}
		return all
	}()))
	do(t, err)
	var all sync.WaitGroup
	for _, eng := range []*runnel.Engine{a, b} {
		all.Go(func() {
			made, refused := work.submits(t, eng, runs, steps)
			for i, run := range made {
				if got, err := run.Wait(t.Context()); err != nil || got != i+steps {
					t.Errorf("run %s gave %d, %v; want %d", run.ID(), got, err, i+steps)
				}
			}
			t.Logf("%d submissions were refused", refused)
		})
	}
	<-work.some
	start := time.Now()
	primary.Stop()
	log.tells(t, "the store can't be reached")
	h := turns(t, a, "away", isAway)
	began := work.begun.Load()
	standby.Promote()
	log.tells(t, "the store is back")
	t.Logf("%s: back; %d bodies had begun; then %s", time.Since(start), began, h.LastError)
	all.Wait()
	sum, err := wide.Wait(t.Context())
	do(t, err)
	for i, got := range sum {
		wants(t, "child", got, i+1)
	}
	wants(t, "runs", standby.Number("SELECT count(*) FROM runnel.run WHERE state = $1", api.Completed), 2*runs+1)
	wants(t, "task runs", standby.Number("SELECT count(*) FROM runnel.task WHERE state = $1", api.Completed), 2*runs*steps+width)
	keys, twice := work.again()
	wants(t, "bodies, and those that ran twice", []int{keys, twice}, []int{2*runs*steps + width, 0})
	h = turns(t, a, "back", isBack)
	wants(t, "late, restarts", []int{h.Late, h.Restarts}, []int{0, 0})
	wants(t, "processes", len(h.Processes), 2)
}

// An engine tells how it is, also one that has its store alone.
func TestHealth(t *testing.T) {
	t.Parallel()
	held := newHeld()
	eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(held.task))
	do(t, err)
	run, err := eng.Submit(t.Context(), held.task.Send("x"))
	do(t, err)
	<-held.begun
	h := eng.Health()
	wants(t, "health", []any{h.Ready(), h.Reachable, h.Keeper, h.Bodies, h.Waiting, h.Closing}, []any{true, true, true, 1, 0, false})
	wants(t, "store, retention", []any{h.Store, time.Duration(h.Retention)}, []any{"memory:", 30 * 24 * time.Hour})
	if h.Since.IsZero() || h.LastError != "" || h.Processes != nil || h.Late+h.Restarts != 0 {
		t.Errorf("health of a new engine: %+v", h)
	}
	close(held.gate)
	ends(t, "x done", run)
	do(t, eng.Close(t.Context()))
	if h = eng.Health(); h.Ready() || !h.Closing || h.Bodies != 0 {
		t.Errorf("health of a closed engine: %+v", h)
	}
}

// There are no connections left on the server: those of the engine were ended, and
// others were faster. It waits, and says why; with the first that is free it goes on.
func TestTooManyClients(t *testing.T) {
	t.Parallel()
	const runs, steps = 40, 5
	server := pgtest.Start(t, "max_connections = 24", "superuser_reserved_connections = 3")
	server.Exec("CREATE ROLE app LOGIN")
	server.Exec("GRANT CREATE ON DATABASE postgres TO app")
	dsn := pgtest.With(strings.Replace(server.DSN(), "runnel@", "app@", 1), "lease", "2s")
	work := newToil(runs * steps / 4)
	eng, log := told(t, dsn, runnel.Register(work.task))
	made, _ := work.submits(t, eng, runs, steps)
	<-work.some
	// Superusers take all, beyond what is left for others.
	leave := server.Crowd("app")
	log.tells(t, "the store can't be reached")
	h := turns(t, eng, "away", func(h api.Health) bool { return isAway(h) && strings.Contains(h.LastError, "53300") })
	_, err := eng.Submit(t.Context(), work.chain(0, 1))
	matches(t, err, runnel.ErrStore)
	leave()
	for i, run := range made {
		ends(t, i+steps, run)
	}
	log.tells(t, "the store is back")
	turns(t, eng, "back", isBack)
	t.Logf("it said: %s", h.LastError)
	wants(t, "task runs", server.Number("SELECT count(*) FROM runnel.task WHERE state = $1", api.Completed), runs*steps)
}

// Somebody has a table locked: commits take as long as that. The lease is renewed
// meanwhile, so nobody takes the process for dead; it says what it waits for.
func TestSlowDatabase(t *testing.T) {
	t.Parallel()
	dsn := pgtest.With(pgtest.DSN(t), "lease", "1s")
	work := newToil(20)
	eng, log := told(t, dsn, runnel.Register(work.task))
	other := process(t, dsn)
	made, _ := work.submits(t, eng, 20, 5)
	<-work.some
	tx, err := pgtest.Connect(t).Begin(t.Context())
	do(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE "+pgtest.Schema(t, dsn)+".task IN SHARE MODE")
	do(t, err)
	late := make(chan *runnel.Run[int], 1)
	go func() { // all else may have been committed by now
		run, err := eng.Submit(t.Context(), work.chain(20, 5))
		if err != nil {
			t.Error(err)
			close(late)
			return
		}
		late <- run
	}()
	log.tells(t, "the store takes long over a commit")
	h := turns(t, eng, "waiting", func(h api.Health) bool { return h.Waiting > 0 && time.Since(h.WaitingSince) > 2*time.Second })
	wants(t, "reachable, restarts, processes", []any{h.Reachable, h.Restarts, len(h.Processes)}, []any{true, 0, 2})
	do(t, tx.Rollback(t.Context()))
	for i, run := range append(made, <-late) {
		ends(t, i+5, run)
	}
	keys, twice := work.again()
	wants(t, "bodies, and those that ran twice", []int{keys, twice}, []int{105, 0})
	wants(t, "processes", len(turns(t, eng, "quiet", func(h api.Health) bool { return h.Waiting == 0 }).Processes), 2)
	wants(t, "processes that the other one sees", len(other.Health().Processes), 2)
}

// All connections for reading are in use, by somebody who waits for long. Other
// readers wait for as long as their contexts let them; the work goes on.
func TestFullPool(t *testing.T) {
	t.Parallel()
	dsn := pgtest.With(pgtest.With(pgtest.DSN(t), "pool_max_conns", "1"), "lease", "1s")
	work := newToil(1)
	eng := process(t, dsn, runnel.Register(work.task))
	first, err := eng.Submit(t.Context(), work.chain(0, 1))
	do(t, err)
	ends(t, 1, first)
	tx, err := pgtest.Connect(t).Begin(t.Context())
	do(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE "+pgtest.Schema(t, dsn)+".log IN ACCESS EXCLUSIVE MODE")
	do(t, err)
	read := make(chan error, 1)
	go func() {
		for _, err := range eng.Logs(t.Context(), api.LogFilter{Run: first.ID()}) {
			read <- err
		}
		read <- nil
	}()
	for pgtest.Number(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%'||$1||'.log%'", pgtest.Schema(t, dsn)) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("nobody reads")
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var late error
	for _, err := range eng.Runs(short, api.RunFilter{}) {
		late = err
	}
	matches(t, late, runnel.ErrTimeout)
	made, refused := work.submits(t, eng, 20, 5)
	for i, run := range made {
		ends(t, i+5, run)
	}
	h := eng.Health()
	wants(t, "refused, reachable, restarts", []any{refused, h.Reachable, h.Restarts}, []any{0, true, 0})
	do(t, tx.Rollback(t.Context()))
	do(t, <-read)
}

// Who asks for something while the database is away waits for it, as long as a lease
// or a context; a restart is over by then.
func TestReadsWait(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	work := newToil(1)
	patient := process(t, pgtest.With(server.DSN(), "lease", "30s"), runnel.Register(work.task))
	hasty := process(t, pgtest.With(server.DSN(), "lease", "300ms"))
	run, err := patient.Submit(t.Context(), work.chain(0, 2))
	do(t, err)
	ends(t, 2, run)
	server.Stop()
	turns(t, hasty, "away", isAway)

	_, err = hasty.Attach[int](t.Context(), run.ID())
	matches(t, err, runnel.ErrStore) // after its lease
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = patient.Attach[int](short, run.ID())
	matches(t, err, runnel.ErrTimeout)
	_, err = patient.Submit(t.Context(), work.chain(0, 1))
	matches(t, err, runnel.ErrStore) // it writes, so it is told

	asked := make(chan error, 3)
	for _, read := range []func() error{
		func() error {
			run, err := patient.Attach[int](t.Context(), run.ID())
			if err == nil {
				_, err = run.Wait(t.Context())
			}
			return err
		},
		func() error {
			for _, err := range patient.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID()}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			runs := 0
			for _, err := range patient.Runs(t.Context(), api.RunFilter{}) {
				if err != nil {
					return err
				}
				runs++
			}
			if runs != 1 {
				return fmt.Errorf("%d runs", runs)
			}
			return nil
		},
	} {
		go func() { asked <- read() }()
	}
	select {
	case err := <-asked:
		t.Errorf("an answer without a database: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	server.Resume()
	for range 3 {
		do(t, <-asked)
	}
	turns(t, hasty, "back", isBack)
}
