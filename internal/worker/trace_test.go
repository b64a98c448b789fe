package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

type noted struct{}

// tracer puts the trace into the context, and notes how attempts ended.
type tracer struct{ ended []*api.Answer }

func (x *tracer) Begin(trace string, _ *api.Job, _ time.Time) (context.Context, func(*api.Answer)) {
	if trace == "" {
		return nil, nil
	}
	return context.WithValue(context.Background(), noted{}, trace), func(a *api.Answer) { x.ended = append(x.ended, a) }
}

// The body's context is made of the tracer's, and is cancelled all the same; the end of
// the attempt is told with its answer.
func TestTracer(t *testing.T) {
	x, stop := new(tracer), errors.New("stop")
	src := &source{trace: "a trace", begin: func(cancel func(error)) { cancel(stop) }}
	r := registry(t, &worker.Task{Name: "t", Run: func(b *worker.Body) (worker.Result, error) {
		if got := b.Value(noted{}); got != "a trace" {
			t.Errorf("the context has %v of the tracer's", got)
		}
		<-b.Done()
		return worker.Result{}, context.Cause(b)
	}})
	r.Tracer = x
	r.Execute(src, job())
	if a := src.one(t); a.Failure == nil || a.Failure.Message != "stop" {
		t.Errorf("the answer is %+v, want a failure: stop", a)
	}
	if len(x.ended) != 1 || x.ended[0].Failure == nil || x.ended[0].Ended.IsZero() {
		t.Errorf("the tracer was told of %+v, want the answer", x.ended)
	}
}

// A tracer that has nothing to say of an attempt costs it nothing.
func TestTracerCostsNothing(t *testing.T) {
	cost := func(x worker.Tracer) float64 {
		r := registry(t, &worker.Task{Name: "t", Run: func(*worker.Body) (worker.Result, error) { return worker.Result{}, nil }})
		r.Tracer = x
		src := &source{answers: make([]api.Answer, 0, 1000), events: make([]string, 0, 1000)}
		return testing.AllocsPerRun(200, func() { r.Execute(src, job()) })
	}
	if none, idle := cost(nil), cost(new(tracer)); idle != none {
		t.Errorf("%v allocations for an attempt with a tracer that does nothing, %v without one", idle, none)
	}
}

// There is a body for each attempt: one with a field more would take the allocator's
// next class.
func TestBodySize(t *testing.T) {
	const class = 352
	if worker.BodySize > class {
		t.Errorf("a body has %d bytes, want %d at most", worker.BodySize, class)
	}
}
