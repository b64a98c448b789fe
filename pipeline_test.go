package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// The tasks of seed 001, for all tests.
var (
	multiply = runnel.NewTask2("multiply", func(_ context.Context, x, y int) (int, error) { return x * y, nil })
	divide   = runnel.NewTask2("divide", func(_ context.Context, x, y int) (float64, error) { return float64(x) / float64(y), nil })
	average  = runnel.NewTask1("average", func(_ context.Context, xs []float64) (float64, error) {
		sum := 0.0
		for _, x := range xs {
			sum += x
		}
		return sum / float64(len(xs)), nil
	})
	double   = runnel.NewTask1("double", func(_ context.Context, x int) (int, error) { return 2 * x, nil })
	recover0 = runnel.NewTask1("recover", func(_ context.Context, f *runnel.Failure) (int, error) { return len(f.Causes), nil })
	cleanup  = runnel.NewTask0("cleanup", func(context.Context) (runnel.None, error) { return runnel.None{}, nil })
	greet    = runnel.NewTask3("greet", func(_ context.Context, a string, n int, b string) (string, error) { return fmt.Sprint(a, n, b), nil })
	open     = runnel.NewTask1("open", func(_ context.Context, s string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(s)), nil
	})
	size = runnel.NewTask1("size", func(_ context.Context, r io.ReadCloser) (int64, error) { return io.Copy(io.Discard, r) })
)

func TestPipelineJSON(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    json.Marshaler
		want string
	}{
		{"one task", multiply.Send(3, 2), `{"runnel":1,"steps":[{"task":"multiply","args":[3,2]}]}`},
		{
			"continuation", multiply.Send(3, 2).ContinueWith(divide.With(2)),
			`{"runnel":1,"steps":[{"task":"multiply","args":[3,2]},{"task":"divide","args":[2]}]}`,
		},
		{
			"nested groups", runnel.InParallel(runnel.List(
				multiply.Send(3, 2).ContinueWith(divide.With(2)),
				runnel.InParallel(runnel.List(runnel.Value(1.5))).ContinueWith(average),
			), runnel.MaxParallelism(10), runnel.NumStages(2)).ContinueWith(average),
			`{"runnel":1,"steps":[{"children":[{"steps":[{"task":"multiply","args":[3,2]},{"task":"divide","args":[2]}]},` +
				`{"steps":[{"children":[{"steps":[{"value":1.5}]}]},{"task":"average"}]}],"max_parallelism":10,"num_stages":2},{"task":"average"}]}`,
		},
		{"empty group", runnel.InParallel[int](nil), `{"runnel":1,"steps":[{"children":[]}]}`},
		{
			"each", runnel.Value([]int{1, 2}).ContinueWith(runnel.Each(double, runnel.FailFast())),
			`{"runnel":1,"steps":[{"value":[1,2]},{"each":{"steps":[{"task":"double"}]},"fail_fast":true}]}`,
		},
		{
			"fan with initial", runnel.Fan([]runnel.Step[int, int]{double.With(), multiply.With(3)}).WithInitial(7),
			`{"runnel":1,"steps":[{"value":7},{"children":[{"steps":[{"task":"double"}]},{"steps":[{"task":"multiply","args":[3]}]}]}]}`,
		},
		{"settle", runnel.Settle(runnel.List(double.Send(1))), `{"runnel":1,"steps":[{"children":[{"steps":[{"task":"double","args":[1]}]}],"settle":true}]}`},
		{
			"spread", runnel.InParallel2(runnel.Value("a"), runnel.Value(1)).ContinueWith(greet.SpreadWith("b")),
			`{"runnel":1,"steps":[{"children":[{"steps":[{"value":"a"}]},{"steps":[{"value":1}]}]},{"task":"greet","args":["b"],"spread":2}]}`,
		},
		{
			"handlers", multiply.Send(1, 2).Exceptionally(recover0).Exceptionally(recover0.With().ContinueWith(double)).FinallyDo(cleanup.Send()),
			`{"runnel":1,"steps":[{"task":"multiply","args":[1,2]},{"task":"recover","on":"error"},` +
				`{"chain":{"steps":[{"task":"recover"},{"task":"double"}]},"on":"error"}],"finally":{"task":"cleanup"}}`,
		},
		{
			"finally of two", multiply.Send(1, 2).FinallyDo(cleanup.Send().ContinueWith(cleanup)).Inline(),
			`{"runnel":1,"steps":[{"task":"multiply","args":[1,2]}],"finally":{"chain":{"steps":[{"task":"cleanup"},{"task":"cleanup","ignore":true}]}},"inline":true}`,
		},
		{
			"state, wait, ignore", multiply.Send(1, 2).Wait().ContinueWith(double.Send(3).Ignoring[int]()).WithState(map[string]int{"a": 1}),
			`{"runnel":1,"steps":[{"task":"multiply","args":[1,2],"wait":true},{"task":"double","args":[3],"ignore":true}],"state":{"value":{"a":1},"merge":true}}`,
		},
		{
			"options", double.WithOptions(runnel.Retries(3), runnel.ExponentialBackoff(time.Second, time.Minute), runnel.Name("twice")).
				Send(1).Set(runnel.Timeout(time.Second), runnel.TaskID("x")),
			`{"runnel":1,"steps":[{"task":"double","args":[1],"options":{"name":"twice","retry":{"max":3,"delays":["1s"],"exponential":true,"cap":"1m0s"},"timeout":"1s","task_id":"x"}}]}`,
		},
		{"none", runnel.Value(runnel.None{}), `{"runnel":1,"steps":[{"value":null}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.p.MarshalJSON()
			if err != nil || string(got) != tt.want {
				t.Fatalf("got  %s (%v)\nwant %s", got, err, tt.want)
			}
			var back runnel.Closed[json.RawMessage]
			if err := json.Unmarshal(got, &back); err != nil {
				t.Fatal(err)
			}
			if again, err := json.Marshal(back); err != nil || string(again) != tt.want {
				t.Errorf("again %s (%v)", again, err)
			}
		})
	}
}

func TestBuildErrors(t *testing.T) {
	var (
		zero   runnel.Pipeline[int]
		noTask runnel.Task1[int, int]
		closed runnel.Pipeline[int]
		nobody runnel.Stepper[int, int]
	)
	data, err := json.Marshal(double.Send(1).FinallyDo(cleanup.Send()))
	if err != nil || json.Unmarshal(data, &closed) != nil {
		t.Fatal(err)
	}
	fn := runnel.NewTask1("fn", func(_ context.Context, f func()) (int, error) { return 0, nil })
	stateful := double.Send(1).WithState(1)
	for _, tt := range []struct {
		name string
		p    interface{ Err() error }
		want string
		kind error
	}{
		{"zero pipeline", zero, "no steps", runnel.ErrInvalid},
		{"continued zero", zero.ContinueWith(double), "no steps", runnel.ErrInvalid},
		{"zero step", double.Send(1).ContinueWith(runnel.Step[int, int]{}), "no steps", runnel.ErrInvalid},
		{"zero task", noTask.Send(1), "not made by NewTask", runnel.ErrInvalid},
		{"nil step", double.Send(1).ContinueWith(nobody), "step is nil", runnel.ErrInvalid},
		{"handler first", zero.Exceptionally(recover0), "no steps", runnel.ErrInvalid},
		{"nil finally", double.Send(1).FinallyDo[int](nil), "nil", runnel.ErrInvalid},
		{"after finally", closed.ContinueWith(double), "finally must come last", runnel.ErrInvalid},
		{"two finally", closed.FinallyDo(cleanup.Send()), "two finally", runnel.ErrInvalid},
		{"finally in a group", runnel.InParallel(runnel.List(closed)), "branch 0 of a group: a pipeline with a finally", runnel.ErrInvalid},
		{"C31", double.Send(1).ContinueWith(stateful.Ignoring[int]()), "initial state", runnel.ErrInvalid},
		{"I11", runnel.InParallel(runnel.List(double.Send(1), stateful)), "branch 1 of a group: a pipeline with an initial state", runnel.ErrInvalid},
		{"E33", runnel.InParallel(runnel.List(double.Send(1)), runnel.MaxParallelism(-1)), "MaxParallelism(-1)", runnel.ErrInvalid},
		{"stages", runnel.Each(double, runnel.NumStages(0)), "NumStages(0)", runnel.ErrInvalid},
		{"settle at once", runnel.Settle(runnel.List(double.Send(1)), runnel.FailFast()), "FailFast", runnel.ErrInvalid},
		{"retries", double.WithOptions(runnel.Retries(-1)).Send(1), `task "double": Retries(-1)`, runnel.ErrInvalid},
		{"delay", double.Send(1).Set(runnel.RetryDelay(-time.Second)), "RetryDelay(-1s)", runnel.ErrInvalid},
		{"jitter", double.Send(1).Set(runnel.RetryJitter(math.NaN())), "RetryJitter", runnel.ErrInvalid},
		{"timeout", double.Send(1).Set(runnel.Timeout(-1)), "Timeout(-1ns)", runnel.ErrInvalid},
		{"set on a group", runnel.InParallel(runnel.List(double.Send(1))).Set(runnel.Retries(1)), "must be a task", runnel.ErrInvalid},
		{"Z08", runnel.Value(math.Inf(1)), "can't be encoded", runnel.ErrEncoding},
		{"func argument", fn.Send(func() {}), `task "fn": argument 1: func() can't be encoded`, runnel.ErrEncoding},
		{"open reader", runnel.Value(nilReader()).ContinueWith(size), `io.ReadCloser can't be decoded`, runnel.ErrEncoding},
		{"reader as result", open.Send("x"), `task "open": result: io.ReadCloser`, runnel.ErrEncoding},
		{"reader in a group", runnel.Value("x").ContinueWith(runnel.Fan([]runnel.Step[string, io.ReadCloser]{open.With()})), "io.ReadCloser", runnel.ErrEncoding},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.p.Err()
			if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, tt.kind) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if m, ok := tt.p.(json.Marshaler); ok {
				if _, marshalled := m.MarshalJSON(); marshalled == nil {
					t.Error("it can be marshalled")
				}
			}
		})
	}
}

func nilReader() io.ReadCloser { return nil }

func TestPipelinesAreImmutable(t *testing.T) {
	base := multiply.Send(1, 2).ContinueWith(double)
	before := text(t, base)
	left, right := base.ContinueWith(double), base.ContinueWith(multiply.With(9))
	l, r := text(t, left), text(t, right)
	_ = base.Wait()
	_ = base.Set(runnel.Retries(9))
	_ = base.Ignoring[int]()
	_ = base.Exceptionally(recover0)
	_ = left.ContinueWith(double)
	if text(t, base) != before || text(t, left) != l || text(t, right) != r || l == r {
		t.Errorf("changed: %s, %s, %s", text(t, base), text(t, left), text(t, right))
	}
}

func text(t *testing.T, p json.Marshaler) string {
	t.Helper()
	data, err := p.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLongChain(t *testing.T) {
	p := double.Send(1)
	for range 10_000 {
		p = p.ContinueWith(double)
	}
	if n := strings.Count(text(t, p), "double"); n != 10_001 {
		t.Errorf("%d steps", n)
	}
}

func TestTuplesAndOutcomes(t *testing.T) {
	roundTrip(t, runnel.Pair[int, string]{First: 1, Second: "x"}, `[1,"x"]`)
	roundTrip(t, runnel.Triple[int, string, []bool]{First: 1, Second: "x", Third: []bool{true}}, `[1,"x",[true]]`)
	roundTrip(t, runnel.Outcome[int]{Value: 0}, `{"value":0}`)
	roundTrip(t, runnel.Outcome[int]{Failure: &runnel.Failure{Message: "no"}}, `{"failure":{"message":"no"}}`)
	roundTrip(t, []runnel.None{{}, {}}, `[null,null]`)
	var p runnel.Pair[int, int]
	if err := json.Unmarshal([]byte(`[1]`), &p); !errors.Is(err, runnel.ErrEncoding) {
		t.Errorf("error %v", err)
	}
	if _, err := (runnel.Outcome[int]{Failure: &runnel.Failure{Message: "no"}}).Get(); err == nil {
		t.Error("no error")
	}
}

func roundTrip[T any](t *testing.T, v T, want string) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil || string(data) != want {
		t.Fatalf("%s (%v), want %s", data, err, want)
	}
	var back T
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(v, back) {
		t.Errorf("back %+v (%v)", back, err)
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	var p runnel.Pipeline[int]
	for _, data := range []string{`{"runnel":2,"steps":[]}`, `{"runnel":1,"steps":[]}`, `{"steps":[{"task":"x"}]}`, `[]`} {
		if err := p.UnmarshalJSON([]byte(data)); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestTaskErrors(t *testing.T) {
	for _, tt := range []struct {
		task runnel.AnyTask
		want string
	}{
		{runnel.NewTask0[int]("", func(context.Context) (int, error) { return 0, nil }), "no name"},
		{runnel.NewTask0[int]("x", nil), `task "x": has no function`},
		{runnel.NewOrchestrator1[int, int]("x", nil), `task "x": has no function`},
		{runnel.NewTask0("x", func(context.Context) (int, error) { return 0, nil }, runnel.Retries(-2)), "Retries(-2)"},
		{runnel.Combine("x", open, size.With().Wait()), "one plain task"},
		{runnel.Combine("x", runnel.Ref1[string, int]("far"), double), `"far" is an orchestrator, or known by its name only`},
		{runnel.Combine("x", runnel.Each(double), average0), "one plain task"},
		{runnel.CombineVia("x", double, (func(context.Context, int) (int, error))(nil), double), "no function between"},
	} {
		if err := tt.task.Err(); err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, runnel.ErrInvalid) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
}

var average0 = runnel.NewTask1("average0", func(_ context.Context, xs []int) (int, error) { return len(xs), nil })
