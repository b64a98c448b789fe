package engine

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/limit"
	"github.com/runnel-dev/runnel/internal/store"
)

// limitKind is the kind of the records that hold limits, by tag.
const limitKind = "limit"

// limitRecord is a limit as stored. Times are microseconds since 1970.
type limitRecord struct {
	Limit   int   `json:"limit"`
	Created int64 `json:"created"`
	Updated int64 `json:"updated"`
}

// loadLimits reads the limits before anything starts.
func (e *Engine) loadLimits(ctx context.Context) error {
	return e.store.Records(ctx, limitKind, "", func(tag string, value []byte) error {
		var r limitRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return api.Errorf(api.ErrStore, e.store.Location(), "stored limit of tag %q: %w", tag, err)
		}
		e.limits.known[tag] = r
		e.limits.table.Set(tag, r.Limit)
		return nil
	})
}

// SetLimit makes the limit of a tag, or changes it, durably.
func (e *Engine) SetLimit(ctx context.Context, tag string, n int) error {
	if tag == "" {
		return api.Errorf(api.ErrInvalid, "", "limit without a tag")
	}
	if n < 0 {
		return api.Errorf(api.ErrInvalid, "", "limit of tag %q: %d, want 0 or more", tag, n)
	}
	l := &e.limits
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	r, known := l.known[tag]
	l.mu.Unlock()
	now := e.micros()
	if r.Limit, r.Updated = n, now; !known {
		r.Created = now
	}
	value, err := json.Marshal(r)
	if err != nil {
		return api.Errorf(api.ErrEncoding, "", "limit: %w", err)
	}
	return e.changeLimit(ctx, tag, value, func() limit.Change {
		l.known[tag] = r
		return l.table.Set(tag, n)
	})
}

// DeleteLimit removes the limit of a tag, durably.
func (e *Engine) DeleteLimit(ctx context.Context, tag string) error {
	l := &e.limits
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := e.knownLimit(tag); err != nil {
		return err
	}
	return e.changeLimit(ctx, tag, nil, func() limit.Change {
		delete(l.known, tag)
		return l.table.Delete(tag)
	})
}

// changeLimit writes a limit's record, and then does in memory what it says.
// Called with limits.writing.
func (e *Engine) changeLimit(ctx context.Context, tag string, value []byte, apply func() limit.Change) error {
	if e.isClosed() {
		return api.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := e.store.PutRecords(ctx, store.RecordWrite{Kind: limitKind, Key: tag, Value: value}); err != nil {
		return err
	}
	e.applyLimits(apply)
	return nil
}

// applyLimits does what changes the limits, and what follows from it.
func (e *Engine) applyLimits(apply func() limit.Change) {
	e.limits.mu.Lock()
	granted, refused := e.limits.follow(apply())
	e.limits.mu.Unlock()
	e.begin(granted)
	for _, x := range refused {
		r := x.task.run
		e.dispatch.unwait(r)
		r.mu.Lock()
		x.task.refuse(x.tag)
		r.mu.Unlock()
	}
}

// ResetLimit forgets who has slots of a tag.
func (e *Engine) ResetLimit(_ context.Context, tag string) error {
	e.limits.writing.Lock()
	defer e.limits.writing.Unlock()
	if err := e.knownLimit(tag); err != nil {
		return err
	}
	e.applyLimits(func() limit.Change { return e.limits.table.Reset(tag) })
	return nil
}

func (e *Engine) knownLimit(tag string) error {
	_, err := e.limits.read(tag)
	return err
}

// Limit tells of the limit of a tag.
func (e *Engine) Limit(_ context.Context, tag string) (api.Limit, error) {
	return e.limits.read(tag)
}

// Limits tells of all limits, by tag.
func (e *Engine) Limits(context.Context) iter.Seq2[api.Limit, error] {
	return func(yield func(api.Limit, error) bool) {
		e.limits.mu.Lock()
		tags := slices.Sorted(maps.Keys(e.limits.known))
		e.limits.mu.Unlock()
		for _, tag := range tags {
			l, err := e.limits.read(tag)
			if err != nil { // deleted meanwhile
				continue
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// shownWaiters is how many of those who wait are named.
const shownWaiters = 100

func (l *limitState) read(tag string) (api.Limit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, known := l.known[tag]
	if !known {
		return api.Limit{}, api.Errorf(api.ErrNotFound, "", "no limit of tag %q", tag)
	}
	holders, waiting := l.table.Holders(tag), l.table.Waiting(tag)
	return api.Limit{
		Tag: tag, Limit: r.Limit, Created: at(r.Created), Updated: at(r.Updated),
		Active: len(holders), ActiveSlots: ids(holders),
		Waiting: len(waiting), Waiters: ids(waiting[:min(len(waiting), shownWaiters)]),
	}, nil
}

func ids(claims []*limit.Claim) (list []string) {
	for _, c := range claims {
		list = append(list, c.ID)
	}
	return list
}
