package limit

import "slices"

// holds is how long a slot was held, the last times.
type holds struct {
	last []int64
	next int // which of them the next one takes the place of

	middle int64 // the median, once it was asked for
	known  bool
}

// remembered is how many: enough for a median that follows what changes.
const remembered = 101

func (h *holds) add(d int64) {
	h.known = false
	if len(h.last) < remembered {
		h.last = append(h.last, d)
		return
	}
	h.last[h.next] = d
	h.next = (h.next + 1) % remembered
}

func (h *holds) median() int64 {
	if !h.known && len(h.last) > 0 {
		sorted := slices.Sorted(slices.Values(h.last))
		h.middle, h.known = sorted[len(sorted)/2], true
	}
	return h.middle
}

// Measure has the table tell how long slots are held and were waited for, by a clock of
// any unit. Nothing is decided by it.
func (t *Table) Measure(now func() int64) { t.now = now }

// Held is how long a slot of a tag was held, the median of the last hundred; 0 if that
// is not known.
func (t *Table) Held(tag string) int64 {
	if l := t.limits[tag]; l != nil {
		return l.held.median()
	}
	return 0
}

// measure notes how long c has held its slots. Those that were taken from it before do
// not count.
func (t *Table) measure(c *Claim) {
	if t.now == nil || c.stage != begun {
		return
	}
	d := max(t.now()-c.since, 0)
	for _, tag := range c.Tags {
		if l := t.limits[tag]; l != nil {
			if _, has := l.active.find(c); has {
				l.held.add(d)
			}
		}
	}
}
