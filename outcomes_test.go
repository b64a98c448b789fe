package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// heard is what hooks were called with, and an engine that is opened and opened
// again.
type heard struct {
	store, dsn string
	eng        *runnel.Engine

	mu     sync.Mutex
	list   []string
	opened chan struct{} // closed when eng is the engine that calls them
}

// hearing runs test in a bubble on each store that survives what it does.
func hearing(t *testing.T, stores []string, test func(t *testing.T, h *heard)) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			dsn := dsnOf(t, store)
			synctest.Test(t, func(t *testing.T) { test(t, &heard{store: store, dsn: dsn}) })
		})
	}
}

func (h *heard) open(t *testing.T, tasks ...runnel.AnyTask) {
	t.Helper()
	s := &suite{fixtures: &fixtures{everything: tasks}, store: h.store, dsn: h.dsn}
	opened := make(chan struct{})
	h.mu.Lock()
	h.opened = opened // hooks are called before Open returns
	h.mu.Unlock()
	h.eng = s.open(t, runnel.Errors("declined", errDeclined), runnel.LogTo(slog.New(slog.DiscardHandler)))
	close(opened)
}

// all are hooks of each kind. Each checks that what it is told can be read.
func (h *heard) all() []runnel.TaskOption {
	return []runnel.TaskOption{
		runnel.OnRunning(h.hook("running", nil)), runnel.OnCompletion(h.hook("completion", nil)),
		runnel.OnFailure(h.hook("failure", nil)), runnel.OnCancellation(h.hook("cancellation", nil)),
	}
}

func (h *heard) hook(what string, then func() error) runnel.OutcomeHook {
	return func(ctx context.Context, run api.TaskRun) error {
		state := run.StateName
		if what != "running" && !h.stored(ctx, run) {
			state += ", which is not stored"
		}
		if again := runnel.TaskRun(ctx); again.ID != run.ID || again.State != run.State || runnel.IdempotencyKey(ctx) == "" {
			state += ", or " + again.StateName
		}
		if run.Failure != nil && errors.Is(run.Failure, errDeclined) {
			state += " declined"
		}
		h.mu.Lock()
		h.list = append(h.list, fmt.Sprintf("%s %s #%d %s%s", what, run.Task, run.Attempt, state, string(run.Result)))
		h.mu.Unlock()
		if then != nil {
			return then()
		}
		return nil
	}
}

func (h *heard) stored(ctx context.Context, run api.TaskRun) bool {
	h.mu.Lock()
	opened := h.opened
	h.mu.Unlock()
	<-opened
	for stored, err := range h.eng.TaskRuns(ctx, api.TaskRunFilter{Run: run.Run}) {
		if err == nil && stored.ID == run.ID {
			again := stored.State == api.Scheduled && run.State == api.Completed // its pipeline has failed since
			return again || stored.Task != run.Task || stored.State == run.State && stored.Finished.Equal(run.Finished) && stored.Name == run.Name
		}
	}
	return false
}

func (h *heard) wants(t *testing.T, want ...string) {
	t.Helper()
	quiet()
	h.mu.Lock()
	defer h.mu.Unlock()
	wants(t, "hooks", h.list, want)
	h.list = nil
}

func TestConformanceHooks(t *testing.T) {
	hearing := func(t *testing.T, test func(t *testing.T, h *heard)) { t.Helper(); hearing(t, stores, test) }
	fine := func(context.Context) (int, error) { return 7, nil }
	bad := func(context.Context) (int, error) { return 0, errDeclined }

	t.Run("task-case-171", func(t *testing.T) {
		for name, option := range map[string]runnel.TaskOption{
			"OnRunning": runnel.OnRunning(nil), "OnCompletion": runnel.OnCompletion(nil), "OnFailure": runnel.OnFailure(nil),
			"OnCancellation": runnel.OnCancellation(nil), "RunName": runnel.RunName(nil),
		} {
			err := runnel.NewTask0("t", fine, option).Err()
			if !errors.Is(err, runnel.ErrInvalid) || !strings.Contains(err.Error(), name+": the function is nil") {
				t.Errorf("%s of nil: %v", name, err)
			}
		}
	})
	t.Run("task-case-172", func(t *testing.T) {
		hearing(t, func(t *testing.T, h *heard) {
			task := runnel.NewTask0("t", fine,
				runnel.OnRunning(h.hook("running", func() error { panic("no") })),
				runnel.OnRunning(h.hook("running", func() error { return runnel.ErrAbort })),
				runnel.OnCompletion(h.hook("first", func() error { return errors.New("no") })),
				runnel.OnCompletion(h.hook("second", func() error { panic("no") })),
				runnel.OnCompletion(h.hook("third", nil)))
			h.open(t, task)
			run, err := h.eng.Submit(t.Context(), task.Send())
			do(t, err)
			ends(t, 7, run)
			h.wants(t, "running t #1 Running", "running t #1 Running",
				"first t #1 Completed7", "second t #1 Completed7", "third t #1 Completed7")
			for task, err := range h.eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID()}) {
				do(t, err)
				wants(t, "state", task.State, api.Completed)
			}
			lines := texts(logged(t, h.eng, api.LogFilter{Run: run.ID()}))
			wants(t, "lines of the run", lines, "the running hook failed: panic: no|the running hook failed: "+runnel.ErrAbort.Error())
		})
	})
	t.Run("task-case-173", func(t *testing.T) {
		hearing(t, func(t *testing.T, h *heard) {
			good, fails := runnel.NewTask0("good", fine, h.all()...), runnel.NewTask0("bad", bad, h.all()...)
			h.open(t, good, fails)
			_, err := h.eng.Run(t.Context(), good.Send())
			do(t, err)
			h.wants(t, "running good #1 Running", "completion good #1 Completed7")
			_, err = h.eng.Run(t.Context(), fails.Send())
			isLike(t, err, errDeclined, "declined")
			h.wants(t, "running bad #1 Running", "failure bad #1 Failed declined")
		})
	})
	t.Run("task-case-174", func(t *testing.T) {
		hearing(t, func(t *testing.T, h *heard) {
			task := runnel.NewTask0("bad", bad, append(h.all(), runnel.Retries(2), runnel.RetryDelay(time.Minute))...)
			h.open(t, task)
			run, err := h.eng.Submit(t.Context(), task.Send())
			do(t, err)
			endsBadly(t, run)
			h.wants(t, "running bad #1 Running", "running bad #2 Retrying", "running bad #3 Retrying", "failure bad #3 Failed declined")
			do(t, run.Retry(t.Context()))
			endsBadly(t, run)
			h.wants(t, "running bad #1 Running", "running bad #2 Retrying", "running bad #3 Retrying", "failure bad #3 Failed declined")
		})
	})
}

func TestOnCancellation(t *testing.T) {
	hearing(t, stores, func(t *testing.T, h *heard) {
		obeys := runnel.NewTask0("obeys", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}, h.all()...)
		var deaf sync.WaitGroup
		release := make(chan struct{})
		ignores := runnel.NewTask0("ignores", func(context.Context) (int, error) {
			deaf.Add(1)
			defer deaf.Done()
			<-release
			return 1, nil
		}, h.all()...)
		flaky := runnel.NewTask0("flaky", func(context.Context) (int, error) { return 0, errDeclined },
			append(h.all(), runnel.Retries(1), runnel.RetryDelay(time.Hour))...)
		never := runnel.NewTask1("never", func(_ context.Context, n int) (int, error) { return n, nil }, h.all()...)
		flow := runnel.NewFlow0("flow", func(f runnel.Flow) (int, error) { return obeys.Call(f) }, h.all()...)
		h.open(t, obeys, ignores, flaky, never, flow)
		for _, c := range []struct {
			name string
			task runnel.Runnable[int]
			want []string
		}{
			{"a body that listens", obeys.Send().ContinueWith(never), []string{"running obeys #1 Running", "cancellation obeys #1 Cancelled"}},
			{"a body that does not", ignores.Send(), []string{"running ignores #1 Running", "cancellation ignores #1 Cancelled"}},
			{"between attempts", flaky.Send(), []string{"running flaky #1 Running", "cancellation flaky #2 Cancelled"}},
			{"a flow and its call", flow.Send(), []string{"cancellation flow #1 Cancelled", "cancellation obeys #1 Cancelled", "running flow #1 Running", "running obeys #1 Running"}},
		} {
			run, err := h.eng.Submit(t.Context(), c.task)
			do(t, err)
			quiet()
			do(t, run.Cancel(t.Context()))
			<-time.After(10 * time.Second) // more than the grace of a body that ignores it
			is(t, api.Cancelled, run)
			quiet()
			if c.name == "a flow and its call" {
				h.mu.Lock()
				slices.Sort(h.list) // which of the two hooks is first is not promised
				h.mu.Unlock()
			}
			h.wants(t, c.want...)
		}
		first, err := h.eng.Submit(t.Context(), obeys.Send().Set(runnel.TaskID("turn")))
		do(t, err)
		h.wants(t, "running obeys #1 Running")
		second, err := h.eng.Submit(t.Context(), never.Send(1).Set(runnel.TaskID("turn")))
		do(t, err)
		quiet()
		do(t, second.Cancel(t.Context()))
		h.wants(t) // no body had begun
		wants(t, "state", h.rows(t, second.ID())["never-0"].State, api.Cancelled)
		do(t, first.Cancel(t.Context()))
		h.wants(t, "cancellation obeys #1 Cancelled")
		close(release)
		deaf.Wait()
		h.wants(t) // what comes too late tells nobody anything
	})
}

// What an orchestrator's pipeline does is not the orchestrator's outcome; with
// RetryChild it completes each time.
func TestHooksOfOrchestrators(t *testing.T) {
	hearing(t, stores, func(t *testing.T, h *heard) {
		fails := runnel.NewTask0("fails", func(context.Context) (int, error) { return 0, errDeclined })
		body := func(context.Context) (runnel.Runnable[int], error) { return fails.Send(), nil }
		once := runnel.NewOrchestrator0("once", body, h.all()...)
		twice := runnel.NewOrchestrator0("twice", body, append(h.all(), runnel.RetryChild(), runnel.Retries(1), runnel.RetryDelay(time.Hour))...)
		h.open(t, fails, once, twice)
		run, err := h.eng.Submit(t.Context(), once.Send())
		do(t, err)
		endsBadly(t, run)
		h.wants(t, "running once #1 Running", "completion once #1 Completed")
		run, err = h.eng.Submit(t.Context(), twice.Send())
		do(t, err)
		quiet()
		for task, err := range h.eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID(), Task: "twice"}) {
			do(t, err)
			if task.State != api.Scheduled || !task.Finished.IsZero() {
				t.Errorf("while it waits for its retry it is %s, finished %s", task.State, task.Finished)
			}
		}
		endsBadly(t, run)
		h.wants(t, "running twice #1 Running", "completion twice #1 Completed", "running twice #2 Retrying", "completion twice #2 Completed")
	})
}

func TestHooksOfParts(t *testing.T) {
	hearing(t, stores, func(t *testing.T, h *heard) {
		inc := runnel.NewTask1("inc", func(_ context.Context, n int) (int, error) { return n + 1, nil }, h.all()...)
		pick := runnel.NewTask1("pick", func(_ context.Context, n int) (int, error) {
			if n == 2 {
				return 0, errDeclined
			}
			return n, nil
		}, h.all()[1:]...)
		both := runnel.Combine("both", runnel.Combine("inner", inc, inc), pick)
		h.open(t, both)
		_, err := h.eng.Run(t.Context(), both.Send(1))
		do(t, err)
		h.wants(t, "running both #1 Running", "running both #1 Running",
			"completion inc #1 Completed", "completion inc #1 Completed", "completion pick #1 Completed")
		_, err = h.eng.Run(t.Context(), both.Send(0))
		isLike(t, err, errDeclined, "declined")
		h.wants(t, "running both #1 Running", "running both #1 Running",
			"completion inc #1 Completed", "completion inc #1 Completed", "failure pick #1 Failed declined")
	})
}

// An attempt that a crash interrupted tells nobody; the one after it does, once.
func TestHooksAfterRestart(t *testing.T) {
	hearing(t, []string{"sqlite"}, func(t *testing.T, h *heard) {
		lives := 0
		work := runnel.NewTask0("work", func(ctx context.Context) (int, error) {
			if lives == 0 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return lives, nil
		}, h.all()...)
		ask := runnel.NewTask0("ask", func(context.Context) (int, error) { return 0, runnel.Pending }, h.all()...)
		waits := runnel.NewTask0("waits", func(ctx context.Context) (string, error) {
			token, err := runnel.Token(ctx)
			runnel.Logger(ctx).InfoContext(ctx, token)
			return "", errors.Join(err, runnel.Pending)
		}, h.all()...)
		h.open(t, work, ask, waits)
		run, err := h.eng.Submit(t.Context(), work.Send())
		do(t, err)
		cancelled, err := h.eng.Submit(t.Context(), ask.Send())
		do(t, err)
		answered, err := h.eng.Submit(t.Context(), waits.Send())
		do(t, err)
		hours(1)
		quiet()
		h.list = nil // those on running
		interrupt(t, h.eng)
		h.wants(t)
		lives++
		h.open(t, work, ask, waits)
		run, err = h.eng.Attach[int](t.Context(), run.ID())
		do(t, err)
		ends(t, 1, run)
		h.wants(t, "running work #1 Running", "completion work #1 Completed1")
		do(t, h.eng.Cancel(t.Context(), cancelled.ID()))
		h.wants(t, "cancellation ask #1 Cancelled")
		lines := logged(t, h.eng, api.LogFilter{Run: answered.ID()})
		do(t, h.eng.Complete(t.Context(), lines[0].Text, "yes"))
		h.wants(t, `completion waits #1 Completed"yes"`)
		interrupt(t, h.eng)
		h.open(t, work, ask, waits)
		h.wants(t)
	})
}

// Close waits for hooks, and gives up when its context ends.
func TestCloseWaitsForHooks(t *testing.T) {
	hearing(t, stores, func(t *testing.T, h *heard) {
		var cause error
		done := runnel.NewTask1("done", func(_ context.Context, n int) (int, error) { return n, nil },
			runnel.OnCompletion(func(ctx context.Context, run api.TaskRun) error {
				select {
				case <-ctx.Done():
					cause = context.Cause(ctx)
				case <-time.After(time.Hour):
				}
				return h.hook("slow", nil)(ctx, run)
			}))
		h.open(t, done)
		_, err := h.eng.Run(t.Context(), done.Send(1))
		do(t, err)
		before := time.Now()
		do(t, h.eng.Close(t.Context()))
		wants(t, "waited", time.Since(before), time.Hour)
		if h.store == "memory" {
			return
		}
		h.list = nil
		h.open(t, done)
		_, err = h.eng.Run(t.Context(), done.Send(2))
		do(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := h.eng.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close gives %v", err)
		}
		quiet()
		isLike(t, cause, runnel.ErrClosed, "")
	})
}

// T92: how long bodies ran, in all attempts, follows from the history.
func TestRunningTime(t *testing.T) {
	once := runnel.NewTask0("once", func(ctx context.Context) (string, error) {
		<-time.After(time.Second)
		if runnel.TaskRun(ctx).Attempt == 1 {
			return "", errors.New("not yet")
		}
		return "ok", nil
	}, runnel.Retries(1), runnel.RetryDelay(time.Minute))
	bubbled(t, "running-time", func(t *testing.T, s *suite) {
		run := s.submit(t, once.Send())
		ends(t, "ok", run)
		history := taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})[0].History
		var running time.Duration
		for i, tr := range history {
			if tr.State == api.Running {
				running += history[i+1].Time.Sub(tr.Time)
			}
		}
		if running < 2*time.Second || running > 3*time.Second {
			t.Errorf("it ran for %s by %+v, want two seconds", running, history)
		}
	}, runnel.Register(once))
}
