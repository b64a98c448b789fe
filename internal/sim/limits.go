package sim

import (
	"maps"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// tagNames are the tags that calls may carry, and that may be limited.
var tagNames = []string{"a", "b", "c"}

// simLimit is a limit as the world made it.
type simLimit struct {
	n     int
	since int // bodies that began before are not counted
}

// flight is a body that has begun and whose end is not known to be durable.
type flight struct {
	*held
	number int // of the bodies that began, counted
}

// limit makes, changes or forgets a limit at random. In few worlds it may be 0:
// which tasks that ends depends on who comes first, and little can be foretold.
func (w *world) limit() {
	tag := tagNames[w.rng.IntN(len(tagNames))]
	l, known := w.limits[tag]
	var err error
	switch n := w.rng.IntN(10); {
	case !known || n < 7:
		if l.n = 1 + w.rng.IntN(3); w.faults.zero {
			l.n--
		}
		if !known {
			l.since = w.counts["bodies"]
		}
		w.limits[tag] = l
		err = w.e.SetLimit(w.ctx, tag, l.n)
		w.did("limit of %s is %d", tag, l.n)
	case n < 9:
		delete(w.limits, tag)
		err = w.e.DeleteLimit(w.ctx, tag)
		w.did("no limit of %s", tag)
	default:
		l.since = w.counts["bodies"]
		w.limits[tag] = l
		err = w.e.ResetLimit(w.ctx, tag)
		w.did("limit of %s is reset", tag)
	}
	if err != nil {
		w.broken("limit of %s: %v", tag, err)
	}
}

// mayTake: a body begins only if its tags have room for it. A limit that was
// lowered below what is in flight has none.
func (w *world) mayTake(h *held) {
	if h.job.Task == "flow" {
		return // it takes no slots
	}
	w.flights = slices.DeleteFunc(w.flights, func(f flight) bool { return !w.flies(f) })
	for _, tag := range h.job.Tags {
		l, known := w.limits[tag]
		if !known {
			continue
		}
		flying := 1
		for _, f := range w.flights {
			if f.number >= l.since && slices.Contains(f.job.Tags, tag) {
				flying++
			}
		}
		if flying > l.n {
			w.broken("body %s begins as one of %d with tag %s, %d are allowed", h.script.Label, flying, tag, l.n)
		}
	}
	w.counts["under a limit"] += min(len(h.job.Tags), len(w.limits), 1)
	w.flights = append(w.flights, flight{h, w.counts["bodies"]})
}

// flies reports whether a body's attempt has not durably ended.
func (w *world) flies(f flight) bool {
	row, _ := w.row(f.run, f.key)
	if row == nil {
		return !slices.Contains(w.removed, f.run) && f.run.last.State < api.Completed
	}
	gen, attempt := int(row.Gen), int(row.Attempt)
	return gen < f.job.Generation || gen == f.job.Generation &&
		(attempt < f.job.Attempt || attempt == f.job.Attempt && !row.State.Final())
}

// land forgets the bodies that ended with the engine. Those that wait for an
// answer from outside still have their slots; those that flows called do only once
// their flow comes to them again.
func (w *world) land() {
	w.flights = slices.DeleteFunc(w.flights, func(f flight) bool {
		row, cell := w.row(f.run, f.key)
		return w.faults.flows || row == nil || !w.flies(f) || !waits(row, cell)
	})
}

func waits(row *store.TaskRow, cell *store.TaskCell) bool {
	return row.State == api.Running && cell.Waiting()
}

// slotsLeft: once all runs have ended, nobody has a slot, or waits for one.
func (w *world) slotsLeft() {
	n := 0
	for l, err := range w.e.Limits(w.ctx) {
		n++
		if err != nil || l.Limit != w.limits[l.Tag].n || l.Active+l.Waiting > 0 {
			w.broken("in the end the limit of %s is %+v (%v), want %d", l.Tag, l, err, w.limits[l.Tag].n)
		}
	}
	if n != len(w.limits) {
		w.broken("in the end there are %d limits, want %v", n, slices.Sorted(maps.Keys(w.limits)))
	}
}
