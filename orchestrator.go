package runnel

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// NewOrchestrator0 makes a task whose function decides what runs in its place:
// it returns a pipeline, whose outcome is the task's own, or [Value] for a plain
// result. Everywhere else it is a task like any other.
//
// The task's retries cover its function, not the pipeline that it returns. The
// pipeline has a state of its own unless it is [Pipeline.Inline]. A nil Runnable
// without an error is an error.
func NewOrchestrator0[R any](name string, body func(ctx context.Context) (Runnable[R], error), opts ...TaskOption) Task0[R] {
	return Task0[R]{newOrchestrator(name, 0, body == nil, func(ctx context.Context, _, _, _ None) (Runnable[R], error) { return body(ctx) }, opts)}
}

// NewOrchestrator1 makes a task with one argument whose function decides what
// runs in its place; see [NewOrchestrator0].
func NewOrchestrator1[A, R any](name string, body func(ctx context.Context, a A) (Runnable[R], error), opts ...TaskOption) Task1[A, R] {
	return Task1[A, R]{newOrchestrator(name, 1, body == nil, func(ctx context.Context, a A, _, _ None) (Runnable[R], error) { return body(ctx, a) }, opts)}
}

// NewOrchestrator2 makes a task with two arguments whose function decides what
// runs in its place; see [NewOrchestrator0].
func NewOrchestrator2[A, B, R any](name string, body func(ctx context.Context, a A, b B) (Runnable[R], error), opts ...TaskOption) Task2[A, B, R] {
	return Task2[A, B, R]{newOrchestrator(name, 2, body == nil, func(ctx context.Context, a A, b B, _ None) (Runnable[R], error) { return body(ctx, a, b) }, opts)}
}

// NewOrchestrator3 makes a task with three arguments whose function decides what
// runs in its place; see [NewOrchestrator0].
func NewOrchestrator3[A, B, C, R any](name string, body func(ctx context.Context, a A, b B, c C) (Runnable[R], error), opts ...TaskOption) Task3[A, B, C, R] {
	return Task3[A, B, C, R]{newOrchestrator(name, 3, body == nil, body, opts)}
}

func newOrchestrator[A, B, C, R any](name string, arity int, noBody bool, body func(context.Context, A, B, C) (Runnable[R], error), opts []TaskOption) handle {
	d := declare[A, B, C, R](name, arity)
	d.configure(noBody, opts)
	d.orchestrator = true
	d.work.Run = func(b *worker.Body) (worker.Result, error) {
		x, y, z, err := begin[A, B, C](d, b)
		if err != nil {
			return worker.Result{}, err
		}
		next, err := body(b, x, y, z)
		switch {
		case err != nil:
			return worker.Result{}, err
		case next == nil:
			return worker.Result{}, api.Errorf(ErrInvalid, "", "orchestrator %q returned neither a pipeline nor an error", name)
		}
		return d.replaced(next.closed().plan)
	}
	return handle{decl: d}
}

// replaced gives the pipeline that takes the place of an orchestrator, or the
// plain result that it amounts to.
func (d *declaration) replaced(p plan) (worker.Result, error) {
	if err := p.problem(); err != nil {
		return worker.Result{}, api.Errorf(ErrInvalid, "", "orchestrator %q returned a pipeline that can't run: %w", d.name, err)
	}
	v, plain := p.value()
	switch {
	case !plain:
		return worker.Result{Pipeline: p.spec()}, nil
	case d.result.kind == "none":
		return worker.Result{}, nil
	}
	return worker.Result{Value: v}, nil
}
