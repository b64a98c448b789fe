package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// adoptEvery is how often operations are looked for whose server has ended, if none is
// known to run elsewhere.
const adoptEvery = time.Minute

// adopt goes on with operations that others have left, now and from then on.
func (o *operations) adopt(ctx context.Context) {
	for ctx.Err() == nil {
		wait := adoptEvery
		if elsewhere, err := o.adoptFree(ctx); err != nil && ctx.Err() == nil {
			o.log.Warn("http: operations can't be looked for", "error", err)
		} else if elsewhere {
			wait = stale
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// adoptFree takes those that are nobody's, and reports whether others run elsewhere.
func (o *operations) adoptFree(ctx context.Context) (elsewhere bool, err error) {
	type found struct {
		kept *keptOperation
		was  []byte
	}
	var free []found
	err = o.each(ctx, "", func(kept *keptOperation, was []byte) error {
		switch {
		case kept.free(o.now()):
			free = append(free, found{kept, was})
		case kept.State == operationRunning && kept.Owner != o.self:
			elsewhere = true
		}
		return nil
	})
	for _, f := range free {
		if err == nil {
			err = o.take(ctx, f.kept, f.was)
		}
	}
	return elsewhere, err
}

// take goes on with an operation that is nobody's.
func (o *operations) take(ctx context.Context, kept *keptOperation, was []byte) error {
	ids, err := o.items(ctx, kept)
	if err != nil {
		return err
	}
	kept.Owner, kept.Seen = o.self, o.now().UTC()
	kept.Resumed++
	value, err := kept.encode()
	if err != nil {
		return err
	}
	err = o.notes.PutNotes(ctx, Note{Kind: operationKind, Key: kept.ID, Value: value, Check: true, Was: was})
	if errors.Is(err, api.ErrConflict) {
		return nil // somebody else was faster
	}
	if err != nil {
		return err
	}
	o.log.Info("http: going on with an operation of a server that has ended", "id", kept.ID, "action", kept.Action, "done", kept.Done+kept.Failed, "total", kept.Total)
	return o.begin(kept, value, ids)
}
