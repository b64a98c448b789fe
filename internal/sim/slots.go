package sim

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// limitNames are the global limits that there may be.
var limitNames = []string{"x", "y", "z"}

// slotUse is one asking of a body for slots of global limits.
type slotUse struct {
	Names []string `json:"names"`
	N     int      `json:"n"`
	Rate  bool     `json:"rate,omitempty"`
	Back  bool     `json:"back,omitempty"` // given back before the body goes on
}

func (g *generator) slots() (uses []slotUse) {
	for range 1 + g.choose.IntN(3) {
		u := slotUse{N: 1 + g.choose.IntN(3), Rate: g.one(4), Back: g.one(3)}
		from := g.choose.IntN(len(limitNames))
		u.Names = limitNames[from : from+1+g.choose.IntN(len(limitNames)-from)]
		uses = append(uses, u)
	}
	return uses
}

// slotBooks is what the world knows of global limits, and of who uses their slots.
type slotBooks struct {
	limits  map[string]api.GlobalLimit
	changes int // of limits, counted
	using   []*inUse
	holders map[string]map[holding]int // what the engine said last, by limit
}

// holding is what the engine says that somebody holds.
type holding struct {
	task  string
	slots int
	since time.Time
}

// inUse is slots that a body has.
type inUse struct {
	h      *held
	n      int
	counts []string // the limits that they count on
}

func newSlotBooks() slotBooks {
	return slotBooks{limits: map[string]api.GlobalLimit{}, holders: map[string]map[holding]int{}}
}

// crashed: no body runs any more, so nobody has slots.
func (b *slotBooks) crashed() { b.using, b.holders = nil, map[string]map[holding]int{} }

// ended: a body's answer is given, so it has none.
func (b *slotBooks) ended(h *held) {
	b.using = slices.DeleteFunc(b.using, func(u *inUse) bool { return u.h == h })
}

// forget: who has slots of a limit is not counted any more.
func (b *slotBooks) forget(name string) {
	for _, u := range b.using {
		u.counts = slices.DeleteFunc(slices.Clone(u.counts), func(n string) bool { return n == name })
	}
}

// globalLimit makes, changes or forgets a global limit at random.
func (w *world) globalLimit() {
	b := &w.slots
	name := limitNames[w.rng.IntN(len(limitNames))]
	l, known := b.limits[name]
	b.changes++
	var err error
	switch n := w.rng.IntN(10); {
	case !known || n < 6:
		l = api.GlobalLimit{Name: name, Limit: 1 + w.rng.IntN(4), Inactive: w.rng.IntN(6) == 0}
		if w.rng.IntN(2) == 0 {
			l.Decay = []float64{0.3, 1, 7}[w.rng.IntN(3)]
		}
		b.limits[name] = l
		err = w.e.SetGlobalLimit(w.ctx, l)
	case n < 8:
		delete(b.limits, name)
		b.forget(name)
		err = w.e.DeleteGlobalLimit(w.ctx, name)
	case n < 9:
		l.Inactive = !l.Inactive
		b.limits[name] = l
		err = w.e.ActivateGlobalLimit(w.ctx, name, !l.Inactive)
	default:
		b.forget(name)
		err = w.e.ResetGlobalLimit(w.ctx, name)
	}
	w.did("global limit %s is %+v", name, b.limits[name])
	if err != nil {
		w.broken("global limit %s: %v", name, err)
	}
}

// takeSlots is the part of a body that takes slots. Whether it gets them changes
// nothing about what it gives.
func (w *world) takeSlots(b *worker.Body, s *script) error {
	src, alone := b.Source().(source)
	if !alone {
		return nil // a crowd has no global limits
	}
	h := src.job
	if h.co = w.flowing; len(s.Slots) == 0 || s.Hang && !h.hangs() {
		return nil // one with a time-out must not wait
	}
	var releases []func()
	for _, u := range s.Slots {
		before := w.slots.changes
		release, err := b.Acquire(b, api.SlotRequest{Names: u.Names, Slots: u.N, Rate: u.Rate})
		switch {
		case b.Err() != nil, errors.Is(err, api.ErrClosed):
			return errors.Join(err, context.Cause(b))
		case errors.Is(err, api.ErrConflict): // it would wait for ever
			w.counts["would wait for ever"]++
			for _, release := range releases {
				release()
			}
			w.slots.ended(h)
			continue
		case errors.Is(err, api.ErrInvalid): // the limit is lower, or no rate
			continue
		case err != nil:
			w.broken("body %s gets no slots of %v: %v", s.Label, u.Names, err)
			return err
		case u.Rate:
			w.counts["rate slots"]++
			continue
		}
		w.counts["slots"]++
		use := w.take(h, u, w.slots.changes == before)
		w.did("body %s has %d slots of %v", s.Label, u.N, use.counts)
		if u.Back {
			w.slots.using = slices.DeleteFunc(w.slots.using, func(other *inUse) bool { return other == use })
			release()
			continue
		}
		releases = append(releases, release)
	}
	return nil
}

// take enters what a body has got into the books. If no limit was changed while it
// waited, it must count on all that are active.
func (w *world) take(h *held, u slotUse, must bool) *inUse {
	use := &inUse{h: h, n: u.N}
	for _, name := range u.Names {
		l, known := w.slots.limits[name]
		if !known {
			continue
		}
		counted := w.heldBy(h, name)-w.slots.of(h, name) >= u.N
		switch {
		case counted:
			use.counts = append(use.counts, name)
		case must && !l.Inactive:
			w.broken("body %s has slots of %s that are not counted", h.script.Label, name)
		}
	}
	w.slots.using = append(w.slots.using, use)
	return use
}

// of is how many slots a body has by the books.
func (b *slotBooks) of(h *held, name string) (n int) {
	for _, u := range b.using {
		if u.h == h && slices.Contains(u.counts, name) {
			n += u.n
		}
	}
	return n
}

// heldBy is how many a task run has by the engine's.
func (w *world) heldBy(h *held, name string) (n int) {
	l, err := w.e.GlobalLimit(w.ctx, name)
	if err != nil {
		w.broken("global limit %s: %v", name, err)
	}
	for _, holder := range l.Holders {
		if holder.TaskRun == h.job.ID {
			n += holder.Slots
		}
	}
	return n
}

// slotsHold: nobody gets slots beyond a limit, and who has some is counted, until
// its body has ended or was given up.
func (w *world) slotsHold() {
	b := &w.slots
	if len(b.limits) == 0 {
		return
	}
	b.using = slices.DeleteFunc(b.using, func(u *inUse) bool {
		return !u.h.told.IsZero() && !w.now.Before(u.h.told.Add(grace))
	})
	for _, u := range b.using {
		for _, name := range u.counts {
			if got, want := w.heldBy(u.h, name), b.of(u.h, name); got < want {
				w.broken("body %s has %d slots of %s, %d are counted", u.h.script.Label, want, name, got)
			}
		}
	}
	for name := range b.limits {
		l, err := w.e.GlobalLimit(w.ctx, name)
		if err != nil {
			w.broken("global limit %s: %v", name, err)
		}
		now, n := map[holding]int{}, 0
		for _, holder := range l.Holders {
			n += holder.Slots
			now[holding{holder.TaskRun, holder.Slots, holder.Since}]++
		}
		more := false
		for holder, k := range now {
			more = more || k > b.holders[name][holder]
		}
		if more && n > l.Limit {
			w.broken("%d slots of %s are held, %d are allowed", n, name, l.Limit)
		}
		b.holders[name] = now
	}
}

// globalSlotsLeft: once all runs have ended, nobody has slots or waits for any.
func (w *world) globalSlotsLeft() {
	n := 0
	for l, err := range w.e.GlobalLimits(w.ctx) {
		n++
		if want := w.slots.limits[l.Name]; err != nil || l.Limit != want.Limit || l.Inactive != want.Inactive || len(l.Holders)+l.Waiting > 0 {
			w.broken("in the end the global limit %s is %+v (%v), want %+v", l.Name, l, err, want)
		}
	}
	if n != len(w.slots.limits) {
		w.broken("in the end there are %d global limits, want %v", n, slices.Sorted(maps.Keys(w.slots.limits)))
	}
}

// Acquire asks the engine, and lets the body wait.
func (s source) Acquire(ctx context.Context, job *api.Job, request api.SlotRequest) (int64, error) {
	turn, err := s.e.AskSlots(job, request)
	if err != nil {
		return 0, err
	}
	if err := s.job.co.park(ctx, turn.Ready()); err != nil {
		if turn.Withdraw() {
			return 0, err
		}
	}
	return turn.Grant()
}

// Release goes to the engine.
func (s source) Release(job *api.Job, grant int64) { s.e.Release(job, grant) }

// Trace is the engine's.
func (s source) Trace(job *api.Job) string { return s.e.Trace(job) }
