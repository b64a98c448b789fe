package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// cacheSuite is an engine with the cached tasks that a case needs.
type cacheSuite struct {
	failures atomic.Int32 // attempts that will fail
	eng      *runnel.Engine
	dsn      string
	all      []runnel.AnyTask
	mu       sync.Mutex
	runs     map[string]int // bodies that began, by task
}

// cached runs a test on each store, on fake time.
func cached(t *testing.T, name string, tasks func(s *cacheSuite) []runnel.AnyTask, test func(t *testing.T, s *cacheSuite)) {
	for _, store := range stores {
		t.Run(name+"/"+store, func(t *testing.T) {
			t.Parallel()
			s := &cacheSuite{dsn: dsnOf(t, store), runs: map[string]int{}}
			synctest.Test(t, func(t *testing.T) {
				s.all = tasks(s)
				s.open(t)
				defer func() { do(t, s.eng.Close(context.WithoutCancel(t.Context()))) }()
				test(t, s)
			})
		})
	}
}

func (s *cacheSuite) open(t *testing.T) {
	t.Helper()
	eng, err := runnel.Open(t.Context(), s.dsn, runnel.Register(s.all...), runnel.Retention(time.Hour))
	do(t, err)
	s.eng = eng
}

func (s *cacheSuite) began(task string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[task]++
}

// ran checks how many bodies of a task began.
func (s *cacheSuite) ran(t *testing.T, task string, want int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.runs[task]; got != want {
		t.Errorf("the body of %s began %d times, want %d", task, got, want)
	}
}

// double makes a task that counts its bodies, each of which takes an hour.
func (s *cacheSuite) double(name string, opts ...runnel.TaskOption) runnel.Task1[int, int] {
	return runnel.NewTask1(name, func(ctx context.Context, x int) (int, error) {
		s.began(name)
		return 2 * x, pause(ctx, time.Hour)
	}, opts...)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// outcome runs a pipeline and gives the result with the state names of its task
// runs: "4 Cached".
func outcome[R any](t *testing.T, s *cacheSuite, p runnel.Runnable[R]) string {
	t.Helper()
	run, err := s.eng.Submit(t.Context(), p)
	do(t, err)
	v, err := run.Wait(t.Context())
	text := fmt.Sprint(v)
	if err != nil {
		text = err.Error()
	}
	for task, err := range s.eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID()}) {
		do(t, err)
		text += " " + task.StateName
	}
	return text
}

func constant(runnel.CallFacts) (string, error) { return "static cache key", nil }

func TestCacheKeys(t *testing.T) {
	one := func(opts ...runnel.TaskOption) func(s *cacheSuite) []runnel.AnyTask {
		return func(s *cacheSuite) []runnel.AnyTask { return []runnel.AnyTask{s.double("double", opts...)} }
	}
	call := func(s *cacheSuite) runnel.Task1[int, int] { return s.all[0].(runnel.Task1[int, int]) }

	cached(t, "task-case-97", one(), func(t *testing.T, s *cacheSuite) {
		wants(t, "first", outcome(t, s, call(s).Send(1)), "2 Completed")
		wants(t, "second", outcome(t, s, call(s).Send(1)), "2 Completed")
	})
	cached(t, "task-case-99,101", one(runnel.CacheKey(constant)), func(t *testing.T, s *cacheSuite) {
		wants(t, "first", outcome(t, s, call(s).Send(1)), "2 Completed")
		wants(t, "another input, another run", outcome(t, s, call(s).Send(2)), "2 Cached")
		s.ran(t, "double", 1)
	})
	cached(t, "task-case-100", one(runnel.CacheKey(constant)), func(t *testing.T, s *cacheSuite) {
		wants(t, "first", outcome(t, s, call(s).Send(1)), "2 Completed")
		five := []runnel.Pipeline[int]{call(s).Send(2), call(s).Send(3), call(s).Send(4), call(s).Send(5), call(s).Send(6)}
		wants(t, "five at once", outcome(t, s, runnel.InParallel(five)), "[2 2 2 2 2] Cached Cached Cached Cached Cached")
		s.ran(t, "double", 1)
	})
	cached(t, "task-case-102", one(runnel.CacheKey(func(c runnel.CallFacts) (string, error) { return c.TaskRun, nil })), func(t *testing.T, s *cacheSuite) {
		for range 3 {
			wants(t, "own key", outcome(t, s, call(s).Send(1)), "2 Completed")
		}
	})
	cached(t, "task-case-104", one(runnel.CacheKey(runnel.InputHash)), func(t *testing.T, s *cacheSuite) { // what arrives is seen as a value
		wants(t, "chain", outcome(t, s, call(s).Send(1).ContinueWith(call(s))), "4 Completed Completed")
		wants(t, "the same input, bound", outcome(t, s, call(s).Send(2)), "4 Cached")
	})
	cached(t, "task-case-106", one(runnel.CacheKey(constant), runnel.CacheExpiration(5*time.Second)), func(t *testing.T, s *cacheSuite) {
		outcome(t, s, call(s).Send(1))
		wants(t, "at once", outcome(t, s, call(s).Send(1)), "2 Cached")
		do(t, pause(t.Context(), 5*time.Second))
		wants(t, "5 s later", outcome(t, s, call(s).Send(1)), "2 Completed")
	})
	cached(t, "task-case-106 negative", one(runnel.CacheKey(constant), runnel.CacheExpiration(-5*time.Second)), func(t *testing.T, s *cacheSuite) {
		for range 2 {
			wants(t, "born stale", outcome(t, s, call(s).Send(1)), "2 Completed")
		}
	})
	cached(t, "task-case-107", one(runnel.CacheKey(runnel.InputHash)), func(t *testing.T, s *cacheSuite) {
		wants(t, "1", outcome(t, s, call(s).Send(1)), "2 Completed")
		wants(t, "2", outcome(t, s, call(s).Send(2)), "4 Completed")
		wants(t, "1 again", outcome(t, s, call(s).Send(1)), "2 Cached")
	})
	cached(t, "task-case-108", func(s *cacheSuite) []runnel.AnyTask {
		hash := runnel.CacheKey(runnel.InputHash)
		return []runnel.AnyTask{s.double("double", hash), s.double("other", hash)}
	}, func(t *testing.T, s *cacheSuite) {
		wants(t, "first", outcome(t, s, call(s).Send(1)), "2 Completed")
		wants(t, "another task", outcome(t, s, s.all[1].(runnel.Task1[int, int]).Send(1)), "2 Completed")
		do(t, s.eng.Close(t.Context()))
		if !strings.HasPrefix(s.dsn, "sqlite") {
			s.open(t)
			return
		}
		s.all = []runnel.AnyTask{s.double("double", runnel.CacheKey(runnel.InputHash))}
		s.open(t)
		wants(t, "the same body after a restart", outcome(t, s, call(s).Send(1)), "2 Cached")
		do(t, s.eng.Close(t.Context()))
		s.all = []runnel.AnyTask{s.double("double", runnel.CacheKey(runnel.InputHash), runnel.Version("2"))}
		s.open(t)
		wants(t, "a changed body", outcome(t, s, call(s).Send(1)), "2 Completed")
	})
	cached(t, "task-case-112", one(runnel.CacheBy(runnel.ByInputs), runnel.CacheKey(constant)), func(t *testing.T, s *cacheSuite) {
		outcome(t, s, call(s).Send(1))
		wants(t, "the function counts", outcome(t, s, call(s).Send(2)), "2 Cached")
	})
	cached(t, "task-case-112 other order", one(runnel.CacheKey(constant), runnel.CacheBy(runnel.ByInputs)), func(t *testing.T, s *cacheSuite) {
		outcome(t, s, call(s).Send(1))
		wants(t, "the function counts", outcome(t, s, call(s).Send(2)), "2 Cached")
	})
	long := func(n int) runnel.TaskOption {
		return runnel.CacheKey(func(runnel.CallFacts) (string, error) { return strings.Repeat("k", n), nil })
	}
	cached(t, "task-case-121", one(long(api.MaxCacheKey)), func(t *testing.T, s *cacheSuite) {
		outcome(t, s, call(s).Send(1))
		wants(t, "the longest key", outcome(t, s, call(s).Send(2)), "2 Cached")
	})
	cached(t, "task-case-121 longer", one(long(api.MaxCacheKey+1), runnel.Retries(3)), func(t *testing.T, s *cacheSuite) {
		_, err := s.eng.Run(t.Context(), call(s).Send(1))
		isLike(t, err, runnel.ErrInvalid, "double", "2001 bytes", "2000")
		s.ran(t, "double", 0)
	})
	for name, key := range map[string]func(runnel.CallFacts) (string, error){
		"no key":           func(runnel.CallFacts) (string, error) { return "", nil },
		"a key that fails": func(runnel.CallFacts) (string, error) { return "k", errors.New("no") },
		"a panic":          func(c runnel.CallFacts) (string, error) { panic(c.Task) },
		"a wrong argument": func(c runnel.CallFacts) (string, error) { return c.Arg[string](0) },
	} {
		cached(t, name, one(runnel.CacheKey(key)), func(t *testing.T, s *cacheSuite) {
			for range 2 {
				wants(t, "uncached", outcome(t, s, call(s).Send(1)), "2 Completed")
			}
		})
	}
	cached(t, "facts", one(runnel.Tags("b", "a"), runnel.Version("7"), runnel.CacheKey(func(c runnel.CallFacts) (string, error) {
		x, err := c.Arg[int](0)
		if _, wrong := c.Arg[int](1); !errors.Is(wrong, runnel.ErrInvalid) || c.Args() != 1 {
			return "", errors.New("there is one argument")
		}
		return fmt.Sprint(c.Task, c.Version, c.Tags, c.Flow, x, c.TaskRun == c.Run+"/0"), err
	})), func(t *testing.T, s *cacheSuite) {
		outcome(t, s, call(s).Send(1))
		entry, err := s.eng.Cache().Read(t.Context(), "double7[a b]1 true")
		do(t, err)
		wants(t, "value", string(entry.Result), "2")
	})
	cached(t, "refresh", one(runnel.CacheKey(constant)), func(t *testing.T, s *cacheSuite) {
		outcome(t, s, call(s).Send(1))
		wants(t, "refreshed", outcome(t, s, call(s).Send(2).Set(runnel.RefreshCache())), "4 Completed")
		wants(t, "then", outcome(t, s, call(s).Send(3)), "4 Cached")
	})
}

// Only what completed is kept, and it does not matter at which attempt.
func TestCacheKeepsWhatCompleted(t *testing.T) {
	tasks := func(s *cacheSuite) []runnel.AnyTask {
		return []runnel.AnyTask{runnel.NewTask0("flaky", func(context.Context) (int, error) {
			if s.failures.Add(-1) >= 0 {
				return 0, errors.New("not yet")
			}
			return 7, nil
		}, runnel.CacheKey(constant), runnel.Retries(1))}
	}
	cached(t, "task-case-109", tasks, func(t *testing.T, s *cacheSuite) {
		flaky := s.all[0].(runnel.Task0[int])
		s.failures.Store(3)
		wants(t, "spent", outcome(t, s, flaky.Send()), "not yet Failed")
		wants(t, "second attempt", outcome(t, s, flaky.Send()), "7 Completed")
		s.failures.Store(3)
		wants(t, "kept", outcome(t, s, flaky.Send()), "7 Cached")
	})
}

func TestCacheOneAtATime(t *testing.T) {
	slow := func(opts ...runnel.TaskOption) func(s *cacheSuite) []runnel.AnyTask {
		return func(s *cacheSuite) []runnel.AnyTask {
			return []runnel.AnyTask{s.double("double", append(opts, runnel.CacheKey(constant))...)}
		}
	}
	many := func(s *cacheSuite, n int) []runnel.Pipeline[int] {
		return slices.Repeat([]runnel.Pipeline[int]{s.all[0].(runnel.Task1[int, int]).Send(1)}, n)
	}
	cached(t, "task-case-g", slow(), func(t *testing.T, s *cacheSuite) {
		got, err := s.eng.Run(t.Context(), runnel.InParallel(many(s, 100)))
		do(t, err)
		wants(t, "values", got, slices.Repeat([]int{2}, 100))
		s.ran(t, "double", 1)
	})
	cached(t, "task-case-h", slow(runnel.Tags("db")), func(t *testing.T, s *cacheSuite) {
		double := s.all[0].(runnel.Task1[int, int])
		outcome(t, s, double.Send(1))
		do(t, s.eng.Limits().Create(t.Context(), "db", 1))
		holder, err := s.eng.Submit(t.Context(), double.Send(1).Set(runnel.RefreshCache()))
		do(t, err)
		quiet()
		began := time.Now()
		wants(t, "with no slot free", outcome(t, s, double.Send(1)), "2 Cached")
		wants(t, "time", time.Since(began), 0)
		_, err = holder.Wait(t.Context())
		do(t, err)
	})
	// The next one has its turn when the first fails, and all take what it leaves.
	cached(t, "a failure", func(s *cacheSuite) []runnel.AnyTask {
		return []runnel.AnyTask{runnel.NewTask1("double", func(ctx context.Context, x int) (int, error) {
			s.began("double")
			do := pause(ctx, time.Hour)
			if s.runs["double"] == 1 {
				return 0, errors.New("the first one fails")
			}
			return 2 * x, do
		}, runnel.CacheKey(constant))}
	}, func(t *testing.T, s *cacheSuite) {
		out, err := s.eng.Run(t.Context(), runnel.Settle(many(s, 10)))
		do(t, err)
		failed := 0
		for _, o := range out {
			if o.Failure != nil {
				failed++
			}
		}
		wants(t, "failed", failed, 1)
		s.ran(t, "double", 2)
	})
	// Who has the turn of a paused run gives it back, and who is cancelled does.
	cached(t, "pause and cancel", slow(runnel.Tags("db")), func(t *testing.T, s *cacheSuite) {
		do(t, s.eng.Limits().Create(t.Context(), "db", 1))
		double, ctx := s.all[0].(runnel.Task1[int, int]), t.Context()
		submit := func(p runnel.Pipeline[int]) *runnel.Run[int] {
			run, err := s.eng.Submit(ctx, p)
			do(t, err)
			quiet()
			return run
		}
		other := submit(double.Send(5).Set(runnel.RefreshCache())) // has the slot and the turn
		paused := submit(double.Send(1).Set(runnel.RefreshCache()))
		cancelled := submit(double.Send(2))
		do(t, paused.Pause(ctx))
		do(t, cancelled.Cancel(ctx))
		last := submit(double.Send(3).Set(runnel.RefreshCache()))
		for _, run := range []*runnel.Run[int]{other, last} {
			_, err := run.Wait(ctx)
			do(t, err)
		}
		do(t, paused.Resume(ctx))
		v, err := paused.Wait(ctx)
		do(t, err)
		wants(t, "resumed", v, 2)
		s.ran(t, "double", 3)
	})
}

func TestCacheOfFlows(t *testing.T) {
	tasks := func(s *cacheSuite) []runnel.AnyTask {
		inner := s.double("inner", runnel.CacheBy(runnel.ByInputs, runnel.ByFlow))
		params := s.double("params", runnel.CacheBy(runnel.ByFlowParameters))
		each := runnel.NewFlow2("each", func(f runnel.Flow, x, _ int) (int, error) {
			a, err := inner.Call(f, x)
			if err != nil {
				return 0, err
			}
			b, err := inner.Call(f, x)
			return a + b, err
		})
		whole := runnel.NewFlow1("whole", func(f runnel.Flow, x int) (int, error) {
			s.began("whole")
			return inner.Call(f, x)
		}, runnel.CacheKey(runnel.InputHash))
		// Its own key is that of what it calls: nobody waits for the other.
		knot := runnel.NewFlow0("knot", func(f runnel.Flow) (int, error) {
			return runnel.Ref1[int, int]("static").Call(f, 4)
		}, runnel.CacheKey(constant))
		makes := runnel.NewOrchestrator1("makes", func(_ context.Context, x int) (runnel.Runnable[int], error) {
			s.began("makes")
			return inner.Send(x).ContinueWith(s.double("plain")), nil
		}, runnel.CacheKey(runnel.InputHash))
		flowParams := runnel.NewFlow2("flow_params", func(f runnel.Flow, _, _ int) (int, error) {
			a, err := params.Call(f, 1)
			if err != nil {
				return 0, err
			}
			b, err := params.Call(f, 2)
			return 100*a + b, err
		})
		return []runnel.AnyTask{inner, params, each, whole, knot, s.double("static", runnel.CacheKey(constant)), makes, flowParams, s.double("plain")}
	}
	cached(t, "task-case-103", tasks, func(t *testing.T, s *cacheSuite) {
		each := s.all[2].(runnel.Task2[int, int, int])
		for range 2 {
			wants(t, "twice in a flow", outcome(t, s, each.Send(1, 0)), "4 Completed Completed Cached")
		}
		s.ran(t, "inner", 2)
	})
	cached(t, "task-case-113", tasks, func(t *testing.T, s *cacheSuite) {
		flow := s.all[7].(runnel.Task2[int, int, int])
		wants(t, "first", outcome(t, s, flow.Send(1, 1)), "202 Completed Completed Cached")
		wants(t, "the same parameters", outcome(t, s, flow.Send(1, 1)), "202 Completed Cached Cached")
		wants(t, "another one", outcome(t, s, flow.Send(1, 2)), "202 Completed Completed Cached")
	})
	cached(t, "a flow and an orchestrator", tasks, func(t *testing.T, s *cacheSuite) {
		whole, makes := s.all[3].(runnel.Task1[int, int]), s.all[6].(runnel.Task1[int, int])
		wants(t, "flow", outcome(t, s, whole.Send(1)), "2 Completed Completed")
		wants(t, "flow again", outcome(t, s, whole.Send(1)), "2 Cached")
		s.ran(t, "whole", 1)
		wants(t, "orchestrator", outcome(t, s, makes.Send(1)), "4 Completed Completed Completed")
		wants(t, "orchestrator again", outcome(t, s, makes.Send(1).ContinueWith(makes)), "16 Cached Completed Completed Completed")
		s.ran(t, "makes", 2)
		wants(t, "a flow that calls what has its key", outcome(t, s, s.all[4].(runnel.Task0[int]).Send()), "8 Completed Completed")
	})
}
