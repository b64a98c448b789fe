package flow

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Engine makes calls and keeps what a flow observed. Each told is called once,
// without locks, perhaps before the method returns, and not if that fails.
type Engine interface {
	// FlowCall makes a call or finds the one made before under its key, and gives
	// its task run id, "" if only the end tells that.
	FlowCall(job *api.Job, call *api.FlowCall, told func(api.FlowEnd)) (string, error)
	// FlowWait says that a call will be made once others have ended. It gives the
	// task run id under which it is listed until then, "" if it is not.
	FlowWait(job *api.Job, wait *api.FlowWait) string
	// FlowCancel cancels calls that are in progress.
	FlowCancel(job *api.Job, keys []string) error
	// FlowNote keeps a value under a key, or gives back the one kept before.
	FlowNote(job *api.Job, key string, value json.RawMessage, told func(json.RawMessage, error)) error
	// FlowKnows gives the value kept under a key, nil for none.
	FlowKnows(job *api.Job, key string) json.RawMessage
	// FlowTimer calls fire at a time, unless it is stopped.
	FlowTimer(at time.Time, fire func()) (stop func())
	// Time is what the clock says.
	Time() time.Time
}

// maxOpen is how many calls of a flow may be in progress; a further one waits
// for its turn, so that a flow that calls without end does not fill the memory.
const maxOpen = 16 << 10

// Run is one attempt of a flow.
type Run struct {
	engine Engine
	job    *api.Job
	ctx    context.Context //nolint:containedctx // the body's; it ends with the attempt
	// Park waits until ready is closed, or the context ends. The simulation has
	// its own.
	park func(ctx context.Context, ready <-chan struct{}) error

	mu          sync.Mutex
	open        int           // calls and branches that have not ended
	room        chan struct{} // closed when there is room or nothing is open; nil: nobody waits
	over        bool
	interrupted bool
	broken      error // why the flow can't go on
}

// New makes the run of a job, whose body has the context ctx. A nil park is one
// for goroutines.
func New(ctx context.Context, engine Engine, job *api.Job, park func(context.Context, <-chan struct{}) error) *Run {
	if park == nil {
		park = parkGoroutine
	}
	return &Run{engine: engine, job: job, ctx: ctx, park: park}
}

func parkGoroutine(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	default:
	}
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Job gives the flow's job.
func (r *Run) Job() *api.Job { return r.job }

// wait waits for ready, and takes note if the engine was closed meanwhile.
func (r *Run) wait(ctx context.Context, ready <-chan struct{}) error {
	return r.failed(r.park(ctx, ready))
}

// failed looks at why an operation failed.
func (r *Run) failed(err error) error {
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, api.ErrClosed):
		r.interrupted = true
	case errors.Is(err, api.ErrChanged) && r.broken == nil:
		r.broken = err
	}
	return err
}

// usable reports why the flow can't be used.
func (r *Run) usable() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return api.Errorf(api.ErrClosed, r.job.ID, "the flow's function has returned, or this is not it")
	}
	return r.broken
}

// begun counts what keeps the flow from ending.
func (r *Run) begun() {
	r.mu.Lock()
	r.open++
	r.mu.Unlock()
}

func (r *Run) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	if r.room != nil && (r.open == 0 || r.open == maxOpen-1) {
		close(r.room)
		r.room = nil
	}
}

// below waits until at most so many are open.
func (r *Run) below(ctx context.Context, most int) error {
	for {
		r.mu.Lock()
		if r.open <= most {
			r.mu.Unlock()
			return nil
		}
		if r.room == nil {
			r.room = make(chan struct{})
		}
		room := r.room
		r.mu.Unlock()
		if err := r.wait(ctx, room); err != nil {
			return err
		}
	}
}

// End waits for what the body left open, and says whether the engine was closed
// before the body came to its end, and why else it can't have.
func (r *Run) End() (interrupted bool, err error) {
	waited := r.below(r.ctx, 0)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	if waited == nil {
		waited = r.broken
	}
	return r.interrupted, waited
}

// Go runs do on a goroutine of its own. The flow does not end before it.
func (r *Run) Go(do func()) {
	r.begun()
	go func() {
		defer r.ended()
		do()
	}()
}
