package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/runneltest"
)

// The orchestrators of seed 001. The two that call each other are package
// variables; a reference breaks the circle.
var (
	add      = runnel.NewTask2("add", func(_ context.Context, x, y int) (int, error) { return x + y, nil })
	subtract = runnel.NewTask2("subtract", func(_ context.Context, x, y int) (int, error) { return x - y, nil })
	countRef = runnel.Ref1[int, int]("count_to_100")
	makeGood = runnel.NewOrchestrator1("make_positive", func(_ context.Context, x int) (runnel.Runnable[int], error) {
		if x > 0 {
			return runnel.Value(x), nil
		}
		return multiply.Send(x, -1), nil
	})
	addPositive = runnel.NewOrchestrator2("add_positive", func(_ context.Context, x, y int) (runnel.Runnable[int], error) {
		return add.Send(x, y).ContinueWith(makeGood), nil
	})
	countTo100 = runnel.NewOrchestrator1("count_to_100", func(_ context.Context, x int) (runnel.Runnable[int], error) {
		return add.Send(x, 1).ContinueWith(checkResult), nil
	})
	checkResult = runnel.NewOrchestrator1("check_result", func(_ context.Context, x int) (runnel.Runnable[int], error) {
		if x == 100 {
			return runnel.Value(x), nil
		}
		return countRef.Send(x), nil
	})
	setState = runnel.NewTask2("set_state", func(ctx context.Context, x, y int) (int, error) {
		return x * y, runnel.State[int](ctx).Set(10)
	})
	addState = runnel.NewTask1("add_state", func(ctx context.Context, x int) (int, error) {
		s, err := runnel.State[int](ctx).Get()
		return x + s, err
	})
	fail = runnel.NewTask1("fail", func(_ context.Context, message string) (int, error) { return 0, errors.New(message) })
)

var seed = runnel.Register(multiply, divide, average, double, recover0, cleanup, greet, upper, add, subtract,
	makeGood, addPositive, countTo100, checkResult, setState, addState, fail)

func TestSeed001(t *testing.T) {
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		gives(t, eng, 3.0, multiply.Send(3, 2).ContinueWith(divide.With(2)))
		gives(t, eng, []int{6, 20}, runnel.InParallel(runnel.List(multiply.Send(3, 2), multiply.Send(4, 5)), runnel.MaxParallelism(1)))
		gives(t, eng, []int{}, runnel.InParallel[int](nil))
		gives(t, eng, []int{2, 4, 6}, runnel.Value([]int{1, 2, 3}).ContinueWith(runnel.Each(double, runnel.NumStages(2))))
		gives(t, eng, []int{14, 21}, runnel.Fan([]runnel.Step[int, int]{double.With(), multiply.With(3)}).WithInitial(7))
		gives(t, eng, 15, setState.Send(3, 2).ContinueWith(subtract.With(1)).ContinueWith(addState))
		gives(t, eng, 1, addPositive.Send(-3, 2))
		gives(t, eng, 5, addPositive.Send(3, 2))
		gives(t, eng, 100, countTo100.Send(0))
		gives(t, eng, 0, fail.Send("no").ContinueWith(double).Exceptionally(recover0))
		gives(t, eng, 2, runnel.InParallel(runnel.List(fail.Send("a"), double.Send(1), fail.Send("b"))).ContinueWith(count).
			Exceptionally(recover0))
		gives(t, eng, "a1b", runnel.InParallel2(runnel.Value("a"), runnel.Value(1)).ContinueWith(greet.SpreadWith("b")))
		gives(t, eng, "a1b", runnel.InParallel3(runnel.Value("a"), runnel.Value(1), runnel.Value("b")).ContinueWith(greet.Spread()))
		gives(t, eng, 6, multiply.Send(3, 2).FinallyDo(cleanup.Send()))
		gives(t, eng, runnel.None{}, cleanup.Send().ContinueWith(cleanup))
		gives(t, eng, []runnel.None{{}, {}}, runnel.InParallel(runnel.List(cleanup.Send(), cleanup.Send())))
		outcomes := runneltest.Value(t, eng, runnel.Settle(runnel.List(double.Send(1), fail.Send("b"))))
		if outcomes[0].Value != 2 || outcomes[1].Failure.Message != "b" {
			t.Errorf("outcomes %+v", outcomes)
		}
	}, seed, runnel.Register(count))
}

var count = runnel.NewTask1("count", func(_ context.Context, xs []int) (int, error) { return len(xs), nil })

func gives[R any](t *testing.T, eng *runnel.Engine, want R, p runnel.Runnable[R]) {
	t.Helper()
	if got := runneltest.Value(t, eng, p); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPipelineFromJSON(t *testing.T) {
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		var p runnel.Pipeline[json.RawMessage]
		if err := json.Unmarshal([]byte(`{"runnel":1,"steps":[{"value":[1,2]},{"each":{"steps":[{"task":"double"}]}}]}`), &p); err != nil {
			t.Fatal(err)
		}
		if got := runneltest.Value(t, eng, p); string(got) != "[2,4]" {
			t.Errorf("got %s", got)
		}
		for data, want := range map[string]string{
			`{"runnel":1,"steps":[{"children":[{"steps":[{"value":1}]},{"steps":[{"value":"x"},{"task":"double"}]}]}]}`: `steps[0].children[1].steps[1]: task "double" wants integer, got string`,
			`{"runnel":1,"steps":[{"task":"nobody"}]}`:                  `steps[0]: task "nobody" is not registered`,
			`{"runnel":1,"steps":[{"task":"double"}]}`:                  `steps[0]: task "double" wants 1 arguments, got 0`,
			`{"runnel":1,"steps":[{"task":"multiply","args":[1,[2]]}]}`: `steps[0]: task "multiply" wants integer, got array`,
		} {
			if err := json.Unmarshal([]byte(data), &p); err != nil {
				t.Fatal(err)
			}
			if _, err := eng.Submit(t.Context(), p); err == nil || err.Error() != want {
				t.Errorf("%v\nwant %s", err, want)
			}
		}
	}, seed)
}

func TestNamedErrors(t *testing.T) {
	declined := errors.New("declined")
	var tries atomic.Int32
	pay := runnel.NewTask0("pay", func(context.Context) (int, error) {
		tries.Add(1)
		return 0, declined
	}, runnel.Retries(2), runnel.RetryOn("declined"))
	other := runnel.NewTask0("other", func(context.Context) (int, error) {
		tries.Add(1)
		return 0, errors.New("other")
	}, runnel.Retries(2), runnel.RetryOn("declined"))
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		if f := runneltest.Failure(t, eng, pay.Send()); !errors.Is(f, declined) || f.Attempt != 3 || tries.Load() != 3 {
			t.Errorf("failure %+v after %d tries", f, tries.Load())
		}
		tries.Store(0)
		if f := runneltest.Failure(t, eng, other.Send()); errors.Is(f, declined) || tries.Load() != 1 {
			t.Errorf("failure %+v after %d tries", f, tries.Load())
		}
		f := runneltest.Failure(t, eng, runnel.InParallel(runnel.List(pay.Send(), other.Send())))
		if !errors.Is(f, declined) || len(f.Causes) != 2 {
			t.Errorf("failure %+v", f)
		}
	}, runnel.Register(pay, other), runnel.Errors("declined", declined))
}

func TestBodiesAreTold(t *testing.T) {
	var seen []api.TaskRun
	tell := runnel.NewTask1("tell", func(ctx context.Context, x int) (string, error) {
		seen = append(seen, runnel.TaskRun(ctx))
		runnel.Logger(ctx).Info("told", "x", x)
		return runnel.IdempotencyKey(ctx), nil
	})
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		run, err := eng.Submit(t.Context(), double.Send(1).ContinueWith(tell.WithOptions(runnel.Name("shown"))), runnel.Name("mine"))
		if err != nil {
			t.Fatal(err)
		}
		key, err := run.Wait(t.Context())
		if err != nil || !strings.HasPrefix(key, run.ID()+"/") {
			t.Errorf("key %q (%v)", key, err)
		}
		if r := seen[0]; r.Task != "tell" || r.Name != "shown" || r.Attempt != 1 || r.ID != key || len(r.Upstream) != 1 || r.Upstream[0].State != api.Completed {
			t.Errorf("seen %+v", r)
		}
		status, err := run.Status(t.Context())
		if err != nil || status.Name != "mine" || status.State != api.Completed {
			t.Errorf("status %+v (%v)", status, err)
		}
		var lines []string
		for line, err := range eng.Logs(t.Context(), api.LogFilter{Run: run.ID()}) {
			do(t, err)
			lines = append(lines, line.Text)
		}
		wants(t, "lines", lines, []string{"told x=2"})
		request, err := run.Request(t.Context())
		if err != nil || !strings.Contains(string(request), `"task":"tell"`) {
			t.Errorf("request %s (%v)", request, err)
		}
	}, seed, runnel.Register(tell))
	if _, err := runnel.State[int](t.Context()).Get(); !errors.Is(err, runnel.ErrInvalid) {
		t.Errorf("state outside a task: %v", err)
	}
}

func TestPendingAndTokens(t *testing.T) {
	tokens := make(chan string, 1)
	ask := runnel.NewTask0("ask", func(ctx context.Context) (int, error) {
		token, err := runnel.Token(ctx)
		if err != nil {
			return 0, err
		}
		tokens <- token
		return 0, runnel.Pending
	}, runnel.Timeout(time.Hour))
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		run, err := eng.Submit(t.Context(), ask.Send().ContinueWith(double))
		if err != nil {
			t.Fatal(err)
		}
		runneltest.Idle()
		if err := eng.Complete(t.Context(), <-tokens, 21); err != nil {
			t.Fatal(err)
		}
		if v, err := run.Wait(t.Context()); v != 42 || err != nil {
			t.Errorf("got %d (%v)", v, err)
		}
		if run, err = eng.Submit(t.Context(), ask.Send()); err != nil {
			t.Fatal(err)
		}
		runneltest.Idle()
		if err := eng.Fail(t.Context(), <-tokens, runnel.ErrNotFound); err != nil {
			t.Fatal(err)
		}
		if _, err := run.Wait(t.Context()); !errors.Is(err, runnel.ErrNotFound) {
			t.Errorf("failed with %v", err)
		}
		if f := runneltest.Failure(t, eng, ask.Send()); !errors.Is(f, context.DeadlineExceeded) {
			t.Errorf("failed with %v", f)
		}
	}, seed, runnel.Register(ask))
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		dsn  string
		opts []runnel.OpenOption
		want string
	}{
		{"memory", nil, `want "memory:"`},
		{"mongo:x", nil, `want "memory:"`},
		{"sqlite:", nil, `want "memory:"`},
		{"sqlite:x?sync=never", nil, "the only parameter"},
		{"s3cret@host/db", nil, `want "memory:"`},
		{"postgres://me:s3cret@host:x/db", nil, "the dsn can't be read"},
		{"postgres://me:s3cret@host/db?schema=", nil, "schema="},
		{"host=h password=s3cret lease=1", nil, "lease="},
		{"postgresql://me:s3cret@host/db?pooler=no", nil, "pooler="},
		{"memory:", []runnel.OpenOption{runnel.Register(double, double)}, `task "double" is registered twice`},
		{"memory:", []runnel.OpenOption{runnel.Register(countRef)}, "is a reference"},
		{"memory:", []runnel.OpenOption{runnel.Register(runnel.NewTask0[int]("x", nil))}, "has no function"},
		{"memory:", []runnel.OpenOption{runnel.Register(runnel.Task0[int]{})}, "not made by NewTask"},
		{"memory:", []runnel.OpenOption{runnel.Errors("x", nil)}, "a name and an error"},
		{"memory:", []runnel.OpenOption{runnel.Concurrency(-1)}, "Concurrency(-1)"},
	} {
		eng, err := runnel.Open(t.Context(), tt.dsn, tt.opts...)
		if eng != nil || !errors.Is(err, runnel.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.dsn, err, tt.want)
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: a password is shown: %v", tt.dsn, err)
		}
	}
}
