package engine

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/slot"
	"github.com/runnel-dev/runnel/internal/store"
)

// slotKind is the kind of the records that hold global limits, by name.
const slotKind = "global_limit"

// slotRecord is a global limit as stored. Times are microseconds since 1970.
type slotRecord struct {
	Limit    int     `json:"limit"`
	Decay    float64 `json:"decay,omitempty"`
	Inactive bool    `json:"inactive,omitempty"`
	Created  int64   `json:"created"`
	Updated  int64   `json:"updated"`
	// Clear is when all that was used up is back; 0: nothing was.
	Clear int64 `json:"clear,omitempty"`
}

func (r *slotRecord) def() slot.Def {
	d := slot.Def{Limit: r.Limit, Inactive: r.Inactive}
	if r.Decay > 0 {
		d.Per = time.Duration(math.Round(float64(time.Second) / r.Decay))
	}
	return d
}

func (r *slotRecord) write(name string) store.RecordWrite {
	value, _ := json.Marshal(r) //nolint:errchkjson // checkSlots lets no number in that can't be encoded
	return store.RecordWrite{Kind: slotKind, Key: name, Value: value}
}

// loadSlots reads the global limits before anything starts.
func (e *Engine) loadSlots(ctx context.Context) error {
	now := e.now()
	return e.store.Records(ctx, slotKind, "", func(name string, value []byte) error {
		var r slotRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return api.Errorf(api.ErrStore, e.store.Location(), "stored global limit %q: %w", name, err)
		}
		e.slots.known[name] = r
		e.slots.table.Set(name, r.def(), now)
		if r.Clear > 0 {
			e.slots.table.Restore(name, time.UnixMicro(r.Clear), now)
		}
		return nil
	})
}

// SetGlobalLimit makes a global limit, or changes the one of that name, durably.
func (e *Engine) SetGlobalLimit(ctx context.Context, l api.GlobalLimit) error {
	if err := checkSlots(&l); err != nil {
		return err
	}
	if err := e.aloneNow(ctx, "global limit "+quoted([]string{l.Name})); err != nil {
		return err
	}
	e.slots.writing.Lock()
	defer e.slots.writing.Unlock()
	return e.putSlots(ctx, l.Name, func(r *slotRecord) {
		r.Limit, r.Decay, r.Inactive = l.Limit, l.Decay, l.Inactive
	})
}

// ActivateGlobalLimit lets a global limit count, or not, durably.
func (e *Engine) ActivateGlobalLimit(ctx context.Context, name string, active bool) error {
	if err := e.aloneNow(ctx, "global limit "+quoted([]string{name})); err != nil {
		return err
	}
	e.slots.writing.Lock()
	defer e.slots.writing.Unlock()
	if err := e.slots.exists(name); err != nil {
		return err
	}
	return e.putSlots(ctx, name, func(r *slotRecord) { r.Inactive = !active })
}

// putSlots writes a limit's record as it is to be, and then does in memory what it
// says. Called with slots.writing.
func (e *Engine) putSlots(ctx context.Context, name string, set func(*slotRecord)) error {
	s := &e.slots
	s.mu.Lock()
	r, known := s.known[name]
	r.Clear = s.level(name)
	s.mu.Unlock()
	if r.Updated = e.micros(); !known {
		r.Created = r.Updated
	}
	set(&r)
	return e.changeSlots(ctx, r.write(name), func(now time.Time) slot.Change {
		s.known[name] = r
		change := s.table.Set(name, r.def(), now)
		if r.Clear != s.level(name) { // by another decay, or used meanwhile
			s.levels.used(e, []string{name})
		}
		return change
	})
}

// changeSlots writes a limit's record, and then applies what it says.
func (e *Engine) changeSlots(ctx context.Context, w store.RecordWrite, apply func(now time.Time) slot.Change) error {
	if e.isClosed() {
		return api.ErrClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := e.store.PutRecords(ctx, w); err != nil {
		return err
	}
	e.slots.mu.Lock()
	defer e.slots.mu.Unlock()
	e.slots.follow(e, apply(e.now()))
	return nil
}

// DeleteGlobalLimit removes a global limit, durably.
func (e *Engine) DeleteGlobalLimit(ctx context.Context, name string) error {
	if err := e.aloneNow(ctx, "global limit "+quoted([]string{name})); err != nil {
		return err
	}
	s := &e.slots
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.exists(name); err != nil {
		return err
	}
	return e.changeSlots(ctx, store.RecordWrite{Kind: slotKind, Key: name}, func(now time.Time) slot.Change {
		delete(s.known, name)
		return s.table.Delete(name, now)
	})
}

// ResetGlobalLimit forgets who holds slots of a global limit, and what was used up.
func (e *Engine) ResetGlobalLimit(ctx context.Context, name string) error {
	if err := e.aloneNow(ctx, "global limit "+quoted([]string{name})); err != nil {
		return err
	}
	s := &e.slots
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	r, known := s.known[name]
	s.mu.Unlock()
	if !known {
		return s.exists(name)
	}
	r.Clear = 0
	return e.changeSlots(ctx, r.write(name), func(now time.Time) slot.Change {
		s.known[name] = r
		return s.table.Reset(name, now)
	})
}

func (s *slotState) exists(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.known[name]; !known {
		return api.Errorf(api.ErrNotFound, "", "no global limit is named %q", name)
	}
	return nil
}

// GlobalLimit tells of a global limit.
func (e *Engine) GlobalLimit(_ context.Context, name string) (api.GlobalLimit, error) {
	s := &e.slots
	if err := s.exists(name); err != nil {
		return api.GlobalLimit{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, waiting := s.known[name], s.table.Waiting(name)
	return api.GlobalLimit{
		Name: name, Limit: r.Limit, Decay: r.Decay, Inactive: r.Inactive,
		Created: at(r.Created), Updated: at(r.Updated),
		ActiveSlots: s.table.Used(name, e.now()), Holders: holders(s.table.Holders(name), name),
		Waiting: len(waiting), Waiters: holders(waiting[:min(len(waiting), shownWaiters)], name),
	}, nil
}

// GlobalLimits tells of all global limits, by name.
func (e *Engine) GlobalLimits(ctx context.Context) iter.Seq2[api.GlobalLimit, error] {
	return func(yield func(api.GlobalLimit, error) bool) {
		e.slots.mu.Lock()
		names := slices.Sorted(maps.Keys(e.slots.known))
		e.slots.mu.Unlock()
		for _, name := range names {
			l, err := e.GlobalLimit(ctx, name)
			if err != nil { // deleted meanwhile
				continue
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// holders tells of claims for slots of a limit.
func holders(claims []*slot.Claim, of string) (list []api.SlotHolder) {
	for _, c := range claims {
		h := api.SlotHolder{Slots: c.Slots, Since: c.At.UTC()}
		if t, ok := c.Owner.Task.(*task); ok {
			h.TaskRun = t.first.ID
		}
		for _, name := range c.Names {
			if name != of {
				h.With = append(h.With, name)
			}
		}
		list = append(list, h)
	}
	return list
}
