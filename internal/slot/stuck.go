package slot

import "slices"

// Who holds slots and waits for others may wait for somebody who waits for him.
// That is found when the last of them asks: think of all who do not wait as having
// given back what they hold; let those who wait have their turns, in order, and
// give everything back in their turn, as long as there is one who can. Who is left
// waits for ever. What was used up of rate limits comes back, so it does not count.
//
// The order of the lines is part of it: one that waits for two limits stands in
// the way of those behind it on both.

// waits reports whether an owner waits.
func (o *Owner) waits() bool {
	return slices.ContainsFunc(o.claims, func(c *Claim) bool { return c.stage == waiting })
}

// rehearsal is how it would go on among the limits that an owner's waiting may
// depend on.
type rehearsal struct {
	table *Table
	pools map[*pool]*stand
	owes  map[*Owner]int // claims that it waits with
	todo  []*pool
}

// stand is where a limit's slots and its line have come to.
type stand struct{ free, next int }

// stuck reports whether o waits for ever. Its cost is that of walking through who
// holds and who waits, of the limits that it depends on; but who has nothing beside
// what it waits for can't be the reason.
func (t *Table) stuck(o *Owner) bool {
	if len(o.claims) < 2 || !o.waits() {
		return false
	}
	r := &rehearsal{table: t, pools: make(map[*pool]*stand), owes: make(map[*Owner]int)}
	r.enter(o)
	for next := 0; next < len(r.todo); { // there come more
		p := r.todo[next]
		next++
		r.reach(p)
	}
	r.play()
	return r.owes[o] > 0
}

// enter takes note of who waits, and of what it waits for.
func (r *rehearsal) enter(o *Owner) {
	if _, known := r.owes[o]; known {
		return
	}
	n := 0
	for _, c := range o.claims {
		if c.stage != waiting {
			continue
		}
		n++
		for _, name := range c.Names {
			if p := r.table.active(name); p != nil && r.pools[p] == nil {
				r.pools[p] = new(stand)
				r.todo = append(r.todo, p)
			}
		}
	}
	r.owes[o] = n
}

// reach takes note of who stands in the way at a limit. What those hold who do not
// wait is free.
func (r *rehearsal) reach(p *pool) {
	s := r.pools[p]
	s.free = p.def.Limit
	for c := range p.holders {
		if c.Owner.waits() {
			s.free -= c.Slots
			r.enter(c.Owner)
		}
	}
	for _, c := range p.queue {
		r.enter(c.Owner)
	}
}

// play lets them have their turns until nobody can.
func (r *rehearsal) play() {
	for again := true; again; {
		again = false
		for _, p := range r.todo {
			for s := r.pools[p]; s.next < len(p.queue) && r.turn(p.queue[s.next]); {
				again = true
			}
		}
	}
}

// turn gives c its slots if it is first in all its lines, and they are free.
func (r *rehearsal) turn(c *Claim) bool {
	for _, name := range c.Names {
		p := r.table.active(name)
		if p == nil {
			continue
		}
		if s := r.pools[p]; p.queue[s.next] != c || s.free < c.Slots {
			return false
		}
	}
	for _, name := range c.Names {
		p := r.table.active(name)
		if p == nil {
			continue
		}
		s := r.pools[p]
		s.next++
		if !c.Rate {
			s.free -= c.Slots
		}
	}
	if r.owes[c.Owner]--; r.owes[c.Owner] == 0 {
		r.ends(c.Owner)
	}
	return true
}

// ends gives back all that an owner has.
func (r *rehearsal) ends(o *Owner) {
	for _, c := range o.claims {
		for _, name := range c.Names {
			p := r.table.active(name)
			if p == nil || r.pools[p] == nil {
				continue
			}
			if c.stage == waiting && !c.Rate || p.holders[c] {
				r.pools[p].free += c.Slots
			}
		}
	}
}

// youngestStuck gives who waits for ever and asked last.
func (t *Table) youngestStuck() (youngest *Claim) {
	for c := range t.waiting {
		if (youngest == nil || c.ticket > youngest.ticket) && t.stuck(c.Owner) {
			youngest = c
		}
	}
	return youngest
}
