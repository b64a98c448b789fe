package limit

import (
	"cmp"
	"maps"
	"slices"

	"github.com/runnel-dev/runnel/internal/roll"
)

// Ask is what a task run of one of several sessions asks for, or has.
type Ask struct {
	Number int64    `json:"n"` // the session's own, never used twice
	ID     string   `json:"id"`
	Owner  int64    `json:"run"`
	Tags   []string `json:"tags"`
	Since  int64    `json:"since"` // when it asked first, for the order after who keeps the table has changed
	Held   bool     `json:"held,omitempty"`
	Parked bool     `json:"parked,omitempty"`
}

// Told is what a session is to hear about what it asked for.
type Told struct {
	Session int64   `json:"-"`
	Number  int64   `json:"n"`
	Verdict Verdict `json:"v,omitempty"`
	Tag     string  `json:"tag,omitempty"` // whose limit is 0, if Aborted
}

// Kept is a table that one keeps for several sessions. Who begins to keep it knows
// of nobody: it grants nothing before all that live have stated what they have and
// what they wait for. Slots that were granted count as taken from then on, for it
// can't be known here whether the task has begun.
type Kept struct {
	table   *Table
	members map[int64]map[int64]*Claim // by session and number
	call    roll.Call
	pending []*Claim // who asked before all had stated
}

// party is who has a claim of a Kept.
type party struct{ session, number, since int64 }

func partyOf(c *Claim) party {
	p, _ := c.Task.(party) // each claim of a Kept has one
	return p
}

// Keep makes a table for several sessions.
func Keep(t *Table) *Kept {
	return &Kept{table: t, members: make(map[int64]map[int64]*Claim)}
}

// Table gives the limits.
func (k *Kept) Table() *Table { return k.table }

// Settled reports whether all that live have stated what they have.
func (k *Kept) Settled() bool { return k.call.Over() }

// Sessions gives those that are known.
func (k *Kept) Sessions() []int64 {
	all := make(map[int64]bool)
	maps.Copy(all, k.call.Known())
	for s := range k.members {
		all[s] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// Live says which sessions live, as seen after this began to be kept.
func (k *Kept) Live(sessions []int64) []Told {
	if !k.call.Ends(sessions) {
		return nil
	}
	slices.SortStableFunc(k.pending, func(a, b *Claim) int {
		x, y := partyOf(a), partyOf(b)
		return cmp.Or(cmp.Compare(x.since, y.since), cmp.Compare(x.session, y.session), cmp.Compare(x.number, y.number))
	})
	var told []Told
	for _, c := range k.pending {
		told = append(told, k.put(c)...)
	}
	k.pending = nil
	return told
}

// Ask is for a task run that is to begin, or that has its slots since before.
func (k *Kept) Ask(session int64, a *Ask) []Told {
	m := k.members[session]
	if m == nil {
		m = make(map[int64]*Claim)
		k.members[session] = m
	}
	c := m[a.Number]
	if c == nil {
		c = &Claim{ID: a.ID, Owner: a.Owner, Tags: a.Tags, Task: party{session, a.Number, a.Since}, asked: a.Since}
		m[a.Number] = c
	} else if c.stage == begun || !a.Held {
		if c.stage == begun && !a.Held { // it did not hear of it yet
			return []Told{{Session: session, Number: a.Number}}
		}
		return nil
	}
	switch {
	case a.Held:
		k.forget(c)
		k.table.vacate(c)
		k.table.Hold(c)
	case k.call.Over():
		return k.put(c)
	default:
		k.pending = append(k.pending, c)
	}
	return nil
}

func (k *Kept) put(c *Claim) []Told {
	p := partyOf(c)
	switch k.table.Ask(c) {
	case Granted:
		return []Told{{Session: p.session, Number: p.number}}
	case Aborted:
		return k.Follow(Change{Aborted: []*Claim{c}})
	case Waits:
	}
	return nil
}

// Leave takes everything from a claim.
func (k *Kept) Leave(session, number int64) []Told {
	c := k.members[session][number]
	if c == nil {
		return nil
	}
	delete(k.members[session], number)
	k.forget(c)
	return k.Follow(k.table.Leave(c))
}

func (k *Kept) forget(c *Claim) {
	k.pending = slices.DeleteFunc(k.pending, func(x *Claim) bool { return x == c })
}

// Gone takes everything from a session that has ended.
func (k *Kept) Gone(session int64) (told []Told) {
	for _, n := range slices.Sorted(maps.Keys(k.members[session])) {
		told = append(told, k.Leave(session, n)...)
	}
	delete(k.members, session)
	k.call.Gone(session)
	return k.still(told)
}

// still leaves out what was granted to claims that have left since.
func (k *Kept) still(told []Told) []Told {
	return slices.DeleteFunc(told, func(x Told) bool {
		return x.Verdict == Granted && k.members[x.Session][x.Number] == nil
	})
}

// State takes what a session has and waits for, all of it. It may be what is known
// already.
func (k *Kept) State(session int64, all []Ask) (told []Told) {
	have := make(map[int64]bool)
	for i := range all {
		have[all[i].Number] = true
	}
	for _, n := range slices.Sorted(maps.Keys(k.members[session])) {
		if !have[n] {
			told = append(told, k.Leave(session, n)...)
		}
	}
	told = k.still(told)
	for i := range all { // what is had first: it may leave nothing for the others
		if all[i].Held {
			told = append(told, k.Ask(session, &all[i])...)
		}
	}
	for i := range all {
		if a := &all[i]; !a.Held {
			told = append(told, k.Park(a.Owner, a.Parked)...)
			told = append(told, k.Ask(session, a)...)
		}
	}
	k.call.Stated(session)
	return told
}

// Park passes over the claims of a run that wait, or no longer.
func (k *Kept) Park(owner int64, parked bool) []Told {
	return k.Follow(k.table.Park(owner, parked))
}

// Follow tells of what a change of the limits brings.
func (k *Kept) Follow(change Change) (told []Told) {
	for _, c := range change.Granted {
		k.table.Ask(c)
		p := partyOf(c)
		told = append(told, Told{Session: p.session, Number: p.number})
	}
	for _, c := range change.Aborted {
		p := partyOf(c)
		tag, _ := k.table.Zero(c)
		delete(k.members[p.session], p.number)
		told = append(told, Told{Session: p.session, Number: p.number, Verdict: Aborted, Tag: tag})
	}
	return told
}

// Wants gives what a claim waits for; nil if it does not.
func (k *Kept) Wants(session, number int64) []Want {
	if c := k.members[session][number]; c != nil && c.Waits() {
		return k.table.Wants(c)
	}
	return nil
}
