package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

type hook = func(context.Context) error

// ended is a task run that ended in a state.
func ended(state api.State, parts ...api.Part) api.TaskRun {
	return api.TaskRun{ID: "r/0", Run: "r", Task: "t", State: state, Parts: parts}
}

func stop(t *testing.T, pool *worker.Pool) {
	t.Helper()
	if err := pool.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Whatever a hook does, the others of its kind are called, and no others.
func TestTellerCallsEachHook(t *testing.T) {
	for _, c := range []struct {
		state api.State
		want  string
	}{
		{api.Completed, "completed 1 completed 2 completed 3 completed 4"},
		{api.Failed, "failed"},
		{api.Cancelled, "cancelled"},
		{api.Skipped, ""},
	} {
		t.Run(c.state.String(), func(t *testing.T) {
			var mu sync.Mutex
			var called []string
			note := func(what string, then func() error) hook {
				return func(ctx context.Context) error {
					b := worker.From(ctx)
					mu.Lock()
					called = append(called, what)
					mu.Unlock()
					if b.Told().State != c.state || ctx.Err() != nil {
						t.Errorf("%s finds %v, %v", what, b.Told(), ctx.Err())
					}
					return then()
				}
			}
			fine := func() error { return nil }
			task := &worker.Task{Name: "t", Hooks: worker.Hooks{
				Completed: []hook{
					note("completed 1", func() error { return errors.New("no") }),
					note("completed 2", func() error { panic("no") }),
					note("completed 3", func() error { runtime.Goexit(); return nil }),
					note("completed 4", fine),
				},
				Failed:    []hook{note("failed", fine)},
				Cancelled: []hook{note("cancelled", fine)},
			}}
			r := registry(t, task)
			var log bytes.Buffer
			r.Log = slog.New(slog.NewTextHandler(&log, nil))
			teller := worker.NewTeller(r, 0)
			pool := worker.Start(r, &source{jobs: make(chan *api.Job)}, 1, teller)
			teller.Tell(job(), ended(c.state))
			stop(t, pool)
			if got := strings.Join(called, " "); got != c.want {
				t.Errorf("called %s, want %s", got, c.want)
			}
			if n := strings.Count(log.String(), "hook=completion"); c.state == api.Completed && n != 2 {
				t.Errorf("%d of two failures are logged:\n%s", n, log.String())
			}
		})
	}
}

// A part's hooks are about the part, as far as it came.
func TestTellerCallsHooksOfParts(t *testing.T) {
	var mu sync.Mutex
	var called []string
	part := func(name string) *worker.Task {
		note := func(ctx context.Context) error {
			run := worker.From(ctx).Told()
			mu.Lock()
			called = append(called, fmt.Sprintf("%s %s", run.Task, run.State))
			mu.Unlock()
			return nil
		}
		return &worker.Task{Name: name, Hooks: worker.Hooks{Completed: []hook{note}, Failed: []hook{note}}}
	}
	task := &worker.Task{Name: "t", Parts: []*worker.Task{part("a"), part("b"), part("c")}}
	if !task.HasOutcomes() || (&worker.Task{}).HasOutcomes() {
		t.Error("HasOutcomes")
	}
	r := registry(t, task)
	teller := worker.NewTeller(r, 0)
	pool := worker.Start(r, &source{jobs: make(chan *api.Job)}, 1, teller)
	teller.Tell(job(), ended(api.Failed, api.Part{Task: "a", State: api.Completed}, api.Part{Task: "b", State: api.Failed}))
	stop(t, pool)
	if want := []string{"a COMPLETED", "b FAILED"}; !slices.Equal(called, want) {
		t.Errorf("called %v, want %v", called, want)
	}
}

// Stop waits for hooks; once it may wait no longer their contexts end.
func TestPoolStopEndsHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var caused []error
		slow := func(ctx context.Context) error {
			<-ctx.Done()
			caused = append(caused, context.Cause(ctx))
			return nil
		}
		r := registry(t, &worker.Task{Name: "t", Hooks: worker.Hooks{Failed: []hook{slow, slow}}})
		teller := worker.NewTeller(r, 1)
		pool := worker.Start(r, &source{jobs: make(chan *api.Job)}, 1, teller)
		teller.Tell(job(), ended(api.Failed))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := pool.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop gives %v", err)
		}
		synctest.Wait()
		if len(caused) != 2 || !errors.Is(caused[0], api.ErrClosed) || !errors.Is(caused[1], api.ErrClosed) {
			t.Errorf("the hooks' contexts ended with %v", caused)
		}
	})
}

// Hooks that are slow keep a pool from claiming, but not from stopping.
func TestPoolWaitsForHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free, calls := make(chan struct{}), 0
		r := registry(t, &worker.Task{Name: "t", Run: func(*worker.Body) (worker.Result, error) { return worker.Result{}, nil }, Hooks: worker.Hooks{
			Completed: []hook{func(context.Context) error { <-free; calls++; return nil }},
		}})
		teller := worker.NewTeller(r, 1)
		src := &source{jobs: make(chan *api.Job)}
		const many = 2000
		for range many {
			teller.Tell(job(), ended(api.Completed))
		}
		pool := worker.Start(r, src, 1, teller)
		synctest.Wait()
		select {
		case src.jobs <- job():
			t.Error("it claims, though hooks pile up")
		default:
		}
		src.done.Add(1)
		close(free)
		src.jobs <- job()
		src.done.Wait()
		stop(t, pool)
		if calls != many || len(src.answers) != 1 {
			t.Errorf("%d hooks, %d answers", calls, len(src.answers))
		}
	})
}

// In a hook after the end nothing reaches the attempt any more.
func TestTellerContext(t *testing.T) {
	r := registry(t, &worker.Task{Name: "t", Hooks: worker.Hooks{Completed: []hook{func(ctx context.Context) error {
		b := worker.From(ctx)
		_, late := b.Deadline()
		_, token := b.Token(ctx)
		_, temp := b.TempDir()
		for _, err := range []error{b.Heartbeat(), token, temp, b.SetState(nil, false)} {
			if !errors.Is(err, api.ErrClosed) || late {
				t.Errorf("%v, want ErrClosed", err)
			}
		}
		b.Logger().InfoContext(ctx, "a line", "n", 1)
		return nil
	}}}})
	var log bytes.Buffer
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	teller := worker.NewTeller(r, 0)
	pool := worker.Start(r, &source{jobs: make(chan *api.Job)}, 1, teller)
	timed := job()
	timed.Timeout = time.Second
	teller.Tell(timed, ended(api.Completed))
	stop(t, pool)
	if !strings.Contains(log.String(), `msg="a line n=1" task=t task_run=r/0`) {
		t.Errorf("log: %s", log.String())
	}
}

func TestRunName(t *testing.T) {
	long := strings.Repeat("ä", 200)
	for _, c := range []struct {
		name   string
		named  bool
		call   func(*worker.Body) (string, error)
		events []string
	}{
		{"by the function", false, func(b *worker.Body) (string, error) { return "of " + b.Job().ID, nil }, []string{"name of r/0", "answer"}},
		{"not again", true, func(*worker.Body) (string, error) { return "x", nil }, []string{"answer"}},
		{"an error", false, func(*worker.Body) (string, error) { return "x", errors.New("no") }, []string{"name ", "answer"}},
		{"a panic", false, func(*worker.Body) (string, error) { panic("no") }, []string{"name ", "answer"}},
		{"empty", false, func(*worker.Body) (string, error) { return "", nil }, []string{"name ", "answer"}},
		{"cut", false, func(*worker.Body) (string, error) { return long, nil }, []string{"name " + long[:worker.MaxRunName], "answer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, j := new(source), job()
			j.Named = c.named
			registry(t, &worker.Task{Name: "t", RunName: c.call, Run: func(b *worker.Body) (worker.Result, error) {
				return worker.Result{}, nil
			}}).Execute(src, j)
			if !slices.Equal(src.events, c.events) || src.one(t).Failure != nil {
				t.Errorf("events %q, want %q", src.events, c.events)
			}
			warned := len(src.lines) == 1 && strings.Contains(src.lines[0].Text, "the run name hook failed")
			if warned != slices.Contains(c.events, "name ") {
				t.Errorf("lines %v", src.lines)
			}
		})
	}
}
