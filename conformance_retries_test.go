package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func TestConformRetries(t *testing.T) {
	child := runnel.NewOrchestrator1("flaky_child", func(ctx context.Context, failures int) (runnel.Runnable[string], error) {
		return runnel.Ref1[int, string]("flaky").Send(failures), nil
	}, runnel.Retries(5)) // covers its own body only
	facts := runnel.NewTask0("facts", func(ctx context.Context) ([]string, error) {
		run := runnel.TaskRun(ctx)
		if run.Attempt < 3 {
			return nil, fmt.Errorf("%d", run.Attempt)
		}
		return []string{run.ID, run.Task, runnel.IdempotencyKey(ctx)}, nil
	}, runnel.Retries(2))
	plan := flakyPlan()
	onStores(t, func(t *testing.T, s *suite) {
		t.Run("R01", func(t *testing.T) { s.gives(t, "done on 2", s.flaky.Send(1)) })
		t.Run("R02", func(t *testing.T) { s.gives(t, "done on 4", s.flaky.Send(3)) })
		t.Run("R03", func(t *testing.T) {
			s.ledger()
			f := s.fails(t, s.flaky.Send(4))
			wants(t, "message", f.Message, "attempt 4")
			wants(t, "attempt", f.Attempt, 4)
			wants(t, "attempts", s.ledger(), []string{"flaky 1", "flaky 2", "flaky 3", "flaky 4"})
		})
		t.Run("R04", func(t *testing.T) {
			s.gives(t, "done on 2", child.Send(1))
			s.gives(t, "done on 4", child.Send(3))
			s.ledger()
			wants(t, "message", s.fails(t, child.Send(4)).Message, "attempt 4")
			wants(t, "attempts", s.times("flaky"), 4)
			s.gives(t, []string{"done on 2", "done on 4"}, runnel.InParallel(runnel.List(s.flaky.Send(1), child.Send(3)), runnel.MaxParallelism(1)))
		})
		retryChild(t, s, plan)
		t.Run("R05", func(t *testing.T) {
			s.gives(t, "done on 5", s.flaky.Send(4).Set(runnel.Retries(4)))
			s.gives(t, "done on 5", s.flaky.WithOptions(runnel.Retries(4)).Send(4))
			wants(t, "attempt", s.fails(t, s.flaky.Send(1).Set(runnel.Retries(0))).Attempt, 1)
			s.untyped(t, `"done on 5"`, `{"task":"flaky","args":[4],"options":{"retry":{"max":4}}}`)
		})
		t.Run("R06", func(t *testing.T) {
			run := s.submit(t, facts.Send())
			got, err := run.Wait(t.Context())
			do(t, err)
			wants(t, "facts", got, []string{run.ID() + "/0", "facts", run.ID() + "/0"})
			tasks := taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})
			wants(t, "task runs", len(tasks), 1)
			wants(t, "attempt", tasks[0].Attempt, 3)
			status, err := run.Status(t.Context())
			do(t, err)
			wants(t, "counts", status.Tasks["facts"], api.TaskCounts{Completed: 1, Retries: 2})
		})
		t.Run("R07", func(t *testing.T) {
			f := s.fails(t, facts.Send().Set(runnel.Retries(1)))
			wants(t, "message", f.Message, "2")
			wants(t, "attempt", f.Attempt, 2)
		})
		t.Run("R08", func(t *testing.T) {
			p := s.flaky.WithOptions(runnel.Retries(10)).Send(9)
			s.gives(t, "done on 10", p)
			wants(t, "attempt", s.fails(t, p.Set(runnel.Retries(2))).Attempt, 3) // the last word counts
		})
		notRetried(t, s)
	}, runnel.Register(child, facts, plan))
}

// failures is how many pipelines of flakyPlan fail before it has a value.
const failures = 2

func flakyPlan() runnel.Task1[int, string] {
	child := runnel.Ref1[int, string]("flaky").WithOptions(runnel.Retries(0)) // fails, whatever its orchestrator's attempt
	return runnel.NewOrchestrator1("flaky_plan", func(ctx context.Context, in int) (runnel.Runnable[string], error) {
		state := runnel.State[int](ctx)
		before, err := state.Get()
		if err != nil {
			return nil, err
		}
		attempt := runnel.TaskRun(ctx).Attempt
		if err := state.Set(before + attempt); err != nil {
			return nil, err
		}
		if attempt <= failures {
			return child.Send(in), nil
		}
		return runnel.Value(fmt.Sprintf("attempt %d saw state %d", attempt, before)), nil
	}, runnel.Retries(failures), runnel.RetryChild())
}

// retryChild: decision 10, a policy that covers the returned pipeline too.
func retryChild(t *testing.T, s *suite, flaky runnel.Task1[int, string]) {
	t.Helper()
	t.Run("RetryChild", func(t *testing.T) {
		s.ledger()
		s.gives(t, "attempt 3 saw state 7", flaky.Send(1).WithState(7))
		wants(t, "the child's task runs", s.times("flaky"), failures)
		wants(t, "message", s.fails(t, flaky.Send(1).Set(runnel.Retries(1), runnel.RetryChild())).Message, "attempt 1")
		wants(t, "without it", s.fails(t, flaky.Send(1).Set(runnel.Retries(failures))).Message, "attempt 1")
		s.gives(t, []string{"attempt 3 saw state 0", "attempt 3 saw state 0"},
			runnel.InParallel(runnel.List(flaky.Send(1), flaky.Send(2)), runnel.MaxParallelism(1)))
		s.gives(t, []string{"attempt 3 saw state 0"}, runnel.Value([]int{5}).ContinueWith(runnel.Each(flaky)))
		run := s.submit(t, flaky.Send(1).WithState(7))
		if _, err := run.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		state, err := run.FinalState[int](t.Context())
		do(t, err)
		wants(t, "final state", state, 10)
		status, err := run.Status(t.Context())
		do(t, err)
		wants(t, "counts", status.Tasks["flaky_plan"], api.TaskCounts{Completed: 1, Retries: 2})
	})
}

func notRetried(t *testing.T, s *suite) {
	t.Run("E37", func(t *testing.T) {
		p := runnel.Value(json.RawMessage(`{"a":1}`)).ContinueWith(runnel.Ref1[json.RawMessage, int]("echo")).
			ContinueWith(runnel.Ref1[int, string]("flaky").With().Set(runnel.Retries(5)))
		s.ledger()
		f := s.fails(t, p)
		isLike(t, f, runnel.ErrEncoding, `task "flaky"`, "wants integer, got object")
		wants(t, "attempt", f.Attempt, 1)
		wants(t, "called", s.times("flaky"), 0)
	})
}

// When attempts follow, on fake time.
func TestConformRetryDelays(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		for _, tt := range []struct {
			opts []runnel.CallOption
			want time.Duration
		}{
			{[]runnel.CallOption{runnel.Retries(3)}, 0},
			{[]runnel.CallOption{runnel.Retries(3), runnel.RetryDelay(time.Second)}, 3 * time.Second},
			{[]runnel.CallOption{runnel.Retries(3), runnel.RetryDelay(time.Second, time.Minute)}, 2*time.Minute + time.Second},
			{[]runnel.CallOption{runnel.Retries(3), runnel.ExponentialBackoff(time.Second, 0)}, 7 * time.Second},
			{[]runnel.CallOption{runnel.Retries(3), runnel.ExponentialBackoff(time.Second, 2*time.Second)}, 5 * time.Second},
			{[]runnel.CallOption{runnel.Retries(3), runnel.RetryDelay(time.Hour), runnel.RetryFor(time.Minute)}, -1},
		} {
			start := time.Now()
			_, err := s.run(t, s.flaky.Send(3).Set(tt.opts...))
			if took := time.Since(start); tt.want >= 0 && (err != nil || took != tt.want) || tt.want < 0 && (err == nil || took != 0) {
				t.Errorf("%d options: %v, took %v, want %v", len(tt.opts), err, took, tt.want)
			}
		}
		// A run that is cancelled, or paused, while it waits for an attempt.
		run := s.submit(t, s.flaky.Send(1).Set(runnel.Retries(1), runnel.RetryDelay(time.Hour)))
		is(t, api.Running, run)
		wants(t, "reason", taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})[0].State, api.Scheduled)
		do(t, run.Pause(t.Context()))
		<-time.After(2 * time.Hour)
		is(t, api.Paused, run)
		do(t, run.Resume(t.Context()))
		ends(t, "done on 2", run)
		run = s.submit(t, s.flaky.Send(1).Set(runnel.Retries(1), runnel.RetryDelay(time.Hour)))
		is(t, api.Running, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
	})
}

func TestConformYield(t *testing.T) {
	bubbled(t, "Y01", func(t *testing.T, s *suite) {
		run := s.submit(t, s.yielding.Send("a").ContinueWith(s.val))
		<-time.After(24 * time.Hour)
		is(t, api.Running, run)
		wants(t, "ledger", s.ledger(), []string{"yielding a"})
		tasks := taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})
		wants(t, "reason", tasks[0].Reason, "waits for an answer from outside")
		_, err := run.Result(t.Context())
		matches(t, err, runnel.ErrConflict)
		do(t, s.eng.Complete(t.Context(), s.token(t, 0), "b"))
		ends(t, "V:b", run)
		// The second answer changes nothing.
		matches(t, s.eng.Complete(t.Context(), s.token(t, 0), "c"), runnel.ErrConflict)
		matches(t, s.eng.Complete(t.Context(), "no.such.token", "c"), runnel.ErrNotFound)
		wants(t, "called", s.times("V"), 0)
	})
	answers := func(s *suite) runnel.Task1[string, string] {
		return runnel.NewTask1("answers", func(ctx context.Context, x string) (string, error) {
			return x, s.eng.Complete(ctx, s.tokens[len(s.tokens)-1], x)
		})
	}
	yieldAndState := func(t *testing.T, s *suite, asks runnel.Task0[string]) {
		s.everything = append(s.everything, answers(s))
		do(t, s.eng.Close(t.Context()))
		s.eng = s.open(t, runnel.Register(asks))
		run := s.submit(t, s.set.Send(123).ContinueWith(asks).ContinueWith(s.val).FinallyDo(s.seen.Send()))
		is(t, api.Running, run)
		s.gives(t, "b", runnel.Ref1[string, string]("answers").Send("b")) // another run answers
		ends(t, "V:b", run)
		is(t, api.Completed, run)
		wants(t, "seen", s.times("seen 1234"), 1)
		finalState(t, 1234, run)
	}
	asking := func(failures int) func(*testing.T, *suite) {
		return func(t *testing.T, s *suite) {
			yieldAndState(t, s, runnel.NewTask0("asks", func(ctx context.Context) (string, error) {
				v, err := runnel.State[int](ctx).Get()
				if err = errors.Join(err, runnel.State[int](ctx).Set(10*v+4)); err != nil {
					return "", err
				}
				if runnel.TaskRun(ctx).Attempt <= failures {
					return "", errors.New("not yet")
				}
				token, err := runnel.Token(ctx)
				s.mu.Lock()
				s.tokens = append(s.tokens, token)
				s.mu.Unlock()
				return "", errors.Join(err, runnel.Pending)
			}, runnel.Retries(1)))
		}
	}
	bubbled(t, "Y02", asking(0))
	bubbled(t, "Y03", asking(1))
	t.Run("Y04", func(t *testing.T) {
		// There are no generators: a task gives a list. One that gives an iterator is refused.
		items := runnel.NewTask0("items", func(context.Context) ([]int, error) { return slices.Collect(counting), nil })
		lazy := runnel.NewTask0("lazy", func(context.Context) (iter.Seq[int], error) { return counting, nil })
		onStores(t, func(t *testing.T, s *suite) {
			s.gives(t, []int{1, 2, 3}, items.Send())
			_, err := s.run(t, lazy.Send())
			isLike(t, err, runnel.ErrEncoding, `"lazy"`, "iter.Seq[int]")
		}, runnel.Register(items))
	})
	t.Run("Y05", instances)
}

func counting(yield func(int) bool) {
	for i := 1; i <= 3 && yield(i); i++ {
	}
}

// Y05: two orchestrators in a group call a task with one id; it remembers.
func instances(t *testing.T) {
	remembers := runnel.NewTask0("remembers", func(ctx context.Context) (string, error) {
		state := runnel.Keyed[string](ctx)
		if v, err := state.Get(); err != nil || v != "" {
			return "again", err
		}
		return "first", state.Set("was here")
	}, runnel.TaskID("the one"))
	calls := func(name string) runnel.Task0[string] {
		return returning(name, func() runnel.Runnable[string] { return remembers.Send() })
	}
	one, two := calls("calls_1"), calls("calls_2")
	peeks := runnel.NewTask0("peeks", func(ctx context.Context) (string, error) { return runnel.Keyed[string](ctx).Get() }, runnel.TaskID("the one"))
	onStores(t, func(t *testing.T, s *suite) {
		p := runnel.InParallel(runnel.List(one.Send(), two.Send()), runnel.MaxParallelism(1))
		s.gives(t, []string{"first", "again"}, p)
		s.gives(t, []string{"again", "again"}, p)
		s.gives(t, "again", remembers.Send())
		s.gives(t, "was here", peeks.Send()) // the id is what counts, not the task
		s.gives(t, "", peeks.Send().Set(runnel.TaskID("nobody's")))
		// Another id is another instance.
		s.gives(t, "first", remembers.Send().Set(runnel.TaskID("another")))
		s.gives(t, "again", remembers.WithOptions(runnel.TaskID("another")).Send())
		s.gives(t, []string{"again", "again", "again"}, runnel.InParallel(runnel.List(remembers.Send(), remembers.Send(), remembers.Send())))
		if s.store == "sqlite" { // it outlives the engine
			do(t, s.eng.Close(t.Context()))
			s.eng = s.open(t, runnel.Register(one, two, remembers, peeks))
			s.gives(t, "again", remembers.Send())
		}
	}, runnel.Register(one, two, remembers, peeks))
}
