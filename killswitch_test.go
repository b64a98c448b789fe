package runnel_test

import (
	"context"
	"errors"
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
		return []string{strconv.FormatBool(errors.Is(f, runnel.ErrKillSwitch)), f.Message, strconv.Itoa(len(f.Causes))}, nil
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
	cached(t, "task-case-67", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "a bad1 b c", one, runnel.AnyFailed()), 2, "1", "AnyFailed tripped", "1 of 4", "2 had ended")
	})
	cached(t, "task-case-66", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "bad1 a bad2 b c d", one, runnel.FailedCount(2)), 3, "2", "FailedCount(2)", "2 of 6", "3 had ended")
	})
	cached(t, "task-case-69", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "a bad1 bad2 b", one, runnel.FailureRate(3, 0.5)), 3, "2", "FailureRate(3, 0.5)", "2 of 4")
	})
	cached(t, "the last one", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "a b bad1", one, runnel.AnyFailed()), 3, "1", "1 of 3", "3 had ended")
	})
	cached(t, "in flight", killable, func(t *testing.T, s *cacheSuite) {
		began := time.Now()
		killed(t, s, killGroup(t, s, "ah bad1m bh", runnel.AnyFailed()), 3, "1", "1 of 3")
		wants(t, "time", time.Since(began) < time.Hour, true)
	})
	cached(t, "own", killable, func(t *testing.T, s *cacheSuite) {
		killed(t, s, killGroup(t, s, "a b c d e", one, s.all[2].(runnel.KillSwitch)), 3, "0", "third tripped", "0 of 5")
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
		killed(t, s, killGroup(t, s, "a b c", one, s.all[3].(runnel.KillSwitch)), 1, "0", "boom (panic: no counts) tripped", "1 had ended")
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
			isLike(t, err, runnel.ErrKillSwitch, "1 of 4", "3 had ended")
			s.ran(t, "try", 3)
			s.runs["try"]-- // it runs again, the first two don't
			do(t, run.Retry(t.Context()))
		}
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
			_, err := s.eng.Submit(t.Context(), fromJSON(t, `{"runnel":1,"steps":[{"children":[{"steps":[{"task":"try","args":["a"]}]}],"kill_switches":[`+k+`]}]}`))
			isLike(t, err, runnel.ErrInvalid, "steps[0]", "kill switch")
		}
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
		says(t, got[1], "FailedCount(2) tripped", "2 of 5", "3 had ended")
		s.ran(t, "try", 4) // the third in both lives
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
		says(t, got[1], "AnyFailed tripped", "1 of 4", "1 had ended")
		s.ran(t, "try", 2)                     // nothing began after it
		do(t, pause(t.Context(), time.Minute)) // the body that ignores its end has one
	})
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
