package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Claim gives the next job to a worker, and who takes its answer. See
// worker.Claimer.
func (e *Engine) Claim(ctx context.Context) (*api.Job, worker.Source, error) {
	return e.claim(ctx, true)
}

// TryClaim is Claim that gives nil instead of blocking.
func (e *Engine) TryClaim(ctx context.Context) (*api.Job, error) {
	job, _, err := e.claim(ctx, false)
	if err == api.ErrNotFound { //nolint:errorlint // the dispatcher's own value
		return nil, nil
	}
	return job, err
}

func (e *Engine) claim(ctx context.Context, wait bool) (*api.Job, worker.Source, error) {
	e.queue.throttle()
	for {
		it, err := e.dispatch.next(ctx, wait)
		if err != nil {
			return nil, nil, err
		}
		if x := it.borrowed; x != nil {
			e.borrowing.running.Add(1)
			return x.job, x, nil
		}
		if t := e.taken(it); t != nil && e.claims(t, e.ownWorker()) {
			return t.job, e, nil
		}
	}
}

// taken gives the task of what the dispatcher gave, nil if it is not to run now.
func (e *Engine) taken(it item) *task {
	if it.task != nil {
		return it.task
	}
	t := e.startChild(it)
	if t == nil || t.keyed && !e.enterKeyed(t) {
		return nil
	}
	return t
}

// claims reports whether t has all that it needs to run, and gives it out to a worker.
func (e *Engine) claims(t *task, worker uint32) bool {
	if t.tagged && e.asked(t) {
		takes := e.takeSlots(t)
		if e.tellTags(t); !takes {
			return false
		}
	}
	if e.prepare(t, worker) {
		return true
	}
	e.dropKeyed(t)
	return false
}

// dropKeyed ends the turn of a task that is not to begin.
func (e *Engine) dropKeyed(t *task) {
	if t.keyed {
		e.leaveKeyed(t, &api.Answer{})
	}
}

// startChild makes the task of a group's child, nil if there is none to run yet.
func (e *Engine) startChild(it item) *task {
	g := it.group
	r := g.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return nil
	}
	if g.frame.Cancelled {
		c := r.newChange()
		r.joinUnstarted(c, g, 1)
		e.queue.push(c)
		return nil
	}
	if it.revive != nil {
		g.begun(it.index)
		it.revive()
		return nil
	}
	in := g.frame.In
	if g.list != nil {
		in = pipeline.Value{Data: it.element}
	}
	c := r.newChange()
	if it.err != nil {
		g.begun(it.index)
		failure := systemFailure(it.err)
		r.apply(c, []pipeline.Effect{{Kind: pipeline.Join, Frame: g.frame, Place: it.index, Outcome: failed(failure), State: g.frame.State}})
		e.queue.push(c)
		return nil
	}
	r.apply(c, pipeline.Child(c.effects, g.frame, it.index, in))
	c.foreseen = g.firstOf(it.index) != ""
	// The group's frame is durable, so a child that is a task may start before
	// anything more is. What opens a frame of its own waits for that.
	if len(c.Frames)+len(c.Blocks) == 0 && c.more == nil && c.SetRun == nil && len(c.starts) == 1 {
		t := c.starts[0]
		t.bear()
		if !c.foreseen {
			e.vitals.meter.rose(t)
		}
		c.free()
		if !g.lane.takes(t) {
			e.dispatch.hold(t)
			e.enqueue(r, []*task{t})
			return nil
		}
		return t
	}
	e.queue.push(c)
	return nil
}

// prepare fills in what a job needs beside its task, and marks it as given out;
// false if it is not to run any more.
func (e *Engine) prepare(t *task, worker uint32) bool {
	input, err := text(t.input), error(nil)
	if input == nil && t.input.Blob != 0 {
		input, err = e.load(context.Background(), store.Payload{Blob: store.Blob{ID: t.input.Blob, Size: t.input.Size}}) //nolint:forbidigo // a claim's context is its worker's
	}
	if err == nil && t.keyed {
		t.job.Keyed, err = e.loadKeyed(t)
	}
	r := t.run
	r.mu.Lock()
	defer r.mu.Unlock()
	// One whose group has been stopped is told of it once that is durable.
	if t.phase != ready || !t.shielded() {
		e.leaveSlots(t)
		e.leaveTurn(t, false)
		return false
	}
	if err == nil && t.call.Flow {
		err = t.openFlow()
	}
	t.given()
	if err != nil {
		t.phase = claimed
		t.cause = nil
		t.ended(api.Answer{Failure: systemFailure(err)}, pipeline.Value{})
		return false
	}
	if t.job.Key == nil {
		t.job.Key = t
	} else { // an earlier attempt may still hold its job
		again := *t.job
		t.job = &again
	}
	t.job.Input, t.job.Attempt, t.job.Generation = input, int(t.attempt), int(r.gen)
	if t.call.Cached {
		t.flowFacts()
		t.job.Looked = t.call.Alone && e.cache.begin(t, false)
	}
	t.phase, t.cause, t.shown, t.cell.Worker = claimed, nil, false, worker
	t.begins()
	e.claimed.Add(1)
	if t.call.Flow {
		e.lending.flowing.Add(1)
	}
	return true
}

// begins notes the time of an attempt.
func (t *task) begins() {
	now := t.run.e.micros()
	if t.cell.Started == 0 {
		t.cell.Started = now
	}
	t.cell.Begun = now
}

// Begin says that the job's body is about to start. See worker.Source.
func (e *Engine) Begin(job *api.Job, cancel func(cause error)) {
	t := job.Key.(*task)
	r := t.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.cause != nil {
		cancel(t.cause)
		return
	}
	t.cancel = cancel
	if job.Timeout > 0 {
		t.deadline = e.timers.after(e.now().Add(job.Timeout), func() { t.expire("timed out after " + job.Timeout.String()) })
	}
	if job.HeartbeatTimeout > 0 {
		t.armHeartbeat()
	}
	e.sweep.begun(t)
}

func (t *task) armHeartbeat() {
	e, every := t.run.e, t.job.HeartbeatTimeout
	t.heartbeat.stop()
	t.heartbeat = e.timers.after(e.now().Add(every), func() { t.expire("no heartbeat for " + every.String()) })
}

// Heartbeat says that the body makes progress. See worker.Source.
func (e *Engine) Heartbeat(job *api.Job) error {
	t := job.Key.(*task)
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	switch {
	case t.phase != claimed:
		return api.Errorf(api.ErrConflict, "", "task run %s is not running any more", job.ID)
	case t.cause != nil:
		return t.cause
	case job.HeartbeatTimeout > 0:
		t.armHeartbeat()
	}
	return nil
}
