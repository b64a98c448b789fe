package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Spans is told how things ended, once that is durable and by the engine that had
// them: without locks, once, and not of what was durable when the engine was made. It
// must not block.
type Spans interface {
	RunEnded(trace string, run *api.Run)
	TaskRunEnded(trace string, run *api.TaskRun)
}

// trace asks for the trace of a run that is to be, and gives what to call once it is
// durable or refused; nil: nothing.
func (e *Engine) trace(ctx context.Context, req *request) (done func(error)) {
	if e.tracing == nil {
		return nil
	}
	trace, done := e.tracing(ctx, req.name)
	if trace != "" {
		req.made = req.made.traced(trace)
	}
	return done
}

// Trace gives the trace of the job's run. See worker.Source.
func (e *Engine) Trace(job *api.Job) string { return job.Key.(*task).run.made.traceOf() }

// Trace gives what the lender said. See worker.Source.
func (x *borrowed) Trace(*api.Job) string { return x.trace }

// tellSpans has who makes spans told how the run ended, once c is durable. Called with
// r.mu.
func (r *run) tellSpans(c *change) {
	spans := r.e.spans
	if spans == nil {
		return
	}
	row := store.RunRow{
		ID: r.id, UID: r.uid, Name: r.name, State: c.SetRun.State, Gen: r.gen, Created: r.created, Finished: c.SetRun.Finished,
		Cell: c.SetRun.Cell,
	}
	c.then(func() {
		out, err := r.e.fromRow(&row)
		if err != nil {
			r.e.log.Error("nobody is told how a run ended", "run", r.text, "error", err)
			return
		}
		spans.RunEnded(r.made.traceOf(), &out)
	})
}
