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
// begin again. Most, if it is not zero, is as long as it may take.
func (r *Run) Sleep(ctx context.Context, s *Scope, d time.Duration, most time.Time) error {
	key := s.Key("sleep")
	until, err := r.moment(ctx, key, d)
	if err != nil {
		return err
	}
	if !most.IsZero() && most.Before(until) {
		if err := r.until(ctx, most); err != nil {
			return err
		}
		return late(key)
	}
	return r.until(ctx, until)
}

func (r *Run) until(ctx context.Context, at time.Time) error {
	if !at.After(r.engine.Time()) {
		return nil
	}
	ready := make(chan struct{})
	stop := r.engine.FlowTimer(at, func() { close(ready) })
	defer stop()
	return r.wait(ctx, ready)
}

func late(key string) error { return api.Errorf(api.ErrTimeout, key, "did not end in time") }

// WaitUntil waits for the end of a call until a time, and says whether it came.
func (r *Run) WaitUntil(ctx context.Context, s *Scope, f *Future, until time.Time) (ended bool, err error) {
	ended, err = r.inTime(ctx, s.Key("wait"), until, func() bool { return f.Ended() != nil }, f.Then)
	if err == nil && ended {
		_, err = f.Wait(ctx)
	}
	return ended, err
}

// inTime waits for something until a time, and says whether it came: the same
// when the flow runs again, though it may come sooner or later then.
func (r *Run) inTime(ctx context.Context, key string, until time.Time, came func() bool, then func(wake func())) (bool, error) {
	if kept := r.engine.FlowKnows(r.job, key); kept != nil {
		return string(kept) != "false", nil
	}
	if !came() && until.After(r.engine.Time()) {
		var once sync.Once
		ready := make(chan struct{})
		wake := func() { once.Do(func() { close(ready) }) }
		stop := r.engine.FlowTimer(until, wake)
		then(wake)
		err := r.wait(ctx, ready)
		stop()
		if err != nil {
			return false, err
		}
	}
	kept, err := r.note(ctx, key, came())
	return err == nil && string(kept) != "false", err
}

// State gives where a call stands, the same when the flow runs again.
func (r *Run) State(ctx context.Context, s *Scope, f *Future) (state api.State, err error) {
	kept, err := r.note(ctx, s.Key("state"), f.state())
	if err == nil {
		err = json.Unmarshal(kept, &state)
	}
	if err == nil && state.Final() {
		_, err = f.Wait(ctx)
	}
	return state, err
}
