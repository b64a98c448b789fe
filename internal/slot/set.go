package slot

import (
	"slices"
	"time"
)

// Set makes a limit, or changes it. Who holds slots goes on; who holds none of a
// new limit, or of one that was inactive, is not counted. Slots that were used up
// stay so, and come back as the new definition says; without a decay they are
// forgotten.
func (t *Table) Set(name string, def Def, now time.Time) Change {
	p := t.pools[name]
	if p == nil {
		p = &pool{name: name, def: Def{Inactive: true}, holders: make(map[*Claim]bool)}
		t.pools[name] = p
	}
	if was := p.def.Per; was != def.Per {
		used := p.used(now)
		p.clear = time.Time{}
		if was > 0 && def.Per > 0 && used > 0 {
			n := min(float64(used)/float64(was), float64(def.Limit))
			p.clear = now.Add(time.Duration(n * float64(def.Per)))
		}
	}
	was := p.def.Inactive
	p.def = def
	switch {
	case def.Inactive && !was:
		return t.open(p, now)
	case def.Inactive:
		return Change{}
	case was:
		for c := range t.waiting {
			if slices.Contains(c.Names, name) {
				p.queue = append(p.queue, c)
			}
		}
		slices.SortFunc(p.queue, byTicket)
	}
	return t.tighten(p, now)
}

// tighten refuses those who wait for what they can't get any more.
func (t *Table) tighten(p *pool, now time.Time) (change Change) {
	touched := []string{p.name}
	refuse := func(c *Claim, v Verdict) {
		change.Refused = append(change.Refused, Refusal{c, v, p.name})
		touched = append(touched, c.Names...)
		t.drop(c)
	}
	for _, c := range slices.Clone(p.queue) {
		switch {
		case c.Rate && p.def.Per == 0:
			refuse(c, NoDecay)
		case c.Slots > p.def.Limit:
			refuse(c, TooMany)
		}
	}
	change = t.settle(change, touched, now)
	for {
		c := t.youngestStuck()
		if c == nil {
			return change
		}
		touched = nil
		refuse(c, Stuck)
		change = t.settle(change, touched, now)
	}
}

// Delete removes a limit.
func (t *Table) Delete(name string, now time.Time) Change {
	p := t.pools[name]
	if p == nil {
		return Change{}
	}
	delete(t.pools, name)
	change := t.open(p, now)
	if !p.wake.IsZero() {
		change.Wakes = append(change.Wakes, Wake{Name: name})
	}
	return change
}

// open lets those go on who waited for p, which limits nobody any more.
func (t *Table) open(p *pool, now time.Time) (change Change) {
	touched := []string{p.name}
	queue := p.queue
	p.queue = nil
	for _, c := range queue {
		if t.limited(c.Names) {
			touched = append(touched, c.Names...)
			continue
		}
		t.drop(c)
		t.take(c, now)
		change.Granted = append(change.Granted, c)
	}
	return t.settle(change, touched, now)
}

// Reset forgets who holds slots of a limit, and which were used up: they go on and
// are not counted.
func (t *Table) Reset(name string, now time.Time) Change {
	p := t.pools[name]
	if p == nil {
		return Change{}
	}
	clear(p.holders)
	p.held, p.clear = 0, time.Time{}
	return t.settle(Change{}, []string{name}, now)
}
