package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
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
	// Saved is when Clear was so, 0 if it never mattered: sessions tell whoever keeps
	// the table next what was used after that.
	Saved int64 `json:"saved,omitempty"`

	text []byte // as it is stored
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

// loadSlots reads the global limits before anything starts. The keeper of a shared
// store reads them for all.
func (e *Engine) loadSlots(ctx context.Context) error {
	known, err := e.readSlots(ctx)
	if err != nil {
		return err
	}
	e.slots.known = known
	for name, r := range known {
		e.slots.define(name, &r, e.now())
	}
	return nil
}

func (e *Engine) readSlots(ctx context.Context) (known map[string]slotRecord, err error) {
	known = make(map[string]slotRecord)
	err = e.store.Records(ctx, slotKind, "", func(name string, value []byte) error {
		var r slotRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return api.Errorf(api.ErrStore, e.store.Location(), "stored global limit %q: %w", name, err)
		}
		r.text = bytes.Clone(value)
		known[name] = r
		return nil
	})
	return known, err
}

// define puts a limit into the table as it is stored.
func (s *slotState) define(name string, r *slotRecord, now time.Time) {
	s.table.Set(name, r.def(), now)
	if r.Clear > 0 {
		s.table.Restore(name, time.UnixMicro(r.Clear), now)
	}
}

// SetGlobalLimit makes a global limit, or changes the one of that name, durably.
func (e *Engine) SetGlobalLimit(ctx context.Context, l api.GlobalLimit) error {
	if err := checkSlots(&l); err != nil {
		return err
	}
	_, err := e.callGlobal(ctx, globalRequest{Do: globalSet, Limit: l})
	return err
}

func (e *Engine) setGlobal(ctx context.Context, l *api.GlobalLimit) error {
	e.slots.writing.Lock()
	defer e.slots.writing.Unlock()
	return e.putSlots(ctx, l.Name, func(r *slotRecord) {
		r.Limit, r.Decay, r.Inactive = l.Limit, l.Decay, l.Inactive
	})
}

// ActivateGlobalLimit lets a global limit count, or not, durably.
func (e *Engine) ActivateGlobalLimit(ctx context.Context, name string, active bool) error {
	_, err := e.callGlobal(ctx, globalRequest{Do: globalActivate, Limit: api.GlobalLimit{Name: name}, Active: active})
	return err
}

func (e *Engine) activateGlobal(ctx context.Context, name string, active bool) error {
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
	w := r.write(name)
	return e.changeSlots(ctx, w, func(now time.Time) slot.Change {
		r.text = w.Value
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
	if e.slots.shared && !e.slots.decides() { // it was let go
		return cluster.ErrGone
	}
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
	if e.slots.shared && e.slots.kept == nil { // it is there for who reads it next
		return nil
	}
	e.slots.follow(e, apply(e.now()))
	return nil
}

// DeleteGlobalLimit removes a global limit, durably.
func (e *Engine) DeleteGlobalLimit(ctx context.Context, name string) error {
	_, err := e.callGlobal(ctx, globalRequest{Do: globalDelete, Limit: api.GlobalLimit{Name: name}})
	return err
}

func (e *Engine) deleteGlobal(ctx context.Context, name string) error {
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
	_, err := e.callGlobal(ctx, globalRequest{Do: globalReset, Limit: api.GlobalLimit{Name: name}})
	return err
}

func (e *Engine) resetGlobal(ctx context.Context, name string) error {
	s := &e.slots
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	r, known := s.known[name]
	s.mu.Unlock()
	if !known {
		return s.exists(name)
	}
	if r.Clear = 0; s.shared {
		r.Saved = e.micros()
	}
	w := r.write(name)
	return e.changeSlots(ctx, w, func(now time.Time) slot.Change {
		r.text = w.Value
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
func (e *Engine) GlobalLimit(ctx context.Context, name string) (api.GlobalLimit, error) {
	list, err := e.callGlobal(ctx, globalRequest{Do: globalRead, Limit: api.GlobalLimit{Name: name}})
	if err != nil {
		return api.GlobalLimit{}, err
	}
	return list[0], nil
}

func (e *Engine) readGlobal(name string) (api.GlobalLimit, error) {
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
		list, err := e.callGlobal(ctx, globalRequest{Do: globalList})
		if err != nil {
			yield(api.GlobalLimit{}, err)
			return
		}
		for i := range list {
			if !yield(list[i], nil) {
				return
			}
		}
	}
}

func (e *Engine) listGlobal() (list []api.GlobalLimit, err error) {
	e.slots.mu.Lock()
	names := slices.Sorted(maps.Keys(e.slots.known))
	e.slots.mu.Unlock()
	for _, name := range names {
		l, err := e.readGlobal(name)
		switch {
		case err == nil:
			list = append(list, l)
		case !errors.Is(err, api.ErrNotFound): // that was deleted meanwhile
			return nil, err
		}
	}
	return list, nil
}

// holders tells of claims for slots of a limit.
func holders(claims []*slot.Claim, of string) (list []api.SlotHolder) {
	for _, c := range claims {
		h := api.SlotHolder{Slots: c.Slots, Since: c.At.UTC()}
		switch of := c.Owner.Task.(type) {
		case *task:
			h.TaskRun = of.first.ID
		case string: // of another process
			h.TaskRun = of
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
