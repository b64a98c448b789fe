package flow

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// note keeps a value durably, or gives the one that was kept before.
func (r *Run) note(ctx context.Context, key string, value any) (json.RawMessage, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	var kept json.RawMessage
	var failed error
	err = r.engine.FlowNote(r.job, key, data, func(was json.RawMessage, err error) {
		kept, failed = was, err
		close(ready)
	})
	if err != nil {
		return nil, r.failed(err)
	}
	if err := r.wait(ctx, ready); err != nil {
		return nil, err
	}
	return kept, r.failed(failed)
}

// Now gives the time, the same when the flow runs again.
func (r *Run) Now(ctx context.Context, s *Scope) (at time.Time, err error) {
	return r.moment(ctx, s.Key("now"), 0)
}

// moment keeps the time in a while from now.
func (r *Run) moment(ctx context.Context, key string, later time.Duration) (at time.Time, err error) {
	kept, err := r.note(ctx, key, r.engine.Time().Add(later).UTC())
	if err == nil {
		err = json.Unmarshal(kept, &at)
	}
	return at, err
}

// Deadline gives the time in a while from now, the same when the flow runs again.
func (r *Run) Deadline(ctx context.Context, s *Scope, d time.Duration) (time.Time, error) {
	return r.moment(ctx, s.Key("timeout"), d)
}

// Sleep waits until a time that is kept: after a crash it goes on, and does not
// begin again.
func (r *Run) Sleep(ctx context.Context, s *Scope, d time.Duration) error {
	until, err := r.moment(ctx, s.Key("sleep"), d)
	if err != nil || !until.After(r.engine.Time()) {
		return err
	}
	ready := make(chan struct{})
	stop := r.engine.FlowTimer(until, func() { close(ready) })
	defer stop()
	return r.wait(ctx, ready)
}

// WaitUntil waits for the end of a call until a time, and says whether it came.
func (r *Run) WaitUntil(ctx context.Context, s *Scope, f *Future, until time.Time) (ended bool, err error) {
	key := s.Key("wait")
	if kept := r.engine.FlowKnows(r.job, key); kept != nil {
		if string(kept) == "false" {
			return false, nil
		}
		_, err := f.Wait(ctx)
		return true, err
	}
	if f.Ended() == nil && until.After(r.engine.Time()) {
		var once sync.Once
		ready := make(chan struct{})
		wake := func() { once.Do(func() { close(ready) }) }
		stop := r.engine.FlowTimer(until, wake)
		f.Then(wake)
		err := r.wait(ctx, ready)
		stop()
		if err != nil {
			return false, err
		}
	}
	kept, err := r.note(ctx, key, f.Ended() != nil)
	if err != nil || string(kept) == "false" {
		return false, err
	}
	_, err = f.Wait(ctx)
	return true, err
}

// State gives where a call stands, the same when the flow runs again.
func (r *Run) State(ctx context.Context, s *Scope, f *Future) (state api.State, err error) {
	now := api.Pending
	if end := f.Ended(); end != nil {
		now = end.State
	} else if f.ID() != "" {
		now = api.Running
	}
	kept, err := r.note(ctx, s.Key("state"), now)
	if err == nil {
		err = json.Unmarshal(kept, &state)
	}
	if err == nil && state.Final() {
		_, err = f.Wait(ctx)
	}
	return state, err
}
