package slot

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/internal/roll"
)

// Ask is what a body of another session asks for, or holds.
type Ask struct {
	Number int64    `json:"n"`     // the session's own, never used twice
	Owner  int64    `json:"owner"` // which body, in the same way
	ID     string   `json:"id,omitempty"`
	Names  []string `json:"names"`
	Slots  int      `json:"slots"`
	Rate   bool     `json:"rate,omitempty"`
	Strict bool     `json:"strict,omitempty"`
	Since  int64    `json:"since"` // in microseconds since 1970: when it asked, or got what it holds
	Held   bool     `json:"held,omitempty"`
}

// Party is whose claim it is, if another session's.
type Party struct {
	Session, Number, Owner int64
	ID                     string // of the task run, for people
}

// Kept is a table that one session keeps for all. Its own claims are in the table
// like those of the others. Who begins to keep it grants nothing before all that live
// have stated what they hold.
type Kept struct {
	table   *Table
	call    roll.Call
	parties map[int64]map[int64]*Claim // by session and number
	owners  map[int64]map[int64]*Owner // by session and number
	pending []*Claim                   // who asked before all had stated
}

// Keep makes a table be kept for all by session self.
func Keep(t *Table, self int64) *Kept {
	k := &Kept{table: t, parties: make(map[int64]map[int64]*Claim), owners: make(map[int64]map[int64]*Owner)}
	k.call.Stated(self)
	return k
}

// Settled reports whether all that live have stated what they hold.
func (k *Kept) Settled() bool { return k.call.Over() }

// Sessions gives the other sessions that are known.
func (k *Kept) Sessions() []int64 {
	all := make(map[int64]bool)
	maps.Copy(all, k.call.Known())
	for s := range k.parties {
		all[s] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// Wait is for a claim of this session before all have stated.
func (k *Kept) Wait(c *Claim) { k.pending = append(k.pending, c) }

// Forget takes such a claim out.
func (k *Kept) Forget(c *Claim) {
	k.pending = slices.DeleteFunc(k.pending, func(x *Claim) bool { return x == c })
}

// Ask is [Table.Ask] for a session. What it asks for may be known; what it holds is
// taken from the table whatever is free.
func (k *Kept) Ask(session int64, a *Ask, now time.Time) (c *Claim, v Verdict, name string, change Change) {
	of := k.parties[session]
	if of == nil {
		of = make(map[int64]*Claim)
		k.parties[session] = of
	}
	c = of[a.Number]
	switch {
	case c == nil:
		c = &Claim{
			Owner: k.owner(session, a), Names: a.Names, Slots: a.Slots, Rate: a.Rate, Strict: a.Strict,
			At: time.UnixMicro(a.Since), Task: Party{session, a.Number, a.Owner, a.ID},
		}
		of[a.Number] = c
	case c.stage == holds:
		return c, Granted, "", Change{}
	case !a.Held:
		return c, Waits, "", Change{}
	}
	switch {
	case a.Held:
		k.Forget(c)
		change = k.table.Leave(c, now)
		at := time.UnixMicro(a.Since)
		k.table.Hold(c, at)
		return c, Granted, "", change
	case !k.Settled():
		k.pending = append(k.pending, c)
		return c, Waits, "", Change{}
	}
	v, name, change = k.table.Ask(c, now)
	return c, v, name, change
}

// owner gives the body that asks.
func (k *Kept) owner(session int64, a *Ask) *Owner {
	of := k.owners[session]
	if of == nil {
		of = make(map[int64]*Owner)
		k.owners[session] = of
	}
	o := of[a.Owner]
	if o == nil {
		o = &Owner{Task: a.ID}
		of[a.Owner] = o
	}
	return o
}

// Over forgets a session's claim that has nothing and waits for nothing.
func (k *Kept) Over(c *Claim) {
	p, _ := c.Task.(Party)
	if c.stage == idle && k.parties[p.Session][p.Number] == c {
		delete(k.parties[p.Session], p.Number)
		k.tidy(c)
	}
}

// tidy forgets the body of c if it has nothing.
func (k *Kept) tidy(c *Claim) {
	p, _ := c.Task.(Party)
	if len(c.Owner.claims) == 0 && !slices.ContainsFunc(k.pending, func(x *Claim) bool { return x.Owner == c.Owner }) {
		delete(k.owners[p.Session], p.Owner)
	}
}

// Leave takes everything from a session's claims.
func (k *Kept) Leave(session int64, numbers []int64, now time.Time) Change {
	var touched []string
	for _, n := range numbers {
		c := k.parties[session][n]
		if c == nil {
			continue
		}
		delete(k.parties[session], n)
		k.Forget(c)
		if c.stage != idle { // all of them, before others get what they leave
			touched = append(touched, c.Names...)
			k.table.drop(c)
		}
		k.tidy(c)
	}
	return k.table.settle(Change{}, touched, now)
}

// add puts what follows after.
func (c *Change) add(after Change) {
	c.Granted = append(c.Granted, after.Granted...)
	c.Refused = append(c.Refused, after.Refused...)
	c.Wakes = append(c.Wakes, after.Wakes...)
}

// Gone takes everything from a session that has ended.
func (k *Kept) Gone(session int64, now time.Time) Change {
	change := k.Leave(session, slices.Sorted(maps.Keys(k.parties[session])), now)
	delete(k.parties, session)
	delete(k.owners, session)
	k.call.Gone(session)
	return change
}

// Stated says which claims a session has, and that it has stated all: those that it
// has no more leave. Before, it asked for each.
func (k *Kept) Stated(session int64, all []Ask, now time.Time) Change {
	have := make(map[int64]bool)
	for i := range all {
		have[all[i].Number] = true
	}
	var left []int64
	for _, n := range slices.Sorted(maps.Keys(k.parties[session])) {
		if !have[n] {
			left = append(left, n)
		}
	}
	k.call.Stated(session)
	return k.Leave(session, left, now)
}

// Live says which sessions live, as seen after this began to be kept. When all of
// them have stated what they hold, those that wait ask, in the order of their asking.
func (k *Kept) Live(sessions []int64, now time.Time) (change Change) {
	if !k.call.Ends(sessions) {
		return change
	}
	session := func(c *Claim) int64 {
		p, _ := c.Task.(Party)
		return p.Session
	}
	slices.SortStableFunc(k.pending, func(a, b *Claim) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(session(a), session(b)))
	})
	pending := k.pending
	k.pending = nil
	for _, c := range pending {
		v, name, after := k.table.Ask(c, now)
		switch v {
		case Granted:
			change.Granted = append(change.Granted, c)
		case Waits:
		default:
			change.Refused = append(change.Refused, Refusal{c, v, name})
		}
		change.add(after)
	}
	return change
}

// Claims gives those that hold slots or wait, of all sessions.
func (t *Table) Claims() (all []*Claim) {
	seen := make(map[*Claim]bool)
	for _, p := range t.pools {
		for c := range p.holders {
			seen[c] = true
		}
	}
	maps.Copy(seen, t.waiting)
	return slices.SortedFunc(maps.Keys(seen), byTicket)
}

// Hold gives c its slots whatever is free: it has had them since at.
func (t *Table) Hold(c *Claim, at time.Time) {
	t.last++
	c.ticket = t.last
	t.take(c, at)
}
