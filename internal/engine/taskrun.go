package engine

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// TaskRun gives one task run by its id, a run's with a slash and a number, as TaskRuns
// lists it. It is found by its key, however many there are.
func (e *Engine) TaskRun(ctx context.Context, id string) (api.TaskRun, error) {
	run, seq, err := cutID(id)
	if err != nil {
		return api.TaskRun{}, err
	}
	row, err := e.rowOf(ctx, run)
	if err != nil {
		return api.TaskRun{}, err
	}
	live, here := e.liveTask(ctx, &row, seq) // before the row is read, which counts if there is one
	out, key, err := e.storedTask(ctx, &row, seq)
	switch {
	case err != nil:
		return out, err
	case out.ID == "" && live.ID == "":
		return out, api.Errorf(api.ErrNotFound, "", "no task run %q: what has not begun has none", id)
	case out.ID == "":
		blocks, err := e.blocksOf(ctx, &row)
		if err != nil {
			return live, err
		}
		return live, e.placesOf(ctx, &row, blocks).fill(&live, nil)
	case out.State.Final():
	case live.ID != "":
		out.Waiting, out.Reason, out.Worker = live.Waiting, live.Reason, cmp.Or(live.Worker, out.Worker)
	case here != nil:
		explain(&out, here.storedWaits(&out, key))
	}
	return out, nil
}

// rowOf reads the row of a run.
func (e *Engine) rowOf(ctx context.Context, id string) (store.RunRow, error) {
	r, row, err := e.find(ctx, id)
	if err == nil && r != nil {
		row, err = e.store.Run(ctx, r.id)
	}
	return row, err
}

// liveTask gives a task run that is in memory, from the engine that has its run; no id
// if there is none. Here is the run if that is this one.
func (e *Engine) liveTask(ctx context.Context, row *store.RunRow, seq int64) (out api.TaskRun, here *run) {
	if row.State.Final() {
		return out, nil
	}
	e.mu.Lock()
	here = e.runs[row.ID]
	e.mu.Unlock()
	if here != nil {
		return here.liveTask(seq), here
	}
	if e.peers.node != nil {
		// If it can't be asked, it is what was stored.
		_ = e.briefly(ctx, row, askTask, uuid.UUID(row.UID).String()+"/"+itoa(seq), &out)
	}
	return out, nil
}

func (r *run) liveTask(seq int64) (out api.TaskRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.live.find(seq); t != nil && t.born {
		return t.show()
	}
	if call := r.pending[seq]; call != nil {
		if shown, listed := call.show(); listed {
			return shown
		}
	}
	return out
}

func (e *Engine) replyTask(_ context.Context, id string) (any, error) {
	run, seq, err := cutID(id)
	if err != nil {
		return nil, err
	}
	r, err := e.liveHere(run)
	if err != nil {
		return nil, err
	}
	return r.liveTask(seq), nil
}

// recordedTask gives a task run that has a record.
func (e *Engine) recordedTask(ctx context.Context, id string) (api.TaskRun, error) {
	run, seq, err := cutID(id)
	if err != nil {
		return api.TaskRun{}, err
	}
	row, err := e.rowOf(ctx, run)
	if err != nil {
		return api.TaskRun{}, err
	}
	out, _, err := e.storedTask(ctx, &row, seq)
	if err == nil && out.ID == "" {
		err = api.Errorf(api.ErrNotFound, "", "no task run %q, or it has no record yet", id)
	}
	return out, err
}
