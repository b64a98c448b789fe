package runnel

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
)

// Run is a submitted pipeline that ends in an R.
type Run[R any] struct {
	engine *Engine
	handle atomic.Pointer[engine.Handle] // another after Retry
}

func newRun[R any](e *Engine, h *engine.Handle) *Run[R] {
	r := &Run[R]{engine: e}
	r.handle.Store(h)
	return r
}

// ID gives the run's id, a UUIDv7. [Engine.Attach] finds the run by it.
func (r *Run[R]) ID() string { return r.handle.Load().ID() }

// Wait gives the result once the run has ended; a *[Failure] if it failed or
// was cancelled. When ctx ends it stops waiting; the run goes on.
func (r *Run[R]) Wait(ctx context.Context) (R, error) {
	if r.engine.remote != nil {
		out, err := r.engine.remote.Wait(ctx, r.ID())
		return r.value(outcomeFrom(out), err)
	}
	out, err := r.engine.seat.Wait(ctx, r.handle.Load())
	return r.value(out, err)
}

// Result is Wait for a run that has ended, and an [ErrConflict] while it has
// not.
func (r *Run[R]) Result(ctx context.Context) (R, error) {
	out, err := r.engine.service().Result(ctx, r.ID())
	return r.value(outcomeFrom(out), err)
}

// value decodes what became of the run.
func (r *Run[R]) value(out engine.Outcome, err error) (R, error) {
	var zero R
	switch {
	case err != nil:
		return zero, err
	case out.Failure != nil:
		return zero, out.Failure.Resolve(r.engine.named)
	case out.State != api.Completed:
		return zero, api.Errorf(ErrCancelled, "", "run %s was cancelled", r.ID())
	}
	v, err := decode[R](out.Result)
	if err != nil {
		return zero, api.Errorf(ErrEncoding, "", "result of run %s: %w", r.ID(), err)
	}
	return v, nil
}

// FinalState gives the state that the pipeline ended with, also if it failed;
// the zero value if it has none. It is an [ErrConflict] while the run goes on.
func (r *Run[R]) FinalState[S any](ctx context.Context) (S, error) {
	var zero S
	out, err := r.engine.service().Result(ctx, r.ID())
	if err != nil || out.FinalState == nil {
		return zero, err
	}
	v, err := decode[S](out.FinalState)
	if err != nil {
		return zero, api.Errorf(ErrEncoding, "", "state of run %s: %w", r.ID(), err)
	}
	return v, nil
}

// Status gives what is known of the run now.
func (r *Run[R]) Status(ctx context.Context) (api.Run, error) {
	run, err := r.engine.service().Status(ctx, r.ID())
	run.Failure.Resolve(r.engine.named)
	return run, err
}

// Request gives the pipeline as it was submitted, in its JSON form.
func (r *Run[R]) Request(ctx context.Context) (json.RawMessage, error) {
	return r.engine.service().Request(ctx, r.ID())
}

// Pause is [Engine.Pause] for this run.
func (r *Run[R]) Pause(ctx context.Context) error { return r.engine.Pause(ctx, r.ID()) }

// Resume is [Engine.Resume] for this run.
func (r *Run[R]) Resume(ctx context.Context) error { return r.engine.Resume(ctx, r.ID()) }

// Cancel is [Engine.Cancel] for this run.
func (r *Run[R]) Cancel(ctx context.Context) error { return r.engine.Cancel(ctx, r.ID()) }

// Retry is [Engine.Retry] for this run. Wait is about the new attempt then.
func (r *Run[R]) Retry(ctx context.Context) error {
	return r.again(ctx, r.engine.Retry(ctx, r.ID()))
}

// RetryAll is [Engine.RetryAll] for this run. Wait is about the new attempt then.
func (r *Run[R]) RetryAll(ctx context.Context) error {
	return r.again(ctx, r.engine.RetryAll(ctx, r.ID()))
}

// RetryFrom is [Engine.RetryFrom] for a task run of this run. Wait is about the new
// attempt then.
func (r *Run[R]) RetryFrom(ctx context.Context, taskRun string) error {
	return r.again(ctx, r.engine.RetryFrom(ctx, taskRun))
}

// again has Wait be about the attempt that has begun, if none failed to.
func (r *Run[R]) again(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	if r.engine.remote != nil {
		return nil
	}
	h, err := r.engine.inner().Find(ctx, r.ID())
	if err != nil {
		return err
	}
	r.handle.Store(h)
	return nil
}
