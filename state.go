package runnel

import (
	"context"
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Cell is a value that outlives a task's body: the state of the pipeline, or
// that kept under a task's id.
type Cell[S any] struct {
	body  *worker.Body
	keyed bool
}

// State is the state of the pipeline that the task of ctx is part of: what the
// task before it left, what [Pipeline.WithState] gave, or nothing.
//
// A task that fails leaves it as it was. The branches of a group all begin with
// the same; afterwards states that are maps are merged key by key, of all
// others, and of equal keys, the one of the first branch is kept. A pipeline
// returned by an orchestrator has a state of its own unless it is inline.
func State[S any](ctx context.Context) Cell[S] { return Cell[S]{body: worker.From(ctx)} }

// Keyed is the state kept under the [TaskID] of the task of ctx: what the task
// before it with the same id left, in whichever run. A failing attempt
// leaves what it set. Without a TaskID, Set is an error.
func Keyed[S any](ctx context.Context) Cell[S] {
	return Cell[S]{body: worker.From(ctx), keyed: true}
}

// Get gives the value as this body sees it, the zero value if there is none. It
// fails if what is there is not an S, or the context is not that of a task.
func (c Cell[S]) Get() (S, error) {
	var (
		zero S
		data json.RawMessage
	)
	switch {
	case c.body == nil:
		return zero, errNoTask
	case c.keyed:
		data = c.body.Keyed()
	default:
		data = c.body.State()
	}
	if data == nil {
		return zero, nil
	}
	v, err := decode[S](data)
	if err != nil {
		return zero, api.Errorf(ErrEncoding, "", "state: %w", err)
	}
	return v, nil
}

// Set replaces the value. It fails if the value can't be encoded, if the body
// has ended, or if the context is not that of a task.
func (c Cell[S]) Set(v S) error {
	if c.body == nil {
		return errNoTask
	}
	data, err := encodeArg(v)
	switch {
	case err != nil:
		return api.Errorf(ErrEncoding, "", "state: %w", err)
	case c.keyed:
		return c.body.SetKeyed(data)
	}
	return c.body.SetState(data, merges[S]())
}

var errNoTask = api.Errorf(ErrInvalid, "", "the context is not that of a task")
