package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// source gives the jobs it was made with and keeps what it is told.
type source struct {
	jobs  chan *api.Job
	begin func(cancel func(error))
	cache func(use api.CacheUse) (run bool)

	mu      sync.Mutex
	answers []api.Answer
	lines   []api.LogLine
	events  []string
	grant   int64 // of slots
	trace   string
	refused error
	done    sync.WaitGroup
}

func (s *source) Claim(ctx context.Context) (*api.Job, worker.Source, error) {
	select {
	case job := <-s.jobs:
		return job, s, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (s *source) Begin(_ *api.Job, cancel func(error)) {
	if s.begin != nil {
		s.begin(cancel)
	}
}

func (s *source) Name(_ *api.Job, name string) { s.event("name " + name) }

func (s *source) Finish(_ *api.Job, answer api.Answer) {
	s.mu.Lock()
	s.answers = append(s.answers, answer)
	s.events = append(s.events, "answer")
	s.mu.Unlock()
	if s.jobs != nil {
		s.done.Done()
	}
}

func (s *source) Cached(_ *api.Job, use api.CacheUse) bool { return s.cache(use) }

func (s *source) Heartbeat(*api.Job) error { return nil }

func (s *source) Token(context.Context, *api.Job) (string, error) { return "token", nil }

func (s *source) Acquire(context.Context, *api.Job, api.SlotRequest) (int64, error) {
	return s.grant, s.refused
}

func (s *source) Release(_ *api.Job, grant int64) { s.event(fmt.Sprint("release ", grant)) }

func (s *source) Trace(*api.Job) string { return s.trace }

func (s *source) Log(_ *api.Job, line api.LogLine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

func (s *source) event(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, name)
}

func registry(t *testing.T, tasks ...*worker.Task) *worker.Registry {
	t.Helper()
	r := worker.NewRegistry()
	r.Log = slog.New(slog.DiscardHandler)
	for _, task := range tasks {
		if err := r.Add(task); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

type run = func(*worker.Body) (worker.Result, error)

// attempt runs a body once and gives the answer.
func attempt(t *testing.T, body run) api.Answer {
	t.Helper()
	src := new(source)
	registry(t, &worker.Task{Name: "t", Run: body}).Execute(src, job())
	return src.one(t)
}

func (s *source) one(t *testing.T) api.Answer {
	t.Helper()
	if len(s.answers) != 1 {
		t.Fatalf("%d answers, want one", len(s.answers))
	}
	return s.answers[0]
}

func job() *api.Job { return &api.Job{Run: "r", Task: "t", ID: "r/0", Attempt: 1, Index: -1} }

func TestResult(t *testing.T) {
	a := attempt(t, func(*worker.Body) (worker.Result, error) {
		return worker.Result{Value: json.RawMessage("7")}, nil
	})
	if string(a.Result) != "7" || a.Failure != nil || a.Started.IsZero() || a.Ended.Before(a.Started) {
		t.Errorf("answer %+v", a)
	}
}

func TestPanicAndGoexit(t *testing.T) {
	a := attempt(t, func(*worker.Body) (worker.Result, error) { panic(fs.ErrNotExist) })
	if !errors.Is(a.Failure, api.ErrPanic) || !strings.Contains(a.Failure.Stack, "worker_test.go") ||
		a.Failure.Message != "panic: file does not exist" || a.NoRetry {
		t.Errorf("panic: %+v", a.Failure)
	}
	src := new(source)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		registry(t, &worker.Task{Name: "t", Run: func(*worker.Body) (worker.Result, error) {
			runtime.Goexit()
			return worker.Result{}, nil
		}}).Execute(src, job())
	}()
	<-ended
	if f := src.one(t).Failure; f == nil || !strings.Contains(f.Message, "Goexit") {
		t.Errorf("goexit: %+v", f)
	}
}

type brokenError struct{}

func (*brokenError) Error() string { panic("no text") }

func TestFailure(t *testing.T) {
	declined := errors.New("declined")
	given := &api.Failure{Task: "before", Message: "boom", Code: api.ErrTimeout.Code}
	for _, tt := range []struct {
		name string
		err  error
		want func(*api.Failure) bool
	}{
		{"named", fmt.Errorf("card: %w", declined), func(f *api.Failure) bool {
			return slices.Equal(f.Names, []string{"declined"}) && f.Type == "*errors.errorString"
		}},
		{"of ours", api.Errorf(api.ErrNotFound, "x", "gone"), func(f *api.Failure) bool { return errors.Is(f, api.ErrNotFound) }},
		{"given", given, func(f *api.Failure) bool {
			return errors.Is(f, api.ErrTimeout) && f.Causes[0] == given && f.Error() == "boom" && f.Task == "t"
		}},
		{"given and wrapped", fmt.Errorf("late: %w", given), func(f *api.Failure) bool { return f.Error() == "late: boom" }},
		{"deadline", context.DeadlineExceeded, func(f *api.Failure) bool { return errors.Is(f, context.DeadlineExceeded) }},
		{"text panics", new(brokenError), func(f *api.Failure) bool { return strings.Contains(f.Message, "brokenError") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := new(source)
			r := registry(t, &worker.Task{Name: "t", Run: func(*worker.Body) (worker.Result, error) { return worker.Result{}, tt.err }})
			if err := r.Name("declined", declined); err != nil {
				t.Fatal(err)
			}
			r.Execute(src, job())
			if f := src.one(t).Failure; f == nil || !tt.want(f) {
				t.Errorf("failure %+v", f)
			}
		})
	}
}

func TestNoRetry(t *testing.T) {
	if a := attempt(t, func(*worker.Body) (worker.Result, error) {
		return worker.Result{}, worker.Final(errors.New("bad"))
	}); !a.NoRetry {
		t.Error("a final error is retried")
	}
	src := new(source)
	registry(t, &worker.Task{
		Name:    "t",
		Run:     func(*worker.Body) (worker.Result, error) { return worker.Result{}, errors.New("bad") },
		RetryIf: func(err error) bool { return err.Error() != "bad" },
	}).Execute(src, job())
	if !src.one(t).NoRetry {
		t.Error("RetryIf is not asked")
	}
	src = new(source)
	unknown := job()
	unknown.Task = "nobody"
	registry(t).Execute(src, unknown)
	if a := src.one(t); !errors.Is(a.Failure, api.ErrUnknownTask) || !a.NoRetry {
		t.Errorf("unknown task: %+v", a)
	}
}

func TestContext(t *testing.T) {
	var cancel func(error)
	src := &source{begin: func(c func(error)) { cancel = c }}
	registry(t, &worker.Task{Name: "t", Run: func(b *worker.Body) (worker.Result, error) {
		child, stop := context.WithTimeout(b, time.Hour)
		defer stop()
		if b.Err() != nil || child.Err() != nil || worker.From(child) != b {
			t.Error("cancelled before it is, or lost")
		}
		cancel(api.ErrTimeout)
		<-child.Done()
		if !errors.Is(context.Cause(child), api.ErrTimeout) || !errors.Is(context.Cause(b), context.DeadlineExceeded) {
			t.Errorf("cause %v", context.Cause(child))
		}
		return worker.Result{}, fmt.Errorf("read: %w", child.Err())
	}}).Execute(src, job())
	if f := src.one(t).Failure; !errors.Is(f, api.ErrTimeout) {
		t.Errorf("failure %+v", f)
	}
	cancel(api.ErrCancelled) // after the end: nothing happens
}

func TestContextEndsWithBody(t *testing.T) {
	var done <-chan struct{}
	var body *worker.Body
	attempt(t, func(b *worker.Body) (worker.Result, error) {
		done, body = b.Done(), b
		return worker.Result{}, nil
	})
	<-done
	if err := body.SetState(nil, false); !errors.Is(err, api.ErrClosed) {
		t.Errorf("state set after the end: %v", err)
	}
}

func TestLeftBehind(t *testing.T) {
	var dir string
	leave := func(b *worker.Body) {
		dir, _ = b.TempDir()
		if again, _ := b.TempDir(); again != dir {
			t.Error("two folders")
		}
		if err := errors.Join(b.SetState(json.RawMessage("{}"), true), b.PauseAfter()); err != nil {
			t.Error(err)
		}
	}
	a := attempt(t, func(b *worker.Body) (worker.Result, error) { leave(b); return worker.Result{}, nil })
	if string(a.State) != "{}" || !a.SetState || !a.Merge || !a.Pause {
		t.Errorf("answer %+v", a)
	}
	if _, err := os.Stat(dir); dir == "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder %q: %v", dir, err)
	}
	a = attempt(t, func(b *worker.Body) (worker.Result, error) { leave(b); return worker.Result{}, errors.New("bad") })
	if a.SetState || a.Pause {
		t.Errorf("a failed body leaves %+v", a)
	}
}

func TestHooks(t *testing.T) {
	for _, tt := range []struct {
		name, failing string
		err           error
		body          error
		want          []string
		message       string
	}{
		{name: "good", want: []string{"received", "started", "retry 1", "body", "finished", "answer", "result"}},
		{name: "bad", body: errors.New("bad"), want: []string{"received", "started", "retry 1", "body", "finished", "answer", "result"}, message: "bad"},
		{name: "pending", body: worker.ErrPending, want: []string{"received", "started", "retry 1", "body", "finished", "answer"}},
		{name: "swallowed", failing: "started", err: errors.New("no"), want: []string{"received", "started", "retry 1", "body", "finished", "answer", "result"}},
		{name: "abort at first", failing: "received", err: worker.ErrAbort, want: []string{"received", "finished", "answer", "result"}, message: "abort the task"},
		{name: "abort at retry", failing: "retry 1", err: fmt.Errorf("x: %w", worker.ErrAbort), want: []string{"received", "started", "retry 1", "finished", "answer", "result"}, message: "x: abort the task"},
		{name: "abort at last", failing: "finished", err: worker.ErrAbort, want: []string{"received", "started", "retry 1", "body", "finished", "answer", "result"}, message: "abort the task"},
		{name: "abort too late", failing: "result", err: worker.ErrAbort, want: []string{"received", "started", "retry 1", "body", "finished", "answer", "result"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := new(source)
			call := func(name string) error {
				src.event(name)
				if name == tt.failing {
					return tt.err
				}
				return nil
			}
			task := &worker.Task{
				Name: "t",
				Run: func(b *worker.Body) (worker.Result, error) {
					if err := b.Start(); err != nil {
						return worker.Result{}, err
					}
					src.event("body")
					return worker.Result{}, tt.body
				},
				Hooks: worker.Hooks{
					Received: func(context.Context) error { return call("received") },
					Started:  func(context.Context) error { return call("started") },
					Retry:    func(_ context.Context, n int) error { return call(fmt.Sprintf("retry %d", n)) },
					Finished: func(context.Context, worker.Ended) error { return call("finished") },
					Result:   func(context.Context, worker.Ended) error { return call("result") },
				},
			}
			second := job()
			second.Attempt = 2
			registry(t, task).Execute(src, second)
			if !slices.Equal(src.events, tt.want) {
				t.Errorf("events %v, want %v", src.events, tt.want)
			}
			a := src.one(t)
			if message := text(a.Failure); message != tt.message || a.Pending != errors.Is(tt.body, worker.ErrPending) {
				t.Errorf("failure %q, want %q", message, tt.message)
			}
		})
	}
}

func text(f *api.Failure) string {
	if f == nil {
		return ""
	}
	return f.Message
}

func TestHookPanics(t *testing.T) {
	var log bytes.Buffer
	src := new(source)
	r := registry(t, &worker.Task{
		Name:  "t",
		Run:   func(*worker.Body) (worker.Result, error) { return worker.Result{}, nil },
		Hooks: worker.Hooks{Finished: func(context.Context, worker.Ended) error { panic("oh") }},
	})
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	r.Execute(src, job())
	if src.one(t).Failure != nil || !strings.Contains(log.String(), "panic: oh") {
		t.Errorf("answer %+v, log %q", src.answers, log.String())
	}
}

func TestLogger(t *testing.T) {
	src := new(source)
	registry(t, &worker.Task{Name: "t", Run: func(b *worker.Body) (worker.Result, error) {
		log := b.Logger()
		log.Info("plain")
		log.With("path", "/x y").WithGroup("g").Warn("read", "n", 3)
		return worker.Result{}, nil
	}}).Execute(src, job())
	var got []string
	for _, line := range src.lines {
		got = append(got, line.Level+" "+line.Text)
	}
	if want := []string{"INFO plain", `WARN read path="/x y" g.n=3`}; !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
	if l := src.lines[0]; l.TaskRun != "r/0" || l.Attempt != 1 || l.Time.IsZero() {
		t.Errorf("line %+v", l)
	}
}

// A cached task asks before anything else of it runs, and not again once it was
// told to run; what its key function does wrong leaves it uncached.
func TestCacheIsAsked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		key    func() (string, error)
		looked bool
		run    bool
		asked  string
	}{
		{"told to run", func() (string, error) { return "k", nil }, false, true, "k"},
		{"told not to", func() (string, error) { return "k", nil }, false, false, "k"},
		{"told before", func() (string, error) { return "k", nil }, true, true, "-"},
		{"no key", func() (string, error) { return "", nil }, false, true, ""},
		{"fails", func() (string, error) { return "k", errors.New("no") }, false, true, ""},
		{"panics", func() (string, error) { panic("oh") }, false, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked, ran, begun := "-", false, false
			src := &source{
				cache: func(use api.CacheUse) bool { asked = use.Key; return tt.run },
				begin: func(func(error)) { begun = true },
			}
			j := job()
			j.Looked = tt.looked
			registry(t, &worker.Task{
				Name: "t",
				Run:  func(*worker.Body) (worker.Result, error) { ran = true; return worker.Result{}, nil },
				CacheKey: func(*api.Job) (string, []api.CachePart, error) {
					key, err := tt.key()
					return key, nil, err
				},
			}).Execute(src, j)
			if asked != tt.asked || ran != tt.run || begun != tt.run || len(src.answers) > 0 != tt.run {
				t.Errorf("asked %q, ran %t, begun %t, %d answers; want %q, %t", asked, ran, begun, len(src.answers), tt.asked, tt.run)
			}
		})
	}
}

func TestPool(t *testing.T) {
	const limit = 4
	src := &source{jobs: make(chan *api.Job)}
	var full sync.WaitGroup
	full.Add(limit)
	r := registry(t,
		&worker.Task{Name: "together", Run: func(*worker.Body) (worker.Result, error) {
			full.Done()
			full.Wait() // passes only if as many run at the same time
			return worker.Result{}, nil
		}},
		&worker.Task{Name: "exit", Run: func(*worker.Body) (worker.Result, error) {
			runtime.Goexit()
			return worker.Result{}, nil
		}})
	pool := worker.Start(r, src, limit, nil)
	give := func(task string, n int) {
		for range n {
			src.done.Add(1)
			j := job()
			j.Task = task
			src.jobs <- j
		}
	}
	give("exit", 2*limit)
	give("together", limit)
	src.done.Wait()
	if err := pool.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(src.answers) != 3*limit {
		t.Errorf("%d answers", len(src.answers))
	}
}

func TestPoolStopsWaiting(t *testing.T) {
	src := &source{jobs: make(chan *api.Job)}
	release := make(chan struct{})
	pool := worker.Start(registry(t, &worker.Task{Name: "t", Run: func(*worker.Body) (worker.Result, error) {
		<-release
		return worker.Result{}, nil
	}}), src, 1, nil)
	src.done.Add(1)
	src.jobs <- job()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pool.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped with %v", err)
	}
	close(release)
	if err := pool.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkExecute(b *testing.B) {
	r := worker.NewRegistry()
	_ = r.Add(&worker.Task{Name: "t", Run: func(*worker.Body) (worker.Result, error) { return worker.Result{}, nil }})
	src, j := nothing{}, job()
	b.ReportAllocs()
	for b.Loop() {
		r.Execute(src, j)
	}
}

type nothing struct{ worker.Source }

func (nothing) Begin(*api.Job, func(error)) {}

func (nothing) Finish(*api.Job, api.Answer) {}
