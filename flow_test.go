package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

var errDeclined = errors.New("declined")

// flowTasks are the tasks that the flows of these tests call.
type flowTasks struct {
	add   runnel.Task2[int, int, int]
	fail  runnel.Task1[string, int]
	text  runnel.Task1[runnel.Outcome[int], string]
	facts runnel.Task1[int, api.TaskRun]
	sum   runnel.Task1[[]int, int]
	all   []runnel.AnyTask
	calls atomic.Int64
}

func newFlowTasks() *flowTasks {
	s := &flowTasks{}
	s.add = runnel.NewTask2("add", func(_ context.Context, x, y int) (int, error) {
		s.calls.Add(1)
		return x + y, nil
	})
	s.fail = runnel.NewTask1("fail", func(_ context.Context, m string) (int, error) {
		s.calls.Add(1)
		return 0, fmt.Errorf("%s: %w", m, errDeclined)
	})
	s.text = runnel.NewTask1("text", func(_ context.Context, o runnel.Outcome[int]) (string, error) {
		v, err := o.Get() // what became of it is the text
		return fmt.Sprint(v, " ", err), nil
	})
	s.facts = runnel.NewTask1("facts", func(ctx context.Context, _ int) (api.TaskRun, error) { return runnel.TaskRun(ctx), nil })
	s.sum = runnel.NewTask1("sum", func(_ context.Context, xs []int) (int, error) {
		total := 0
		for _, x := range xs {
			total += x
		}
		return total, nil
	})
	s.all = []runnel.AnyTask{s.add, s.fail, s.text, s.facts, s.sum}
	return s
}

// inFlow runs body as a flow, on each store.
func inFlow(t *testing.T, body func(t *testing.T, f runnel.Flow, s *flowTasks), more ...runnel.AnyTask) {
	t.Helper()
	for _, store := range stores {
		dsn := dsnOf(t, store)
		s := newFlowTasks()
		flow := runnel.NewFlow0("flow", func(f runnel.Flow) (string, error) {
			body(t, f, s)
			return "done", nil
		})
		eng, err := runnel.Open(t.Context(), dsn, runnel.Register(append(append(s.all, flow), more...)...), runnel.Errors("declined", errDeclined))
		do(t, err)
		got, err := eng.Run(t.Context(), flow.Send())
		do(t, err)
		wants(t, "result", got, "done")
		do(t, eng.Close(t.Context()))
	}
}

func TestFlowCalls(t *testing.T) {
	sub := runnel.NewFlow1("sub", func(f runnel.Flow, x int) (int, error) {
		return runnel.Ref2[int, int, int]("add").Call(f, x, 100)
	})
	inFlow(t, func(t *testing.T, f runnel.Flow, s *flowTasks) { // cases 4, 5, 7, 8, 23
		v, err := s.add.Call(f, 1, 2)
		do(t, err)
		wants(t, "Call", v, 3)
		future := s.add.Submit(f, 3, 4)
		v, err = s.add.Bind(future, runnel.Value(10)).Call(f)
		do(t, err)
		wants(t, "a future as an argument", v, 17)
		_, err = s.fail.Call(f, "card")
		if !errors.Is(err, errDeclined) || !strings.Contains(err.Error(), "card") {
			t.Errorf("a failure is %v", err)
		}
		out, err := s.fail.Submit(f, "again").Outcome(f)
		do(t, err)
		if out.Failure == nil || !errors.Is(out.Failure, errDeclined) {
			t.Errorf("Outcome is %+v", out)
		}
		v, err = sub.Call(f, 1)
		do(t, err)
		wants(t, "subflow", v, 101)
		v, err = s.add.Send(1, 1).ContinueWith(s.add.With(5)).Call(f)
		do(t, err)
		wants(t, "pipeline", v, 7)
		v, err = s.sum.Bind(runnel.InParallel(runnel.List(s.add.Send(1, 2), s.add.Send(3, 4)))).Call(f)
		do(t, err)
		wants(t, "pipeline as an argument", v, 10)
		v, err = s.sum.Bind(runnel.Gather[int](future, runnel.Value(1), s.add.Send(0, 2))).Call(f)
		do(t, err)
		wants(t, "gathered", v, 10)
	}, sub)
}

// What other languages give as positional and keyword arguments are a list and a
// map here. T17: no name in them is taken for an option of the call.
func TestFlowArguments(t *testing.T) {
	type named map[string]any
	shows := runnel.NewTask2("shows", func(_ context.Context, list []any, by named) (runnel.Pair[[]any, named], error) {
		return runnel.Pair[[]any, named]{First: list, Second: by}, nil
	})
	inFlow(t, func(t *testing.T, f runnel.Flow, _ *flowTasks) {
		for _, c := range []struct { // T10
			list []any
			by   named
		}{
			{[]any{}, named{}},
			{nil, nil},
			{[]any{1.5, "two", nil, []any{true}}, named{"a": 1.0, "": "<&>", "wait_for": []any{"x"}, "tags": "t", "start_after": "1h", "args": nil}},
		} {
			got, err := shows.Call(f, c.list, c.by)
			do(t, err)
			wants(t, "list", got.First, c.list)
			wants(t, "by name", got.Second, c.by)
		}
	}, shows)
}

func TestFlowKeysAndUpstream(t *testing.T) {
	inFlow(t, func(t *testing.T, f runnel.Flow, s *flowTasks) { // cases 6, 18, 21
		a, b := s.add.Submit(f, 1, 1), s.add.Submit(f, 2, 2)
		do(t, runnel.WaitAll(f, a, b))
		run, err := s.facts.Bind(a).Call(f, runnel.WaitFor(b))
		do(t, err)
		wants(t, "name", run.Name, "facts-0")
		wants(t, "upstream", run.Upstream, []api.Upstream{{TaskRun: a.ID(), State: api.Completed}, {TaskRun: b.ID(), State: api.Completed}})
		run, err = s.facts.Call(f, 1)
		do(t, err)
		wants(t, "second name", run.Name, "facts-1")
		wants(t, "no upstream", len(run.Upstream), 0)
	})
}

func TestFlowNotReady(t *testing.T) {
	inFlow(t, func(t *testing.T, f runnel.Flow, s *flowTasks) { // cases 28, 30, 31, 32, 35
		bad := s.fail.Submit(f, "up")
		do(t, runnel.WaitAll(f, bad))
		before := s.calls.Load()
		down := s.add.Bind(bad, runnel.Value(1)).Submit(f)
		_, err := down.Result(f)
		if !errors.Is(err, runnel.ErrNotReady) || !strings.Contains(err.Error(), "fail-0 is FAILED") {
			t.Errorf("downstream of a failure: %v", err)
		}
		state, err := down.State(f)
		do(t, err)
		wants(t, "state", state, api.Skipped)
		_, err = s.add.Bind(down, runnel.Value(1)).Call(f) // and below that
		if !errors.Is(err, runnel.ErrNotReady) {
			t.Errorf("downstream of what was not ready: %v", err)
		}
		_, err = s.add.Call(f, 1, 1, runnel.WaitFor(bad))
		if !errors.Is(err, runnel.ErrNotReady) {
			t.Errorf("WaitFor a failure: %v", err)
		}
		wants(t, "bodies", s.calls.Load()-before, 0)
		text, err := s.text.Bind(runnel.AllowFailure[int](bad)).Call(f)
		do(t, err)
		wants(t, "AllowFailure", text, "0 up: declined")
		text, err = s.text.Bind(runnel.AllowFailure[int](s.add.Submit(f, 1, 2))).Call(f)
		do(t, err)
		wants(t, "AllowFailure of a value", text, "3 <nil>")
		v, err := s.add.Call(f, 1, 1, runnel.WaitFor(runnel.AllowFailure[int](down)))
		do(t, err)
		wants(t, "WaitFor(AllowFailure)", v, 2)
	})
}

func TestFlowMap(t *testing.T) {
	inFlow(t, func(t *testing.T, f runnel.Flow, s *flowTasks) { // cases 46-48, 50-60
		got, err := s.add.Map(f, []int{1, 2, 3}, runnel.Unmapped(5)).Results(f)
		do(t, err)
		wants(t, "slice and constant", got, []int{6, 7, 8})
		count := iter.Seq[int](func(yield func(int) bool) {
			for i := range 3 {
				if !yield(i) {
					return
				}
			}
		})
		ones := s.add.Map(f, count, []int{10, 20, 30})
		got, err = ones.Results(f)
		do(t, err)
		wants(t, "iterator", got, []int{10, 21, 32})
		got, err = s.add.Map(f, ones, runnel.Unmapped(1)).Results(f)
		do(t, err)
		wants(t, "futures", got, []int{11, 22, 33})
		got, err = s.add.Map(f, []*runnel.Future[int]{ones.List()[2], ones.List()[2]}, []int{1, 2}).Results(f)
		do(t, err)
		wants(t, "the same future twice", got, []int{33, 34})
		got, err = s.add.Map(f, []int{}, runnel.Unmapped(1)).Results(f)
		do(t, err)
		wants(t, "nothing", got, []int{})
		for what, futures := range map[string]*runnel.Futures[int]{
			"lengths 3 and 4":      s.add.Map(f, []int{1, 2, 3}, []int{1, 2, 3, 4}),
			"an iterator too long": s.add.Map(f, count, []int{1, 2}),
			"all unmapped":         s.add.Map(f, runnel.Unmapped(1), runnel.Unmapped(2)),
		} {
			if _, err := futures.Results(f); !errors.Is(err, runnel.ErrInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		mixed := []*runnel.Future[int]{s.add.Submit(f, 1, 1), s.fail.Submit(f, "x")}
		out, err := s.add.Map(f, mixed, runnel.Unmapped(1)).Outcomes(f)
		do(t, err)
		wants(t, "one that has its upstream", out[0].Value, 3)
		if !errors.Is(out[1].Failure, runnel.ErrNotReady) {
			t.Errorf("one that has not: %v", out[1].Failure)
		}
		total, err := s.sum.Bind(s.add.Map(f, []int{1, 2}, []int{3, 4})).Call(f)
		do(t, err)
		wants(t, "a map as an argument", total, 10)
		n := 0
		for future, err := range runnel.AsCompleted(f, ones.List()) {
			do(t, err)
			_, err = future.Result(f)
			do(t, err)
			n++
		}
		wants(t, "AsCompleted", n, 3)
	})
}

func TestFlowTags(t *testing.T) {
	tagged := runnel.NewTask0("tagged", func(ctx context.Context) ([]string, error) { return runnel.TaskRun(ctx).Tags, nil }, runnel.Tags("a", "b"))
	plain := runnel.NewTask0("plain", func(ctx context.Context) ([]string, error) { return runnel.TaskRun(ctx).Tags, nil })
	sub := runnel.NewFlow0("sub", func(f runnel.Flow) ([]string, error) { return tagged.Call(f.WithTags("c", "d")) })
	inFlow(t, func(t *testing.T, f runnel.Flow, _ *flowTasks) { // cases 12-16, 22
		call := func(what string, want []string, got []string, err error) {
			t.Helper()
			do(t, err)
			wants(t, what, got, want)
		}
		got, err := plain.Call(f.WithTags("b", "a"))
		call("context", []string{"a", "b"}, got, err)
		got, err = tagged.Call(f.WithTags("c", "d"))
		call("union", []string{"a", "b", "c", "d"}, got, err)
		got, err = plain.Call(f.WithTags("a", "b").WithTags("c", "d"))
		call("nested", []string{"a", "b", "c", "d"}, got, err)
		got, err = sub.Call(f.WithTags("x"))
		call("through a subflow", []string{"a", "b", "c", "d", "x"}, got, err)
		got, err = plain.Call(f)
		call("after it", nil, got, err)
		got, err = tagged.WithOptions(runnel.Tags("z")).Call(f)
		call("WithOptions", []string{"z"}, got, err)
		got, err = tagged.Call(f, runnel.Tags("y"))
		call("an option of the call", []string{"y"}, got, err)
		got, err = tagged.Send().Call(f.WithTags("p"))
		call("a pipeline", []string{"a", "b", "p"}, got, err)
	}, tagged, plain, sub)
}

func TestFlowTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // cases 37-39, 41
		slow := runnel.NewTask1("slow", func(ctx context.Context, d time.Duration) (string, error) {
			select {
			case <-time.After(d):
				return "slept " + d.String(), nil
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		})
		flow := runnel.NewFlow0("flow", func(f runnel.Flow) (string, error) {
			began, err := f.Now()
			do(t, err)
			future := slow.Submit(f, time.Minute)
			_, ended, err := future.Wait(f, time.Second)
			do(t, err)
			wants(t, "ended within a second", ended, false)
			_, err = future.Result(f.WithTimeout(time.Second))
			if !errors.Is(err, runnel.ErrTimeout) {
				t.Errorf("Result in too little time: %v", err)
			}
			if _, err := runnel.WaitAny(f.WithTimeout(time.Second), future); !errors.Is(err, runnel.ErrTimeout) {
				t.Errorf("WaitAny in too little time: %v", err)
			}
			some := slow.Map(f, []time.Duration{0, time.Minute})
			if _, err := some.Results(f.WithTimeout(time.Second)); !errors.Is(err, runnel.ErrTimeout) {
				t.Errorf("Results in too little time: %v", err)
			}
			early := 0
			for _, err = range runnel.AsCompleted(f.WithTimeout(time.Second), some.List()) {
				if err == nil {
					early++
				}
			}
			if early != 1 || !errors.Is(err, runnel.ErrTimeout) {
				t.Errorf("AsCompleted in too little time: %d, then %v", early, err)
			}
			if _, err := runnel.NewBatch(slow, 1).Map(f.WithTimeout(time.Second), []time.Duration{time.Minute}); !errors.Is(err, runnel.ErrTimeout) {
				t.Errorf("a batch in too little time: %v", err)
			}
			if err := f.WithTimeout(time.Second).Sleep(time.Hour); !errors.Is(err, runnel.ErrTimeout) {
				t.Errorf("Sleep in too little time: %v", err)
			}
			if _, ended, err := future.Wait(f.WithTimeout(time.Second), time.Hour); ended || err != nil {
				t.Errorf("Wait in too little time: %t, %v", ended, err)
			}
			pipeline := slow.Send(time.Second).ContinueWith(runnel.Ref1[string, string]("echo")).Submit(f)
			state, err := pipeline.State(f)
			do(t, err)
			wants(t, "state of a pipeline", state, api.Running)
			do(t, f.Sleep(10*time.Second))
			quick := slow.Submit(f, time.Second)
			first, err := runnel.WaitAny(f, future, quick)
			do(t, err)
			wants(t, "the first", first, quick)
			state, ended, err = future.Wait(f, time.Hour)
			do(t, err)
			wants(t, "ended within an hour", ended, true)
			wants(t, "state", state, api.Completed)
			now, err := f.Now()
			do(t, err)
			wants(t, "passed", now.Sub(began), time.Minute)
			v, err := future.Result(f.WithTimeout(time.Second))
			return v, err
		})
		stuck := runnel.NewFlow0("stuck", func(f runnel.Flow) (string, error) { return slow.Call(f, time.Hour) }, runnel.Timeout(time.Minute))
		echo := runnel.NewTask1("echo", func(_ context.Context, s string) (string, error) { return s, nil })
		eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(slow, echo, flow, stuck))
		do(t, err)
		got, err := eng.Run(t.Context(), flow.Send())
		do(t, err)
		wants(t, "result", got, "slept 1m0s")
		began := time.Now()
		_, err = eng.Run(t.Context(), stuck.Send())
		if !errors.Is(err, runnel.ErrTimeout) {
			t.Errorf("a flow that takes too long: %v", err)
		}
		wants(t, "after", time.Since(began).Round(time.Second), time.Minute)
		do(t, eng.Close(t.Context()))
	})
}

// A flow that is tried again makes only those calls again that did not complete.
func TestFlowRetries(t *testing.T) {
	var ran sync.Map
	count := func(name string) int64 {
		n, _ := ran.LoadOrStore(name, new(atomic.Int64))
		return n.(*atomic.Int64).Add(1)
	}
	step := runnel.NewTask2("step", func(ctx context.Context, name string, failures int64) (string, error) {
		if n := count(name); n <= failures {
			return "", fmt.Errorf("%s failed %d times", name, n)
		}
		return runnel.IdempotencyKey(ctx)[36:], nil
	})
	flow := runnel.NewFlow0("flow", func(f runnel.Flow) ([]string, error) {
		count("flow")
		good, flaky := step.Submit(f, "good", 0), step.Submit(f, "flaky", 2)
		a, err := good.Result(f)
		if err != nil {
			return nil, err
		}
		b, err := flaky.Result(f)
		return []string{a, b}, err
	})
	eng, err := runnel.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "flow.db"), runnel.Register(step, flow))
	do(t, err)
	defer func() { do(t, eng.Close(t.Context())) }()
	run, err := eng.Submit(t.Context(), flow.WithOptions(runnel.Retries(1)).Send())
	do(t, err)
	if _, err := run.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "flaky failed 2 times") {
		t.Fatalf("the first generation ends with %v", err)
	}
	do(t, run.Retry(t.Context()))
	got, err := run.Wait(t.Context())
	do(t, err)
	wants(t, "idempotency keys", got, []string{"/0/step-0", "/0/step-1"})
	wants(t, "bodies of good", count("good")-1, 1)
	wants(t, "bodies of flaky", count("flaky")-1, 3)
	wants(t, "bodies of the flow", count("flow")-1, 3)
	// The history of a call that was made anew is that of all task runs of its name.
	states := map[string][]api.State{}
	for row, err := range eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID(), Task: "step"}) {
		do(t, err)
		states[row.Name] = append(states[row.Name], row.State)
	}
	wants(t, "task runs by name", states, map[string][]api.State{"step-0": {api.Completed}, "step-1": {api.Failed, api.Failed, api.Completed}})
}

func TestFlowOutcome(t *testing.T) {
	inFlow(t, func(t *testing.T, f runnel.Flow, s *flowTasks) { // case 130 and decision 4
		s.fail.Submit(f, "nobody looks")
		runnel.Go(f, "part", func(f runnel.Flow) {
			if _, err := s.add.Call(f, 1, 2); err != nil {
				t.Error(err)
			}
		})
		runnel.Go(f, "part", func(f runnel.Flow) {
			if _, err := s.add.Call(f, 1, 2); !errors.Is(err, runnel.ErrInvalid) {
				t.Errorf("a second part with the same key: %v", err)
			}
		})
	})
}

// A Flow, and what it gave, are good for one attempt of one flow.
func TestFlowMisused(t *testing.T) {
	s := newFlowTasks()
	var old runnel.Flow
	var stolen *runnel.Future[int]
	lend := runnel.NewFlow0("lend", func(f runnel.Flow) (int, error) {
		old, stolen = f, s.add.Submit(f, 1, 2)
		return stolen.Result(f)
	})
	use := runnel.NewFlow0("use", func(f runnel.Flow) (string, error) {
		_, err := s.add.Call(old, 1, 2)
		_, bound := s.add.Bind(stolen, runnel.Value(1)).Call(f)
		_, missing := s.add.Bind(nil, runnel.Value(1)).Call(f)
		var none *runnel.Future[int]
		_, nothing := none.Result(f)
		_, options := s.add.Send(1, 2).FinallyDo(s.add.Send(1, 1)).Call(f, runnel.Retries(1))
		// A call has its future only once it has its arguments, so none can depend on
		// itself, nor two on each other: there is nothing yet to depend on.
		var own, after *runnel.Future[int]
		own = s.add.Bind(own, runnel.Value(1)).Submit(f)
		after = s.add.Submit(f, 1, 2, runnel.WaitFor(after))
		_, itself := own.Result(f)
		_, waits := after.Result(f)
		for what, err := range map[string]error{
			"bound": bound, "missing": missing, "nothing": nothing, "options": options, "given itself": itself, "after itself": waits,
		} {
			if !errors.Is(err, runnel.ErrInvalid) {
				return "", fmt.Errorf("%s: %w", what, err)
			}
		}
		return fmt.Sprint(errors.Is(err, runnel.ErrClosed)), nil
	})
	eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(append(s.all, lend, use)...))
	do(t, err)
	defer func() { do(t, eng.Close(t.Context())) }()
	_, err = eng.Run(t.Context(), lend.Send())
	do(t, err)
	got, err := eng.Run(t.Context(), use.Send())
	do(t, err)
	wants(t, "a Flow after its time", got, "true")
	if _, err := eng.Submit(t.Context(), use.Send(), runnel.Retries(1)); !errors.Is(err, runnel.ErrInvalid) {
		t.Errorf("an option of a call given to Engine.Submit: %v", err)
	}
}

// What a flow has done it does not do again when the engine is opened anew, and
// one that does other things then is stopped.
func TestFlowOpenedAgain(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "flow.db")
	var bodies atomic.Int64
	reached := make(chan struct{}, 1)
	token := make(chan string, 1)
	note := runnel.NewTask1("note", func(_ context.Context, text string) (string, error) {
		bodies.Add(1)
		return text, nil
	})
	ask := runnel.NewTask0("ask", func(ctx context.Context) (string, error) {
		text, err := runnel.Token(ctx)
		if err != nil {
			return "", err
		}
		select {
		case token <- text:
		default:
		}
		return "", runnel.Pending
	})
	flow := func(change string) runnel.Task0[[]string] {
		return runnel.NewFlow0("flow", func(f runnel.Flow) ([]string, error) {
			at, err := f.Now()
			if err != nil {
				return nil, err
			}
			a, err := note.Call(f, "first"+change)
			if err != nil {
				return nil, err
			}
			again, err := note.Call(f, at.String())
			if err != nil {
				return nil, err
			}
			answer := ask.Submit(f)
			select {
			case reached <- struct{}{}:
			default:
			}
			b, err := answer.Result(f)
			return []string{a, again, b}, err
		})
	}
	open := func(change string) *runnel.Engine {
		t.Helper()
		eng, err := runnel.Open(t.Context(), dsn, runnel.Register(note, ask, flow(change)))
		do(t, err)
		return eng
	}
	eng := open("")
	run, err := eng.Submit(t.Context(), flow("").Send())
	do(t, err)
	other, err := eng.Submit(t.Context(), flow("").Send())
	do(t, err)
	<-reached
	answered := <-token
	<-token
	do(t, eng.Close(t.Context()))
	wants(t, "bodies", bodies.Load(), 4)

	eng = open("")
	do(t, eng.Complete(t.Context(), answered, "answer"))
	for _, id := range []string{run.ID(), other.ID()} {
		if strings.HasPrefix(answered, id) {
			again, err := eng.Attach[[]string](t.Context(), id)
			do(t, err)
			got, err := again.Wait(t.Context())
			do(t, err)
			wants(t, "first and last", []string{got[0], got[2]}, []string{"first", "answer"})
		}
	}
	wants(t, "bodies", bodies.Load(), 4)
	do(t, eng.Close(t.Context()))

	eng = open(" changed")
	id := run.ID()
	if strings.HasPrefix(answered, id) {
		id = other.ID()
	}
	again, err := eng.Attach[[]string](t.Context(), id)
	do(t, err)
	_, err = again.Wait(t.Context())
	if !errors.Is(err, runnel.ErrChanged) || !strings.Contains(err.Error(), "note-0") || !strings.Contains(err.Error(), "first changed") {
		t.Errorf("a flow that has changed: %v", err)
	}
	do(t, eng.Close(t.Context()))

	// With the old code it goes on: what completed is there, and what waited for
	// an answer asks again.
	eng = open("")
	again, err = eng.Attach[[]string](t.Context(), id)
	do(t, err)
	do(t, again.Retry(t.Context()))
	do(t, eng.Complete(t.Context(), <-token, "late answer"))
	got, err := again.Wait(t.Context())
	do(t, err)
	wants(t, "first and last after a retry", []string{got[0], got[2]}, []string{"first", "late answer"})
	wants(t, "bodies", bodies.Load(), 4)
	do(t, eng.Close(t.Context()))
}

// Flows that wait take no place among the bodies, and are cancelled with all
// that they have called.
func TestFlowsWait(t *testing.T) {
	s := newFlowTasks()
	hang := runnel.NewTask0("hang", func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	})
	deep := runnel.NewFlow1("deep", func(f runnel.Flow, n int) (int, error) {
		if n == 0 {
			return s.add.Call(f, 1, 1)
		}
		return runnel.Ref1[int, int]("deep").Call(f, n-1)
	})
	waits := runnel.NewFlow0("waits", func(f runnel.Flow) (int, error) { return hang.Call(f) })
	eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(append(s.all, hang, deep, waits)...), runnel.Concurrency(2))
	do(t, err)
	defer func() { do(t, eng.Close(t.Context())) }()
	v, err := eng.Run(t.Context(), deep.Send(20)) // more than there are places
	do(t, err)
	wants(t, "deep", v, 2)
	run, err := eng.Submit(t.Context(), waits.Send())
	do(t, err)
	for states := []api.State{}; !slices.Contains(states, api.Running); {
		states = states[:0]
		for task, err := range eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID(), Task: "hang"}) {
			do(t, err)
			states = append(states, task.State)
		}
	}
	do(t, run.Cancel(t.Context()))
	if _, err := run.Wait(t.Context()); !errors.Is(err, runnel.ErrCancelled) {
		t.Errorf("a cancelled flow: %v", err)
	}
	for task, err := range eng.TaskRuns(t.Context(), api.TaskRunFilter{Run: run.ID()}) {
		do(t, err)
		wants(t, task.Task, task.State, api.Cancelled)
	}
}
