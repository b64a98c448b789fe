package flight

import (
	"maps"
	"slices"

	"github.com/runnel-dev/runnel/internal/roll"
)

// Where several sessions share the keys, one of them leads: its table gives the
// turns. For each key that somebody wants or has in another session, that session
// is in the line of the leader's table, once. Who is next in the session's own line
// has the turn when the session has; when he leaves, it goes back, and the session
// asks anew if others wait.
//
// Who begins to lead gives no turn before all have stated which they have. A
// session that has none before it is told can't have one that was not stated.

// shared is what a table is beside if several sessions share the keys.
type shared struct {
	away    bool             // this table gives no turns itself, or not yet
	asks    map[int64]string // keys that were asked for and not left, by number
	numbers int64            // the number given last
	said    Said

	leads   bool
	call    roll.Call
	parties map[int64]map[int64]*Claim // other sessions, by number
}

// branch is what a line is beside: the session's asking for it.
type branch struct {
	number int64  // 0: it has not asked
	here   bool   // and was given the turn
	told   string // who has it elsewhere
}

// Ask is what a session asks for, or has.
type Ask struct {
	Number int64  `json:"n"` // the session's own, never used twice
	Key    string `json:"key"`
	ID     string `json:"id"` // of the task run, for people
	Since  int64  `json:"since,omitempty"`
	Held   bool   `json:"held,omitempty"`
}

// Left is what a session has no use for any more.
type Left struct {
	Number int64 `json:"n"`
	Value  bool  `json:"value,omitempty"` // there is one now
}

// Said is what the leader is to hear, what was left first.
type Said struct {
	Left []Left `json:"left,omitempty"`
	Asks []Ask  `json:"asks,omitempty"`
}

// Told is what a session is to hear.
type Told struct {
	Session int64 `json:"-"`
	Number  int64 `json:"n"`
	// Look: there is a value. It is asked for anew if that is of no use.
	Look bool `json:"look,omitempty"`
	// Waits: it is another one's turn, that of task run By.
	Waits bool   `json:"waits,omitempty"`
	By    string `json:"by,omitempty"`
}

// Party is whose claim it is, if another session's.
type Party struct{ session, number int64 }

// Follow has the table give no turns but those that it is told of. Who has one keeps
// it. All is to be stated to whoever leads.
func (t *Table) Follow() {
	t.away, t.leads, t.parties, t.said = true, false, nil, Said{}
	if t.asks == nil {
		t.asks = make(map[int64]string)
	}
	for key, l := range t.lines {
		l.queue = slices.DeleteFunc(l.queue, foreign)
		if l.holder != nil && foreign(l.holder) {
			l.holder = nil
		}
		switch l.told = ""; {
		case l.holder == nil && len(l.queue) == 0:
			delete(t.asks, l.number)
			delete(t.lines, key)
		case l.holder != nil && l.number == 0:
			t.have(l)
		default:
			t.want(l)
		}
	}
	t.said = Said{}
}

func foreign(c *Claim) bool {
	_, is := c.Task.(Party)
	return is
}

// Lead has the table give turns for all, once it knows of all.
func (t *Table) Lead(self int64) {
	t.Follow()
	t.leads, t.call, t.parties = true, roll.Call{}, make(map[int64]map[int64]*Claim)
	t.call.Stated(self)
}

// Leads reports whether the table gives turns for others, now or soon.
func (t *Table) Leads() bool { return t.leads }

// Settled reports whether it gives turns.
func (t *Table) Settled() bool { return !t.away }

// Said gives what the leader is to hear since the last call.
func (t *Table) Said() (said Said, some bool) {
	if len(t.said.Asks)+len(t.said.Left) == 0 {
		return said, false
	}
	said, t.said = t.said, Said{}
	return said, true
}

// State gives all that the session has and waits for.
func (t *Table) State() (all []Ask) {
	t.said = Said{}
	for _, n := range slices.Sorted(maps.Keys(t.asks)) {
		all = append(all, t.lines[t.asks[n]].ask())
	}
	return all
}

// want asks for the turn of a line, if others give it.
func (t *Table) want(l *line) {
	if t.away && !t.leads && l.holder == nil && l.number == 0 && len(l.queue) > 0 {
		t.number(l, l.queue[0].Key)
		t.said.Asks = append(t.said.Asks, l.ask())
	}
}

// have is for a line that somebody has the turn of, whoever gave it.
func (t *Table) have(l *line) {
	if !t.away || t.leads {
		return
	}
	if l.number == 0 {
		t.number(l, l.holder.Key)
	}
	l.here = true
	t.said.Asks = append(t.said.Asks, l.ask())
}

func (t *Table) number(l *line, key string) {
	t.numbers++
	l.number, l.here = t.numbers, false
	t.asks[l.number] = key
}

func (l *line) ask() Ask {
	c := l.holder
	if c == nil {
		c = l.queue[0]
	}
	return Ask{Number: l.number, Key: c.Key, ID: c.ID, Since: c.Since, Held: l.here}
}

// giveBack ends the session's asking, or gives back its turn.
func (t *Table) giveBack(l *line, value bool) {
	if l.number == 0 {
		return
	}
	if t.away {
		t.said.Left = append(t.said.Left, Left{l.number, value})
	}
	delete(t.asks, l.number)
	l.branch = branch{}
}

// Hear is for what the leader says. Who is woken has his turn, or asks again.
func (t *Table) Hear(told *Told) (woken []*Claim) {
	key, asked := t.asks[told.Number]
	if !asked || t.leads {
		return nil // left meanwhile
	}
	l := t.lines[key]
	switch {
	case l.here: // told before
		return nil
	case told.Waits:
		l.told = told.By
		return nil
	case told.Look:
		delete(t.asks, l.number)
		l.branch = branch{}
		woken = l.disperse()
		t.tidy(l, key)
		return woken
	}
	l.here, l.told = true, ""
	return l.next(nil, false)
}
