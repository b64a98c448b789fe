package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/runnel-dev/runnel"
)

// increment adds to the state and gives the new one.
var increment = runnel.NewTask1("increment", func(ctx context.Context, by int) (int, error) {
	v, err := runnel.State[int](ctx).Get()
	return v + by, errors.Join(err, runnel.State[int](ctx).Set(v+by))
})

// returning makes an orchestrator of what it returns.
func returning[R any](name string, p func() runnel.Runnable[R], opts ...runnel.TaskOption) runnel.Task0[R] {
	return runnel.NewOrchestrator0(name, func(context.Context) (runnel.Runnable[R], error) { return p(), nil }, opts...)
}

func TestConformState(t *testing.T) {
	inline := returning("inline_2", func() runnel.Runnable[int] { return increment.Send(1).WithState(2).Inline() })
	apart := returning("apart_2", func() runnel.Runnable[int] { return increment.Send(1).WithState(2) })
	inherits := returning("inherits", func() runnel.Runnable[int] { return increment.Send(1).Inline() })
	fresh := returning("fresh", func() runnel.Runnable[int] { return increment.Send(1) })
	broken := returning("broken", func() runnel.Runnable[int] {
		return increment.Send(1).ContinueWith(failing[int, int]("m")).Inline()
	})
	onStores(t, func(t *testing.T, s *suite) {
		set100 := s.set.Send(100)
		t.Run("S01", func(t *testing.T) {
			run := s.submit(t, set100.ContinueWith(inline))
			ends(t, 3, run)
			finalState(t, 3, run)
			run = s.submit(t, set100.ContinueWith(inherits))
			ends(t, 101, run)
			finalState(t, 101, run)
			s.gives(t, 101, set100.ContinueWith(inherits).ContinueWith(s.get.Send().Ignoring[int]()))
		})
		t.Run("S02", func(t *testing.T) {
			run := s.submit(t, set100.ContinueWith(apart))
			ends(t, 3, run)
			finalState(t, 100, run)
			run = s.submit(t, set100.ContinueWith(fresh))
			ends(t, 1, run)
			finalState(t, 100, run)
			// At the top it makes no difference.
			run = s.submit(t, increment.Send(1).WithState(2))
			ends(t, 3, run)
			finalState(t, 3, run)
			// An inline child gives its state back when it fails, too.
			run = s.submit(t, set100.ContinueWith(broken).Exceptionally(runnel.Ref1[*runnel.Failure, int]("zero")).ContinueWith(s.get.Send().Ignoring[int]()))
			ends(t, 101, run)
			// A child in a group, inline and not.
			run = s.submit(t, set100.ContinueWith(runnel.Fan([]runnel.Step[runnel.None, int]{inherits.With(), fresh.With()})).ContinueWith(s.get.Send().Ignoring[[]int]()))
			ends(t, 101, run)
		})
		stateThroughChains(t, s)
	}, runnel.Register(increment, inline, apart, inherits, fresh, broken, runnel.NewTask1("zero", func(context.Context, *runnel.Failure) (int, error) { return 0, nil })))
}

func stateThroughChains(t *testing.T, s *suite) {
	set456 := s.set.Send(456).ContinueWith(s.times10.Send(0).Ignoring[runnel.None]())
	t.Run("S03", func(t *testing.T) {
		s.ledger()
		run := s.submit(t, s.set.Send(123).ContinueWith(s.sum.Send(3, 5).Ignoring[runnel.None]()).
			ContinueWith(s.times10).ContinueWith(echo[int]()).FinallyDo(s.seen.Send()))
		ends(t, 8, run)
		wants(t, "ledger", s.ledger(), []string{"echo 8", "seen 1230", "set 123"})
		finalState(t, 1230, run)
	})
	t.Run("S04", func(t *testing.T) {
		s.ledger()
		badly := runnel.Ref0[int]("set_and_fail").Send().Ignoring[int]() // what it sets is dropped
		run := s.submit(t, set456.ContinueWith(badly).FinallyDo(s.seen.Send()))
		wants(t, "message", endsBadly(t, run).Message, "set and failed")
		wants(t, "ledger", s.ledger(), []string{"seen 4560", "set 456"})
		finalState(t, 4560, run)
		// Handlers see it as well, and each attempt.
		s.gives(t, 4560, set456.ContinueWith(badly).Exceptionally(s.get.Send().Ignoring[*runnel.Failure]()))
		s.gives(t, 4561, set456.ContinueWith(runnel.Ref0[int]("third_time").Send().Ignoring[int]().ContinueWith(s.get.Send().Ignoring[int]())))
	})
	t.Run("S05", func(t *testing.T) {
		s.ledger()
		group := runnel.Fan([]runnel.Step[int, int]{failing[int, int]("m"), echo[int]().With()})
		run := s.submit(t, set456.ContinueWith(group).FinallyDo(s.seen.Send()))
		endsBadly(t, run)
		wants(t, "seen", s.times("seen 4560"), 1)
		finalState(t, 4560, run)
	})
	t.Run("S16", func(t *testing.T) {
		s.ledger()
		run := s.submit(t, set456.ContinueWith(failing[int, int]("m")).FinallyDo(s.seen.Send()))
		wants(t, "message", endsBadly(t, run).Message, "m")
		wants(t, "seen", s.times("seen 4560"), 1)
		finalState(t, 4560, run)
	})
}

// States after a group.
func TestConformStateOfGroups(t *testing.T) {
	mixed := runnel.NewTask1("set_raw", func(ctx context.Context, v json.RawMessage) (runnel.None, error) {
		return none, runnel.State[json.RawMessage](ctx).Set(v)
	})
	onStores(t, func(t *testing.T, s *suite) {
		state := func(values ...map[string]int) runnel.Pipeline[[]runnel.None] {
			var list []runnel.Pipeline[runnel.None]
			for _, v := range values {
				list = append(list, s.setMap.Send(v))
			}
			return runnel.InParallel(list)
		}
		t.Run("S10", func(t *testing.T) {
			run := s.submit(t, runnel.InParallel(runnel.List(s.set.Send(123), s.set.Send(456))))
			ends(t, []runnel.None{{}, {}}, run)
			finalState(t, 123, run)
			// The first that is not a map, even if maps precede it.
			run = s.submit(t, runnel.InParallel(runnel.List(s.setMap.Send(map[string]int{"A": 1}), s.set.Send(456), s.set.Send(7))))
			ends(t, []runnel.None{{}, {}, {}}, run)
			finalState(t, 456, run)
			// A struct or a raw message is never merged.
			run = s.submit(t, runnel.InParallel(runnel.List(mixed.Send(json.RawMessage(`{"A":1}`)), mixed.Send(json.RawMessage(`{"B":2}`)))))
			ends(t, []runnel.None{{}, {}}, run)
			finalState(t, map[string]int{"A": 1}, run)
		})
		t.Run("S11", func(t *testing.T) {
			run := s.submit(t, state(map[string]int{"p1": 1}, map[string]int{"p2": 2}).ContinueWith(s.getMap.Send().Ignoring[[]runnel.None]()))
			ends(t, map[string]int{"p1": 1, "p2": 2}, run)
			finalState(t, map[string]int{"p1": 1, "p2": 2}, run)
		})
		t.Run("S13", func(t *testing.T) {
			run := s.submit(t, state(map[string]int{"A": 1}, map[string]int{"B": 2}, map[string]int{"B": 3}))
			ends(t, []runnel.None{{}, {}, {}}, run)
			finalState(t, map[string]int{"A": 1, "B": 2}, run)
			// Each begins with the same; also over newer values the first branch wins.
			run = s.submit(t, runnel.InParallel(runnel.List(s.note.Send("x"), s.setMap.Send(map[string]int{"A": 9, "B": 2}))).WithState(map[string]int{"A": 1}))
			ends(t, []runnel.None{{}, {}}, run)
			finalState(t, map[string]int{"A": 1, "B": 2}, run)
			// Those of failed branches take part.
			failed := s.setMap.Send(map[string]int{"F": 1}).ContinueWith(failing[runnel.None, runnel.None]("m"))
			run = s.submit(t, runnel.InParallel(runnel.List(s.setMap.Send(map[string]int{"A": 1}), failed)))
			endsBadly(t, run)
			finalState(t, map[string]int{"A": 1, "F": 1}, run)
			// An empty group as a branch wipes nothing.
			alone := s.submit(t, s.set.Send(5).ContinueWith(runnel.Fan([]runnel.Step[runnel.None, []string]{emptied[runnel.None](), emptied[runnel.None]()})).
				ContinueWith(runnel.Value(1).Ignoring[[][]string]()))
			ends(t, 1, alone)
			finalState(t, 5, alone)
			beside := s.submit(t, s.set.Send(5).ContinueWith(runnel.Fan([]runnel.Step[runnel.None, int]{
				runnel.Value(1).Ignoring[runnel.None](), s.get.With(),
			})))
			ends(t, []int{1, 5}, beside)
			finalState(t, 5, beside)
		})
		t.Run("S06", func(t *testing.T) {
			p := s.setMap.Send(map[string]int{"Some": 1}).ContinueWith(runnel.Ref0[runnel.None]("adds_new")).ContinueWith(s.getMap)
			s.gives(t, map[string]int{"Some": 1, "New": 2}, p)
		})
	}, runnel.Register(mixed, addsNew))
}

var addsNew = runnel.NewOrchestrator0("adds_new", func(ctx context.Context) (runnel.Runnable[runnel.None], error) {
	state := runnel.State[map[string]int](ctx)
	v, err := state.Get()
	if err != nil {
		return nil, err
	}
	v["New"] = 2
	return runnel.Ref1[map[string]int, runnel.None]("set_map").Send(map[string]int{"Other": 3}), state.Set(v)
})

func TestConformNesting(t *testing.T) {
	where := runnel.NewTask0("where", func(ctx context.Context) ([]string, error) { return []string{runnel.TaskRun(ctx).Run}, nil })
	wrap := func(name string, inner runnel.Task0[[]string]) runnel.Task0[[]string] {
		return runnel.NewOrchestrator0(name, func(ctx context.Context) (runnel.Runnable[[]string], error) {
			return inner.Send().ContinueWith(runnel.Ref2[[]string, string, []string]("add_to").With(runnel.TaskRun(ctx).Run)), nil
		})
	}
	one := wrap("level1", where)
	two := wrap("level2", one)
	three := wrap("level3", two)
	valued := returning("valued", func() runnel.Runnable[string] { return runnel.Ref1[string, string]("val").Send("x") })
	fruitless := returning("fruitless", func() runnel.Runnable[runnel.None] { return runnel.Ref0[runnel.None]("valued").Send() })
	onStores(t, func(t *testing.T, s *suite) {
		t.Run("N01", func(t *testing.T) {
			run := s.submit(t, three.Send())
			got, err := run.Wait(t.Context())
			do(t, err)
			wants(t, "run ids", got, []string{run.ID(), run.ID(), run.ID(), run.ID()})
		})
		t.Run("N02", func(t *testing.T) {
			s.gives(t, 0, fruitless.Send().ContinueWith(s.get))
			s.gives(t, []int{0, 0}, runnel.InParallel(runnel.List(fruitless.Send().ContinueWith(s.get), fruitless.Send().ContinueWith(s.get))))
		})
		t.Run("N03", func(t *testing.T) {
			run := s.submit(t, fruitless.Send())
			ends(t, none, run)
			raw, err := s.eng.Attach[json.RawMessage](t.Context(), run.ID())
			do(t, err)
			got, err := raw.Result(t.Context())
			if err == nil && len(got) != 0 && string(got) != "null" {
				t.Errorf("result %s, want none", got)
			}
			s.gives(t, []runnel.None{{}}, runnel.InParallel(runnel.List(fruitless.Send())))
			s.untyped(t, `[null]`, `{"children":[{"steps":[{"task":"fruitless"}]}]}`)
		})
	}, runnel.Register(where, one, two, three, valued, fruitless))
}
