package runnel_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func TestConformEmptyEdges(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		a, b := echo[string]().Send("a"), echo[[]string]().Send([]string{"b"})
		t.Run("E01", func(t *testing.T) {
			s.gives(t, []string{}, a.ContinueWith(emptied[string]()))
			s.gives(t, []string{}, a.ContinueWith(runnel.Fan[string, string](nil)))
			s.gives(t, []string{}, a.ContinueWith(runnel.Value([]string{}).Ignoring[string]()).ContinueWith(runnel.Each(s.val)))
		})
		t.Run("E02", func(t *testing.T) {
			s.ledger()
			s.gives(t, []string{}, a.ContinueWith(emptied[string]()).FinallyDo(s.note.Send("fin")))
			wants(t, "called", s.ledger(), []string{`echo "a"`, "fin"})
		})
		t.Run("E03", func(t *testing.T) {
			s.ledger()
			s.gives(t, []string{}, empty().FinallyDo(s.note.Send("fin")))
			s.gives(t, 1, runnel.Value(1).FinallyDo(s.note.Send("fin")))
			s.gives(t, []string{}, runnel.Value([]string{}).ContinueWith(runnel.Each(s.val)).FinallyDo(s.note.Send("fin")))
			wants(t, "called", s.ledger(), []string{"fin", "fin", "fin"})
		})
		t.Run("E04", func(t *testing.T) {
			s.gives(t, [][]string{{}, {"b"}}, runnel.InParallel(runnel.List(a.ContinueWith(emptied[string]()), b)))
		})
		t.Run("E05", func(t *testing.T) {
			f := runnel.Ref2[[]string, int, string]("both").With(5)
			s.gives(t, []string{"[] 5", "V:x"}, runnel.InParallel(runnel.List(empty().ContinueWith(f), s.val.Send("x"))))
			s.gives(t, []string{"[] 5", "V:x"}, runnel.InParallel(runnel.List(empty().ContinueWith(f), s.val.Send("x")), runnel.MaxParallelism(1)))
		})
		t.Run("E14", func(t *testing.T) {
			one := runnel.InParallel(runnel.List(a.Exceptionally(s.rec)))
			s.gives(t, "a", one.ContinueWith(s.join))
			s.gives(t, "E:m", runnel.InParallel(runnel.List(fails[string]("m").Exceptionally(s.rec))).ContinueWith(s.join))
		})
	})
}

// A group of which some fail waits for all, once.
func TestConformGroupsWait(t *testing.T) {
	slow := func(s *suite, key string) runnel.Pipeline[string] { return s.slow.Send(key, time.Hour) }
	slowFails := func(s *suite, key string) runnel.Pipeline[string] {
		return slow(s, key).ContinueWith(failing[string, string](key))
	}
	bubbled(t, "E07", func(t *testing.T, s *suite) {
		start := time.Now()
		f := s.fails(t, runnel.InParallel(runnel.List(fails[string]("m").ContinueWith(s.val), slow(s, "k"))))
		wants(t, "waited", time.Since(start), time.Hour)
		wants(t, "causes", len(f.Causes), 1)
		wants(t, "slow ended", s.times("slept"), 1)
		// FailFast cancels the rest instead.
		start = time.Now()
		f = s.fails(t, runnel.InParallel(runnel.List(s.slow.Send("j", time.Second).ContinueWith(failing[string, string]("m")), slow(s, "k"), slow(s, "l")),
			runnel.FailFast(), runnel.MaxParallelism(2)))
		wants(t, "waited", time.Since(start), time.Second)
		wants(t, "causes", len(f.Causes), 1)
		wants(t, "interrupted", s.times("interrupted k"), 1)
		wants(t, "never started", s.times("slow l"), 0)
	})
	bubbled(t, "E08", func(t *testing.T, s *suite) {
		f := s.fails(t, runnel.InParallel(runnel.List(fails[string]("one").ContinueWith(s.val), slowFails(s, "two"))))
		wants(t, "causes", []string{f.Causes[0].Message, f.Causes[1].Message}, []string{"one", "two"})
		// In declaration order, whichever came first.
		f = s.fails(t, runnel.InParallel(runnel.List(slowFails(s, "two"), fails[string]("one"))))
		wants(t, "causes", []string{f.Causes[0].Message, f.Causes[1].Message}, []string{"two", "one"})
	})
	bubbled(t, "E09", func(t *testing.T, s *suite) {
		s.fails(t, runnel.InParallel(runnel.List(fails[string]("m").ContinueWith(s.val), slow(s, "c"), slow(s, "d")), runnel.MaxParallelism(1)))
		wants(t, "ran", s.ledger(), []string{"fail m", "slept c", "slept d", "slow c", "slow d"})
	})
	bubbled(t, "E10", func(t *testing.T, s *suite) {
		group := runnel.InParallel(runnel.List(fails[string]("m").ContinueWith(s.val), slow(s, "c")))
		s.gives(t, "V:E:1 of 2 failed: m", group.ContinueWith(s.join).Exceptionally(s.rec).ContinueWith(s.val))
		wants(t, "handled", s.times("rec"), 1)
	})
	bubbled(t, "E12", func(t *testing.T, s *suite) {
		group := runnel.InParallel(runnel.List(s.val.Send("a").Exceptionally(s.rec), s.val.Send("b").ContinueWith(s.val), slow(s, "d").ContinueWith(s.val)))
		s.gives(t, "V:a;V:V:b;V:d", group.ContinueWith(s.join))
		wants(t, "joined", s.times("join"), 1)
	})
	bubbled(t, "E13", func(t *testing.T, s *suite) {
		start := time.Now()
		s.gives(t, "V:a;k", runnel.InParallel(runnel.List(s.val.Send("a").Exceptionally(s.rec), slow(s, "k"))).ContinueWith(s.join))
		wants(t, "waited", time.Since(start), time.Hour)
		wants(t, "joined", s.times("join"), 1)
	})
	bubbled(t, "E46", func(t *testing.T, s *suite) {
		p := runnel.Value("x")
		for range 100 {
			p = p.ContinueWith(echo[string]())
		}
		start := time.Now()
		s.gives(t, "x", p)
		wants(t, "waited", time.Since(start), time.Duration(0)) // nothing polls
	})
}

func TestConformOrchestratorEdges(t *testing.T) {
	down := runnel.Ref1[int, string]("down")
	opts := runnel.Register(
		runnel.NewOrchestrator1("down", func(_ context.Context, n int) (runnel.Runnable[string], error) {
			if n == 0 {
				return runnel.Ref1[string, string]("val").Send("bottom"), nil
			}
			return down.Send(n - 1), nil
		}),
		runnel.NewOrchestrator1("fails_down", func(_ context.Context, message string) (runnel.Runnable[string], error) {
			return runnel.Ref1[string, string]("fail").Send(message), nil
		}, runnel.Retries(3)),
		runnel.NewOrchestrator0("pausing_child", func(ctx context.Context) (runnel.Runnable[string], error) {
			return runnel.Ref1[string, string]("val").Send("x"), runnel.PauseAfter(ctx)
		}),
		runnel.NewOrchestrator0("nothing", func(context.Context) (runnel.Runnable[string], error) { return nil, nil }),
		runnel.NewOrchestrator0("hollow", func(context.Context) (runnel.Runnable[[]string], error) { return empty(), nil }),
		runnel.NewOrchestrator0("slow_cleanup", func(context.Context) (runnel.Runnable[string], error) {
			return runnel.Ref2[string, time.Duration, string]("slow").Send("fin", time.Hour), nil
		}),
	)
	t.Run("E39", func(t *testing.T) {
		onStores(t, func(t *testing.T, s *suite) {
			s.gives(t, "V:bottom", down.Send(3))
			s.gives(t, "V:bottom", down.Send(100))
			s.gives(t, "V:V:bottom", down.Send(3).ContinueWith(s.val).FinallyDo(down.Send(2)))
			s.gives(t, []string{"V:bottom", "V:bottom"}, runnel.InParallel(runnel.List(down.Send(3), down.Send(0))))
			s.gives(t, "V:bottom", fails[string]("m").Exceptionally(down.Send(3).Ignoring[*runnel.Failure]()))
			// The orchestrator's retries are for its own body.
			s.ledger()
			f := s.fails(t, runnel.Ref1[string, string]("fails_down").Send("m"))
			wants(t, "failure", f.Task+" "+f.Message, "fail m")
			wants(t, "called", s.times("fail"), 1)
			isLike(t, s.fails(t, runnel.Ref0[string]("nothing").Send()), runnel.ErrInvalid, "neither a pipeline nor an error")
			s.gives(t, []string{}, runnel.Ref0[[]string]("hollow").Send())
			s.gives(t, "", runnel.Ref0[[]string]("hollow").Send().ContinueWith(s.join))
		}, opts)
	})
	bubbled(t, "E40", func(t *testing.T, s *suite) {
		start := time.Now()
		s.gives(t, "H J D", s.hi.Send("J", "D").FinallyDo(runnel.Ref0[string]("slow_cleanup").Send()))
		wants(t, "waited", time.Since(start), time.Hour)
		wants(t, "fin", s.times("slept fin"), 1)
		f := s.fails(t, s.hi.Send("J", "D").FinallyDo(runnel.Ref1[string, string]("fails_down").Send("fin")))
		wants(t, "failure", f.Message, "fin")
		// It is shielded from the cancellation that started it, its child too.
		run := s.submit(t, s.slow.Send("k", time.Hour).FinallyDo(runnel.Ref0[string]("slow_cleanup").Send()))
		is(t, api.Running, run)
		do(t, run.Cancel(t.Context()))
		is(t, api.Cancelling, run)
		matches(t, endsBadly(t, run), runnel.ErrCancelled)
		wants(t, "fin", s.times("slept fin"), 2)
	}, opts)
	bubbled(t, "E42", func(t *testing.T, s *suite) {
		pausing := runnel.Ref0[string]("pausing_child")
		for _, p := range []runnel.Runnable[string]{
			pausing.Send().ContinueWith(s.val),
			runnel.InParallel(runnel.List(pausing.Send())).ContinueWith(s.join).ContinueWith(s.val),
			runnel.InParallel(runnel.List(pausing.Send().ContinueWith(echo[string]()))).ContinueWith(s.join).ContinueWith(s.val),
		} {
			s.ledger()
			run := s.submit(t, p)
			is(t, api.Paused, run)
			wants(t, "called", len(s.ledger()), 0)
			do(t, run.Resume(t.Context()))
			ends(t, "V:V:x", run)
		}
		// At the end of the run, it stays paused.
		run := s.submit(t, pausing.Send())
		is(t, api.Paused, run)
		do(t, run.Resume(t.Context()))
		ends(t, "V:x", run)
	}, opts)
}

// A value that only shows when it is encoded that it can't be.
func TestConformBadResult(t *testing.T) {
	calls := 0
	inf := runnel.NewTask0("inf", func(context.Context) (float64, error) {
		calls++
		return math.Inf(1), nil
	}, runnel.Retries(3))
	refuses := runnel.NewTask0("refuses", func(ctx context.Context) (int, error) {
		return 0, runnel.State[stubborn](ctx).Set(stubborn{})
	}, runnel.Retries(3))
	t.Run("E38", func(t *testing.T) {
		for _, store := range stores {
			s := opened(t, store, dsnOf(t, store), runnel.Register(inf, refuses))
			calls = 0
			f := s.fails(t, inf.Send())
			isLike(t, f, runnel.ErrEncoding, `task "inf"`, "result", "unsupported value")
			wants(t, "attempts", calls, 1)
			s.gives(t, "E:"+f.Message, inf.Send().ContinueWith(show[float64]()).Exceptionally(s.rec))
			// The state that can't be encoded is an error of Set, for the body to deal with.
			f = s.fails(t, refuses.Send())
			isLike(t, f, runnel.ErrEncoding, "state", "stubborn")
			wants(t, "attempt", f.Attempt, 4)
		}
	})
}

type stubborn struct{}

func (stubborn) MarshalJSON() ([]byte, error) { return nil, errors.New("stubborn") }
