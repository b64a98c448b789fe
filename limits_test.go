package runnel_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// The cases of the specification of tasks that are about limits carry their
// number after a T.

// limited sets a limit.
func (s *suite) limited(t *testing.T, tag string, n int) {
	t.Helper()
	do(t, s.eng.Limits().Create(t.Context(), tag, n))
}

// slots checks how many have a slot of a tag, and wait for one, once nothing
// moves any more. In a bubble only.
func (s *suite) slots(t *testing.T, tag string, active, waiting int) api.Limit {
	t.Helper()
	synctest.Wait()
	l, err := s.eng.Limits().Read(t.Context(), tag)
	do(t, err)
	if l.Active != active || l.Waiting != waiting || len(l.ActiveSlots) != active || len(l.Waiters) != waiting {
		t.Errorf("tag %s has %d active %v, %d waiting %v; want %d and %d", tag, l.Active, l.ActiveSlots, l.Waiting, l.Waiters, active, waiting)
	}
	return l
}

// sleeps is a pipeline of one task that sleeps an hour, with tags.
func (s *suite) sleeps(key string, tags ...string) runnel.Pipeline[string] {
	return s.slow.Send(key, time.Hour).Set(runnel.Tags(tags...))
}

// sleepers submits such pipelines, one after the other.
func (s *suite) sleepers(t *testing.T, keys string, tags ...string) (runs []*runnel.Run[string]) {
	t.Helper()
	for key := range strings.FieldsSeq(keys) {
		runs = append(runs, s.submit(t, s.sleeps(key, tags...)))
		quiet()
	}
	return runs
}

// began gives the keys of the sleepers that have begun, in order.
func (s *suite) began() (keys string) {
	for _, line := range s.inOrder() {
		if key, ok := strings.CutPrefix(line, "slow "); ok {
			keys += key + " "
		}
	}
	return strings.TrimSpace(keys)
}

// hours lets time pass, and a little more.
func hours(n int) {
	<-time.After(time.Duration(n)*time.Hour + time.Minute)
	synctest.Wait()
}

func TestLimits(t *testing.T) {
	bubbled(t, "T149", func(t *testing.T, s *suite) {
		s.limited(t, "a", 2)
		s.sleepers(t, "1", "a", "b")
		s.limited(t, "b", 1)
		s.slots(t, "a", 1, 0)
		s.slots(t, "b", 0, 0)
		s.sleepers(t, "2", "a", "b")
		hours(1) // both end
		s.slots(t, "a", 0, 0)
		s.slots(t, "b", 0, 0)
		s.sleepers(t, "3 4", "a", "b")
		s.slots(t, "a", 1, 1)
		s.slots(t, "b", 1, 1)
	})
	bubbled(t, "T150", func(t *testing.T, s *suite) {
		s.limited(t, "big", 2)
		s.limited(t, "small", 1)
		s.sleepers(t, "1 2", "big", "small")
		s.slots(t, "big", 1, 1)
		do(t, s.eng.Limits().Delete(t.Context(), "small"))
		s.slots(t, "big", 2, 0)
		wants(t, "began", s.began(), "1 2")
	})
	bubbled(t, "T151", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.sleepers(t, "1 2 3", "a")
		s.slots(t, "a", 1, 2)
		s.limited(t, "a", 2)
		s.slots(t, "a", 2, 1)
		s.limited(t, "a", 1)
		hours(1) // two end, one begins
		s.slots(t, "a", 1, 0)
		run := s.sleepers(t, "4", "a")[0]
		s.limited(t, "a", 0)
		s.slots(t, "a", 1, 0)
		says(t, endsBadly(t, run).Message, "tag a is 0")
		hours(1)
		s.slots(t, "a", 0, 0)
		wants(t, "ended", s.times("slept"), 3)
	})
	bubbled(t, "T153", func(t *testing.T, s *suite) {
		s.limited(t, "a", 5)
		first, err := s.eng.Limits().Read(t.Context(), "a")
		do(t, err)
		hours(1)
		s.limited(t, "a", 7)
		second, err := s.eng.Limits().Read(t.Context(), "a")
		do(t, err)
		if first.Limit != 5 || second.Limit != 7 || !second.Created.Equal(first.Created) || !second.Updated.After(first.Updated) {
			t.Errorf("got %+v, then %+v", first, second)
		}
	})
	bubbled(t, "T156", func(t *testing.T, s *suite) {
		s.limited(t, "a", 2)
		s.limited(t, "b", 2)
		run := s.sleepers(t, "1", "a", "b", "unknown")[0]
		wants(t, "slots", s.slots(t, "a", 1, 0).ActiveSlots, []string{run.ID() + "/0"})
		wants(t, "slots", s.slots(t, "b", 1, 0).ActiveSlots, []string{run.ID() + "/0"})
		s.sleepers(t, "2", "unknown")
		wants(t, "began", s.began(), "1 2")
		hours(1)
		s.slots(t, "a", 0, 0)
		s.slots(t, "b", 0, 0)
	})
	bubbled(t, "T157", func(t *testing.T, s *suite) {
		s.limited(t, "a", 2)
		s.limited(t, "b", 2)
		s.sleepers(t, "1 2", "a")
		waits := s.sleepers(t, "3", "a", "b")[0]
		wants(t, "waiters", s.slots(t, "a", 2, 1).Waiters, []string{waits.ID() + "/0"})
		s.slots(t, "b", 0, 1)
		hours(1)
		s.slots(t, "a", 1, 0)
		s.slots(t, "b", 1, 0)
	})
	bubbled(t, "T160", func(t *testing.T, s *suite) {
		s.sleepers(t, "1 2", "never-limited")
		for l, err := range s.eng.Limits().List(t.Context()) {
			t.Errorf("running made limit %v (%v)", l, err)
		}
		s.limited(t, "a", 1)
		tagged := s.slow.WithOptions(runnel.Tags("a")) // declared, and not by the call
		s.submit(t, tagged.Send("3", time.Hour))
		quiet()
		s.sleepers(t, "4", "a")
		s.submit(t, s.slow.Send("5", time.Hour))
		s.slots(t, "a", 1, 1)
		wants(t, "began", s.began(), "1 2 3 5")
	})
	bubbled(t, "Td", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.limited(t, "b", 1)
		s.sleepers(t, "1", "a")
		s.sleepers(t, "2", "a", "b")
		s.sleepers(t, "3", "b") // must not pass 2, though b is free
		s.sleepers(t, "4", "a")
		s.sleepers(t, "5", "a", "b")
		s.slots(t, "b", 0, 3)
		for _, want := range []string{"1", "1 2", "1 2 3 4", "1 2 3 4 5"} {
			quiet()
			began := strings.Fields(s.began())
			slices.Sort(began) // 3 and 4 begin at the same time
			wants(t, "began", strings.Join(began, " "), want)
			hours(1)
		}
	})
	bubbled(t, "Ti", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		failing := s.submit(t, s.flaky.Send(1).Set(runnel.Tags("a"), runnel.Retries(1), runnel.RetryDelay(3*time.Hour)))
		s.slots(t, "a", 0, 0)
		s.sleepers(t, "1", "a")
		s.slots(t, "a", 1, 0)
		hours(1)
		s.slots(t, "a", 0, 0)
		ends(t, "done on 2", failing)
		s.slots(t, "a", 0, 0)
	})
	bubbled(t, "Tj", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.gives(t, "H J D", s.hiTwo.Send("J", "D").Set(runnel.Tags("a")))
		parent := runnel.NewOrchestrator0("parent", func(context.Context) (runnel.Runnable[[]string], error) {
			return runnel.InParallel(runnel.List(s.sleeps("1", "a"), s.sleeps("2", "a"))), nil
		}, runnel.Tags("a"))
		eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(parent, s.slow))
		do(t, err)
		defer shut(t, eng)
		do(t, eng.Limits().Create(t.Context(), "a", 1))
		got, err := eng.Run(t.Context(), parent.Send())
		do(t, err)
		wants(t, "result", got, []string{"1", "2"})
		wants(t, "at a time", s.maximum(""), 1)
	})
}

func TestLimitsInFlows(t *testing.T) {
	inFlow := func(t *testing.T, s *suite, body func(f runnel.Flow) (string, error)) *runnel.Engine {
		t.Helper()
		eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(
			runnel.NewFlow0("flow", body, runnel.Tags("a")), s.slow, s.yielding))
		do(t, err)
		do(t, eng.Limits().Create(t.Context(), "a", 1))
		return eng
	}
	flow := runnel.Ref0[string]("flow")
	bubbled(t, "its own tags take no slot, those of a call do", func(t *testing.T, s *suite) {
		eng := inFlow(t, s, func(f runnel.Flow) (string, error) {
			tagged := f.WithTags("a") // by context, as T160 says
			first, second := s.slow.Submit(tagged, "1", time.Hour), s.slow.Submit(tagged, "2", time.Hour)
			_, err1 := first.Result(f)
			_, err2 := second.Result(f)
			return "done", errors.Join(err1, err2)
		})
		defer shut(t, eng)
		got, err := eng.Run(t.Context(), flow.Send())
		do(t, err)
		wants(t, "result", got, "done")
		wants(t, "at a time", s.maximum(""), 1)
	})
	bubbled(t, "a call that a limit of 0 ends has failed", func(t *testing.T, s *suite) {
		eng := inFlow(t, s, func(f runnel.Flow) (string, error) {
			_, err := s.slow.Call(f.WithTags("a"), "1", time.Hour)
			matches(t, err, runnel.ErrConflict)
			return "handled", nil
		})
		defer shut(t, eng)
		do(t, eng.Limits().Create(t.Context(), "a", 0))
		got, err := eng.Run(t.Context(), flow.Send())
		do(t, err)
		wants(t, "result", got, "handled")
	})
}

func TestLimitZero(t *testing.T) {
	bubbled(t, "T145", func(t *testing.T, s *suite) {
		s.limited(t, "a", 0)
		run := s.submit(t, s.sleeps("1", "a").Set(runnel.Retries(3)))
		failure := endsBadly(t, run)
		says(t, failure.Message, "tag a is 0")
		isLike(t, failure, runnel.ErrConflict, "")
		is(t, api.Failed, run)
		listed := 0
		for task, err := range s.eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID()}) {
			do(t, err)
			listed++
			if task.State != api.Cancelled || task.StateName != "Aborted" || task.Failure == nil || len(task.History) != 1 || task.History[0].Name != "Aborted" {
				t.Errorf("task run is %+v", task)
			}
		}
		wants(t, "listed", listed, 1)
		wants(t, "began", s.began(), "")
		// It is a failure like any other.
		s.gives(t, "E:"+failure.Error(), s.sleeps("2", "a").Exceptionally(s.rec))
		group := s.fails(t, runnel.InParallel(runnel.List(s.sleeps("3", "a"), s.hi.Send("J", "D"))))
		says(t, group.Error(), "1 of 2 failed", "tag a is 0")
		// Once there is room, a retry of the run does it.
		s.limited(t, "a", 1)
		do(t, run.Retry(t.Context()))
		again, err := s.eng.Attach[string](t.Context(), run.ID())
		do(t, err)
		ends(t, "1", again)
	})
	for _, tags := range [][]string{{"a", "zero"}, {"zzz", "zero"}} {
		bubbled(t, "Ta", func(t *testing.T, s *suite) {
			s.limited(t, tags[0], 1)
			s.limited(t, "zero", 0)
			says(t, s.fails(t, s.sleeps("1", tags...)).Message, "tag zero is 0")
			s.slots(t, tags[0], 0, 0)
			s.slots(t, "zero", 0, 0)
		})
	}
	bubbled(t, "T158", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.limited(t, "b", 1)
		s.limited(t, "zero", 0)
		s.sleepers(t, "1", "a")
		says(t, s.fails(t, s.sleeps("2", "a", "b", "zero")).Message, "tag zero is 0", "for ever")
		s.slots(t, "a", 1, 0)
		s.slots(t, "b", 0, 0)
	})
	bubbled(t, "while it waits", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.limited(t, "b", 1)
		s.sleepers(t, "1", "a")
		waits := s.sleepers(t, "2", "a", "b")[0]
		behind := s.sleepers(t, "3", "b")[0]
		s.limited(t, "a", 0)
		says(t, endsBadly(t, waits).Message, "tag a is 0")
		s.slots(t, "b", 1, 0)
		hours(1)
		ends(t, "3", behind)
	})
	bubbled(t, "while it waits and is paused", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		runs := s.sleepers(t, "1 2", "a")
		do(t, runs[1].Pause(t.Context()))
		s.limited(t, "a", 0)
		is(t, api.Paused, runs[1])
		s.slots(t, "a", 1, 1)
		do(t, runs[1].Resume(t.Context()))
		says(t, endsBadly(t, runs[1]).Message, "tag a is 0") // on a shared store after some milliseconds
		s.slots(t, "a", 1, 0)
	})
}

func TestLimitsAndControl(t *testing.T) {
	bubbled(t, "paused waiters are passed over", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		runs := s.sleepers(t, "1 2 3 4", "a")
		do(t, runs[1].Pause(t.Context()))
		s.slots(t, "a", 1, 3)
		hours(1)
		wants(t, "began", s.began(), "1 3")
		do(t, runs[1].Resume(t.Context())) // it has its old place
		hours(1)
		hours(1)
		wants(t, "began", s.began(), "1 3 2 4")
	})
	bubbled(t, "cancelled waiters leave", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.limited(t, "b", 1)
		s.sleepers(t, "1", "a")
		waits := s.sleepers(t, "2", "a", "b")[0]
		s.sleepers(t, "3", "b")
		wants(t, "began", s.began(), "1")
		do(t, waits.Cancel(t.Context()))
		is(t, api.Cancelled, waits)
		wants(t, "began", s.began(), "1 3")
		s.slots(t, "a", 1, 0)
	})
	bubbled(t, "a cancelled body gives its slot back", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		runs := s.sleepers(t, "1 2", "a")
		do(t, runs[0].Cancel(t.Context()))
		wants(t, "slots", s.slots(t, "a", 1, 0).ActiveSlots, []string{runs[1].ID() + "/0"})
	})
	bubbled(t, "time-outs give slots back", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.submit(t, s.sleeps("1", "a").Set(runnel.Timeout(time.Minute)))
		s.submit(t, s.yielding.Send("x").Set(runnel.Tags("a"), runnel.Timeout(time.Minute)))
		s.slots(t, "a", 1, 1)
		<-time.After(time.Minute + time.Second)
		s.slots(t, "a", 1, 0) // no body runs, but it waits for an answer
		wants(t, "yielding", s.times("yielding"), 1)
		s.sleepers(t, "2", "a")
		s.slots(t, "a", 1, 1)
		<-time.After(time.Minute + time.Second)
		wants(t, "began", s.began(), "1 2")
	})
	bubbled(t, "an answer from outside gives the slot back", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		run := s.submit(t, s.yielding.Send("x").Set(runnel.Tags("a")))
		quiet()
		s.sleepers(t, "1", "a")
		s.slots(t, "a", 1, 1)
		do(t, s.eng.Complete(t.Context(), s.token(t, 0), "answered"))
		ends(t, "answered", run)
		s.slots(t, "a", 1, 0)
		wants(t, "began", s.began(), "1")
	})
	bubbled(t, "reset forgets holders", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.sleepers(t, "1 2 3", "a")
		do(t, s.eng.Limits().Reset(t.Context(), "a"))
		s.slots(t, "a", 1, 1)
		wants(t, "began", s.began(), "1 2")
		hours(1)
		s.slots(t, "a", 1, 0)
	})
	bubbled(t, "reset forgets one holder", func(t *testing.T, s *suite) {
		s.limited(t, "a", 2)
		s.sleepers(t, "1 2 3 4", "a")
		s.slots(t, "a", 2, 2)
		l, err := s.eng.Limits().Read(t.Context(), "a")
		do(t, err)
		do(t, s.eng.Limits().Reset(t.Context(), "a", l.ActiveSlots[0]))
		s.slots(t, "a", 2, 1)
		wants(t, "began", s.began(), "1 2 3")
		isLike(t, s.eng.Limits().Reset(t.Context(), "a", l.ActiveSlots[0]), runnel.ErrConflict, "has no slot")
		hours(1)
		s.slots(t, "a", 1, 0)
	})
	bubbled(t, "how long slots are held is known once some were given back", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.sleepers(t, "1 2", "a")
		l, err := s.eng.Limits().Read(t.Context(), "a")
		do(t, err)
		wants(t, "hold", l.MedianHold, api.Duration(0))
		wants(t, "first waits since", l.WaitingSince, time.Now().UTC())
		hours(1)
		l, err = s.eng.Limits().Read(t.Context(), "a")
		do(t, err)
		wants(t, "hold", l.MedianHold, api.Duration(time.Hour))
		wants(t, "nobody waits", l.WaitingSince, time.Time{})
	})
	bubbled(t, "errors", func(t *testing.T, s *suite) {
		l := s.eng.Limits()
		isLike(t, l.Create(t.Context(), "", 1), runnel.ErrInvalid, "tag")
		isLike(t, l.Create(t.Context(), "a", -1), runnel.ErrInvalid, "a")
		_, err := l.Read(t.Context(), "a")
		isLike(t, err, runnel.ErrNotFound, "a")
		isLike(t, l.Delete(t.Context(), "a"), runnel.ErrNotFound, "a")
		isLike(t, l.Reset(t.Context(), "a"), runnel.ErrNotFound, "a")
		for _, tag := range []string{"b", "c", "a"} {
			s.limited(t, tag, 1)
		}
		var tags []string
		for l, err := range l.List(t.Context()) {
			do(t, err)
			tags = append(tags, l.Tag)
		}
		wants(t, "list", tags, []string{"a", "b", "c"})
	})
}

func TestLimitsCompose(t *testing.T) {
	children := func(s *suite, n int, opts ...runnel.GroupOption) runnel.Pipeline[[]string] {
		var list []runnel.Pipeline[string]
		for range n {
			list = append(list, s.sleeps("w", "a"))
		}
		return runnel.InParallel(list, opts...)
	}
	bubbled(t, "with MaxParallelism", func(t *testing.T, s *suite) {
		s.limited(t, "a", 3)
		s.submit(t, children(s, 9, runnel.MaxParallelism(2)))
		s.slots(t, "a", 2, 0)
		other := s.submit(t, children(s, 9, runnel.MaxParallelism(4)))
		s.slots(t, "a", 3, 3)
		_, err := other.Wait(t.Context())
		do(t, err)
		wants(t, "at a time", s.maximum(""), 3)
	})
	const wide = "a wide group does not make all of its children wait" // but for 500 hours
	bubbledOf(t, forDays, wide, func(t *testing.T, s *suite) {
		s.limited(t, "a", 10)
		run := s.submit(t, children(s, 5000))
		quiet()
		l, err := s.eng.Limits().Read(t.Context(), "a")
		do(t, err)
		if l.Active != 10 || l.Waiting < 100 || l.Waiting > 1100 || len(l.Waiters) != 100 {
			t.Errorf("%d active, %d waiting, %d named", l.Active, l.Waiting, len(l.Waiters))
		}
		beside := s.submit(t, s.slow.Send("x", time.Hour))
		_, err = run.Wait(t.Context())
		do(t, err)
		ends(t, "x", beside)
		wants(t, "began", s.times("slow"), 5001)
		wants(t, "at a time", s.maximum("w"), 10)
		s.slots(t, "a", 0, 0)
	})
	bubbled(t, "with task ids", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		keyed := func(key string) runnel.Pipeline[string] {
			return s.sleeps(key, "a").Set(runnel.TaskID("id"))
		}
		s.submit(t, keyed("1"))
		quiet()
		s.submit(t, keyed("2")) // waits for the id, not for a slot
		s.slots(t, "a", 1, 0)
		s.sleepers(t, "3", "a")
		s.submit(t, s.sleeps("4").Set(runnel.TaskID("id")))
		s.slots(t, "a", 1, 1)
		hours(1) // 2 has the id now and waits for the slot behind 3
		s.slots(t, "a", 1, 1)
		for range 3 {
			hours(1)
		}
		wants(t, "began", s.began(), "1 3 2 4")
		wants(t, "at a time", s.maximum(""), 1)
	})
}

func TestLimitsAfterRestart(t *testing.T) {
	restart := func(t *testing.T, s *suite) {
		t.Helper()
		interrupt(t, s.eng)
		s.eng = s.open(t)
	}
	onFile := func(t *testing.T, number string, test func(t *testing.T, s *suite)) {
		t.Helper()
		t.Run(number, func(t *testing.T) {
			dsn := dsnOf(t, "sqlite")
			synctest.Test(t, func(t *testing.T) { test(t, opened(t, "sqlite", dsn)) })
		})
	}
	onFile(t, "Te", func(t *testing.T, s *suite) {
		s.limited(t, "a", 1)
		s.sleepers(t, "1 2", "a")
		restart(t, s)
		s.slots(t, "a", 1, 1)
		hours(1)
		hours(1)
		s.slots(t, "a", 0, 0)
		wants(t, "ended", s.times("slept"), 2)
	})
	onFile(t, "Tm", func(t *testing.T, s *suite) {
		s.limited(t, "a", 2)
		s.limited(t, "gone", 2)
		do(t, s.eng.Limits().Delete(t.Context(), "gone"))
		parked := s.submit(t, s.yielding.Send("x").Set(runnel.Tags("a")))
		s.slots(t, "a", 1, 0)
		s.sleepers(t, "1 2", "a")
		restart(t, s)
		l := s.slots(t, "a", 2, 1)
		if !slices.Contains(l.ActiveSlots, parked.ID()+"/0") || l.Limit != 2 {
			t.Errorf("slots are %v, want %s/0 among them", l.ActiveSlots, parked.ID())
		}
		do(t, s.eng.Complete(t.Context(), s.token(t, 0), "answered"))
		s.slots(t, "a", 2, 0)
		_, err := s.eng.Limits().Read(t.Context(), "gone")
		isLike(t, err, runnel.ErrNotFound, "gone")
		hours(1)
		s.slots(t, "a", 0, 0)
	})
}

// Tc: a thousand who submit, a limit of 10, and somebody who counts.
func TestLimitHolds(t *testing.T) {
	t.Run("Tc", func(t *testing.T) {
		onStores(t, func(t *testing.T, s *suite) {
			s.limited(t, "a", 10)
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() {
					if _, err := s.eng.Run(t.Context(), s.slow.Send("x", time.Millisecond).Set(runnel.Tags("a"))); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			wants(t, "ran", s.times("slept"), 1000)
			if most := s.maximum("x"); most > 10 || most < 2 {
				t.Errorf("%d at a time, want 10 at most", most)
			}
			l, err := s.eng.Limits().Read(t.Context(), "a")
			do(t, err)
			wants(t, "left", l.Active+l.Waiting, 0)
		}, runnel.Concurrency(50))
	})
}

// TestLimitsInAStorm changes limits, pauses and cancels while runs go on, with
// many goroutines: all end, and no slot is left behind.
func TestLimitsInAStorm(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		short := s.slow.Send("x", 100*time.Microsecond)
		for _, tag := range []string{"a", "b"} {
			s.limited(t, tag, 2)
		}
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				group := runnel.InParallel(runnel.List(
					short.Set(runnel.Tags("a")), short.Set(runnel.Tags("a", "b")), short.Set(runnel.Tags("b"), runnel.TaskID("id")), short),
					runnel.MaxParallelism(1+i%3))
				for range 10 {
					run, err := s.eng.Submit(t.Context(), group.ContinueWith(s.join))
					if err != nil {
						t.Error(err)
						return
					}
					switch i % 5 { // whatever the state allows
					case 0:
						_ = run.Cancel(t.Context())
					case 1:
						if run.Pause(t.Context()) == nil {
							_ = run.Resume(t.Context())
						}
					case 2:
						_ = s.eng.Limits().Create(t.Context(), "a", 1+i%3)
					case 3:
						_ = s.eng.Limits().Delete(t.Context(), "b")
						_ = s.eng.Limits().Create(t.Context(), "b", 1)
					}
					if v, err := run.Wait(t.Context()); (err != nil || v != "x;x;x;x") && !errors.Is(err, runnel.ErrCancelled) {
						t.Errorf("got %q (%v)", v, err)
					}
				}
			})
		}
		all.Wait()
		for l, err := range s.eng.Limits().List(t.Context()) {
			do(t, err)
			wants(t, "left of "+l.Tag, l.Active+l.Waiting, 0)
		}
	}, runnel.Concurrency(8))
}
