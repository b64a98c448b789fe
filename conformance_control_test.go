package runnel_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// bubbled runs one numbered case in bubbles.
func bubbled(t *testing.T, number string, test func(t *testing.T, s *suite), opts ...runnel.OpenOption) {
	bubbledOf(t, stores, number, test, opts...)
}

func bubbledOf(t *testing.T, stores []string, number string, test func(t *testing.T, s *suite), opts ...runnel.OpenOption) {
	t.Run(number, func(t *testing.T) { inBubblesOf(t, stores, test, opts...) })
}

func TestConformWait(t *testing.T) {
	bubbled(t, "W01", func(t *testing.T, s *suite) {
		run := s.submit(t, s.hi.Send("J", "D").Wait().ContinueWith(s.bye.With("x")))
		is(t, api.Paused, run)
		wants(t, "ledger", s.ledger(), []string{"hi J D"})
		do(t, run.Resume(t.Context()))
		ends(t, "H J D/x", run)
		// Also when it failed; a handler that is skipped does not wait.
		failed := s.submit(t, fails[string]("m").Wait().Exceptionally(s.rec.With().Wait()).ContinueWith(s.val))
		is(t, api.Paused, failed)
		wants(t, "handled", s.times("rec"), 0)
		do(t, failed.Resume(t.Context()))
		is(t, api.Paused, failed)
		do(t, failed.Resume(t.Context()))
		ends(t, "V:E:m", failed)
		s.gives(t, "V:H J D", s.hi.Send("J", "D").Exceptionally(s.rec.With().Wait()).ContinueWith(s.val))
	})
	bubbled(t, "W02", func(t *testing.T, s *suite) {
		slow := s.slow.Send("k", time.Second)
		run := s.submit(t, runnel.InParallel(runnel.List(slow.Wait(), slow.ContinueWith(s.val).ContinueWith(s.val))).ContinueWith(s.join))
		quiet()
		wants(t, "started", s.times("slow"), 2)
		<-time.After(time.Minute)
		is(t, api.Paused, run)
		wants(t, "ended", s.times("slept"), 2)
		wants(t, "joined", s.times("join"), 0)
		do(t, run.Resume(t.Context()))
		ends(t, "k;V:V:k", run)
	})
	group := func(s *suite) runnel.Pipeline[string] {
		hi := s.hi.Send("J", "D")
		return runnel.InParallel(runnel.List(hi, hi)).Wait().ContinueWith(s.join)
	}
	bubbled(t, "W03", func(t *testing.T, s *suite) {
		run := s.submit(t, group(s))
		is(t, api.Paused, run)
		wants(t, "ledger", s.ledger(), []string{"hi J D", "hi J D"})
	})
	bubbled(t, "W04", func(t *testing.T, s *suite) {
		run := s.submit(t, group(s))
		is(t, api.Paused, run)
		do(t, run.Resume(t.Context()))
		is(t, api.Completed, run)
		wants(t, "joined", s.times("join"), 1)
		ends(t, "H J D;H J D", run)
	})
	bubbled(t, "W05", func(t *testing.T, s *suite) {
		run := s.submit(t, group(s))
		is(t, api.Paused, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
		wants(t, "joined", s.times("join"), 0)
		_, err := run.Result(t.Context())
		isLike(t, err, runnel.ErrCancelled, run.ID())
		matches(t, err, context.Canceled)
	})
	waitAndState(t)
	bubbled(t, "W10", func(t *testing.T, s *suite) {
		run := s.submit(t, s.slow.Send("k", time.Hour).ContinueWith(echo[string]()))
		is(t, api.Running, run)
		do(t, run.Pause(t.Context()))
		is(t, api.Paused, run)
		do(t, run.Pause(t.Context())) // a repeat is fine
		<-time.After(2 * time.Hour)
		is(t, api.Paused, run)
		wants(t, "ledger", s.ledger(), []string{"slept k", "slow k"})
		do(t, run.Resume(t.Context()))
		is(t, api.Completed, run)
		ends(t, "k", run)
	})
	bubbled(t, "W11", func(t *testing.T, s *suite) {
		done, failed := s.submit(t, s.hi.Send("J", "D")), s.submit(t, fails[int]("m"))
		is(t, api.Completed, done)
		is(t, api.Failed, failed)
		for _, err := range []error{done.Pause(t.Context()), done.Resume(t.Context()), failed.Pause(t.Context()), failed.Cancel(t.Context()), done.Retry(t.Context())} {
			matches(t, err, runnel.ErrConflict)
		}
		is(t, api.Completed, done)
		is(t, api.Failed, failed)
	})
}

func waitAndState(t *testing.T) {
	bubbled(t, "W06", func(t *testing.T, s *suite) {
		run := s.submit(t, s.set.Send(5).Wait().ContinueWith(s.val.Send("x").Ignoring[runnel.None]()).FinallyDo(s.seen.Send()))
		is(t, api.Paused, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
		wants(t, "ledger", s.ledger(), []string{"seen 5", "set 5"})
		finalState(t, 5, run)
	})
	bubbled(t, "W07", func(t *testing.T, s *suite) {
		run := s.submit(t, s.set.Send(5).ContinueWith(s.times10.Send(1).Ignoring[runnel.None]()).Wait().ContinueWith(echo[int]()).FinallyDo(s.seen.Send()))
		is(t, api.Paused, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
		wants(t, "ledger", s.ledger(), []string{"seen 50", "set 5"})
	})
	bubbled(t, "W08", func(t *testing.T, s *suite) {
		run := s.submit(t, s.pausing.Send("a").ContinueWith(s.bye.With("x")))
		is(t, api.Paused, run)
		wants(t, "called", len(s.ledger()), 0)
		do(t, run.Resume(t.Context()))
		ends(t, "a/x", run)
		// A body that fails does not pause.
		s.gives(t, "E:m", runnel.Ref0[string]("pause_and_fail").Send().Exceptionally(s.rec))
	}, runnel.Register(runnel.NewTask0("pause_and_fail", func(ctx context.Context) (string, error) {
		return "", errors.Join(runnel.PauseAfter(ctx), errors.New("m"))
	})))
	bubbled(t, "W09", func(t *testing.T, s *suite) {
		run := s.submit(t, s.pausing.Send("a").ContinueWith(s.bye.With("x")).FinallyDo(s.seen.Send()))
		is(t, api.Paused, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
		wants(t, "ledger", s.ledger(), []string{"seen 7"})
	})
	bubbled(t, "E17", func(t *testing.T, s *suite) {
		run := s.submit(t, s.slow.Send("k", time.Hour))
		is(t, api.Running, run)
		do(t, run.Pause(t.Context()))
		<-time.After(2 * time.Hour)
		is(t, api.Paused, run)
		_, err := run.Result(t.Context())
		matches(t, err, runnel.ErrConflict)
		do(t, run.Resume(t.Context()))
		is(t, api.Completed, run)
		ends(t, "k", run)
		// Wait on the last step likewise, whatever it is.
		for _, p := range []runnel.Runnable[string]{
			s.hi.Send("J", "D").Wait(),
			runnel.InParallel(runnel.List(s.hi.Send("J", "D"))).ContinueWith(s.join).Wait(),
			runnel.Value("H J D").Wait(),
		} {
			run := s.submit(t, p)
			is(t, api.Paused, run)
			do(t, run.Resume(t.Context()))
			is(t, api.Completed, run)
			ends(t, "H J D", run)
		}
		failed := s.submit(t, fails[int]("m").Wait())
		is(t, api.Paused, failed)
		do(t, failed.Resume(t.Context()))
		is(t, api.Failed, failed)
	})
	bubbled(t, "E45", func(t *testing.T, s *suite) {
		hi := s.hi.Send("J", "D")
		run := s.submit(t, runnel.InParallel(runnel.List(hi.Wait(), hi)))
		is(t, api.Paused, run)
		do(t, run.Resume(t.Context()))
		is(t, api.Completed, run)
		ends(t, []string{"H J D", "H J D"}, run)
		// With chains, and with groups.
		run = s.submit(t, runnel.InParallel(runnel.List(hi.ContinueWith(s.val).Wait(), hi.ContinueWith(s.val))))
		is(t, api.Paused, run)
		do(t, run.Resume(t.Context()))
		ends(t, []string{"V:H J D", "V:H J D"}, run)
	})
}

func TestConformCancel(t *testing.T) {
	bubbled(t, "K01", func(t *testing.T, s *suite) {
		run := s.submit(t, s.slow.Send("k", time.Hour).ContinueWith(echo[string]()).Exceptionally(s.rec))
		is(t, api.Running, run)
		do(t, run.Cancel(t.Context()))
		f := endsBadly(t, run)
		matches(t, f, runnel.ErrCancelled)
		is(t, api.Cancelled, run)
		wants(t, "ledger", s.ledger(), []string{"interrupted k", "slow k"})
		tasks := taskRuns(t, s, api.TaskRunFilter{Run: run.ID()})
		wants(t, "task runs", len(tasks), 1)
		wants(t, "state", tasks[0].State, api.Cancelled)
		matches(t, run.Cancel(t.Context()), runnel.ErrConflict)
	})
	bubbled(t, "K02", func(t *testing.T, s *suite) {
		for _, last := range []runnel.Runnable[string]{s.slow.Send("fin", time.Hour), s.slow.Send("fin", time.Hour).ContinueWith(failing[string, string]("m"))} {
			s.ledger()
			run := s.submit(t, s.slow.Send("k", time.Hour).ContinueWith(echo[string]()).FinallyDo(last))
			is(t, api.Running, run)
			do(t, run.Cancel(t.Context()))
			is(t, api.Cancelling, run)
			matches(t, run.Cancel(t.Context()), runnel.ErrConflict)
			f := endsBadly(t, run)
			matches(t, f, runnel.ErrCancelled)
			is(t, api.Cancelled, run)
			wants(t, "fin", s.times("slept fin"), 1)
			wants(t, "echo", s.times("echo"), 0)
		}
	})
	bubbled(t, "K03", func(t *testing.T, s *suite) {
		run := s.submit(t, s.hi.Send("J", "D"))
		ends(t, "H J D", run)
		matches(t, run.Cancel(t.Context()), runnel.ErrConflict)
		ends(t, "H J D", run)
	})
	cancelYielding(t)
	bubbled(t, "E19", func(t *testing.T, s *suite) {
		run := s.submit(t, s.hi.Send("J", "D").FinallyDo(s.slow.Send("fin", time.Hour)))
		is(t, api.Running, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelling, run)
		matches(t, endsBadly(t, run), runnel.ErrCancelled)
		is(t, api.Cancelled, run)
		wants(t, "fin", s.inOrder(), []string{"hi J D", "slow fin", "slept fin"})
	})
	bubbled(t, "E21", func(t *testing.T, s *suite) {
		run := s.submit(t, runnel.InParallel(runnel.List(s.slow.Send("j", time.Second).Wait(), s.slow.Send("k", time.Minute).ContinueWith(s.val))).ContinueWith(s.join))
		<-time.After(time.Hour)
		is(t, api.Paused, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
		wants(t, "ledger", s.ledger(), []string{"slept j", "slept k", "slow j", "slow k"})
	})
	cancelTrees(t)
}

func cancelYielding(t *testing.T) {
	yields := func(s *suite, opts ...runnel.GroupOption) runnel.Pipeline[[]string] {
		return runnel.InParallel(runnel.List(s.yielding.Send("a"), s.slow.Send("t", time.Minute)), opts...)
	}
	bubbled(t, "K04", func(t *testing.T, s *suite) {
		run := s.submit(t, yields(s))
		is(t, api.Running, run)
		wants(t, "started", s.ledger(), []string{"slow t", "yielding a"})
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
		matches(t, s.eng.Complete(t.Context(), s.token(t, 0), "late"), runnel.ErrConflict)
		matches(t, s.eng.Fail(t.Context(), s.token(t, 0), errors.New("late")), runnel.ErrConflict)
		is(t, api.Cancelled, run)
		matches(t, endsBadly(t, run), runnel.ErrCancelled)
	})
	bubbled(t, "K05", func(t *testing.T, s *suite) {
		run := s.submit(t, yields(s, runnel.MaxParallelism(1)))
		is(t, api.Running, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
		<-time.After(time.Hour)
		wants(t, "ledger", s.ledger(), []string{"yielding a"})
	})
}

// Control reaches all that is below: children of orchestrators, that run, have
// ended, or do not exist yet.
func cancelTrees(t *testing.T) {
	inner := runnel.NewOrchestrator0("inner", func(context.Context) (runnel.Runnable[[]string], error) {
		return runnel.InParallel(runnel.List(orchestrated.Send("k"), orchestrated.Send("k").ContinueWith(echo[string]()))), nil
	})
	withFinally := runnel.NewOrchestrator0("with_finally", func(context.Context) (runnel.Runnable[[]string], error) {
		return inner.Send().FinallyDo(runnel.Ref1[string, runnel.None]("note").Send("fin")), nil
	})
	opts := runnel.Register(orchestrated, inner, withFinally)
	bubbled(t, "E25", func(t *testing.T, s *suite) {
		run := s.submit(t, withFinally.Send().ContinueWith(s.join))
		is(t, api.Running, run)
		do(t, run.Pause(t.Context()))
		<-time.After(time.Hour)
		is(t, api.Paused, run)
		wants(t, "ledger", s.ledger(), []string{"slept k", "slept k", "slow k", "slow k"})
		do(t, run.Resume(t.Context()))
		ends(t, "k;k", run)
		wants(t, "ledger", s.ledger(), []string{"echo \"k\"", "fin", "join k k"})
	}, opts)
	bubbled(t, "E26", func(t *testing.T, s *suite) {
		run := s.submit(t, inner.Send().ContinueWith(s.join).ContinueWith(s.slow.With(time.Hour)))
		<-time.After(time.Minute)
		is(t, api.Running, run)
		do(t, run.Pause(t.Context()))
		do(t, run.Resume(t.Context()))
		is(t, api.Running, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
	}, opts)
	bubbled(t, "E22", func(t *testing.T, s *suite) {
		// A child has no id of its own; cancelling the root reaches it, and the
		// finally of a child that is being cancelled runs.
		run := s.submit(t, withFinally.Send().ContinueWith(s.join).Exceptionally(s.rec))
		is(t, api.Running, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelled, run)
		wants(t, "ledger", s.ledger(), []string{"fin", "interrupted k", "interrupted k", "slow k", "slow k"})
	}, opts)
	bubbled(t, "E27", func(t *testing.T, s *suite) {
		const unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
		for _, id := range []string{unknown, "", "nonsense"} {
			for _, act := range []func(context.Context, string) error{s.eng.Pause, s.eng.Resume, s.eng.Cancel, s.eng.Retry} {
				matches(t, act(t.Context(), id), runnel.ErrNotFound)
			}
			_, err := s.eng.Attach[int](t.Context(), id)
			matches(t, err, runnel.ErrNotFound)
		}
		s.gives(t, "H J D", s.hi.Send("J", "D"))
		for range s.eng.Runs(t.Context(), api.RunFilter{States: []api.State{api.Paused, api.Cancelled, api.Cancelling, api.Running}}) {
			t.Error("there is a run")
		}
	})
}

// taskRuns lists.
func taskRuns(t *testing.T, s *suite, filter api.TaskRunFilter) []api.TaskRun {
	t.Helper()
	var list []api.TaskRun
	for run, err := range s.eng.TaskRuns(t.Context(), filter) {
		do(t, err)
		list = append(list, run)
	}
	return list
}
