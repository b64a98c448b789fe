package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func TestConformExceptionally(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		hi := s.hi.Send("J", "D")
		hiFail := hi.ContinueWith(failing[string, string]("m"))
		t.Run("X02", func(t *testing.T) {
			s.ledger()
			s.gives(t, "H J D", hi.Exceptionally(s.rec).FinallyDo(s.note.Send("fin")))
			wants(t, "ledger", s.ledger(), []string{"fin", "hi J D"})
		})
		t.Run("X03", func(t *testing.T) {
			s.gives(t, "E:m", hiFail.Exceptionally(s.rec))
			s.gives(t, "E:refused H J D", hi.ContinueWith(s.refusing).Exceptionally(s.rec))
			s.gives(t, "V:E:m", hiFail.Exceptionally(s.rec).ContinueWith(s.val))
			s.gives(t, "E:m", hiFail.Exceptionally(s.rec.With().ContinueWith(echo[string]())))
			s.gives(t, "V:E:m", hiFail.Exceptionally(runnel.Fan([]runnel.Step[*runnel.Failure, string]{s.rec.With()}).ContinueWith(s.join).ContinueWith(s.val)))
		})
		t.Run("X04", func(t *testing.T) {
			s.ledger()
			s.gives(t, "E:m", hiFail.Exceptionally(s.rec).FinallyDo(s.note.Send("fin")))
			wants(t, "fin", s.times("fin"), 1)
		})
		t.Run("X07", func(t *testing.T) {
			p := runnel.InParallel(runnel.List(fails[string]("one"), hi, fails[string]("two"))).ContinueWith(s.join).Exceptionally(s.rec)
			got, err := s.run(t, p)
			do(t, err)
			says(t, got, "E:", "2 of 3 failed", "one", "two")
		})
		handlersInBranches(t, s)
		handlersInRow(t, s)
	})
}

func handlersInBranches(t *testing.T, s *suite) {
	hi := s.hi.Send("J", "D")
	hiVal := hi.ContinueWith(s.val)
	list := show[[]string]()
	t.Run("X11", func(t *testing.T) {
		s.gives(t, `["V:H J D","V:H J D"]`, runnel.InParallel(runnel.List(hiVal.Exceptionally(s.rec), hiVal)).ContinueWith(list))
	})
	first := hi.ContinueWith(failing[string, string]("m")).Exceptionally(s.rec).
		Exceptionally(failing[*runnel.Failure, string]("n")).Exceptionally(s.mark)
	t.Run("X13", func(t *testing.T) {
		s.gives(t, `["E:m","V:H J D"]`, runnel.InParallel(runnel.List(first, hiVal)).ContinueWith(list))
	})
	t.Run("X14", func(t *testing.T) {
		s.gives(t, `["E:m","V:H J D"]`, runnel.InParallel(runnel.List(first, hiVal), runnel.MaxParallelism(1)).ContinueWith(list))
	})
}

func handlersInRow(t *testing.T, s *suite) {
	t.Run("X16", func(t *testing.T) {
		s.ledger()
		e := func(x string) runnel.Step[*runnel.Failure, []string] { return s.caught.With(x) }
		p := runnel.Value([]string{}).ContinueWith(s.add.With("t1")).Exceptionally(e("e1")).Exceptionally(e("e2")).
			ContinueWith(s.add.With("t2")).Exceptionally(e("e3")).ContinueWith(s.add.With("t3")).Exceptionally(e("e4"))
		s.gives(t, []string{"t1", "t2", "t3"}, p)
		wants(t, "caught", s.times("caught"), 0)
	})
	t.Run("X17", func(t *testing.T) {
		s.ledger()
		p := fails[[]string]("m").ContinueWith(s.add.With("t1")).Exceptionally(s.caught.With("x")).ContinueWith(s.add.With("t3"))
		s.gives(t, []string{"m", "x", "t3"}, p)
		wants(t, "ledger", s.ledger(), []string{"add_to t3", "caught m x", "fail m"})
		// The next in a row gets the new failure; one after a recovery catches a later one.
		bad := failing[*runnel.Failure, []string]("new")
		s.gives(t, []string{"new", "x"}, fails[[]string]("m").Exceptionally(bad).Exceptionally(s.caught.With("x")))
		s.gives(t, []string{"late", "y"}, fails[[]string]("m").Exceptionally(s.caught.With("x")).
			ContinueWith(failing[[]string, []string]("late")).Exceptionally(s.caught.With("y")))
		f := s.fails(t, fails[[]string]("m").Exceptionally(bad).ContinueWith(s.add.With("t")))
		wants(t, "failure", f.Message, "new")
	})
	t.Run("X18", func(t *testing.T) {
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"task":"rec","on":"error"}]}`, "steps[0]", "can't begin with a handler")
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"children":[{"steps":[{"task":"rec","on":"error"}]}]}]}`, "steps[0].children[0].steps[0]", "can't begin")
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"value":[]},{"each":{"steps":[{"task":"rec","on":"error"}]}}]}`, "steps[1].each.steps[0]", "can't begin")
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"chain":{"steps":[{"task":"rec","on":"error"}]}}]}`, "steps[0].chain.steps[0]", "can't begin")
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"value":1}],"finally":{"task":"rec","on":"error"}}`, "finally", "handler")
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"children":[{"steps":[]}]}]}`, "steps[0].children[0]", "no steps")
	})
}

// What a handler catches: a failure of a child pipeline, of an argument, of a
// result, of a panic; and that it is a task like any other.
func TestConformWhatIsCaught(t *testing.T) {
	errDeclined := errors.New("declined")
	panics := runnel.NewTask0("panics", func(context.Context) (string, error) { panic("ouch") })
	declines := runnel.NewTask0("declines", func(context.Context) (string, error) { return "", errDeclined })
	child := runnel.NewOrchestrator0("child", func(context.Context) (runnel.Runnable[string], error) {
		return runnel.InParallel(runnel.List(declines.Send())).ContinueWith(runnel.Ref1[[]string, string]("join")), nil
	})
	recovers := runnel.NewOrchestrator1("recovers", func(ctx context.Context, f *runnel.Failure) (runnel.Runnable[string], error) {
		if runnel.TaskRun(ctx).Attempt == 1 {
			return nil, errors.New("not yet")
		}
		return runnel.Ref1[*runnel.Failure, string]("rec").Send(f), nil
	}, runnel.Retries(1))
	looks := runnel.NewTask1("looks", func(_ context.Context, f *runnel.Failure) (string, error) {
		return f.Task + " " + f.Type + " " + string(f.Code), nil
	})
	onStores(t, func(t *testing.T, s *suite) {
		s.gives(t, "panics string panic", panics.Send().Exceptionally(looks))
		s.gives(t, "declines *errors.errorString ", declines.Send().Exceptionally(looks))
		s.gives(t, "E:1 of 1 failed: declined", child.Send().Exceptionally(s.rec))
		s.gives(t, "E:declined", declines.Send().Exceptionally(recovers))
		f := s.fails(t, child.Send())
		matches(t, f, errDeclined)
		wants(t, "task of the cause", f.Causes[0].Task, "declines")
		// What a handler fails with replaces what it handled.
		f = s.fails(t, declines.Send().Exceptionally(runnel.Ref1[*runnel.Failure, string]("fail_again")))
		wants(t, "message", f.Message, "again: declined")
		matches(t, f, errDeclined)
		// Groups are opaque to a failure that arrives: they are skipped whole.
		s.ledger()
		inner := runnel.Fan([]runnel.Step[string, string]{s.val.With().Exceptionally(s.mark), s.val.With().Exceptionally(s.mark)})
		s.gives(t, "E:m", fails[string]("m").ContinueWith(inner).ContinueWith(s.join).Exceptionally(s.rec))
		wants(t, "ledger", s.ledger(), []string{"fail m", "rec m"})
	}, runnel.Register(panics, declines, child, recovers, looks, runnel.NewTask1("fail_again", func(_ context.Context, f *runnel.Failure) (string, error) {
		return "", againError{f}
	})), runnel.Errors("declined", errDeclined))
}

type againError struct{ cause error }

func (e againError) Error() string { return "again: " + e.cause.Error() }

func (e againError) Unwrap() error { return e.cause }

func TestConformFinally(t *testing.T) {
	fin := func(s *suite) runnel.Pipeline[runnel.None] { return s.note.Send("fin") }
	onStores(t, func(t *testing.T, s *suite) {
		t.Run("F01", func(t *testing.T) {
			s.ledger()
			s.gives(t, "H J D/x", s.hi.Send("J", "D").ContinueWith(s.bye.With("x")).FinallyDo(fin(s)))
			wants(t, "ledger", s.ledger(), []string{"bye H J D x", "fin", "hi J D"})
			// Its own value is dropped, whatever it is.
			s.gives(t, "H J D", s.hi.Send("J", "D").FinallyDo(s.val.Send("dropped")))
			s.gives(t, "H J D", s.hi.Send("J", "D").FinallyDo(runnel.InParallel(runnel.List(s.val.Send("x"), s.val.Send("y"))).ContinueWith(s.join)))
			s.gives(t, none, s.note.Send("x").FinallyDo(s.val.Send("dropped")))
			s.gives(t, "H J D", s.hi.Send("J", "D").FinallyDo(runnel.Value(1)))
			s.gives(t, "H J D", s.hi.Send("J", "D").FinallyDo(empty()))
			s.gives(t, "H J D", s.hi.Send("J", "D").FinallyDo(runnel.InParallel(runnel.List(empty(), runnel.Value([]string{"x"})))))
			// After a failure, and after that of a group, once.
			s.ledger()
			wants(t, "failure", s.fails(t, fails[string]("m").FinallyDo(fin(s))).Message, "m")
			wants(t, "fin", s.times("fin"), 1)
			s.fails(t, runnel.InParallel(runnel.List(fails[string]("m"), s.val.Send("x"))).FinallyDo(fin(s)))
			wants(t, "fin", s.times("fin"), 2)
		})
		t.Run("F03", func(t *testing.T) {
			s.ledger()
			run := s.submit(t, s.set.Send(10).FinallyDo(s.seen.Send()))
			ends(t, none, run)
			wants(t, "ledger", s.ledger(), []string{"seen 10", "set 10"})
			finalState(t, 10, run)
		})
		t.Run("F05", func(t *testing.T) {
			// Closed has no method that could append (testdata/nocompile), and the
			// form has one place for it. What is left is a closed pipeline within another.
			s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"chain":{"steps":[{"value":1}],"finally":{"value":1}}},{"value":2}]}`, "steps[0].chain", "finally")
			s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"children":[{"steps":[{"value":1}],"finally":{"value":1}}]}]}`, "steps[0].children[0]", "finally")
			s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[],"finally":{"task":"get"}}`, "no steps")
		})
		finallyFails(t, s)
		t.Run("F08", func(t *testing.T) {
			p := s.hi.Send("J", "D").FinallyDo(fin(s).FinallyDo(fin(s)))
			isLike(t, p.Err(), runnel.ErrInvalid, "finally")
			_, err := s.run(t, p)
			isLike(t, err, runnel.ErrInvalid, "finally")
			var twice runnel.Closed[json.RawMessage]
			isLike(t, json.Unmarshal([]byte(`{"runnel":1,"steps":[{"value":1}],"finally":[{"value":1},{"value":1}]}`), &twice), runnel.ErrInvalid, "finally")
		})
	})
}

func finallyFails(t *testing.T, s *suite) {
	t.Run("F07", func(t *testing.T) {
		run := s.submit(t, s.set.Send(10).ContinueWith(s.val.Send("x").Ignoring[runnel.None]()).FinallyDo(fails[string]("fin")))
		f := endsBadly(t, run)
		wants(t, "message", f.Message, "fin")
		wants(t, "task", f.Task, "fail")
		finalState(t, 10, run)
		status, err := run.Status(t.Context())
		do(t, err)
		wants(t, "state", status.State, api.Failed)
		// A failure that it replaces stays as a cause.
		f = s.fails(t, fails[string]("first").FinallyDo(fails[string]("fin")))
		wants(t, "message", f.Message, "fin")
		wants(t, "causes", len(f.Causes), 1)
		wants(t, "cause", f.Causes[0].Message, "first")
		// So it does when it is a chain that fails.
		f = s.fails(t, fails[string]("first").FinallyDo(s.val.Send("x").ContinueWith(failing[string, string]("fin"))))
		wants(t, "message", f.Message, "fin")
		wants(t, "cause", f.Causes[0].Message, "first")
	})
}
