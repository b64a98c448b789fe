package worker

import (
	"context"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Tracer makes spans of attempts.
type Tracer interface {
	// Begin gives what the context of the attempt's body is made of, nil for nothing,
	// given the trace of the run, "" for none; and what to call when the attempt has
	// ended, nil for nothing.
	Begin(trace string, job *api.Job, at time.Time) (context.Context, func(*api.Answer))
}

// begin begins the attempt's span, before anybody else knows b.
func (b *Body) begin() {
	if b.registry.Tracer == nil {
		return
	}
	outer, end := b.registry.Tracer.Begin(b.source.Trace(b.job), b.job, b.started)
	b.traced = end
	if outer != nil {
		b.inner, b.cancel = context.WithCancelCause(outer)
	}
}
