package sim

import (
	"context"
	"errors"
	"fmt"

	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// faulty is a store whose commits go wrong when the plan says so.
type faulty struct {
	store.Store
	next  fault // of the next commit
	tired int   // how many commits in a row are refused for a reason that passes
	fired map[fault]int
}

func newFaulty(s store.Store) *faulty {
	if s == nil {
		s = memory.Open()
	}
	return &faulty{Store: s, fired: map[fault]int{}}
}

// fault is what happens at a commit.
type fault int

const (
	none fault = iota
	crashBefore
	crashAfter
	retryLater
	refuseMany // a batch of several is refused for good
)

// crash ends the engine in the middle of what it does.
type crash struct{ at fault }

var errRefused = errors.New("sim: this batch is refused")

// Commit is the store's, or what goes wrong instead.
func (f *faulty) Commit(ctx context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	now := f.next
	f.next = none
	f.fired[now]++
	switch now {
	case crashBefore:
		panic(crash{now})
	case retryLater:
		f.tired = 2
	case refuseMany:
		if len(batch) > 1 {
			return nil, errRefused
		}
	case none, crashAfter:
	}
	if f.tired > 0 {
		f.tired--
		return nil, fmt.Errorf("sim: not now: %w", store.ErrRetry)
	}
	closed, err := f.Store.Commit(ctx, batch)
	if now == crashAfter {
		panic(crash{now})
	}
	return closed, err
}

// PutRecords is the store's, and what a crash comes before or after.
func (f *faulty) PutRecords(ctx context.Context, writes ...store.RecordWrite) error {
	now := f.next
	if now != crashBefore && now != crashAfter || writes[0].Kind != "schedule" {
		return f.Store.PutRecords(ctx, writes...)
	}
	f.next = none
	f.fired[now]++
	if now == crashAfter {
		if err := f.Store.PutRecords(ctx, writes...); err != nil {
			return err
		}
	}
	panic(crash{now})
}

// Expire is the store's, in batches so small that things happen between them.
func (f *faulty) Expire(ctx context.Context, before int64, _ int) (int, bool, error) {
	const few = 4
	return f.Store.Expire(ctx, before, few)
}
