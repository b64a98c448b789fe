package worker

import (
	"context"
	"errors"
	"sync"

	"github.com/runnel-dev/runnel/api"
)

// Acquire gets slots of global limits for the body, and gives what gives them back.
// It waits until they are free, ctx ends, or the attempt is cancelled.
func (b *Body) Acquire(ctx context.Context, request api.SlotRequest) (release func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(b, func() { cancel(context.Cause(b)) }) // ctx may have been made to outlive the body
	defer stop()
	grant, err := b.source.Acquire(ctx, b.job, request)
	if errors.Is(err, api.ErrClosed) { // perhaps before the body's context ends
		b.Interrupt()
	}
	if err != nil || grant == 0 {
		return func() {}, err
	}
	var once sync.Once
	return func() { once.Do(func() { b.source.Release(b.job, grant) }) }, nil
}
