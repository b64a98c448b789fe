package worker

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Body is one attempt while it runs. It is the context that the user's function
// is given, and holds what the function may read and leave behind.
//
// As a context it costs nothing until somebody asks for more than Err: a real
// one is made at the first call of Done, or of Value with a key of another's.
type Body struct {
	job      *api.Job
	task     *Task
	registry *Registry
	source   Source
	started  time.Time
	told     *api.TaskRun // how the task run ended, for the hooks after it

	mu     sync.Mutex
	cause  error           // why it was cancelled
	inner  context.Context //nolint:containedctx // a body is a context
	cancel context.CancelCauseFunc
	answer api.Answer // what the body leaves behind, but for its result
	temp   string

	printer *Printer          // nil: nothing was printed
	traced  func(*api.Answer) // ends the attempt's span; nil: it has none

	ended    bool // guarded by mu
	reported bool // only the goroutine of the body looks
}

type bodyKey struct{}

// From gives the body that ctx belongs to, nil if it belongs to none.
func From(ctx context.Context) *Body {
	if b, ok := ctx.(*Body); ok {
		return b
	}
	b, _ := ctx.Value(bodyKey{}).(*Body)
	return b
}

// Deadline gives the time at which the attempt times out.
func (b *Body) Deadline() (time.Time, bool) {
	if b.job.Timeout <= 0 || b.told != nil {
		return time.Time{}, false
	}
	return b.started.Add(b.job.Timeout), true
}

// Done is closed when the attempt is cancelled, and when it has ended.
func (b *Body) Done() <-chan struct{} { return b.context().Done() }

// Err says whether the attempt is cancelled; context.Cause tells why.
func (b *Body) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause != nil {
		return context.Canceled
	}
	return nil
}

// Value gives the body itself to this package, and to package context its own.
func (b *Body) Value(key any) any {
	if key == (bodyKey{}) {
		return b
	}
	return b.context().Value(key)
}

// context gives the real context behind, so that contexts derived from b need
// no goroutine and context.Cause works.
func (b *Body) context() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inner == nil {
		b.inner, b.cancel = context.WithCancelCause(context.Background()) //nolint:forbidigo // it is cancelled by the engine
		if b.cause != nil {
			b.cancel(b.cause)
		}
	}
	return b.inner
}

// stop cancels the context; the first cause counts.
func (b *Body) stop(cause error) {
	b.mu.Lock()
	if b.cause != nil {
		b.mu.Unlock()
		return
	}
	b.cause = cause
	cancel := b.cancel
	b.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

// Job gives the job; it must not be changed.
func (b *Body) Job() *api.Job { return b.job }

// Task gives the task that runs.
func (b *Body) Task() *Task { return b.task }

// Started gives when the attempt began.
func (b *Body) Started() time.Time { return b.started }

// State gives the pipeline's state as this body sees it, nil for none.
func (b *Body) State() json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answer.SetState {
		return b.answer.State
	}
	return b.job.State
}

// SetState replaces the pipeline's state, should the body end well. merge says
// that it is a map, whose keys are merged after a group.
func (b *Body) SetState(state json.RawMessage, merge bool) error {
	return b.leave(func(a *api.Answer) { a.State, a.SetState, a.Merge = state, true, merge })
}

// Keyed gives the state kept under the task's id, nil for none.
func (b *Body) Keyed() json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answer.SetKeyed {
		return b.answer.Keyed
	}
	return b.job.Keyed
}

// SetKeyed replaces the state kept under the task's id.
func (b *Body) SetKeyed(state json.RawMessage) error {
	if b.job.TaskID == "" {
		return api.Errorf(api.ErrInvalid, b.job.Task, "has no task id, so there is no state kept under it")
	}
	return b.leave(func(a *api.Answer) { a.Keyed, a.SetKeyed = state, true })
}

// PauseAfter pauses the run after the task, should the body end well.
func (b *Body) PauseAfter() error { return b.leave(func(a *api.Answer) { a.Pause = true }) }

func (b *Body) leave(change func(*api.Answer)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return b.over()
	}
	change(&b.answer)
	return nil
}

// Heartbeat says that the body makes progress.
func (b *Body) Heartbeat() error {
	if b.told != nil {
		return b.over()
	}
	return b.source.Heartbeat(b.job)
}

// Token gives the token by which the task may be answered from outside.
func (b *Body) Token(ctx context.Context) (string, error) {
	if b.told != nil {
		return "", b.over()
	}
	return b.source.Token(ctx, b.job)
}

func (b *Body) over() error {
	return api.Errorf(api.ErrClosed, b.job.ID, "the task's body has ended")
}

// TempDir gives a folder that is made at the first call and removed when the
// attempt has ended.
func (b *Body) TempDir() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return "", b.over()
	}
	if b.temp != "" {
		return b.temp, nil
	}
	dir, err := os.MkdirTemp("", "runnel-")
	if err != nil {
		return "", api.Errorf(api.ErrInvalid, b.job.ID, "make a temporary folder: %w", err)
	}
	b.temp = dir
	return dir, nil
}
