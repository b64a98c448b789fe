package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// askCancelTask asks the process that has a run to cancel one task run of it.
const askCancelTask = "task.cancel"

// errStopped is the cause of a body that was cancelled alone.
var errStopped = api.Errorf(api.ErrCancelled, "", "the task run was cancelled")

func stopped() *api.Failure {
	return &api.Failure{Type: "*api.Error", Code: api.ErrCancelled.Code, Message: "the task run was cancelled by a request"}
}

// CancelTask ends one task run of a live run: its body is told to end, or it never
// begins. It is CANCELLED and not tried again, and for what follows it the step has
// failed: handlers run, a group reports it, the run can be retried. It returns when
// that is durable, or the body was told.
func (e *Engine) CancelTask(ctx context.Context, id string) error {
	of, seq, err := cutID(id)
	if err != nil {
		return err
	}
	return e.wherever(ctx, of, askCancelTask, id, nil, func(r *run, row *store.RunRow) error {
		if r == nil {
			return api.Errorf(errRunFinal, "", "run %s has ended, as %s: nothing of it can be cancelled", of, row.State)
		}
		return e.cancelTaskHere(ctx, r, id, seq)
	})
}

func (e *Engine) cancelTaskHere(ctx context.Context, r *run, id string, seq int64) error {
	r.mu.Lock()
	t := r.live.find(seq)
	if t == nil || !t.born || t.phase == over {
		r.mu.Unlock()
		return e.notLive(ctx, r, id)
	}
	var done chan error // nil: there is nothing to wait for
	switch t.phase {
	case ready, scheduled, waiting:
		t.cell.Put().Name = lifecycle.Stopped
		if c := t.ending(api.Answer{NoRetry: true, Failure: stopped()}, pipeline.Value{}); c != nil {
			done = make(chan error, 1)
			c.told = toldOn(done)
			e.queue.push(c)
		}
	case claimed:
		t.tell(errStopped)
	case over:
	}
	r.mu.Unlock()
	if done == nil || e.manual {
		return nil
	}
	return await(ctx, done)
}

// notLive says why a task run can't be cancelled that is not in memory.
func (e *Engine) notLive(ctx context.Context, r *run, id string) error {
	row, err := e.store.Run(ctx, r.id)
	if err != nil {
		return err
	}
	_, seq, err := cutID(id)
	if err != nil {
		return err
	}
	found, _, err := e.storedTask(ctx, &row, seq)
	switch {
	case err != nil:
		return err
	case found.ID == "":
		return api.Errorf(api.ErrNotFound, "", "no task run %s: what has not begun has none; cancel its run", id)
	case found.State.Final():
		return api.Errorf(errTaskFinal, "", "task run %s has ended, as %s", id, found.State)
	}
	return api.Errorf(api.ErrConflict, "", "task run %s is not in progress: what comes before it has yet to begin again, or its end is being stored", id)
}
