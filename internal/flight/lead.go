package flight

import (
	"cmp"
	"maps"
	"slices"
)

// From is for what a session says.
func (t *Table) From(session int64, said *Said) (woken []*Claim) {
	if !t.leads {
		return nil // it states all once this one does
	}
	for _, x := range said.Left {
		woken = append(woken, t.part(session, x.Number, x.Value)...)
	}
	for i := range said.Asks {
		woken = append(woken, t.meet(session, &said.Asks[i])...)
	}
	return t.still(woken)
}

// Stated is for all that a session has and waits for. It may be what is known
// already.
func (t *Table) Stated(session int64, all []Ask) (woken []*Claim) {
	if !t.leads {
		return nil
	}
	have := make(map[int64]bool)
	for i := range all {
		have[all[i].Number] = true
	}
	for _, n := range slices.Sorted(maps.Keys(t.parties[session])) {
		if !have[n] {
			woken = append(woken, t.part(session, n, false)...)
		}
	}
	for _, held := range []bool{true, false} {
		for i := range all {
			if all[i].Held == held {
				woken = append(woken, t.meet(session, &all[i])...)
			}
		}
	}
	t.call.Stated(session)
	return t.still(woken)
}

// meet puts what a session asks for into its line.
func (t *Table) meet(session int64, a *Ask) []*Claim {
	of := t.parties[session]
	if of == nil {
		of = make(map[int64]*Claim)
		t.parties[session] = of
	}
	c := of[a.Number]
	switch {
	case c == nil:
		c = &Claim{ID: a.ID, Key: a.Key, Since: a.Since, Task: Party{session, a.Number}}
		of[a.Number] = c
	case c.Turn() && !a.Held: // it has not heard yet
		return []*Claim{c}
	case c.Turn() || c.stage == waiting && !a.Held:
		return nil
	}
	if a.Held {
		if c.stage == waiting {
			t.vacate(c, false)
		}
		t.Hold(c)
		return nil
	}
	if t.Ask(c) == Granted {
		return []*Claim{c}
	}
	return nil
}

// part takes everything from a session's claim.
func (t *Table) part(session, number int64, value bool) []*Claim {
	c := t.parties[session][number]
	if c == nil {
		return nil
	}
	delete(t.parties[session], number)
	return t.Leave(c, value)
}

// still leaves out the claims of sessions that have left meanwhile, and what is
// there twice.
func (t *Table) still(woken []*Claim) []*Claim {
	seen := make(map[*Claim]bool)
	return slices.DeleteFunc(woken, func(c *Claim) bool {
		p, is := c.Task.(Party)
		gone := seen[c] || is && t.parties[p.session][p.number] != c
		seen[c] = true
		return gone
	})
}

// Sessions gives the other sessions that are known.
func (t *Table) Sessions() []int64 {
	all := make(map[int64]bool)
	maps.Copy(all, t.call.Known())
	for s := range t.parties {
		all[s] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// Gone takes everything from a session that has ended.
func (t *Table) Gone(session int64) (woken []*Claim) {
	for _, n := range slices.Sorted(maps.Keys(t.parties[session])) {
		woken = append(woken, t.part(session, n, false)...)
	}
	delete(t.parties, session)
	t.call.Gone(session)
	return t.still(woken)
}

// Live says which sessions live, as seen after this one began to lead. When all of
// them have stated what they have, the turns are given that nobody has, in the order
// of asking.
func (t *Table) Live(sessions []int64) (woken []*Claim) {
	if !t.leads || !t.call.Ends(sessions) {
		return nil
	}
	t.away, t.asks, t.said = false, make(map[int64]string), Said{}
	var all []*Claim
	for _, l := range t.lines {
		all = append(all, l.queue...)
		l.queue, l.branch = nil, branch{}
	}
	slices.SortFunc(all, func(a, b *Claim) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.party().session, b.party().session), byTicket(a, b))
	})
	for _, c := range all {
		c.ticket, c.stage = 0, idle
		t.enter(c)
		l := t.lines[c.Key]
		l.queue = append(l.queue, c)
		c.stage = waiting
		if l.holder == nil {
			woken = append(woken, l.next(nil, false)...)
		}
	}
	return woken
}

func (c *Claim) party() Party {
	p, _ := c.Task.(Party)
	return p
}

// Tell gives what sessions are to hear of claims of theirs that were woken.
func (t *Table) Tell(woken []*Claim) (told []Told) {
	for _, c := range woken {
		p := c.party()
		if t.parties[p.session][p.number] != c {
			continue // it has left
		}
		switch c.stage {
		case granted, begun:
			told = append(told, Told{Session: p.session, Number: p.number})
		case idle:
			delete(t.parties[p.session], p.number)
			t.Leave(c, false)
			told = append(told, Told{Session: p.session, Number: p.number, Look: true})
		case waiting: // it has asked again
		}
	}
	return told
}

// Blocked gives what a session is to hear of an ask of its that waits.
func (t *Table) Blocked(session, number int64) (told Told, waits bool) {
	c := t.parties[session][number]
	if c == nil || c.stage != waiting {
		return told, false
	}
	told = Told{Session: session, Number: number, Waits: true}
	if l := t.lines[c.Key]; l.holder != nil {
		told.By = l.holder.ID
	}
	return told, true
}
