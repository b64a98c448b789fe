package limit

import "slices"

// waits is how long those waited who got a slot last, and when they got it.
type waits struct {
	last []wait
	next int // which of them the next one takes the place of
}

type wait struct{ at, took int64 }

func (w *waits) add(one wait) {
	if len(w.last) < remembered {
		w.last = append(w.last, one)
		return
	}
	w.last[w.next] = one
	w.next = (w.next + 1) % remembered
}

// First is since when the first in the line of a tag has waited; 0: nobody waits whose run
// is not parked, or it is not measured.
func (t *Table) First(tag string) int64 {
	if l := t.limits[tag]; l != nil && len(l.queue) > 0 {
		return l.queue[0].asked
	}
	return 0
}

// Waited is how long 95 of 100 waited at most who got a slot of a tag at or after a time,
// of the last hundred; 0 if none did. Who got it at once waited for nothing.
func (t *Table) Waited(tag string, since int64) int64 {
	l := t.limits[tag]
	if l == nil {
		return 0
	}
	var took []int64
	for _, one := range l.waited.last {
		if one.at >= since {
			took = append(took, one.took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[(len(took)*95+99)/100-1]
}
