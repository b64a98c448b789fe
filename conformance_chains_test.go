package runnel_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
)

func TestConformChains(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		t.Run("C01", func(t *testing.T) { s.gives(t, 1, echo[int]().Send(1)) })
		t.Run("C02", func(t *testing.T) { s.gives(t, pair{First: "1", Second: "2"}, s.twoOf.Send("1", "2")) })
		t.Run("C03", func(t *testing.T) {
			// Keyword arguments are a struct or a map of their own.
			s.gives(t, runnel.Triple[int, int, map[string]int]{First: 1, Second: 2, Third: map[string]int{"k1": 1, "k2": 2}},
				runnel.Value(runnel.Triple[int, int, map[string]int]{First: 1, Second: 2, Third: map[string]int{"k1": 1, "k2": 2}}).
					ContinueWith(echo[runnel.Triple[int, int, map[string]int]]()))
		})
		t.Run("C04", func(t *testing.T) {
			p := s.twoOf.Send("1", "2")
			s.gives(t, pair{First: "1", Second: "2"}, p.ContinueWith(s.twoOf.Spread()))
			// Without Spread it stays one argument.
			s.gives(t, pair{First: "1", Second: "2"}, p.ContinueWith(echo[pair]()))
			s.gives(t, triple{First: "1", Second: "2", Third: "3"}, s.threeOf.Send("1", "2", "3").ContinueWith(s.threeOf.Spread()))
		})
		t.Run("C05", func(t *testing.T) {
			s.ledger()
			run := s.submit(t, s.set.Send(1).ContinueWith(failing[runnel.None, runnel.None]("m")).
				ContinueWith(s.set.Send(2).Ignoring[runnel.None]()).Inline())
			wants(t, "message", endsBadly(t, run).Message, "m")
			finalState(t, 1, run)
			wants(t, "ledger", s.ledger(), []string{"fail m", "set 1"})
		})
		chainArguments(t, s)
		chainTasks(t, s)
		chainBuilders(t, s)
	})
}

func chainArguments(t *testing.T, s *suite) {
	abcd := fourArgs{"a", "b", "c", "d"}
	t.Run("C06", func(t *testing.T) { s.gives(t, "a,b,c,d", s.four.Send(abcd)) })
	t.Run("C07", func(t *testing.T) {
		s.untyped(t, `"a,b,c,d"`, `{"task":"four","args":[{"D":"d","C":"c","B":"b","A":"a"}]}`)
	})
	t.Run("C08", func(t *testing.T) { s.gives(t, "a,b,c,d", s.four.Send(fourArgs{"a", "b", "c", "d"})) })
	t.Run("C09", func(t *testing.T) { s.gives(t, "a,b,c,x", s.four.Send(fourArgs{A: "a", B: "b", D: "x"})) })
	t.Run("C10", func(t *testing.T) { s.untyped(t, `"a,b,c,d"`, `{"task":"four","args":[{"A":"a","B":"b"}]}`) })
	t.Run("C11", func(t *testing.T) { s.gives(t, "a,b,c,d", s.four.Send(fourArgs{A: "a", B: "b", D: "d"})) })
	t.Run("C12", func(t *testing.T) {
		// The compiler refuses it (testdata/nocompile); as JSON it is refused
		// when it is submitted, before anything runs.
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"task":"three","args":["a","b"]}]}`, `steps[0]: task "three" wants 3 arguments, got 2`)
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"task":"three","args":["a","b","c","d"]}]}`, "wants 3 arguments, got 4")
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"value":["a","b"]},{"task":"three","spread":2}]}`, "steps[1]", "wants 3 arguments, got 2")
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"value":1},{"task":"get"}]}`, "steps[1]", "wants 0 arguments, got 1")
	})
	t.Run("C13", func(t *testing.T) {
		s.gives(t, "a,b,c", s.threeOf.Send("a", "b", "c").ContinueWith(s.three.Spread()))
		s.untyped(t, `"a,b,c"`, `{"task":"pass3","args":["a","b","c"]},{"task":"three","spread":3}`)
	})
	t.Run("C15", func(t *testing.T) {
		s.gives(t, "a,b,c", s.twoOf.Send("a", "b").ContinueWith(s.three.SpreadWith("c")))
		s.gives(t, "a,b,c", echo[string]().Send("a").ContinueWith(s.three.With("b", "c")))
	})
}

func chainTasks(t *testing.T, s *suite) {
	t.Run("C16", func(t *testing.T) {
		s.gives(t, "H J D", s.hiTwo.Send("J", "D"))
		s.gives(t, "H J D", echo[string]().Send("J").ContinueWith(s.hiTwo.With("D")))
	})
	t.Run("C17", func(t *testing.T) {
		s.gives(t, "a,b,c,d", s.fourBy.Send(fourArgs{A: "a", B: "b"}))
		s.untyped(t, `"a,b,c,d"`, `{"task":"four_by","args":[{"B":"b","A":"a"}]}`)
	})
	t.Run("C19", func(t *testing.T) {
		message := fourArgs{A: "x"}
		s.gives(t, message, echo[fourArgs]().Send(message).ContinueWith(echo[fourArgs]()).ContinueWith(echo[fourArgs]()))
		run := s.submit(t, echo[fourArgs]().Send(message).ContinueWith(echo[fourArgs]()))
		ends(t, message, run)
		raw, err := s.eng.Attach[json.RawMessage](t.Context(), run.ID())
		do(t, err)
		ends(t, json.RawMessage(`{"A":"x","B":"","C":"","D":""}`), raw)
	})
	t.Run("C20", func(t *testing.T) {
		nobody := runnel.Ref0[int]("nobody").Send()
		_, err := s.run(t, nobody)
		isLike(t, err, runnel.ErrUnknownTask, "steps[0]", `"nobody"`)
		_, err = s.run(t, runnel.InParallel(runnel.List(echo[int]().Send(1), nobody)))
		isLike(t, err, runnel.ErrUnknownTask, "steps[0].children[1].steps[0]", `"nobody"`)
		_, err = s.run(t, echo[int]().Send(1).FinallyDo(nobody))
		isLike(t, err, runnel.ErrUnknownTask, "finally", `"nobody"`)
	})
}

// isLike checks kind and text of an error.
func isLike(t *testing.T, err, like error, parts ...string) {
	t.Helper()
	matches(t, err, like)
	if err != nil {
		says(t, err.Error(), parts...)
	}
}

func chainBuilders(t *testing.T, s *suite) {
	t.Run("C27", func(t *testing.T) {
		p := s.hi.Send("J", "D")
		p.ContinueWith(s.bye.With("x")) // a pipeline is immutable: this changes nothing
		s.gives(t, "H J D", p)
	})
	t.Run("C28", func(t *testing.T) {
		p := s.hi.Send("J", "D").ContinueWith(s.bye.With("x"))
		one, two := s.submit(t, p), s.submit(t, p)
		ends(t, "H J D/x", one)
		ends(t, "H J D/x", two)
		ends(t, "H J D/x", s.submit(t, p))
		if one.ID() == two.ID() {
			t.Error("two runs have one id")
		}
	})
	t.Run("C30", func(t *testing.T) {
		s.gives(t, "H J D/x", s.hi.Send("J", "D").ContinueWith(s.bye.With("x").ContinueWith(echo[string]())))
		s.gives(t, "H A B", s.hi.Send("J", "D").ContinueWith(s.hi.Send("A", "B").Ignoring[string]()))
		// The same pipeline twice, and two that grow out of one.
		p := s.hi.Send("J", "D")
		s.gives(t, "H J D/x", p.ContinueWith(s.bye.With("x")))
		s.gives(t, "H J D/y", p.ContinueWith(s.bye.With("y")))
		s.gives(t, []string{"H J D", "H J D"}, runnel.InParallel(runnel.List(p, p)))
	})
	t.Run("C31", func(t *testing.T) {
		p := s.hi.Send("J", "D").ContinueWith(s.hi.Send("A", "B").WithState(1).Ignoring[string]())
		isLike(t, p.Err(), runnel.ErrInvalid, "initial state")
		_, err := s.run(t, p)
		isLike(t, err, runnel.ErrInvalid, "initial state")
		// The receiving one may have some.
		s.gives(t, 7, s.note.Send("x").WithState(7).ContinueWith(s.get))
	})
	t.Run("C33", func(t *testing.T) {
		s.gives(t, 5, s.note.Send("x").WithState(5).ContinueWith(s.get).ContinueWith(s.times10))
		run := s.submit(t, s.times10.Send(3).WithState(5))
		ends(t, 3, run)
		finalState(t, 50, run)
	})
}

// C20, for what only shows at run time: an orchestrator returns a pipeline with
// a task that nobody knows.
func TestConformUnknownTaskAtRunTime(t *testing.T) {
	lost := runnel.NewOrchestrator0("lost", func(context.Context) (runnel.Runnable[int], error) {
		return runnel.Ref0[int]("nobody").Send(), nil
	}, runnel.Retries(2))
	misfit := runnel.NewOrchestrator0("misfit", func(context.Context) (runnel.Runnable[string], error) {
		return runnel.Ref1[int, string]("val").Send(1), nil
	})
	onStores(t, func(t *testing.T, s *suite) {
		t.Run("C20", func(t *testing.T) {
			f := s.fails(t, lost.Send())
			isLike(t, f, runnel.ErrUnknownTask, "returned pipeline", `"nobody"`)
			wants(t, "task", f.Task, "lost")
			f = s.fails(t, misfit.Send())
			isLike(t, f, runnel.ErrInvalid, `task "val" wants string, got number`)
			s.gives(t, "E:"+f.Message, misfit.Send().Exceptionally(s.rec))
		})
	}, runnel.Register(lost, misfit))
}

// The types of a reference are the caller's word; what the registered task
// wants is checked when it is submitted.
func TestConformReferencesAreChecked(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		_, err := s.run(t, runnel.Ref1[int, string]("join").Send(1))
		isLike(t, err, runnel.ErrInvalid, `task "join" wants array, got number`)
		_, err = s.run(t, echo[int]().Send(1).ContinueWith(runnel.Ref1[int, string]("hi")))
		isLike(t, err, runnel.ErrInvalid, "steps[1]", `task "hi" wants 2 arguments, got 1`)
		_, err = s.run(t, runnel.Ref0[[]string]("hi").Send())
		isLike(t, err, runnel.ErrInvalid, "wants 2 arguments, got 0")
		// A result that is not what the caller was promised shows when it is read.
		_, err = s.run(t, runnel.Ref2[string, string, int]("hi").Send("J", "D"))
		isLike(t, err, runnel.ErrEncoding, "wants integer, got string")
		// ... or when the next task of that type is to be called: that is no retry's case.
		p := runnel.Value(json.RawMessage(`"text"`)).ContinueWith(runnel.Ref1[json.RawMessage, int]("echo")).
			ContinueWith(s.sum.With(1).Set(runnel.Retries(5)))
		f := s.fails(t, p)
		isLike(t, f, runnel.ErrEncoding, `task "sum"`, "argument 1", "wants integer, got string")
		wants(t, "attempt", f.Attempt, 1)
	})
}

func TestConformLongChain(t *testing.T) {
	p := runnel.Value("")
	for range 300 {
		p = p.ContinueWith(echo[string]())
	}
	onStores(t, func(t *testing.T, s *suite) {
		s.gives(t, "", p)
		wants(t, "called", s.times("echo"), 300)
		wants(t, "args", strings.Count(strings.Join(s.ledger(), ""), `""`), 300)
	})
}
