package slot

import (
	"cmp"
	"slices"
	"time"
)

// Def is a limit as it was defined.
type Def struct {
	Limit int
	// Per is the time in which one used slot comes back; 0: it is no rate limit.
	Per time.Duration
	// Inactive: nobody is counted, and nobody waits for it.
	Inactive bool
}

// Owner is who asks, a body: perhaps several times.
type Owner struct {
	Task any // belongs to who asks

	claims []*Claim // what it holds and waits for, in the order of asking
}

// Claim is what an owner asks for: so many slots of each of some limits.
type Claim struct {
	Owner *Owner
	Names []string // each once
	Slots int
	// Rate: the slots are not held, but come back by themselves.
	Rate bool
	// Strict: all of the names must be those of limits.
	Strict bool
	At     time.Time // when it asked; once it has its slots, when it got them
	Task   any       // belongs to who asks

	ticket int64
	stage  stage
}

type stage uint8

const (
	idle    stage = iota // has nothing, and is in no line
	waiting              // is in the lines of its limits
	holds                // has its slots
)

// ID is a number that no other claim of the table has, 0 before it has asked.
func (c *Claim) ID() int64 { return c.ticket }

func byTicket(a, b *Claim) int { return cmp.Compare(a.ticket, b.ticket) }

// Verdict is the answer to who asks.
type Verdict uint8

// The verdicts. All but the first two mean that nothing was taken.
const (
	Granted  Verdict = iota
	Waits            // a later Change has it
	TooMany          // the limit has not so many slots
	NoDecay          // slots that were used up would not come back
	Stuck            // it would wait for ever
	NotFound         // there is no such limit, and Strict wants one
)

// Refusal is a claim that waited and will not any more.
type Refusal struct {
	Claim   *Claim
	Verdict Verdict
	Name    string // of the limit that it is about
}

// Wake is when time alone will bring slots to who is next in a limit's line; the
// zero time says that it won't.
type Wake struct {
	Name string
	At   time.Time
}

// Change is what follows from a call for others than who called.
type Change struct {
	Granted []*Claim // have their slots
	Refused []Refusal
	Wakes   []Wake // in place of what was said before: call Due then
}

// Table is the limits, with who has slots of them and who waits.
type Table struct {
	pools   map[string]*pool
	waiting map[*Claim]bool
	last    int64 // the ticket given last
}

// pool is the slots of one limit.
type pool struct {
	name    string
	def     Def
	held    int
	holders map[*Claim]bool
	queue   []*Claim  // who waits, the oldest first
	clear   time.Time // when all used slots are back, if no more are used
	wake    time.Time // what was told
}

// New makes a table without limits.
func New() *Table {
	return &Table{pools: make(map[string]*pool), waiting: make(map[*Claim]bool)}
}

// Knows reports whether there is a limit of that name.
func (t *Table) Knows(name string) bool { return t.pools[name] != nil }

// active gives what a name limits, nil for nothing.
func (t *Table) active(name string) *pool {
	if p := t.pools[name]; p != nil && !p.def.Inactive {
		return p
	}
	return nil
}

// limited reports whether any of the names limits anything.
func (t *Table) limited(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return t.active(name) != nil })
}

// used is how long the used slots take to come back.
func (p *pool) used(now time.Time) time.Duration { return max(0, p.clear.Sub(now)) }

// Used is how many slots of a limit are held or used up. One that has come back in
// part is used.
func (t *Table) Used(name string, now time.Time) int {
	p := t.pools[name]
	if p == nil {
		return 0
	}
	n := p.held
	if per := p.def.Per; per > 0 {
		n += int((p.used(now) + per - 1) / per)
	}
	return n
}

// Clear is when all slots of a limit that were used up are back.
func (t *Table) Clear(name string) time.Time {
	if p := t.pools[name]; p != nil {
		return p.clear
	}
	return time.Time{}
}

// Restore says when all that was used up will be back, as Clear gave it before. More
// than the limit has can't be used up: a clock may have been set back.
func (t *Table) Restore(name string, back, now time.Time) {
	if p := t.pools[name]; p != nil && p.def.Per > 0 {
		most := now.Add(time.Duration(p.def.Limit) * p.def.Per)
		if p.clear = back; back.After(most) {
			p.clear = most
		}
	}
}

// Holders gives who holds slots of a limit, the oldest first.
func (t *Table) Holders(name string) []*Claim {
	p := t.pools[name]
	if p == nil {
		return nil
	}
	list := make([]*Claim, 0, len(p.holders))
	for c := range p.holders {
		list = append(list, c)
	}
	slices.SortFunc(list, byTicket)
	return list
}

// Waiting gives who waits for a limit, in the order of their turns.
func (t *Table) Waiting(name string) []*Claim {
	if p := t.active(name); p != nil {
		return p.queue
	}
	return nil
}

// Wait gives the claim that an owner waits with, the oldest one, and how many
// stand before it in the longest of its lines.
func (t *Table) Wait(o *Owner) (c *Claim, before int) {
	for _, own := range o.claims {
		if own.stage == waiting {
			return own, t.Before(own)
		}
	}
	return nil, 0
}

// Before gives how many stand before c, which waits, in the longest of its lines.
func (t *Table) Before(c *Claim) (before int) {
	for _, name := range c.Names {
		if p := t.active(name); p != nil {
			i, _ := slices.BinarySearchFunc(p.queue, c, byTicket)
			before = max(before, i)
		}
	}
	return before
}
