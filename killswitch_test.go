package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// killable are tasks for groups with kill switches: a name that begins with "bad"
// fails, and one that ends with "h" takes an hour, with "m" a minute.
func killable(s *cacheSuite) []runnel.AnyTask {
	try := runnel.NewTask1("try", func(ctx context.Context, name string) (string, error) {
		s.began("try")
		takes := map[byte]time.Duration{'h': time.Hour, 'm': time.Minute}[name[len(name)-1]]
		if err := pause(ctx, takes); err != nil {
			return "", err
		}
		if strings.HasPrefix(name, "bad") {
			return "", errors.New(name)
		}
		return name, nil
	})
	third := runnel.CountSwitch("third", func(c api.BatchCounts) bool { return c.Ended == 3 && c.Total == 5 })
	reason := runnel.NewTask1("reason", func(_ context.Context, f *runnel.Failure) ([]string, error) {
		counts := ""
		if k := f.Killed; k != nil {
			counts = fmt.Sprintf("%s: %d of %d, %d %d %d", k.Switch, k.Ended, k.Total, k.Completed, k.Failed, k.Cancelled)
		}
		return []string{strconv.FormatBool(errors.Is(f, runnel.ErrKillSwitch)), f.Message, strconv.Itoa(len(f.Causes)), counts}, nil
	})
	return []runnel.AnyTask{try, reason, third}
}

// killGroup runs the names in a group under switches and gives what a handler is
// told.
func killGroup(t *testing.T, s *cacheSuite, names string, opts ...runnel.GroupOption) (got []string) {
	t.Helper()
	run := killSubmit(t, s, names, opts...)
	got, err := run.Wait(t.Context())
	do(t, err)
	return got
}

func killSubmit(t *testing.T, s *cacheSuite, names string, opts ...runnel.GroupOption) *runnel.Run[[]string] {
	t.Helper()
	try, reason := s.all[0].(runnel.Task1[string, string]), s.all[1].(runnel.Task1[*runnel.Failure, []string])
	p := runnel.Value(strings.Fields(names)).ContinueWith(runnel.Each(try, opts...)).Exceptionally(reason)
	run, err := s.eng.Submit(t.Context(), p)
	do(t, err)
	return run
}

func TestKillSwitches(t *testing.T) {
	one := runnel.MaxParallelism(1)
	killed := func(t *testing.T, s *cacheSuite, got []string, ran int, causes string, parts ...string) {
		t.Helper()
		wants(t, "matches ErrKillSwitch", got[0], "true")
		says(t, got[1], parts...)
		wants(t, "causes", got[2], causes)
		s.ran(t, "try", ran)
	}
	// The numbers are data as well; also of a chain that was stopped between its
	// steps, and of a group too wide to be held in memory.
	cached(t, "counts", killable, func(t *testing.T, s *cacheSuite) {
		wants(t, "counts", killGroup(t, s, "a bad1m bh c d", runnel.MaxParallelism(2), runnel.AnyFailed())[3], "AnyFailed: 3 of 5, 1 1 1")
		try, reason := s.all[0].(runnel.Task1[string, string]), s.all[1].(runnel.Task1[*runnel.Failure, []string])
		twice := runnel.Each(try.With().ContinueWith(try), runnel.MaxParallelism(3), runnel.FailedCount(1))
		got, err := s.eng.Run(t.Context(), runnel.Value(strings.Fields("a bm bad1m ch d")).ContinueWith(twice).Exceptionally(reason))
		do(t, err)
		wants(t, "of chains", got[3], "FailedCount(1): 4 of 5, 1 1 2")
		wide := strings.Repeat("a ", 5000) + "bad1 " + strings.Repeat("b ", 200)
		got = killGroup(t, s, wide, runnel.MaxParallelism(1), runnel.AnyFailed())
		wants(t, "of many", got[3], "AnyFailed: 5001 of 5201, 5000 1 0")
	})
	cached(t, "task-case-67", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "a bad1 b c", one, runnel.AnyFailed()), 2, "1", "kill switch AnyFailed tripped at 1 failed of 2 ended: of 4 children 1 completed, 1 failed, 0 cancelled, 2 never began")
	})
	cached(t, "task-case-66", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "bad1 a bad2 b c d", one, runnel.FailedCount(2)), 3, "2", "FailedCount(2) tripped at 2 failed of 3", "of 6 children 1 completed, 2 failed, 0 cancelled", "3 never")
	})
	cached(t, "task-case-69", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "a bad1 bad2 b", one, runnel.FailureRate(3, 0.5)), 3, "2", "FailureRate(3, 0.5) tripped at 2 failed of 3", "of 4 children 1 completed, 2 failed")
	})
	cached(t, "the last one", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "a b bad1", one, runnel.AnyFailed()), 3, "1", "at 1 failed of 3", "2 completed, 1 failed, 0 cancelled, 0 never")
	})
	cached(t, "in flight", killable, func(t *testing.T, s *cacheSuite) {
		began := time.Now()
		killed(t, s, killGroup(t, s, "ah bad1m bh", runnel.AnyFailed()), 3, "1", "at 1 failed of 1", "3 children 0 completed, 1 failed, 2 cancelled, 0 never")
		wants(t, "time", time.Since(began) < time.Hour, true)
	})
	cached(t, "own", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "a b c d e", one, s.all[2].(runnel.KillSwitch)), 3, "0", "third tripped at 0 failed of 3", "3 completed, 0 failed, 0 cancelled, 2 never")
	})
	cached(t, "settle", killable, func(t *testing.T, s *cacheSuite) {
		try := s.all[0].(runnel.Task1[string, string])
		_, err := s.eng.Run(t.Context(), runnel.Settle(runnel.List(try.Send("bad1"), try.Send("ah")), runnel.AnyFailed()))
		isLike(t, err, runnel.ErrKillSwitch, "AnyFailed", "bad1")
		f, ok := errors.AsType[*runnel.Failure](err)
		wants(t, "the failure is a cause", ok && len(f.Causes) == 1 && f.Count == 1, true)
	})
	cached(t, "panic", func(s *cacheSuite) []runnel.AnyTask {
		return append(killable(s), runnel.CountSwitch("boom", func(api.BatchCounts) bool { panic("no counts") }))
	}, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "a b c", one, s.all[3].(runnel.KillSwitch)), 1, "0", "boom (panic: no counts) tripped at 0 failed of 1")
	})
	cached(t, "none trips", killable, func(t *testing.T, s *cacheSuite) {
		wants(t, "results", killGroup(t, s, "a b c", runnel.AnyFailed(), runnel.FailedCount(2), s.all[2].(runnel.KillSwitch)), []string{"a", "b", "c"})
		got := killGroup(t, s, "a bad1 c", runnel.FailedCount(2))
		wants(t, "a plain failure", got[0], "false")
	})
	// What completed stays and counts, what failed is counted anew.
	cached(t, "retry", killable, func(t *testing.T, s *cacheSuite) {
		try := s.all[0].(runnel.Task1[string, string])
		run, err := s.eng.Submit(t.Context(), runnel.Value([]string{"a", "b", "bad1", "c"}).ContinueWith(runnel.Each(try, one, runnel.AnyFailed())))
		do(t, err)
		for range 2 {
			_, err = run.Wait(t.Context())
			isLike(t, err, runnel.ErrKillSwitch, "at 1 failed of 3", "2 completed, 1 failed", "1 never began")
			s.ran(t, "try", 3)
			s.runs["try"]-- // it runs again, the first two don't
			do(t, run.Retry(t.Context()))
		}
	})
	// Of what completed before, and of what fails now, a share is made.
	cached(t, "rate after a retry", killable, func(t *testing.T, s *cacheSuite) {
		try := s.all[0].(runnel.Task1[string, string])
		names := runnel.Value(strings.Fields("a b c bad1 bad2 bad3 bad4"))
		run, err := s.eng.Submit(t.Context(), names.ContinueWith(runnel.Each(try, one, runnel.FailureRate(2, 0.5))))
		do(t, err)
		_, err = run.Wait(t.Context())
		isLike(t, err, runnel.ErrKillSwitch, "at 3 failed of 6", "3 completed, 3 failed, 0 cancelled, 1 never")
		do(t, run.Retry(t.Context())) // three of six, not three of three, nor six of nine
		_, err = run.Wait(t.Context())
		isLike(t, err, runnel.ErrKillSwitch, "at 3 failed of 6", "3 completed, 3 failed, 0 cancelled, 1 never")
		s.ran(t, "try", 9)
	})
	cached(t, "refused", killable, func(t *testing.T, s *cacheSuite) {
		try := s.all[0].(runnel.Task1[string, string])
		for _, k := range []runnel.KillSwitch{
			runnel.FailedCount(0), runnel.FailureRate(0, 0.5), runnel.FailureRate(1, 1.5), runnel.CountSwitch("", func(api.BatchCounts) bool { return true }),
			runnel.CountSwitch("nobody", func(api.BatchCounts) bool { return true }), runnel.CountSwitch("nil", nil),
			runnel.Switch("told", func() func(api.State) bool { return nil }), runnel.CountSwitch("try", func(api.BatchCounts) bool { return true }),
		} {
			_, err := s.eng.Submit(t.Context(), runnel.InParallel(runnel.List(try.Send("a")), k))
			matches(t, err, runnel.ErrInvalid)
		}
		both := runnel.InParallel(runnel.List(try.Send("a")), runnel.FailedCount(2), runnel.FailFast())
		isLike(t, both.Err(), runnel.ErrInvalid, "FailFast", "FailedCount(2)")
		_, err := s.eng.Submit(t.Context(), fromJSON(t, `{"runnel":1,"steps":[{"task":"third"}]}`))
		isLike(t, err, runnel.ErrUnknownTask, "kill switch")
		for _, bad := range []runnel.AnyTask{runnel.AnyFailed(), s.all[2], runnel.Switch("x", func() func(api.State) bool { return nil })} {
			_, err := runnel.Open(t.Context(), "memory:", runnel.Register(s.all...), runnel.Register(bad))
			matches(t, err, runnel.ErrInvalid)
		}
	})
}

func TestKillSwitchesInJSON(t *testing.T) {
	cached(t, "json", killable, func(t *testing.T, s *cacheSuite) {
		form := `{"runnel":1,"steps":[{"value":["a","bad1","b"]},{"each":{"steps":[{"task":"try"}]},"max_parallelism":1,` +
			`"kill_switches":[{"kind":"failure_rate","min_sample":2,"rate":0.5},{"kind":"own","name":"third"}]}]}`
		p := fromJSON(t, form)
		again, err := p.MarshalJSON()
		do(t, err)
		wants(t, "written again", string(again), form)
		_, err = s.eng.Run(t.Context(), p)
		isLike(t, err, runnel.ErrKillSwitch, "FailureRate(2, 0.5)")
		for _, k := range []string{`{"kind":"some"}`, `{"kind":"any_failed","count":1}`, `{"kind":"failed_count"}`, `{"kind":"own"}`, `{"kind":"own","name":"x"}`} {
			_, err := s.eng.Submit(t.Context(), fromJSON(t, `{"runnel":1,"steps":[{"children":[{"steps":[{"task":"try","args":["a"]}]}],"kill_switches":[{"kind":"any_failed"},`+k+`]}]}`))
			isLike(t, err, runnel.ErrInvalid, "steps[0].kill_switches[1]: ", "kill switch")
		}
		_, err = s.eng.Submit(t.Context(), fromJSON(t, `{"runnel":1,"steps":[{"children":[{"steps":[{"task":"try","args":["a"]}]}],"fail_fast":true,"kill_switches":[{"kind":"failed_count","count":2}]}]}`))
		isLike(t, err, runnel.ErrInvalid, "steps[0]: fail_fast", "FailedCount(2)")
	})
}

// After a restart the counts go on, and what has tripped stays so.
func TestKillSwitchesAfterRestart(t *testing.T) {
	onFile := func(name string, test func(t *testing.T, s *cacheSuite, restart func())) {
		t.Run(name, func(t *testing.T) {
			s := &cacheSuite{dsn: dsnOf(t, "sqlite"), runs: map[string]int{}}
			synctest.Test(t, func(t *testing.T) {
				s.all = killable(s)
				s.open(t)
				defer func() { do(t, s.eng.Close(context.WithoutCancel(t.Context()))) }()
				test(t, s, func() {
					interrupt(t, s.eng)
					s.open(t)
				})
			})
		})
	}
	result := func(t *testing.T, s *cacheSuite, id string) []string {
		t.Helper()
		run, err := s.eng.Attach[[]string](t.Context(), id)
		do(t, err)
		got, err := run.Wait(t.Context())
		do(t, err)
		return got
	}
	onFile("nearly", func(t *testing.T, s *cacheSuite, restart func()) {
		id := killSubmit(t, s, "bad1 a bad2h b c", runnel.MaxParallelism(1), runnel.FailedCount(2)).ID()
		do(t, pause(t.Context(), time.Minute))
		restart()
		got := result(t, s, id)
		says(t, got[1], "FailedCount(2) tripped at 2 failed of 3", "1 completed, 2 failed, 0 cancelled, 2 never")
		s.ran(t, "try", 4) // the third in both lives
	})
	onFile("nearly, after a retry", func(t *testing.T, s *cacheSuite, restart func()) {
		step := runnel.Each(s.all[0].(runnel.Task1[string, string]), runnel.MaxParallelism(1), runnel.FailureRate(3, 0.5))
		run, err := s.eng.Submit(t.Context(), runnel.Value(strings.Fields("a b bad1 bad2m c d")).ContinueWith(step))
		do(t, err)
		fails := func() {
			_, err := run.Wait(t.Context())
			isLike(t, err, runnel.ErrKillSwitch, "at 2 failed of 4", "2 completed, 2 failed, 0 cancelled, 2 never")
		}
		fails()
		do(t, run.Retry(t.Context()))
		do(t, pause(t.Context(), time.Second)) // one of three has failed
		restart()
		run, err = s.eng.Attach[[]string](t.Context(), run.ID())
		do(t, err)
		fails()
		s.ran(t, "try", 7) // the last one three times
	})
	onFile("tripped", func(t *testing.T, s *cacheSuite, restart func()) {
		stubborn := runnel.NewTask1("try", func(_ context.Context, name string) (string, error) {
			s.began("try")
			if name == "ignores" {
				<-time.After(3 * time.Second)
				return name, nil
			}
			<-time.After(time.Second)
			return "", errors.New(name)
		})
		s.all[0] = stubborn
		restart()
		id := killSubmit(t, s, "bad1 ignores b c", runnel.MaxParallelism(2), runnel.AnyFailed()).ID()
		do(t, pause(t.Context(), 2*time.Second)) // it has tripped, and one has not ended
		restart()
		got := result(t, s, id)
		says(t, got[1], "AnyFailed tripped at 1 failed of 1", "of 4 children 0 completed, 1 failed, 1 cancelled, 2 never")
		s.ran(t, "try", 2)                     // nothing began after it
		do(t, pause(t.Context(), time.Minute)) // the body that ignores its end has one
	})
}

// A group that a flow called comes back when the flow comes to it again; what has
// tripped stays so there, too.
func TestKillSwitchesOfFlowsAfterRestart(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  runnel.GroupOption
		kill bool
	}{
		{"kill switch", runnel.AnyFailed(), true},
		{"FailFast", runnel.FailFast(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &cacheSuite{dsn: dsnOf(t, "sqlite"), runs: map[string]int{}}
			one := runnel.NewTask1("one", func(_ context.Context, name string) (string, error) {
				s.began("one")
				<-time.After(time.Second)
				if name == "bad" {
					return "", errors.New(name)
				}
				<-time.After(2 * time.Second) // it ignores that it is to end
				return name, nil
			})
			two := runnel.NewTask1("two", func(_ context.Context, name string) (string, error) {
				s.began("two")
				return name, nil
			})
			flow := runnel.NewFlow0("flow", func(f runnel.Flow) ([]string, error) {
				step := one.With().ContinueWith(two)
				return runnel.Value([]string{"bad", "a", "b"}).ContinueWith(runnel.Each(step, c.opt, runnel.MaxParallelism(2))).Call(f)
			})
			synctest.Test(t, func(t *testing.T) {
				s.all = []runnel.AnyTask{one, two, flow}
				s.open(t)
				defer func() { do(t, s.eng.Close(context.WithoutCancel(t.Context()))) }()
				run, err := s.eng.Submit(t.Context(), flow.Send())
				do(t, err)
				do(t, pause(t.Context(), 2*time.Second)) // it has tripped, and one has not ended
				interrupt(t, s.eng)
				s.open(t)
				again, err := s.eng.Attach[[]string](t.Context(), run.ID())
				do(t, err)
				_, err = again.Wait(t.Context())
				if err == nil || errors.Is(err, runnel.ErrKillSwitch) != c.kill {
					t.Errorf("the run ends with %v; by a kill switch: want %t", err, c.kill)
				}
				says(t, fmt.Sprint(err), "bad")
				s.ran(t, "one", 2)
				s.ran(t, "two", 0)
				do(t, pause(t.Context(), time.Minute)) // the body that ignores its end has one
			})
		})
	}
}

// A retry reopens more chains than may run at a time. Those that are then taken
// off the group, since it is stopped, don't come back with the next engine.
func TestKillSwitchesAfterRetry(t *testing.T) {
	for _, c := range []struct {
		name string
		like error
		stop bool // the run is cancelled
	}{
		{"tripped", runnel.ErrKillSwitch, false},
		{"cancelled", runnel.ErrCancelled, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &cacheSuite{dsn: dsnOf(t, "sqlite"), runs: map[string]int{}}
			again := false // the run has been tried before
			two := runnel.NewTask1("two", func(ctx context.Context, name string) (string, error) {
				s.began("two")
				switch {
				case again && name == "ignores":
					<-time.After(3 * time.Second)
				case again && c.stop:
					return "", pause(ctx, time.Hour)
				case again:
					<-time.After(time.Second)
				}
				return "", errors.New(name)
			})
			one := runnel.NewTask1("one", func(_ context.Context, name string) (string, error) { return name, nil })
			own := runnel.CountSwitch("own", func(k api.BatchCounts) bool { return again && k.Failed > 0 })
			synctest.Test(t, func(t *testing.T) {
				s.all = []runnel.AnyTask{one, two, own}
				s.open(t)
				defer func() { do(t, s.eng.Close(context.WithoutCancel(t.Context()))) }()
				p := fromJSON(t, `{"runnel":1,"steps":[{"value":["x","ignores","c","d","e"]},{"each":{"steps":[{"task":"one"},{"task":"two"}]},`+
					`"max_parallelism":2,"kill_switches":[{"kind":"own","name":"own"}]}]}`)
				run, err := s.eng.Submit(t.Context(), p)
				do(t, err)
				_, err = run.Wait(t.Context())
				says(t, err.Error(), "5 of 5 failed")
				again = true
				do(t, run.Retry(t.Context()))
				do(t, pause(t.Context(), time.Second/2))
				if c.stop {
					do(t, run.Cancel(t.Context()))
				}
				do(t, pause(t.Context(), time.Second)) // one has ended, one has not, three are taken off
				interrupt(t, s.eng)
				s.open(t)
				after, err := s.eng.Attach[any](t.Context(), run.ID())
				do(t, err)
				_, err = after.Wait(t.Context())
				matches(t, err, c.like)
				s.ran(t, "two", 7)                     // five, and two again
				do(t, pause(t.Context(), time.Minute)) // the body that ignores its end has one
			})
		})
	}
}
