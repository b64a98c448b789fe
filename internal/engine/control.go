package engine

import (
	"context"
	"errors"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// Pause starts nothing more of a run until it is resumed. Bodies that run go on,
// and what they answer is kept.
func (e *Engine) Pause(ctx context.Context, id string) error {
	return e.control(ctx, id, lifecycle.Pause, func(r *run, c *change) {
		r.e.park(r, true)
		r.setRun(c)
		r.e.queue.push(c)
	})
}

// Resume goes on with a paused run.
func (e *Engine) Resume(ctx context.Context, id string) error {
	return e.control(ctx, id, lifecycle.Resume, func(r *run, c *change) {
		r.setRun(c)
		if held := r.finish; held != nil {
			r.finish = nil
			r.apply(c, []pipeline.Effect{*held})
		}
		c.then(r.unpark())
		r.e.queue.push(c)
	})
}

// unpark gives what puts the run's lane back, unless something was done to the
// run since, be it another resume, which is to be durable first.
func (r *run) unpark() func() {
	acts := r.acts
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.acts == acts && r.state != api.Paused {
			r.e.park(r, false)
		}
	}
}

// Cancel ends a run: bodies are told to end, what has not started never does,
// and what stands under Finally runs.
func (e *Engine) Cancel(ctx context.Context, id string) error {
	return e.control(ctx, id, lifecycle.Cancel, func(r *run, c *change) {
		r.epoch++
		r.setRun(c)
		c.then(r.unpark())
		r.cancelTree(c)
	})
}

// control does an action that the run's state allows, and waits until it is
// durable. An action that changes nothing is done at once. Act queues the change.
func (e *Engine) control(ctx context.Context, id string, action lifecycle.Action, act func(*run, *change)) error {
	return e.wherever(ctx, id, askControl, controlRequest{id, action}, nil, func(r *run, row *store.RunRow) error {
		if r == nil {
			_, err := lifecycle.Control(action, row.State)
			return err
		}
		return e.controlHere(ctx, r, action, act)
	})
}

func (e *Engine) controlHere(ctx context.Context, r *run, action lifecycle.Action, act func(*run, *change)) error {
	r.mu.Lock()
	to, err := lifecycle.Control(action, r.state)
	if err != nil || to == r.state {
		r.mu.Unlock()
		return err
	}
	done := make(chan error, 1)
	c := r.newChange()
	r.state = to
	r.acts++
	c.told = toldOn(done)
	act(r, c)
	r.mu.Unlock()
	if e.manual {
		return nil
	}
	return await(ctx, done)
}

// await waits until a change is durable or refused, or ctx ends; the change goes
// on then.
func await(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// cancelTree cancels everything in progress in the run but what stands under
// Finally, and queues change c. Called with r.mu.
func (r *run) cancelTree(c *change) {
	r.root.Cancelled = true
	if held := r.finish; held != nil {
		r.finish = nil
		held.Outcome = pipeline.Outcome{Status: pipeline.Cancelled}
		r.apply(c, []pipeline.Effect{*held})
	}
	tell := r.cancelLive(c)
	r.e.queue.push(c) // before what follows from it
	for _, t := range tell {
		t.tell(api.ErrCancelled)
	}
}

// cancelLive spreads cancellation from the frames that are marked to those
// below, drops the children that have not started, and gives the tasks to be
// told. Called with r.mu.
func (r *run) cancelLive(c *change) []*task {
	seen := make(map[*pipeline.Frame]bool)
	var tell []*task
	for t := range r.live.going() {
		spread(t.frame, seen)
		if t.flow != nil { // it may call something before it is told
			spread(t.flow.frame, seen)
		}
		if !t.shielded() {
			tell = append(tell, t)
		}
	}
	for _, g := range r.groups {
		if spread(g.frame, seen) {
			g.forsake()
			if n := r.e.dispatch.drop(g); n > 0 {
				r.joinUnstarted(c, g, n)
			}
		}
	}
	return tell
}

// spread marks f as cancelled if a frame above it is, Finally apart.
func spread(f *pipeline.Frame, seen map[*pipeline.Frame]bool) bool {
	if seen[f] || f.Parent == nil {
		return f.Cancelled
	}
	seen[f] = true
	if spread(f.Parent, seen) && (f.Parent.Chain == nil || f.Place < len(f.Parent.Chain.Steps)) {
		f.Cancelled = true
	}
	return f.Cancelled
}

// tell ends a task: at once if it has no body running, else by its context.
// Called with run.mu.
func (t *task) tell(cause *api.Error) {
	switch t.phase {
	case ready, scheduled, waiting:
		t.ended(api.Answer{}, pipeline.Value{})
	case claimed:
		if t.cause != nil {
			return
		}
		t.cause = cause
		if t.cancel != nil {
			t.cancel(cause)
		}
		t.stopTimers()
		t.deadline = t.run.e.timers.after(t.run.e.now().Add(t.run.e.grace), t.abandon)
	case over:
	}
}

// expire ends an attempt that took too long.
func (t *task) expire(why string) {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	cause := api.Errorf(api.ErrTimeout, "", "%s", why)
	switch t.phase {
	case claimed:
		t.tell(cause)
	case waiting:
		t.ended(api.Answer{Failure: &api.Failure{Type: "*api.Error", Code: api.ErrTimeout.Code, Message: why}}, pipeline.Value{})
	case ready, scheduled, over:
	}
}

// abandon goes on without a body that ignores that its context has ended. Its
// worker stays taken until it returns; what it returns is ignored.
func (t *task) abandon() {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	if t.phase != claimed || t.cause == nil {
		return
	}
	t.endSlots()
	t.run.e.log.Warn("body ignores that its context has ended; going on without it",
		"task", t.job.Task, "task_run", t.job.ID, "attempt", t.attempt, "cause", t.cause)
	a := api.Answer{}
	if t.cause == errStopped || !errors.Is(t.cause, api.ErrCancelled) {
		a = t.override(a)
		a.Failure.Message += "; the body ignores its context and may still run"
	}
	t.ended(a, pipeline.Value{})
}
