package engine

import (
	"context"
	"errors"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Removing old runs is done in batches, with a pause after each: the store takes
// one transaction at a time, and those of live runs come first.
const (
	expireBatch = 500 // rows
	expirePause = 5 * time.Millisecond
	// expireEvery is how often at most old runs are looked for; of short
	// retentions, 24 times in their length.
	expireEvery = time.Hour
)

// retention removes runs that ended long ago, and cache entries and keys of
// submissions that have expired: of engines that share a store in the keeper. Only its goroutine, or who drives the
// engine, looks at due.
type retention struct {
	keep time.Duration // 0: for ever
	due  time.Time     // of the next batch
	wake chan struct{}
}

func (x *retention) rouse() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (x *retention) init(keep time.Duration, now time.Time) {
	x.keep, x.due, x.wake = max(keep, 0), now, make(chan struct{}, 1)
}

// endedBefore is when the runs that go ended at the latest; 0: none does.
func (e *Engine) endedBefore(now time.Time) int64 {
	keep := e.keepsFor()
	if keep == 0 {
		return 0
	}
	return now.Add(-keep).UnixMicro()
}

// keepsFor is for how long runs that have ended are kept, 0 for ever: of processes that share
// the store the one counts that wants them kept the longest.
func (e *Engine) keepsFor() time.Duration {
	keep := e.retention.keep
	if keep == 0 || e.peers.node == nil {
		return keep
	}
	for _, m := range e.peers.node.Live() {
		o, ok := readOffer(m.Offer)
		if !ok || o.Keep == 0 {
			return 0
		}
		keep = max(keep, o.Keep)
	}
	return keep
}

// every is the time between two sweeps.
func (x *retention) every() time.Duration {
	if x.keep == 0 {
		return expireEvery
	}
	return min(max(x.keep/24, time.Second), expireEvery)
}

// expireLoop does a batch whenever one is due.
func (e *Engine) expireLoop() {
	var next *timer
	for {
		if e.ExpireStep(); e.onDuty() {
			next.stop()
			next = e.timers.after(e.retention.due, e.retention.rouse)
		}
		select {
		case <-e.retention.wake:
		case <-e.closers.ctx.Done():
			return
		}
	}
}

// ExpireStep removes some of what is old if that is due, and reports whether it was.
func (e *Engine) ExpireStep() bool {
	x := &e.retention
	now := e.now()
	if now.Before(x.due) || !e.onDuty() {
		return false
	}
	if e.checkStore() != nil { // it has other worries
		x.due = now.Add(x.every())
		return false
	}
	more, err := e.expireEntries(e.closers.ctx)
	if err == nil {
		var keys bool
		keys, err = e.expireSubmissions(e.closers.ctx)
		more = more || keys
	}
	if err == nil {
		var runs bool
		_, runs, err = e.store.Expire(e.closers.ctx, e.endedBefore(now), expireBatch)
		more = more || runs
	}
	switch {
	case err != nil:
		if !errors.Is(err, api.ErrClosed) && e.closers.ctx.Err() == nil {
			e.log.Warn("what is old was not removed; tried again later", "error", err)
		}
		x.due = now.Add(x.every())
	case more && !e.manual:
		x.due = now.Add(expirePause)
	case !more:
		x.due = now.Add(x.every())
	}
	return true
}

// unlessGone replaces an error about a run that was removed meanwhile.
func (e *Engine) unlessGone(ctx context.Context, id string, err error) error {
	if err == nil {
		return nil
	}
	if _, _, gone := e.find(ctx, id); errors.Is(gone, api.ErrNotFound) {
		return gone
	}
	return err
}
