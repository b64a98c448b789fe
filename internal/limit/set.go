package limit

import "slices"

// Set makes a limit, or changes it. Who has begun is not counted by a new one,
// and goes on under a lower one.
func (t *Table) Set(tag string, n int) Change {
	touched := []string{tag}
	l := t.limits[tag]
	if l == nil {
		l = new(slots)
		t.limits[tag] = l
		for _, c := range t.waiting.with(tag) {
			if !t.parked[c.Owner] {
				l.queue.add(c)
			}
		}
		touched = append(touched, t.revoke(tag, 0)...)
	}
	l.limit = n
	touched = append(touched, t.revoke(tag, n)...)
	var change Change
	if n == 0 {
		for _, c := range append(queue(nil), l.queue...) {
			t.abort(c, &change)
			touched = append(touched, c.Tags...)
		}
	}
	return t.more(change, touched)
}

// Delete removes a limit.
func (t *Table) Delete(tag string) Change {
	l := t.limits[tag]
	if l == nil {
		return Change{}
	}
	delete(t.limits, tag)
	var change Change
	var touched []string
	for _, c := range l.queue {
		if t.Limited(c.Tags) {
			touched = append(touched, c.Tags...)
			continue
		}
		t.grant(c, &change)
	}
	return t.more(change, touched)
}

// Reset forgets who has a slot of a tag: they go on and are not counted.
func (t *Table) Reset(tag string) Change {
	l := t.limits[tag]
	if l == nil {
		return Change{}
	}
	touched := append(t.revoke(tag, 0), tag)
	l.active = nil
	return t.settle(touched)
}

// Forget is Reset for those of some ids only.
func (t *Table) Forget(tag string, ids ...string) Change {
	l := t.limits[tag]
	if l == nil {
		return Change{}
	}
	touched := []string{tag}
	for _, c := range append(queue(nil), l.active...) {
		switch {
		case !slices.Contains(ids, c.ID):
		case c.stage == granted: // it asks again
			t.vacate(c)
			touched = append(touched, c.Tags...)
		default:
			l.active.remove(c)
		}
	}
	return t.settle(touched)
}

// revoke takes their slots from those with a tag that have not begun, the youngest
// first, as long as more than n are taken: they ask again under the limits as they
// are then. It gives the tags they had.
func (t *Table) revoke(tag string, n int) (touched []string) {
	l := t.limits[tag]
	for _, c := range slices.Backward(t.granted.with(tag)) {
		if n > 0 && len(l.active) <= n {
			break
		}
		t.vacate(c)
		touched = append(touched, c.Tags...)
	}
	return touched
}
