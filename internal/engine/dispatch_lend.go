package engine

// has reports whether there may be something to start that workers here can do.
func (d *dispatcher) has() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.closed && d.more()
}

// hasAway reports whether there may be something to start that nobody can do here,
// of queues that somebody serves.
func (d *dispatcher) hasAway(serves func(queue string) bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.closed && d.awayFor(serves) != nil
}

// awayFor gives the round to take from next for who serves some queues: of the
// highest priority, the one that was not taken from for longest.
func (d *dispatcher) awayFor(serves func(queue string) bool) (next *round) {
	for _, r := range d.away {
		if next != nil && r.priority < next.priority {
			break
		}
		if r.any() && serves(r.queue) && (next == nil || r.turn < next.turn) {
			next = r
		}
	}
	return next
}

// count is how many were given to workers here so far.
func (d *dispatcher) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.given
}

// lay puts borrowed jobs where workers find them; false if there is nobody any
// more.
func (d *dispatcher) lay(jobs []*borrowed) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.borrowed = append(d.borrowed, jobs...)
	d.someone()
	return true
}

// unlay takes back what no worker has come for.
func (d *dispatcher) unlay() []*borrowed {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.borrowed
	d.borrowed = nil
	return list
}

// putBack puts back what a borrower can't do. Who lends is not told of it again: it
// comes by before long.
func (d *dispatcher) putBack(t *task) {
	d.mu.Lock()
	d.quiet = true
	d.put(t.run, []*task{t})
	d.quiet = false
	d.mu.Unlock()
}

// popFor is pop for a borrower that serves some queues: what nobody can do here,
// and everything if help is wanted. Whether what comes is of its queues is looked
// at again by who gets it.
func (d *dispatcher) popFor(serves func(queue string) bool, help bool) (item, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return item{}, false
	}
	for r := d.awayFor(serves); r != nil; r = d.awayFor(serves) {
		d.turns++
		r.turn = d.turns
		if it, ok := r.pop(d); ok {
			d.out(it)
			return it, true
		}
	}
	if !help {
		return item{}, false
	}
	for _, r := range d.rounds {
		if !r.turnTo(d, serves) {
			continue
		}
		if it, ok := r.pop(d); ok {
			d.out(it)
			return it, true
		}
	}
	return item{}, false
}

// turnTo puts lanes at the end until one is first whose queue is served; false if
// there is none.
func (r *round) turnTo(d *dispatcher, serves func(queue string) bool) bool {
	for range len(r.lanes) - r.head {
		l := r.lanes[r.head]
		if !l.of.parked && !d.stops(l) && (l.key.all || serves(l.key.Queue)) {
			return true
		}
		r.lanes[r.head] = nil
		r.head++
		r.lanes = append(r.lanes, l)
	}
	return false
}

// misfits is with how many tasks that a borrower can't do the search for others
// ends.
const misfits = 16

// claimFor claims a task for a borrower, nil if there is none for it. A flow that can
// be here stays: it mostly waits.
func (e *Engine) claimFor(o *offer, help bool) *task {
	worker := e.workers.number(o.name, e.micros())
	for odd := 0; odd < misfits; {
		it, ok := e.dispatch.popFor(o.serves, help)
		if !ok {
			return nil
		}
		t := e.taken(it)
		switch {
		case t == nil:
		case t.call.Flow && e.dispatch.serves(t.call.Lane.Queue) && !e.dispatch.drains(), !o.knows(t.call.Name), !o.serves(t.call.Lane.Queue):
			e.dispatch.putBack(t)
			odd++
		case e.claims(t, worker):
			return t
		}
	}
	return nil
}
