package runnel

import (
	"context"
	"iter"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// AcquireOption is an option of [Acquire] and [RateLimit].
type AcquireOption interface{ acquire(*api.SlotRequest) }

type acquireOption func(*api.SlotRequest)

func (o acquireOption) acquire(r *api.SlotRequest) { o(r) }

// Occupy is how many slots of each limit are taken. Default 1. Less is
// [ErrInvalid], and so is more than the limit.
func Occupy(n int) AcquireOption { return acquireOption(func(r *api.SlotRequest) { r.Slots = n }) }

// Strict makes a limit that does not exist an error, [ErrNotFound]. Default: its
// slots are not limited, and the task's log says so.
func Strict() AcquireOption { return acquireOption(func(r *api.SlotRequest) { r.Strict = true }) }

// Acquire takes slots of a global limit, or of several, all at once or none, see
// [GlobalLimits]. It is called in bodies of tasks and flows, and waits until the
// slots are free, in the order of asking, ctx ends or the attempt is cancelled. What
// is held is given back by release, which may be called more than once, and by the
// end of the body, however that ends.
//
//	release, err := runnel.Acquire(ctx, "database", runnel.Occupy(2))
//	if err != nil {
//		return err
//	}
//	defer release()
//
// A deadline of ctx bounds the wait: it is [ErrTimeout] then. The task's [Timeout]
// goes on meanwhile. Without names nothing is done.
//
// A body may hold slots and ask for more. It is told [ErrConflict] in place of
// waiting for ever: for itself, or for bodies that wait for it. What its goroutines
// hold and wait for counts as one: where they share a limit among themselves they
// want more than it has. A flow that holds slots while a task that it calls waits
// for them does wait for ever, unless a time is set: take slots in the tasks.
//
// A flow that runs again after a crash takes its slots again. Outside of tasks use
// [Engine.Acquire].
func Acquire[N string | []string](ctx context.Context, names N, opts ...AcquireOption) (release func(), err error) {
	return acquire(ctx, slotRequest(names, false, opts))
}

// RateLimit uses up slots of a limit with a decay, or of several, all at once or
// none, and waits for them like [Acquire]. They come back by themselves, so many
// in a second as the limit's decay says. On a limit without one it is [ErrInvalid].
//
// A flow that runs again after a crash uses up slots again. Outside of tasks use
// [Engine.RateLimit].
func RateLimit[N string | []string](ctx context.Context, names N, opts ...AcquireOption) error {
	_, err := acquire(ctx, slotRequest(names, true, opts))
	return err
}

func acquire(ctx context.Context, request api.SlotRequest) (release func(), err error) {
	if len(request.Names) == 0 {
		return func() {}, nil
	}
	b := worker.From(ctx)
	if b == nil {
		return func() {}, errNoTask
	}
	return b.Acquire(ctx, request)
}

func slotRequest[N string | []string](names N, rate bool, opts []AcquireOption) api.SlotRequest {
	r := api.SlotRequest{Slots: 1, Rate: rate}
	switch names := any(names).(type) {
	case string:
		r.Names = []string{names}
	case []string:
		r.Names = names
	}
	for _, o := range opts {
		if o != nil {
			o.acquire(&r)
		}
	}
	return r
}

// Acquire is [Acquire] outside of tasks. The slots are held until release is called,
// or the engine is closed; waiting ends with [ErrClosed] then. That it can't wait
// for ever is not checked.
func (e *Engine) Acquire[N string | []string](ctx context.Context, names N, opts ...AcquireOption) (release func(), err error) {
	return e.acquire(ctx, slotRequest(names, false, opts))
}

// RateLimit is [RateLimit] outside of tasks.
func (e *Engine) RateLimit[N string | []string](ctx context.Context, names N, opts ...AcquireOption) error {
	_, err := e.acquire(ctx, slotRequest(names, true, opts))
	return err
}

func (e *Engine) acquire(ctx context.Context, request api.SlotRequest) (release func(), err error) {
	if len(request.Names) == 0 {
		return func() {}, nil
	}
	if e.remote != nil {
		return func() {}, e.unserved("slots outside of tasks")
	}
	grant, err := e.inner().Acquire(ctx, nil, request)
	if err != nil {
		return func() {}, err
	}
	return func() { e.inner().Release(nil, grant) }, nil
}

// GlobalLimits bounds the use of resources by name: connections, licences, calls of
// a service in a second. Bodies take slots of them with [Acquire] and [RateLimit],
// where they need them and for as long; what bounds whole task runs is [Limits].
//
// Global limits are kept in the database. Get one with [Engine.GlobalLimits].
type GlobalLimits struct{ eng *Engine }

// GlobalLimits gives the limits by name.
func (e *Engine) GlobalLimits() GlobalLimits { return GlobalLimits{e} }

// Create makes a limit of so many slots, or gives the one of that name another
// definition. With a Decay, so many slots that were used up come back in a second.
// Who holds slots goes on; with fewer slots nobody gets any until enough were given
// back, and who waits for more than there are is told [ErrInvalid].
func (l GlobalLimits) Create(ctx context.Context, limit api.GlobalLimit) error {
	return l.eng.service().SetGlobalLimit(ctx, limit)
}

// SetActive lets a limit count, or not, or gives [ErrNotFound]. While it does not
// count, nobody waits for it, and who takes slots is not counted later either.
func (l GlobalLimits) SetActive(ctx context.Context, name string, active bool) error {
	return l.eng.service().ActivateGlobalLimit(ctx, name, active)
}

// Read gives a limit, with who holds slots and who waits, or [ErrNotFound].
func (l GlobalLimits) Read(ctx context.Context, name string) (api.GlobalLimit, error) {
	return l.eng.service().GlobalLimit(ctx, name)
}

// List gives all limits, ordered by name.
func (l GlobalLimits) List(ctx context.Context) iter.Seq2[api.GlobalLimit, error] {
	return l.eng.service().GlobalLimits(ctx)
}

// Delete removes a limit, or gives [ErrNotFound]. Who waited for it goes on.
func (l GlobalLimits) Delete(ctx context.Context, name string) error {
	return l.eng.service().DeleteGlobalLimit(ctx, name)
}

// Reset forgets who holds slots of a limit, and what was used up of a rate, or gives
// [ErrNotFound]. Who held slots goes on and is not counted any more. A crash needs
// no Reset: it leaves no slots behind.
func (l GlobalLimits) Reset(ctx context.Context, name string) error {
	return l.eng.service().ResetGlobalLimit(ctx, name)
}
