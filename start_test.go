package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// elapse lets fake time go by. In a bubble only.
func elapse(d time.Duration) {
	<-time.After(d)
	quiet()
}

// clocked are tasks that give the time since the epoch of bubbles, and a flow
// that is a function.
type clocked struct {
	epoch time.Time
	at    runnel.Task0[string]
	fails runnel.Task0[string]
	flow  runnel.Task0[string]
	body  func(f runnel.Flow) (string, error)
	tries atomic.Int64
	// returns gives the pipeline of plan.
	returns runnel.Task0[string]
	plan    func() runnel.Runnable[string]
}

func newClocked() *clocked {
	c := new(clocked)
	c.at = runnel.NewTask0("clock", func(context.Context) (string, error) { return time.Since(c.epoch).String(), nil })
	c.fails = runnel.NewTask0("clock fails once", func(context.Context) (string, error) {
		if c.tries.Add(1) == 1 {
			return "", errors.New("once")
		}
		return time.Since(c.epoch).String(), nil
	})
	c.flow = runnel.NewFlow0("clock flow", func(f runnel.Flow) (string, error) { return c.body(f) })
	c.returns = runnel.NewOrchestrator0("clock returns", func(context.Context) (runnel.Runnable[string], error) { return c.plan(), nil })
	return c
}

// inClock runs test in bubbles, with the tasks of a clock that starts there.
func inClock(t *testing.T, name string, test func(t *testing.T, s *suite, c *clocked), opts ...runnel.OpenOption) {
	bubbled(t, name, func(t *testing.T, s *suite) {
		c := newClocked()
		c.epoch = time.Now()
		s.everything = append(s.everything, c.at, c.fails, c.flow, c.returns)
		do(t, s.eng.Close(t.Context()))
		s.eng = s.open(t, opts...)
		test(t, s, c)
	})
}

// one gives the only task run of a run.
func (s *suite) one(t *testing.T, run interface{ ID() string }) api.TaskRun {
	t.Helper()
	list := taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})
	if len(list) != 1 {
		t.Fatalf("task runs %+v, want one", list)
	}
	return list[0]
}

// Cases 96 and 137 of the specification of tasks.
func TestStart(t *testing.T) {
	inClock(t, "96 137", func(t *testing.T, s *suite, c *clocked) {
		due := c.epoch.Add(5 * time.Minute)
		run := s.submit(t, c.at.Send().Set(runnel.StartAt(due)))
		quiet()
		got := s.one(t, run)
		wants(t, "state", fmt.Sprint(got.State, " ", got.StateName, " ", got.Attempt), "SCHEDULED Scheduled 0")
		wants(t, "waiting", *got.Waiting, api.Waiting{Kind: api.WaitsForTime, Until: due.UTC()})
		wants(t, "reason", got.Reason, "waits until "+due.UTC().Format(time.RFC3339))
		why, err := s.eng.Why(t.Context(), got.ID)
		do(t, err)
		wants(t, "why", why, *got.Waiting)
		wants(t, "times begun", got.Started, time.Time{})
		elapse(5*time.Minute - 1)
		wants(t, "state", s.one(t, run).State, api.Scheduled)
		ends(t, "5m0s", run)
		got = s.one(t, run)
		var history []string
		for _, tr := range got.History {
			history = append(history, fmt.Sprint(tr.Name, " ", tr.Time.Sub(c.epoch).Round(time.Second), " ", tr.Attempt, " ", tr.Message))
		}
		wants(t, "history", history, []string{"Scheduled 0s 0 until " + due.UTC().Format(time.RFC3339), "Running 5m0s 1 ", "Completed 5m0s 1 "})
		wants(t, "attempt", got.Attempt, 1)

		run = s.submit(t, c.at.Send().Set(runnel.StartAt(c.epoch)))
		ends(t, "5m0s", run) // that time has passed
		wants(t, "its history", len(s.one(t, run).History), 2)
	})
	inClock(t, "137 cancelled meanwhile", func(t *testing.T, s *suite, c *clocked) {
		run := s.submit(t, c.at.Send().Set(runnel.StartAfter(time.Hour)))
		quiet()
		do(t, run.Cancel(t.Context()))
		endsBadly(t, run)
		wants(t, "time", time.Since(c.epoch), 0)
		got := s.one(t, run)
		wants(t, "state", got.State, api.Cancelled)
		wants(t, "begun", got.Started, time.Time{})
		elapse(2 * time.Hour)
		wants(t, "state later", s.one(t, run).State, api.Cancelled)
	})
}

// What waits for its time holds no worker and no slot.
func TestStartHoldsNothing(t *testing.T) {
	inClock(t, "start-holds", func(t *testing.T, s *suite, c *clocked) {
		s.limited(t, "db", 1)
		c.epoch = time.Now() // a shared store had to find who keeps limits
		late := c.at.WithOptions(runnel.Tags("db"), runnel.TaskID("cart"), runnel.StartAfter(time.Hour)).Send()
		run := s.submit(t, late)
		s.slots(t, "db", 0, 0)
		ends(t, "0s", s.submit(t, c.at.Send().Set(runnel.Tags("db"), runnel.TaskID("cart"))))
		elapse(59 * time.Minute)
		s.sleepers(t, "a", "db") // has the worker and the slot when the time comes
		elapse(2 * time.Minute)
		got := s.one(t, run)
		if got.State != api.Scheduled || got.Waiting == nil || got.Waiting.Kind != api.WaitsForWorker {
			t.Errorf("a task run whose time has come while the worker was busy: %+v", got)
		}
		ends(t, "1h59m0s", run)
	}, runnel.Concurrency(1))
}

func TestStartInPipelines(t *testing.T) {
	inClock(t, "start-steps", func(t *testing.T, s *suite, c *clocked) {
		next := c.at.Send().Set(runnel.StartAfter(time.Minute)).Ignoring[string]()
		ends(t, "1h1m0s", s.submit(t, s.slow.Send("a", time.Hour).ContinueWith(next)))
		wants(t, "time", time.Since(c.epoch), time.Hour+time.Minute)

		// The children of a group count from when it began.
		began := time.Since(c.epoch)
		minute := func(n int) runnel.CallOption { return runnel.StartAfter(time.Duration(n) * time.Minute) }
		after := func(d time.Duration) string { return (began + d).String() }
		chain := c.at.Send().Set(minute(3)).ContinueWith(c.at.Send().Set(minute(2)).Ignoring[string]())
		ends(t, []string{after(time.Minute), after(2 * time.Minute), after(5 * time.Minute)}, s.submit(t, runnel.InParallel(
			runnel.List(c.at.Send().Set(minute(1)), c.at.Send().Set(minute(2)), chain), runnel.MaxParallelism(1))))

		// Each of a flow's calls, and a flow, may wait too.
		c.body = func(f runnel.Flow) (string, error) { return c.at.Call(f, minute(1)) }
		began = time.Since(c.epoch)
		ends(t, after(6*time.Minute), s.submit(t, c.flow.Send().Set(minute(5))))
	})
	inClock(t, "start-returned", func(t *testing.T, s *suite, c *clocked) {
		late := c.at.Send().Set(runnel.StartAfter(time.Minute))
		c.plan = func() runnel.Runnable[string] { return late }
		// What a child returns counts from then, and not from when the group began.
		before := s.slow.Send("a", time.Hour).ContinueWith(c.returns.Send().Ignoring[string]())
		ends(t, []string{"1m0s", "1h1m0s"}, s.submit(t, runnel.InParallel(runnel.List(c.returns.Send(), before))))
		began := time.Since(c.epoch)
		ends(t, "V:x", s.submit(t, s.val.Send("x").FinallyDo(late)))
		wants(t, "time of a last step", time.Since(c.epoch), began+time.Minute)
		run := s.submit(t, s.slow.Send("b", time.Hour).FinallyDo(late))
		elapse(time.Minute)
		do(t, run.Cancel(t.Context()))
		endsBadly(t, run)
		wants(t, "time of the last step of a run that was cancelled", time.Since(c.epoch), began+3*time.Minute)
	})
	inClock(t, "start-json", func(t *testing.T, s *suite, c *clocked) {
		s.untyped(t, `"1m0s"`, `{"task":"clock","options":{"start_after":"1m"}}`)
		s.untyped(t, `"2m0s"`, `{"task":"clock","options":{"start_at":"`+c.epoch.Add(2*time.Minute).Format(time.RFC3339)+`"}}`)
		s.untyped(t, `"2m0s"`, `{"task":"clock","options":{"start_at":"1999-12-31T00:00:00+02:00"}}`)
	})
}

// Of a wide group not all children are made to wait in memory, and all begin when
// their time comes.
func TestStartOfManyChildren(t *testing.T) {
	inClock(t, "start-wide", func(t *testing.T, s *suite, c *clocked) {
		const n, most = 1500, 1024
		run := s.submit(t, runnel.Value(make([]string, n)).ContinueWith(runnel.Each(c.at.Send().Set(runnel.StartAfter(time.Hour)).Ignoring[string]())))
		elapse(time.Minute)
		why, err := s.eng.Why(t.Context(), run.ID())
		do(t, err)
		wants(t, "waiting", why.Counts, map[api.WaitingKind]int{api.WaitsForTime: most, api.WaitsForRoom: n - most})
		wants(t, "task runs", len(taskRuns(t, s, api.TaskRunFilter{Run: run.ID(), States: []api.State{api.Scheduled}})), most)
		if s.store == "sqlite" {
			interrupt(t, s.eng)
			s.eng = s.open(t)
			elapse(time.Minute)
			wants(t, "task runs after a restart", len(taskRuns(t, s, api.TaskRunFilter{Run: run.ID(), States: []api.State{api.Scheduled}})), most)
			run, err = s.eng.Attach[[]string](t.Context(), run.ID())
			do(t, err)
		}
		ends(t, slices.Repeat([]string{"1h0m0s"}, n), run)
	})
	inClock(t, "start-wide-cancel", func(t *testing.T, s *suite, c *clocked) {
		run := s.submit(t, runnel.Value(make([]string, 1500)).ContinueWith(runnel.Each(c.at.Send().Set(runnel.StartAfter(time.Hour)).Ignoring[string]())))
		elapse(time.Minute)
		do(t, run.Cancel(t.Context()))
		endsBadly(t, run)
		wants(t, "time", time.Since(c.epoch), time.Minute)
	})
}

func TestStartOfFlowCalls(t *testing.T) {
	inClock(t, "start-flow", func(t *testing.T, s *suite, c *clocked) {
		c.body = func(f runnel.Flow) (string, error) {
			hour := c.at.Submit(f, runnel.StartAfter(time.Hour))
			now, err := f.Now()
			if err != nil {
				return "", err
			}
			both := s.val.Bind(hour).Submit(f, runnel.StartAfter(time.Minute))
			later := c.at.Submit(f, runnel.WaitFor(hour), runnel.StartAt(now.Add(30*time.Minute)))
			last := c.at.Submit(f, runnel.WaitFor(hour), runnel.StartAt(now.Add(90*time.Minute)))
			var out []string
			for _, future := range []*runnel.Future[string]{hour, both, later, last} {
				text, err := future.Result(f)
				if err != nil {
					return "", err
				}
				out = append(out, text, time.Since(c.epoch).String())
			}
			mapped, err := s.val.Map(f, []string{"a", "b"}, runnel.StartAfter(time.Minute)).Results(f)
			return strings.Join(append(append(out, mapped...), time.Since(c.epoch).String()), " "), err
		}
		run := s.submit(t, c.flow.Send())
		elapse(time.Minute)
		var reasons []string
		for _, got := range taskRuns(t, s, api.TaskRunFilter{Run: run.ID()}) {
			reasons = append(reasons, fmt.Sprint(got.Name, " ", got.State, " ", got.Waiting.Kind))
		}
		wants(t, "task runs", reasons, []string{
			"clock flow-0 RUNNING dependencies", "clock-0 SCHEDULED scheduled", "val-0 PENDING dependencies",
			"clock-1 PENDING dependencies", "clock-2 PENDING dependencies",
		})
		ends(t, "1h0m0s 1h0m0s V:1h0m0s 1h1m0s 1h0m0s 1h1m0s 1h30m0s 1h30m0s V:a V:b 1h31m0s", run)
	})
	inClock(t, "start-flow-cancel", func(t *testing.T, s *suite, c *clocked) {
		c.body = func(f runnel.Flow) (string, error) {
			call := c.at.Submit(f, runnel.StartAfter(time.Hour))
			state, ended, err := call.Wait(f, time.Minute)
			return fmt.Sprint(state, " ", ended, " ", err), nil // what it called is waited for
		}
		ends(t, "RUNNING false <nil>", s.submit(t, c.flow.Send()))
		wants(t, "time", time.Since(c.epoch), time.Hour)
		run := s.submit(t, c.flow.Send())
		elapse(time.Minute)
		do(t, run.Cancel(t.Context()))
		endsBadly(t, run)
		wants(t, "time", time.Since(c.epoch), time.Hour+time.Minute)
		for _, got := range taskRuns(t, s, api.TaskRunFilter{Run: run.ID()}) {
			wants(t, got.Name, got.State, api.Cancelled)
		}
	})
}

// The time is kept: a restart changes nothing, nor does a retry of the run.
func TestStartIsDurable(t *testing.T) {
	inClock(t, "start-durable", func(t *testing.T, s *suite, c *clocked) {
		if s.store == "memory" {
			return
		}
		c.body = func(f runnel.Flow) (string, error) {
			a := c.at.Submit(f, runnel.StartAfter(time.Hour))
			b := c.at.Submit(f, runnel.WaitFor(a), runnel.StartAfter(time.Hour))
			text, err := a.Result(f)
			if err != nil {
				return "", err
			}
			more, err := b.Result(f)
			return text + " " + more, err
		}
		restart := func() {
			t.Helper()
			interrupt(t, s.eng)
			elapse(10 * time.Minute) // nobody is there
			s.eng = s.open(t)
			quiet()
		}
		flow := s.submit(t, c.flow.Send())
		step := s.submit(t, s.val.Send("x").ContinueWith(c.at.Send().Set(runnel.StartAfter(time.Hour)).Ignoring[string]()))
		missed := s.submit(t, c.at.Send().Set(runnel.StartAfter(25*time.Minute)))
		quiet()
		elapse(10 * time.Minute)
		restart()
		why, err := s.eng.Why(t.Context(), step.ID()+"/1")
		do(t, err)
		wants(t, "why", why, api.Waiting{Kind: api.WaitsForTime, Until: c.epoch.Add(time.Hour).UTC()})
		restart()
		for _, run := range []struct{ id, want string }{{step.ID(), "1h0m0s"}, {missed.ID(), "30m0s"}, {flow.ID(), "1h0m0s 2h0m0s"}} {
			if run.id == flow.ID() {
				elapse(10 * time.Minute)
				restart()
			}
			again, err := s.eng.Attach[string](t.Context(), run.id)
			do(t, err)
			ends(t, run.want, again)
		}
	})
	inClock(t, "start-retried", func(t *testing.T, s *suite, c *clocked) {
		cancelled := c.at.Send().Set(runnel.StartAfter(3 * time.Hour))
		failed := c.fails.Send().Set(runnel.StartAfter(time.Hour))
		run := s.submit(t, runnel.InParallel(runnel.List(failed, cancelled), runnel.FailFast()))
		endsBadly(t, run)
		wants(t, "time", time.Since(c.epoch), time.Hour)
		elapse(time.Minute)
		do(t, run.Retry(t.Context()))
		ends(t, []string{"1h1m0s", "3h0m0s"}, run)
	})
	inClock(t, "start-paused", func(t *testing.T, s *suite, c *clocked) {
		run := s.submit(t, c.at.Send().Set(runnel.StartAfter(time.Hour)))
		quiet()
		do(t, run.Pause(t.Context()))
		elapse(2 * time.Hour)
		got := s.one(t, run)
		wants(t, "state", got.State, api.Scheduled)
		wants(t, "waiting", got.Waiting.Kind, api.WaitsForResume)
		do(t, run.Resume(t.Context()))
		ends(t, "2h0m0s", run)
	})
	inClock(t, "start-attempts", func(t *testing.T, s *suite, c *clocked) {
		o := []runnel.CallOption{runnel.StartAfter(time.Hour), runnel.Retries(1), runnel.RetryDelay(time.Minute)}
		ends(t, "1h1m0s", s.submit(t, c.fails.Send().Set(o...))) // it waits before its first attempt only
	})
}

func TestStartIsRefused(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		call := s.hi.Send("J", "D")
		for _, c := range []struct {
			options []runnel.CallOption
			want    string
		}{
			{[]runnel.CallOption{runnel.StartAfter(-time.Second)}, "StartAfter(-1s): want more than 0"},
			{[]runnel.CallOption{runnel.StartAfter(0)}, "StartAfter(0s): want more than 0"},
			{[]runnel.CallOption{runnel.StartAfter(100_000 * time.Hour)}, "at most ten years"},
			{[]runnel.CallOption{runnel.StartAt(time.Time{})}, "StartAt: the time is zero"},
			{[]runnel.CallOption{runnel.StartAt(time.Unix(1<<50, 0))}, "StartAt: the time is in the year 35680317"},
			{[]runnel.CallOption{runnel.StartAt(time.Now()), runnel.StartAfter(time.Second)}, "has start_at and start_after; want one of them"},
		} {
			_, err := s.eng.Submit(t.Context(), call.Set(c.options...))
			matches(t, err, runnel.ErrInvalid)
			says(t, err.Error(), c.want)
		}
		form := func(options string) string {
			return `{"runnel":1,"steps":[{"task":"hi","args":["J","D"],"options":{` + options + `}}]}`
		}
		s.refused(t, runnel.ErrInvalid, form(`"start_after":"-1s"`), "steps[0]", "start_after is -1s")
		s.refused(t, runnel.ErrInvalid, form(`"start_after":"100000h"`), "start_after is 100000h0m0s", "ten years")
		s.refused(t, runnel.ErrInvalid, form(`"start_after":"1s","start_at":"2030-01-01T00:00:00Z"`), "steps[0]", "want one of them")
		s.refused(t, runnel.ErrInvalid, form(`"start_at":"tomorrow"`), "steps[0]", "tomorrow")

		// The later of two options replaces the other one, whichever they are.
		data, err := json.Marshal(s.hi.WithOptions(runnel.StartAfter(time.Hour)).Send("J", "D").Set(runnel.StartAt(time.Unix(1e9, 0))))
		do(t, err)
		says(t, string(data), `"options":{"start_at":"2001-09-09T01:46:40Z"}`)
		var back runnel.Pipeline[string]
		do(t, json.Unmarshal(data, &back))
		s.gives(t, "H J D", back)
		data, err = json.Marshal(call.Set(runnel.StartAt(time.Unix(1e9, 0))).Set(runnel.StartAfter(time.Minute)))
		do(t, err)
		says(t, string(data), `"options":{"start_after":"1m0s"}`)
	})
}
