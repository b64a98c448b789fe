package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// slotLevels keeps how much of rate limits is used up. It is written a second
// after it was used first, and when the engine closes: a crash forgets what was
// used up in the second before it.
type slotLevels struct {
	dirty  map[string]bool // limits whose level has changed since it was written
	saver  *timer
	saving sync.WaitGroup
}

const levelEvery = time.Second

// used takes note that the levels of limits have changed. Called with slots.mu.
func (l *slotLevels) used(e *Engine, names []string) {
	for _, name := range names {
		if _, known := e.slots.known[name]; known {
			l.dirty[name] = true
		}
	}
	if len(l.dirty) > 0 && l.saver == nil && !e.slots.closed {
		l.saver = e.timers.after(e.now().Add(levelEvery), e.saveLevels)
	}
}

// saveLevels writes the levels, beside the timers.
func (e *Engine) saveLevels() {
	s := &e.slots
	save := func() {
		e.writeLevels(e.closers.ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.levels.saver = nil
		s.levels.used(e, nil) // meanwhile
	}
	if e.manual {
		save()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.levels.saving.Go(save)
	}
}

// writeLevels makes durable what has changed.
func (e *Engine) writeLevels(ctx context.Context) {
	s := &e.slots
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	left := s.left
	s.mu.Unlock()
	if !left {
		e.putLevels(ctx)
	}
}

// putLevels is writeLevels with slots.writing held.
func (e *Engine) putLevels(ctx context.Context) {
	s := &e.slots
	s.mu.Lock()
	names := slices.Sorted(maps.Keys(s.levels.dirty))
	clear(s.levels.dirty)
	written := make(map[string]slotRecord)
	var writes []store.RecordWrite
	for _, name := range names {
		if r, known := s.known[name]; known {
			if r.Clear = s.level(name); s.shared {
				r.Saved = e.micros()
			}
			w := r.write(name)
			w.Check, w.Was = s.left, r.text
			r.text = w.Value
			written[name], writes = r, append(writes, w)
		}
	}
	s.mu.Unlock()
	if len(writes) == 0 {
		return
	}
	err := e.store.PutRecords(ctx, writes...)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		for name, r := range written {
			if _, known := s.known[name]; known {
				s.known[name] = r
			}
		}
	case s.left: // another engine keeps them by now, or will, and is told what was used
	default:
		e.log.Warn("how much of rate limits is used up could not be stored; it is tried again", "error", err)
		s.levels.used(e, names)
	}
}

// leaveSlotLevels has this engine, which is to be closed, write nothing of limits any
// more: whoever keeps them next may have read them. It goes on giving slots until then.
func (e *Engine) leaveSlotLevels() {
	e.slots.writing.Lock()
	defer e.slots.writing.Unlock()
	e.putLevels(e.closers.ctx)
	e.slots.mu.Lock()
	e.slots.left = true
	e.slots.mu.Unlock()
}

// closeLevels writes what has changed last. If another engine keeps the limits by now
// there is nothing, or the store refuses it.
func (e *Engine) closeLevels(ctx context.Context) {
	e.slots.levels.saving.Wait()
	e.slots.writing.Lock()
	defer e.slots.writing.Unlock()
	e.putLevels(context.WithoutCancel(ctx))
}

// level is when all that was used up of a limit is back, in microseconds since
// 1970, 0 for nothing. Called with mu.
func (s *slotState) level(name string) int64 {
	back := s.table.Clear(name)
	if back.IsZero() {
		return 0
	}
	return back.Add(time.Microsecond - 1).UnixMicro()
}

// checkSlots reports why a limit can't be as it is defined.
func checkSlots(l *api.GlobalLimit) error {
	const longest = 10 * 365 * 24 * time.Hour
	switch {
	case l.Name == "":
		return api.Errorf(api.ErrInvalid, "", "global limit without a name")
	case l.Limit < 0:
		return api.Errorf(api.ErrInvalid, "", "global limit %q: %d slots, want 0 or more", l.Name, l.Limit)
	case !(l.Decay >= 0 && l.Decay <= 1e6): // nor NaN
		return api.Errorf(api.ErrInvalid, "", "global limit %q: a decay of %g slots a second, want 0 for none, or up to a million", l.Name, l.Decay)
	case l.Decay > 0 && float64(max(l.Limit, 1))/l.Decay > longest.Seconds():
		return api.Errorf(api.ErrInvalid, "", "global limit %q: with a decay of %g slots a second its %d slots take longer than ten years to come back", l.Name, l.Decay, l.Limit)
	}
	return nil
}
