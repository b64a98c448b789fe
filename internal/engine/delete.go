package engine

import (
	"context"
	"errors"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Delete removes a run that has ended, with its task runs, results and log lines, as
// Retention does later. What is live is an ErrConflict. From its return on the run is
// not found, and the key that it was submitted under is free; what is left of a large
// one goes in small batches beside, and after a crash with the old runs. What is kept
// under task ids and in the cache stays.
func (e *Engine) Delete(ctx context.Context, id string) error {
	number, err := e.endedRun(ctx, id)
	if err != nil {
		return err
	}
	more, err := e.remove(ctx, number)
	switch {
	case errors.Is(err, api.ErrNotFound):
		return api.Errorf(api.ErrNotFound, "", "no run %s", id)
	case errors.Is(err, api.ErrConflict):
		return api.Errorf(errRunLive, "", "run %s is live again, and can't be deleted before it has ended", id)
	case err != nil:
		return err
	}
	e.changes.tell(false, api.Change{Run: id})
	if more {
		e.beside(func() { e.removeRest(id, number) })
	}
	return nil
}

// endedRun gives the number of a run that has ended.
func (e *Engine) endedRun(ctx context.Context, id string) (int64, error) {
	if e.isClosed() {
		return 0, api.ErrClosed
	}
	r, row, err := e.find(ctx, id)
	if err == nil && r != nil {
		row, err = e.store.Run(ctx, r.id)
	}
	switch {
	case err != nil:
		return 0, err
	case !row.State.Final():
		return 0, api.Errorf(errRunLive, "", "run %s is %s, and can't be deleted before it has ended: cancel it", id, row.State)
	case r == nil || e.manual:
		return row.ID, nil
	}
	select { // it has just ended, and is about to be forgotten here
	case <-r.handle.wait():
		return row.ID, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// removedAgain is how often a removal that met another one is tried.
const removedAgain = 5

// remove removes some of a run that has ended.
func (e *Engine) remove(ctx context.Context, number int64) (more bool, err error) {
	for range removedAgain {
		if more, err = e.store.Remove(ctx, number, expireBatch); !errors.Is(err, store.ErrRetry) {
			break
		}
	}
	return more, err
}

// removeRest removes what is left of a run that is gone.
func (e *Engine) removeRest(id string, number int64) {
	ctx := e.closers.ctx
	pause := time.NewTimer(expirePause)
	defer pause.Stop()
	for more := true; more; pause.Reset(expirePause) {
		if !e.manual {
			select {
			case <-pause.C:
			case <-ctx.Done():
				return
			}
		}
		var err error
		if more, err = e.remove(ctx, number); err != nil {
			if ctx.Err() == nil && !errors.Is(err, api.ErrNotFound) {
				e.log.Warn("what is left of a deleted run goes with the next old ones", "run", id, "error", err)
			}
			return
		}
	}
}
