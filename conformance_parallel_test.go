package runnel_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"github.com/runnel-dev/runnel"
)

func TestConformParallel(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		groupResults(t, s)
		groupInputs(t, s)
		groupFailures(t, s)
		emptyGroups(t, s)
		stagedGroups(t, s)
	})
}

func groupResults(t *testing.T, s *suite) {
	hi, hiBye := s.hi.Send("J", "D"), s.hi.Send("S", "D").ContinueWith(s.bye.With("x"))
	t.Run("P01", func(t *testing.T) {
		s.gives(t, []string{"a", "b"}, runnel.InParallel(runnel.List(echo[string]().Send("a"), echo[string]().Send("b"))))
		s.gives(t, []string{"a"}, runnel.InParallel(runnel.List(echo[string]().Send("a"))))
	})
	t.Run("P02", func(t *testing.T) {
		s.gives(t, "H J D;H S D/x", runnel.InParallel(runnel.List(hi, hiBye)).ContinueWith(s.join))
	})
	t.Run("P03", func(t *testing.T) {
		joined := runnel.InParallel(runnel.List(hi, hiBye)).ContinueWith(s.join)
		s.gives(t, [][]string{{"H J D;H S D/x"}}, runnel.InParallel(runnel.List(runnel.InParallel(runnel.List(joined)))))
	})
	t.Run("P04", func(t *testing.T) {
		s.ledger()
		inner := runnel.InParallel(runnel.List(hi, hiBye)).ContinueWith(s.join)
		middle := runnel.InParallel(runnel.List(inner)).ContinueWith(s.join)
		s.gives(t, "H J D;H S D/x", runnel.InParallel(runnel.List(middle)).ContinueWith(s.join))
		wants(t, "joins", s.times("join"), 3)
	})
	t.Run("P27", func(t *testing.T) {
		two := runnel.InParallel(runnel.List(hi, hi))
		mixed := runnel.InParallel3(hi, hiBye, two).ContinueWith(show[runnel.Triple[string, string, []string]]())
		s.gives(t, `["H J D","H S D/x",["H J D","H J D"]]`, mixed)
		s.gives(t, runnel.Pair[string, []string]{First: "H J D", Second: []string{"H J D", "H J D"}}, runnel.InParallel2(hi, two))
	})
	t.Run("P28", func(t *testing.T) {
		two := runnel.InParallel(runnel.List(hi, hi))
		s.gives(t, [][]string{{"H J D", "H J D"}, {"H J D", "H J D"}, {"H J D", "H J D"}}, runnel.InParallel(runnel.List(two, two, two)))
	})
}

func groupInputs(t *testing.T, s *suite) {
	t.Run("P05", func(t *testing.T) {
		p := s.hi.Send("J", "D").ContinueWith(runnel.Fan([]runnel.Step[string, string]{s.bye.With("x"), s.bye.With("y")}))
		s.gives(t, []string{"H J D/x", "H J D/y"}, p)
	})
	t.Run("P07", func(t *testing.T) {
		p := s.hi.Send("J", "D").ContinueWith(runnel.Fan([]runnel.Step[string, string]{s.bye.With("x"), s.bye.With("y")})).
			ContinueWith(s.join).ContinueWith(show[string]())
		s.gives(t, `"H J D/x;H J D/y"`, p)
	})
	t.Run("P08", func(t *testing.T) {
		inner := runnel.Fan([]runnel.Step[string, string]{s.bye.With("x"), s.bye.With("y")})
		s.gives(t, [][]string{{"H J D/x", "H J D/y"}}, s.hi.Send("J", "D").ContinueWith(runnel.Fan([]runnel.Step[string, []string]{inner})))
	})
	t.Run("P09", func(t *testing.T) {
		p := echo[string]().Send("1").ContinueWith(runnel.Fan([]runnel.Step[string, pair]{s.twoOf.With("a"), s.twoOf.With("b")}))
		s.gives(t, []pair{{First: "1", Second: "a"}, {First: "1", Second: "b"}}, p)
		// A pair spreads into each head.
		spread := s.twoOf.Send("1", "2").ContinueWith(runnel.Fan([]runnel.Step[pair, triple]{s.threeOf.SpreadWith("a"), s.threeOf.SpreadWith("b")}))
		s.gives(t, []triple{{First: "1", Second: "2", Third: "a"}, {First: "1", Second: "2", Third: "b"}}, spread)
		// A group after a group: each head gets the list as one argument.
		list := runnel.InParallel(runnel.List(echo[string]().Send("a"), echo[string]().Send("b")))
		s.gives(t, []string{"a;b", "a;b"}, list.ContinueWith(runnel.Fan([]runnel.Step[[]string, string]{s.join.With(), s.join.With()})))
		// Each: one element for each.
		s.gives(t, []string{"V:a", "V:b"}, list.ContinueWith(runnel.Each(s.val)))
		s.gives(t, []string{"V:V:a", "V:V:b"}, list.ContinueWith(runnel.Each(s.val.With().ContinueWith(s.val))))
		s.gives(t, []string{}, runnel.Value([]string{}).ContinueWith(runnel.Each(s.val)))
	})
}

func groupFailures(t *testing.T, s *suite) {
	hi, bye := s.hi.Send("J", "D"), s.bye.Send("G", "M")
	count := show[string]()
	t.Run("P12", func(t *testing.T) {
		s.ledger()
		f := s.fails(t, runnel.InParallel(runnel.List(hi, fails[string]("m").ContinueWith(count), bye)).ContinueWith(s.join))
		says(t, f.Error(), "m")
		wants(t, "causes", len(f.Causes), 1)
		wants(t, "cause", f.Causes[0].Message, "m")
		wants(t, "ledger", s.ledger(), []string{"bye G M", "fail m", "hi J D"})
	})
	t.Run("P13", func(t *testing.T) {
		s.ledger()
		inner := runnel.InParallel(runnel.List(hi)).ContinueWith(s.join)
		f := s.fails(t, runnel.InParallel(runnel.List(fails[string]("m").ContinueWith(inner.Ignoring[string]()), bye)))
		wants(t, "cause", f.Causes[0].Message, "m")
		wants(t, "ledger", s.ledger(), []string{"bye G M", "fail m"})
	})
	t.Run("P14", func(t *testing.T) {
		run := s.submit(t, runnel.InParallel(runnel.List(s.set.Send(123), fails[runnel.None]("p2"), fails[runnel.None]("p3"))).Inline())
		f := endsBadly(t, run)
		says(t, f.Error(), "p2", "p3")
		wants(t, "causes", []string{f.Causes[0].Message, f.Causes[1].Message}, []string{"p2", "p3"})
		wants(t, "count", f.Count, 2)
		finalState(t, 123, run)
	})
	t.Run("P15", func(t *testing.T) {
		run := s.submit(t, runnel.Settle(runnel.List(s.set.Send(123).ContinueWith(s.get), fails[int]("p2"), fails[int]("p3"))))
		outcomes, err := run.Wait(t.Context())
		do(t, err)
		wants(t, "value", outcomes[0].Value, 123)
		wants(t, "failures", []string{outcomes[1].Failure.Message, outcomes[2].Failure.Message}, []string{"p2", "p3"})
		wants(t, "task", outcomes[1].Failure.Task, "fail")
		finalState(t, 123, run)
	})
	t.Run("P16", func(t *testing.T) {
		s.ledger()
		outcomes, err := s.run(t, runnel.Settle(runnel.List(hi, fails[string]("m").ContinueWith(count), s.hi.Send("S", "D"))))
		do(t, err)
		wants(t, "values", []string{outcomes[0].Value, outcomes[2].Value}, []string{"H J D", "H S D"})
		wants(t, "failure", outcomes[1].Failure.Message, "m")
		wants(t, "count called", s.times("show"), 0)
		// All of them fail, and still nothing is raised: a handler is skipped.
		all, err := s.run(t, runnel.Settle(runnel.List(fails[string]("a"), fails[string]("b"))).
			Exceptionally(runnel.Ref1[*runnel.Failure, []runnel.Outcome[string]]("rec")))
		do(t, err)
		wants(t, "failures", []string{all[0].Failure.Message, all[1].Failure.Message}, []string{"a", "b"})
		wants(t, "rec called", s.times("rec"), 0)
	})
}

func emptyGroups(t *testing.T, s *suite) {
	a := echo[string]().Send("a")
	t.Run("P17", func(t *testing.T) {
		s.gives(t, []string{}, empty())
		s.gives(t, []runnel.Outcome[string]{}, runnel.Settle[string](nil))
	})
	t.Run("P18", func(t *testing.T) {
		keep := runnel.Ref1[[]string, runnel.None]("keep")
		run := s.submit(t, empty().ContinueWith(keep).Inline())
		ends(t, none, run)
		finalState(t, []string{}, run)
	})
	t.Run("P19", func(t *testing.T) {
		s.untyped(t, `[]`, `{"children":[{"steps":[{"children":[]}]}]}`)
		s.gives(t, [][]string{}, runnel.InParallel(runnel.List(empty())))
		s.gives(t, [][][]string{}, runnel.InParallel(runnel.List(runnel.InParallel(runnel.List(empty())))))
	})
	t.Run("P21", func(t *testing.T) {
		s.gives(t, [][]string{{}, {"a"}}, runnel.InParallel(runnel.List(empty(), runnel.InParallel(runnel.List(a)))).ContinueWith(echo[[][]string]()))
		s.untyped(t, `[[],"a"]`, `{"children":[{"steps":[{"children":[]}]},{"steps":[{"task":"echo","args":["a"]}]}]}`)
	})
	t.Run("P24", func(t *testing.T) {
		both := runnel.Ref2[[]string, int, string]("both")
		s.gives(t, "[] 12", empty().ContinueWith(both.With(12)))
		s.gives(t, "[] 12", a.ContinueWith(emptied[string]()).ContinueWith(both.With(12)))
	})
	t.Run("P26", func(t *testing.T) {
		s.ledger()
		p := runnel.InParallel(runnel.List(empty())).ContinueWith(emptied[[][]string]()).ContinueWith(s.join)
		s.gives(t, "", p)
		wants(t, "ledger", s.ledger(), []string{"join"})
		s.gives(t, "", a.ContinueWith(emptied[string]()).ContinueWith(emptied[[]string]()).ContinueWith(s.join))
	})
}

func stagedGroups(t *testing.T, s *suite) {
	five := make([]runnel.Pipeline[string], 5)
	want := make([]string, 5)
	for i := range five {
		want[i] = strconv.Itoa(i)
		five[i] = echo[string]().Send(want[i])
	}
	t.Run("P30", func(t *testing.T) {
		for _, stages := range []int{1, 2, 3, 4, 5, 10} {
			s.gives(t, want, runnel.InParallel(five, runnel.NumStages(stages), runnel.MaxParallelism(2)))
			s.gives(t, want, runnel.Value(want).ContinueWith(runnel.Each(echo[string](), runnel.NumStages(stages))))
		}
		s.gives(t, []string{}, runnel.InParallel[string](nil, runnel.NumStages(3)))
		f := s.fails(t, runnel.InParallel(append(slices.Clip(five), fails[string]("m")), runnel.NumStages(3)))
		wants(t, "causes", []string{f.Causes[0].Message}, []string{"m"})
	})
	t.Run("P31", func(t *testing.T) {
		staged := runnel.Fan([]runnel.Step[string, string]{s.hi.With("S"), s.hi.With("D"), s.hi.With("A")}, runnel.NumStages(2))
		s.gives(t, []string{"H J S", "H J D", "H J A"}, echo[string]().Send("J").ContinueWith(staged))
		s.gives(t, []string{"H J S", "H J D", "H J A"}, staged.WithInitial("J"))
	})
}

// P29 and its neighbours: wide groups, from a list of pipelines, from JSON, and
// from data.
func TestConformWideGroup(t *testing.T) {
	const wide = 200_000
	t.Run("P29", func(t *testing.T) {
		onStores(t, func(t *testing.T, s *suite) {
			n := wide
			if raceDetector {
				n /= 10
			}
			children := make([]runnel.Pipeline[int], n)
			for i := range children {
				children[i] = runnel.Ref2[int, int, int]("sum").Send(i, 0)
			}
			got, err := s.run(t, runnel.InParallel(children))
			do(t, err)
			wants(t, "children", len(got), n)
			for i, v := range got {
				if i != v {
					t.Fatalf("result %d is %d", i, v)
				}
			}
		})
	})
}

// The results of a group with more than is kept in memory, of children that are
// chains, nested groups, and failures.
func TestConformMixedWideGroup(t *testing.T) {
	const n = 5000
	onStores(t, func(t *testing.T, s *suite) {
		list := make([]int, n)
		for i := range list {
			list[i] = i
		}
		chain := s.sum.With(1).ContinueWith(runnel.Fan([]runnel.Step[int, int]{s.sum.With(0), s.sum.With(1)}))
		got, err := s.run(t, runnel.Value(list[:n/10]).ContinueWith(runnel.Each(chain)))
		do(t, err)
		for i, v := range got {
			wants(t, "pair", v, []int{i + 1, i + 2})
		}
		odd := runnel.Ref1[int, json.RawMessage]("odd")
		f := s.fails(t, runnel.Value(list).ContinueWith(runnel.Each(odd, runnel.MaxParallelism(64))))
		wants(t, "count", f.Count, n/2)
		wants(t, "causes kept", len(f.Causes), 100)
		wants(t, "first", f.Causes[0].Message, "0 is even")
		says(t, f.Message, "2500 of 5000 failed")
		outcomes, err := s.run(t, runnel.Value([]int{0, 1, 2}).ContinueWith(runnel.Each(odd)).Exceptionally(runnel.Ref1[*runnel.Failure, []json.RawMessage]("none_of_it")))
		do(t, err)
		wants(t, "handled", outcomes, []json.RawMessage{})
	}, runnel.Register(oddTask, noneOfIt))
}
