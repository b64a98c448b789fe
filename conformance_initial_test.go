package runnel_test

import (
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
)

// greeted is what arrives where keyword arguments would: its Title counts unless
// the task's own options have one.
type greeted struct{ First, Last, Title string }

var titledBy = runnel.NewTask2("titled_by", func(_ context.Context, in greeted, own title) (string, error) {
	return "H " + cmp.Or(own.Title, in.Title, "Mr") + " " + in.First + " " + cmp.Or(own.Last, in.Last), nil
})

func TestConformInitial(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		t.Run("I01", func(t *testing.T) {
			s.gives(t, pair{First: "1", Second: "2"}, s.twoOf.With("2").WithInitial("1"))
			s.gives(t, "1,2,3", s.three.SpreadWith("3").WithInitial(pair{First: "1", Second: "2"}))
			s.gives(t, "a;b", s.join.With().WithInitial([]string{"a", "b"})) // a list is one argument
			s.gives(t, "V:1/2", s.val.With().ContinueWith(s.bye.With("2")).WithInitial("1"))
		})
		both := []runnel.Step[string, string]{s.hi.With("S"), s.hi.With("D")}
		t.Run("I03", func(t *testing.T) {
			s.gives(t, []string{"H J S", "H J D"}, runnel.Fan(both).WithInitial("J"))
			// Recursively: the heads of the group that a chain begins with.
			nested := runnel.Fan([]runnel.Step[string, []string]{runnel.Fan(both), runnel.Fan(both)})
			s.gives(t, [][]string{{"H J S", "H J D"}, {"H J S", "H J D"}}, nested.WithInitial("J"))
			// Later tasks see nothing of it.
			s.gives(t, []string{"V:H J S"}, runnel.Fan(both[:1]).ContinueWith(runnel.Each(s.val)).WithInitial("J"))
		})
		t.Run("I04", func(t *testing.T) {
			s.gives(t, []string{"H J S", "H J D"}, runnel.Fan(both, runnel.MaxParallelism(1)).WithInitial("J"))
		})
		initialTitles(t, s)
		t.Run("I11", func(t *testing.T) {
			p := runnel.InParallel(runnel.List(s.hi.Send("J", "D"), s.hi.Send("S", "D").WithState(1)))
			isLike(t, p.Err(), runnel.ErrInvalid, "branch 1", "initial state")
			_, err := s.run(t, p)
			matches(t, err, runnel.ErrInvalid)
			s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"children":[{"steps":[{"value":1}],"state":{"value":1}}]}]}`, "steps[0].children[0]", "initial state")
			// With initial arguments it may stand there.
			s.gives(t, []string{"H J D", "V:x"}, runnel.InParallel(runnel.List(s.hi.With("D").WithInitial("J"), s.val.With().WithInitial("x"))))
		})
		t.Run("I12", func(t *testing.T) {
			s.gives(t, "[] 12", runnel.Fan[string, string](nil).ContinueWith(runnel.Ref2[[]string, int, string]("both").With(12)).WithInitial("J"))
		})
	}, runnel.Register(titledBy))
}

func initialTitles(t *testing.T, s *suite) {
	t.Run("I05", func(t *testing.T) {
		s.gives(t, []string{"H Mr J S"}, runnel.Fan([]runnel.Step[string, string]{s.titled.With(title{Last: "S"})}).WithInitial("J"))
	})
	t.Run("I06", func(t *testing.T) {
		s.gives(t, []string{"H Sir J S"}, runnel.Fan([]runnel.Step[string, string]{s.titled.With(title{"S", "Sir"})}).WithInitial("J"))
	})
	t.Run("I07", func(t *testing.T) {
		p := runnel.Fan([]runnel.Step[greeted, string]{titledBy.With(title{Last: "S"})})
		s.gives(t, []string{"H Sir J S"}, p.WithInitial(greeted{First: "J", Title: "Sir"}))
	})
	staged := runnel.Fan([]runnel.Step[greeted, string]{titledBy.With(title{Last: "S"}), titledBy.With(title{"A", "Mr"})}, runnel.NumStages(2))
	t.Run("I08", func(t *testing.T) {
		s.gives(t, []string{"H Sir J S", "H Mr J A"}, staged.WithInitial(greeted{First: "J", Title: "Sir"}))
	})
	t.Run("I09", func(t *testing.T) {
		s.untyped(t, `["H Sir J S","H Mr J A"]`, `{"value":{"Title":"Sir","First":"J"}},{"children":[
			{"steps":[{"task":"titled_by","args":[{"Last":"S"}]}]},
			{"steps":[{"task":"titled_by","args":[{"Title":"Mr","Last":"A"}]}]}],"num_stages":2}`)
	})
}

// The limits of groups. slow counts who runs at the same time, in all and by the
// first letter of its key.
func TestConformLimits(t *testing.T) {
	slow := func(s *suite, keys ...string) []runnel.Pipeline[string] {
		var list []runnel.Pipeline[string]
		for _, key := range keys {
			list = append(list, s.slow.Send(key, time.Second))
		}
		return list
	}
	most := func(t *testing.T, s *suite, want int, p runnel.Runnable[[]string]) {
		t.Helper()
		s.ledger()
		_, err := s.run(t, p)
		do(t, err)
		wants(t, "at the same time", s.maximum(""), want)
	}
	ten := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	t.Run("M02", func(t *testing.T) {
		inBubbles(t, func(t *testing.T, s *suite) {
			for _, limit := range []int{1, 2, 3, 10, 11} {
				most(t, s, min(limit, 10), runnel.InParallel(slow(s, ten...), runnel.MaxParallelism(limit)))
				most(t, s, min(limit, 10), runnel.Value(ten).ContinueWith(runnel.Each(s.slow.With(time.Second), runnel.MaxParallelism(limit))))
				// It holds for the whole group, not for each stage.
				most(t, s, min(limit, 10), runnel.InParallel(slow(s, ten...), runnel.MaxParallelism(limit), runnel.NumStages(1)))
			}
			start := time.Now()
			s.gives(t, ten, runnel.InParallel(slow(s, ten...), runnel.MaxParallelism(4)))
			wants(t, "took", time.Since(start), 3*time.Second)
		})
	})
	t.Run("M03", func(t *testing.T) {
		inBubbles(t, func(t *testing.T, s *suite) {
			fan := []runnel.Step[string, string]{s.slow.With(time.Second), s.slow.With(2 * time.Second), s.slow.With(time.Second)}
			most(t, s, 1, echo[string]().Send("k").ContinueWith(runnel.Fan(fan, runnel.MaxParallelism(1))))
		})
	})
	t.Run("M06", func(t *testing.T) {
		inBubbles(t, func(t *testing.T, s *suite) {
			most(t, s, 2, runnel.InParallel(slow(s, "a", "b"), runnel.MaxParallelism(0)))
			most(t, s, 10, runnel.InParallel(slow(s, ten...)))
		})
	})
	t.Run("M07", func(t *testing.T) {
		inBubbles(t, func(t *testing.T, s *suite) {
			one := func(keys ...string) runnel.Pipeline[[]string] {
				return runnel.InParallel(slow(s, keys...), runnel.MaxParallelism(1))
			}
			run := s.submit(t, runnel.InParallel(runnel.List(one("a1", "a2"), one("b1", "b2"))))
			quiet()
			wants(t, "started", s.ledger(), []string{"slow a1", "slow b1"})
			ends(t, [][]string{{"a1", "a2"}, {"b1", "b2"}}, run)
			wants(t, "of a", s.maximum("a"), 1)
		})
	})
	t.Run("M09", limitAndRecovery)
	t.Run("E32", func(t *testing.T) {
		inBubbles(t, func(t *testing.T, s *suite) {
			a, b := runnel.InParallel(slow(s, "a1", "a2")), runnel.InParallel(slow(s, "b1", "b2"))
			s.gives(t, [][]string{{"a1", "a2"}, {"b1", "b2"}}, runnel.InParallel(runnel.List(a, b), runnel.MaxParallelism(1)))
			wants(t, "at the same time", s.maximum(""), 2)
			first := s.slow.Send("c", time.Second).ContinueWith(runnel.Fan([]runnel.Step[string, string]{s.slow.With(time.Second), s.slow.With(time.Second)}))
			s.ledger()
			s.gives(t, [][]string{{"c", "c"}, {"c", "c"}}, runnel.InParallel(runnel.List(first, first), runnel.MaxParallelism(1)))
			wants(t, "at the same time", s.maximum(""), 2)
			// A child pipeline holds its orchestrator's slot.
			s.ledger()
			s.gives(t, []string{"o", "o", "o"}, runnel.Value([]string{"o", "o", "o"}).ContinueWith(runnel.Each(orchestrated, runnel.MaxParallelism(2))))
			wants(t, "at the same time", s.maximum(""), 2)
		}, runnel.Register(orchestrated))
	})
	t.Run("E33", func(t *testing.T) {
		onStores(t, func(t *testing.T, s *suite) {
			p := runnel.InParallel(slow(s, "a"), runnel.MaxParallelism(-1))
			isLike(t, p.Err(), runnel.ErrInvalid, "MaxParallelism(-1)")
			s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"children":[],"max_parallelism":-1}]}`, "steps[0]", "max_parallelism is -1")
			s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"value":[]},{"each":{"steps":[{"task":"echo"}]},"max_parallelism":-1}]}`, "steps[1]", "max_parallelism is -1")
			s.untyped(t, `[]`, `{"children":[],"max_parallelism":0}`)
		})
	})
}

var orchestrated = runnel.NewOrchestrator1("orchestrated", func(_ context.Context, key string) (runnel.Runnable[string], error) {
	return runnel.Ref2[string, time.Duration, string]("slow").Send(key, time.Second), nil
})

// M09: a chain holds its slot until its recovery has ended.
func limitAndRecovery(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		first := s.hi.Send("J", "D").ContinueWith(failing[string, string]("m")).
			Exceptionally(runnel.Ref1[*runnel.Failure, string]("hold")).Exceptionally(s.mark)
		run := s.submit(t, runnel.InParallel(runnel.List(first, s.note.Send("read").
			ContinueWith(s.val.Send("x").Ignoring[runnel.None]())), runnel.MaxParallelism(1)))
		quiet()
		wants(t, "read", s.times("read"), 0)
		wants(t, "held", s.times("yielding"), 1)
		do(t, s.eng.Fail(t.Context(), s.token(t, 0), context.Canceled))
		ends(t, []string{"M:context canceled", "V:x"}, run)
		log := s.inOrder()
		if at := len(log) - 1; log[at] != "read" || log[at-1] != "mark context canceled" {
			t.Errorf("order %q", log)
		}
	}, runnel.Register(runnel.NewOrchestrator1("hold", func(context.Context, *runnel.Failure) (runnel.Runnable[string], error) {
		return runnel.Ref1[string, string]("yielding").Send("x"), nil
	})))
}

func TestConformLimitsOfNestedGroups(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		hi, hiBye := s.hi.Send("J", "D"), s.hi.Send("S", "D").ContinueWith(s.bye.With("x"))
		t.Run("M04", func(t *testing.T) {
			inner := runnel.InParallel(runnel.List(hiBye, hi), runnel.MaxParallelism(1))
			s.gives(t, `["H J D",["H S D/x","H J D"]]`, runnel.InParallel2(hi, inner).ContinueWith(show[runnel.Pair[string, []string]]()))
		})
		t.Run("M05", func(t *testing.T) {
			fan := runnel.Fan([]runnel.Step[string, string]{show[string]().With(), show[string]().With()}, runnel.MaxParallelism(1))
			s.gives(t, []string{`"H J D"`, `"H J D"`}, hi.ContinueWith(fan))
		})
	})
}
