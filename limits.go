package runnel

import (
	"context"
	"iter"

	"github.com/runnel-dev/runnel/api"
)

// Limits bounds how many task runs with a tag, see [Tags], are in progress at a
// time, over all runs of the engine. A task run takes a slot of each of its tags
// that has a limit, all at once, before its body starts, and gives them back
// when the attempt has ended: none are held while it waits for a retry. Who
// waits for slots holds none, nor a worker, and has its turn in the order of
// asking.
//
// A flow takes no slots; what it calls does.
//
// Limits are kept in the database. Get one with [Engine.Limits].
type Limits struct{ eng *Engine }

// Limits gives the limits by tag.
func (e *Engine) Limits() Limits { return Limits{e} }

// Create sets the limit of a tag: a new one, or another number for one there is.
// Task runs that have begun go on. Those in progress when a limit is made are
// not counted; with a lower number nothing begins until enough have ended. With
// 0 no task run with the tag begins: it ends as CANCELLED, and fails its step.
func (l Limits) Create(ctx context.Context, tag string, limit int) error {
	return l.eng.service().SetLimit(ctx, tag, limit)
}

// Read gives the limit of a tag, or [ErrNotFound].
func (l Limits) Read(ctx context.Context, tag string) (api.Limit, error) {
	return l.eng.service().Limit(ctx, tag)
}

// List gives all limits, ordered by tag.
func (l Limits) List(ctx context.Context) iter.Seq2[api.Limit, error] {
	return l.eng.service().Limits(ctx)
}

// Delete removes the limit of a tag, or gives [ErrNotFound]. What waited for it
// begins.
func (l Limits) Delete(ctx context.Context, tag string) error {
	return l.eng.service().DeleteLimit(ctx, tag)
}

// Reset forgets which task runs have slots of a tag: those go on, and are not
// counted any more. With ids of task runs only those are forgotten; [ErrConflict] if one
// of them has no slot. A crash needs no Reset, it leaves no slots behind.
func (l Limits) Reset(ctx context.Context, tag string, taskRuns ...string) error {
	return l.eng.service().ResetLimit(ctx, tag, taskRuns...)
}
