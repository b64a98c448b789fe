package slot

import (
	"slices"
	"time"
)

// Ask is for a claim that has not asked yet. With a verdict that refuses it comes
// the name of the limit that it is about.
func (t *Table) Ask(c *Claim, now time.Time) (v Verdict, name string, change Change) {
	for _, name := range c.Names {
		p := t.pools[name]
		switch {
		case p == nil && c.Strict:
			return NotFound, name, Change{}
		case p == nil:
		case c.Rate && p.def.Per == 0:
			return NoDecay, name, Change{}
		case !p.def.Inactive && c.Slots > p.def.Limit:
			return TooMany, name, Change{}
		}
	}
	t.last++
	c.ticket, c.At = t.last, now
	if t.first(c) && t.room(c, now) {
		t.take(c, now)
		return Granted, "", t.settle(Change{}, c.Names, now)
	}
	alone := !slices.ContainsFunc(c.Owner.claims, func(own *Claim) bool { return own.stage == waiting })
	c.stage = waiting
	t.waiting[c] = true
	c.Owner.claims = append(c.Owner.claims, c)
	for _, name := range c.Names {
		if p := t.active(name); p != nil {
			p.queue = append(p.queue, c)
		}
	}
	if !t.stuck(c.Owner) {
		return Waits, "", t.settle(Change{}, c.Names, now)
	}
	t.drop(c)
	// It may be that nothing is in its way but the order, and that those before
	// it wait for what it holds: they lose nothing if it passes.
	if alone && t.room(c, now) {
		t.take(c, now)
		return Granted, "", t.settle(Change{}, c.Names, now)
	}
	return Stuck, t.lacking(c, now), Change{}
}

// lacking gives the first limit in c that has no room for it.
func (t *Table) lacking(c *Claim, now time.Time) string {
	for _, name := range c.Names {
		if p := t.active(name); p != nil && !p.room(c.Slots, now) {
			return name
		}
	}
	return c.Names[0]
}

// Leave takes everything from c: it gives its slots back, or waits no more.
func (t *Table) Leave(c *Claim, now time.Time) Change {
	if c.stage == idle {
		return Change{}
	}
	t.drop(c)
	return t.settle(Change{}, c.Names, now)
}

// End takes everything from an owner, and gives what it held and waited for.
func (t *Table) End(o *Owner, now time.Time) (held, waited []*Claim, change Change) {
	var touched []string
	for _, c := range slices.Clone(o.claims) {
		if c.stage == waiting {
			waited = append(waited, c)
		} else {
			held = append(held, c)
		}
		touched = append(touched, c.Names...)
		t.drop(c)
	}
	return held, waited, t.settle(Change{}, touched, now)
}

// Due is for when a Wake said.
func (t *Table) Due(name string, now time.Time) Change {
	p := t.pools[name]
	if p == nil {
		return Change{}
	}
	p.wake = time.Time{} // it is over
	return t.settle(Change{}, []string{name}, now)
}

// first reports whether nobody older waits for any limit in c.
func (t *Table) first(c *Claim) bool {
	for _, name := range c.Names {
		if p := t.active(name); p != nil && len(p.queue) > 0 && p.queue[0].ticket < c.ticket {
			return false
		}
	}
	return true
}

// room reports whether all slots of c are free.
func (t *Table) room(c *Claim, now time.Time) bool {
	for _, name := range c.Names {
		if p := t.active(name); p != nil && !p.room(c.Slots, now) {
			return false
		}
	}
	return true
}

func (p *pool) room(n int, now time.Time) bool {
	left := p.def.Limit - p.held - n
	return left >= 0 && p.used(now) <= time.Duration(left)*p.def.Per
}

// take gives c its slots.
func (t *Table) take(c *Claim, now time.Time) {
	for _, name := range c.Names {
		p := t.active(name)
		switch {
		case p == nil:
		case c.Rate:
			if p.clear.Before(now) {
				p.clear = now
			}
			p.clear = p.clear.Add(time.Duration(c.Slots) * p.def.Per)
		default:
			p.held += c.Slots
			p.holders[c] = true
		}
	}
	c.At = now
	if !c.Rate {
		c.stage = holds
		c.Owner.claims = append(c.Owner.claims, c)
	}
}

// drop takes c out of everything.
func (t *Table) drop(c *Claim) {
	for _, name := range c.Names {
		p := t.pools[name]
		if p == nil {
			continue
		}
		p.leaveQueue(c)
		if p.holders[c] {
			delete(p.holders, c)
			p.held -= c.Slots
		}
	}
	delete(t.waiting, c)
	if i := slices.Index(c.Owner.claims, c); i >= 0 {
		c.Owner.claims = slices.Delete(c.Owner.claims, i, i+1)
	}
	c.stage = idle
}

func (p *pool) leaveQueue(c *Claim) {
	if len(p.queue) > 0 && p.queue[0] == c { // the common case: its turn has come
		p.queue[0] = nil
		p.queue = p.queue[1:]
		return
	}
	if i, found := slices.BinarySearchFunc(p.queue, c, byTicket); found {
		p.queue = slices.Delete(p.queue, i, i+1)
	}
}

// settle gives slots to who can have them, once something has changed about the
// named limits, and says when time will bring more.
func (t *Table) settle(change Change, touched []string, now time.Time) Change {
	all := slices.Clone(touched)
	for i := 0; i < len(all); i++ {
		p := t.active(all[i])
		for p != nil && len(p.queue) > 0 && t.first(p.queue[0]) && t.room(p.queue[0], now) {
			c := p.queue[0]
			t.drop(c)
			t.take(c, now)
			change.Granted = append(change.Granted, c)
			if len(c.Names) > 1 { // others may be first in their lines now
				all = append(all, c.Names...)
			}
		}
	}
	for _, name := range all {
		p := t.pools[name]
		if p == nil {
			continue
		}
		if at := t.next(p); !at.Equal(p.wake) {
			p.wake = at
			change.Wakes = append(change.Wakes, Wake{name, at})
		}
	}
	return change
}

// next is when time will have brought what the first in the line of p waits for;
// the zero time if somebody has to give something back before.
func (t *Table) next(p *pool) (at time.Time) {
	if p.def.Inactive || len(p.queue) == 0 {
		return time.Time{}
	}
	c := p.queue[0]
	if !t.first(c) {
		return time.Time{}
	}
	for _, name := range c.Names {
		q := t.active(name)
		if q == nil {
			continue
		}
		left := q.def.Limit - q.held - c.Slots
		if left < 0 {
			return time.Time{}
		}
		if due := q.clear.Add(-time.Duration(left) * q.def.Per); q.def.Per > 0 && due.After(at) {
			at = due
		}
	}
	return at
}
