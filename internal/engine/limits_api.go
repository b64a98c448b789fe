package engine

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
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

// loadLimits reads the limits before anything starts. The keeper of a shared store
// reads them for all.
func (e *Engine) loadLimits(ctx context.Context) error {
	if e.limits.on {
		return nil
	}
	return e.readLimits(ctx, func(tag string, r limitRecord) {
		e.limits.known[tag] = r
		e.limits.table.Set(tag, r.Limit)
	})
}

func (e *Engine) readLimits(ctx context.Context, each func(tag string, r limitRecord)) error {
	return e.store.Records(ctx, limitKind, "", func(tag string, value []byte) error {
		var r limitRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return api.Errorf(api.ErrStore, e.store.Location(), "stored limit of tag %q: %w", tag, err)
		}
		each(tag, r)
		return nil
	})
}

// limitRequest is a call of the limits' API, for whoever keeps the table.
type limitRequest struct {
	Do    limitCall `json:"do"`
	Tag   string    `json:"tag,omitempty"`
	Limit int       `json:"limit,omitempty"`
	Slots []string  `json:"slots,omitempty"` // which are reset; none: all
}

type limitCall string

const (
	limitSet    limitCall = "set"
	limitDelete limitCall = "delete"
	limitReset  limitCall = "reset"
	limitRead   limitCall = "read"
	limitList   limitCall = "list"
)

// limitHere does a call where the table is.
func (e *Engine) limitHere(ctx context.Context, in limitRequest) ([]api.Limit, error) {
	switch in.Do {
	case limitSet:
		return nil, e.setLimit(ctx, in.Tag, in.Limit)
	case limitDelete:
		return nil, e.deleteLimit(ctx, in.Tag)
	case limitReset:
		return nil, e.resetLimit(in.Tag, in.Slots)
	case limitRead:
		l, err := e.readLimit(in.Tag)
		return []api.Limit{l}, err
	case limitList:
		return e.listLimits()
	}
	return nil, api.Errorf(api.ErrInvalid, "", "a limit is asked to %q, which is not known: is another process of another version?", in.Do)
}

// callLimit does a call at the keeper, whoever that is.
func (e *Engine) callLimit(ctx context.Context, in limitRequest) ([]api.Limit, error) {
	return atKeeper(ctx, e, doLimit, in, e.keeps, e.limitHere)
}

// SetLimit makes the limit of a tag, or changes it, durably.
func (e *Engine) SetLimit(ctx context.Context, tag string, n int) error {
	if tag == "" {
		return api.Errorf(api.ErrInvalid, "", "limit without a tag")
	}
	if n < 0 {
		return api.Errorf(api.ErrInvalid, "", "limit of tag %q: %d, want 0 or more", tag, n)
	}
	_, err := e.callLimit(ctx, limitRequest{Do: limitSet, Tag: tag, Limit: n})
	return e.limitChanged(tag, err)
}

// limitChanged tells who listens, unless err says that nothing has changed.
func (e *Engine) limitChanged(tag string, err error) error {
	if err == nil {
		e.changes.tell(false, api.Change{Tag: tag})
	}
	return err
}

func (e *Engine) setLimit(ctx context.Context, tag string, n int) error {
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
	return e.changeLimit(ctx, tag, value, func(t *limit.Table) limit.Change {
		l.known[tag] = r
		return t.Set(tag, n)
	})
}

// DeleteLimit removes the limit of a tag, durably.
func (e *Engine) DeleteLimit(ctx context.Context, tag string) error {
	_, err := e.callLimit(ctx, limitRequest{Do: limitDelete, Tag: tag})
	return e.limitChanged(tag, err)
}

func (e *Engine) deleteLimit(ctx context.Context, tag string) error {
	l := &e.limits
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := e.knownLimit(tag); err != nil {
		return err
	}
	return e.changeLimit(ctx, tag, nil, func(t *limit.Table) limit.Change {
		delete(l.known, tag)
		return t.Delete(tag)
	})
}

// changeLimit writes a limit's record, and then does in memory what it says.
// Called with limits.writing.
func (e *Engine) changeLimit(ctx context.Context, tag string, value []byte, apply func(*limit.Table) limit.Change) error {
	if e.limits.on && !e.keeps() { // it was let go
		return cluster.ErrGone
	}
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
	if e.limits.on {
		e.teach(ctx)
	}
	return nil
}

// applyLimits does what changes the limits, and what follows from it.
func (e *Engine) applyLimits(apply func(*limit.Table) limit.Change) {
	l := &e.limits
	l.mu.Lock()
	if l.on {
		e.keeper.mu.Lock()
		l.version++
		told := e.keeper.kept.Follow(apply(e.keeper.kept.Table()))
		e.keeper.mu.Unlock()
		l.mu.Unlock()
		e.spread(told)
		return
	}
	granted, refused := l.follow(apply(l.table))
	l.mu.Unlock()
	e.begin(granted)
	e.refuse(refused)
}

// refuse ends tasks that waited and never get their slots. Called without locks.
func (e *Engine) refuse(refused []refusal) {
	for _, x := range refused {
		r := x.task.run
		e.dispatch.unwait(r)
		r.mu.Lock()
		x.task.refuse(x.tag)
		r.mu.Unlock()
	}
}

// ResetLimit forgets who has slots of a tag: all, or only the task runs of some ids.
func (e *Engine) ResetLimit(ctx context.Context, tag string, slots ...string) error {
	_, err := e.callLimit(ctx, limitRequest{Do: limitReset, Tag: tag, Slots: slots})
	return e.limitChanged(tag, err)
}

func (e *Engine) resetLimit(tag string, slots []string) error {
	e.limits.writing.Lock()
	defer e.limits.writing.Unlock()
	if err := e.knownLimit(tag); err != nil {
		return err
	}
	var missing string
	e.applyLimits(func(t *limit.Table) limit.Change {
		if len(slots) == 0 {
			return t.Reset(tag)
		}
		have := ids(t.Holders(tag))
		for _, id := range slots {
			if !slices.Contains(have, id) {
				missing = id
				return limit.Change{}
			}
		}
		return t.Forget(tag, slots...)
	})
	if missing != "" {
		return api.Errorf(api.ErrConflict, "", "task run %s has no slot of tag %q: it may have ended meanwhile", missing, tag)
	}
	return nil
}

func (e *Engine) knownLimit(tag string) error {
	_, err := e.readLimit(tag)
	return err
}

// Limit tells of the limit of a tag.
func (e *Engine) Limit(ctx context.Context, tag string) (api.Limit, error) {
	list, err := e.callLimit(ctx, limitRequest{Do: limitRead, Tag: tag})
	if err != nil {
		return api.Limit{}, err
	}
	return list[0], nil
}

// Limits tells of all limits, by tag.
func (e *Engine) Limits(ctx context.Context) iter.Seq2[api.Limit, error] {
	return func(yield func(api.Limit, error) bool) {
		list, err := e.callLimit(ctx, limitRequest{Do: limitList})
		if err != nil {
			yield(api.Limit{}, err)
			return
		}
		for _, l := range list {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func (e *Engine) listLimits() (list []api.Limit, err error) {
	e.limits.mu.Lock()
	tags := slices.Sorted(maps.Keys(e.limits.known))
	e.limits.mu.Unlock()
	for _, tag := range tags {
		l, err := e.readLimit(tag)
		switch {
		case err == nil:
			list = append(list, l)
		case !errors.Is(err, api.ErrNotFound): // that was deleted meanwhile
			return nil, err
		}
	}
	return list, nil
}

// waitsOf is of how long ago it is told how long slots were waited for.
const waitsOf = 5 * time.Minute

// shownWaiters is how many of those who wait are named.
const shownWaiters = 100

func (e *Engine) readLimit(tag string) (api.Limit, error) {
	l := &e.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	r, known := l.known[tag]
	if !known {
		return api.Limit{}, api.Errorf(api.ErrNotFound, "", "no limit on tag %q", tag)
	}
	table := l.table
	if l.on {
		e.keeper.mu.Lock()
		defer e.keeper.mu.Unlock()
		if e.keeper.kept == nil {
			return api.Limit{}, cluster.ErrGone
		}
		table = e.keeper.kept.Table()
	}
	holders, waiting := table.Holders(tag), table.Waiting(tag)
	found := api.Limit{
		Tag: tag, Limit: r.Limit, Created: at(r.Created), Updated: at(r.Updated),
		Active: len(holders), ActiveSlots: ids(holders),
		Waiting: len(waiting), Waiters: ids(waiting[:min(len(waiting), shownWaiters)]),
		MedianHold: held(table.Held(tag)), WaitP95: held(table.Waited(tag, e.micros()-waitsOf.Microseconds())),
	}
	if since := table.First(tag); since != 0 {
		found.WaitingSince = at(since)
	}
	return found, nil
}

// held is how long a slot is held, as measured in microseconds.
func held(micros int64) api.Duration { return api.Duration(time.Duration(micros) * time.Microsecond) }

func ids(claims []*limit.Claim) (list []string) {
	for _, c := range claims {
		list = append(list, c.ID)
	}
	return list
}
