package flight

import (
	"cmp"
	"slices"
)

// Claim is one who wants to run under a key.
type Claim struct {
	ID    string // of the task run, for people
	Key   string
	Owner int64 // its run's number; 0: it is never parked
	Task  any   // belongs to who asks
	Since int64 // when it asked, for the order among sessions

	// Carry is what who has the turn leaves to the next one of the same session. It
	// counts if Knows, which says that no other session had the turn since.
	Carry []byte
	Knows bool

	ticket int64 // from the first asking until it leaves; 0: none
	stage  stage
	room   line // of its key, if it asked first
}

// Turn reports whether c has the turn.
func (c *Claim) Turn() bool { return c.stage == granted || c.stage == begun }

type stage uint8

const (
	idle    stage = iota // has nothing, and is in no line
	waiting              // is in the line of its key
	granted              // has its turn, and has not begun
	begun
)

// Verdict is the answer to who asks.
type Verdict uint8

// The verdicts.
const (
	Granted Verdict = iota // it has its turn
	Waits                  // somebody else runs; it is told later
	Parked                 // its run is parked: it asks again when that goes on
)

// line is who has the turn under a key, and who waits, the oldest first.
type line struct {
	holder *Claim
	queue  []*Claim
	branch
}

// Table is the lines of all keys. It gives turns itself, unless another session
// does so for all: see [Table.Follow].
type Table struct {
	lines  map[string]*line
	owned  map[int64]map[*Claim]bool // those that have asked and not left, by run
	parked map[int64]bool
	last   int64 // the ticket given last
	shared
}

// New makes an empty table.
func New() *Table {
	return &Table{lines: make(map[string]*line), owned: make(map[int64]map[*Claim]bool), parked: make(map[int64]bool)}
}

// Ask is for a claim that wants to run. Who has the turn already keeps it.
func (t *Table) Ask(c *Claim) Verdict {
	switch c.stage {
	case granted, begun:
		return Granted
	case waiting:
		return Waits
	case idle:
	}
	if t.parked[c.Owner] {
		return Parked
	}
	t.enter(c)
	c.Carry, c.Knows = nil, false
	l := t.line(c)
	if l.holder == nil && !t.away {
		l.holder, c.stage = c, granted
		return Granted
	}
	t.wait(l, c)
	return Waits
}

// wait puts c into the line.
func (t *Table) wait(l *line, c *Claim) {
	c.stage = waiting
	i, _ := slices.BinarySearchFunc(l.queue, c, byTicket)
	l.queue = slices.Insert(l.queue, i, c)
	t.want(l)
}

func byTicket(a, b *Claim) int { return cmp.Compare(a.ticket, b.ticket) }

func (t *Table) enter(c *Claim) {
	if c.ticket == 0 {
		t.last++
		c.ticket = t.last
	}
	if c.Owner == 0 {
		return
	}
	if t.owned[c.Owner] == nil {
		t.owned[c.Owner] = make(map[*Claim]bool)
	}
	t.owned[c.Owner][c] = true
}

// line gives the line of c's key. Its room is c's own, which is in use by no other:
// a claim has one key, and who asks under it finds the line.
func (t *Table) line(c *Claim) *line {
	l := t.lines[c.Key]
	if l == nil {
		l = &c.room
		*l = line{}
		t.lines[c.Key] = l
	}
	return l
}

// Begin reports whether c has the turn, and says that it uses it now.
func (t *Table) Begin(c *Claim) bool {
	if !c.Turn() {
		return false
	}
	c.stage = begun
	return true
}

// Hold gives c the turn whoever has it: it began before a crash.
func (t *Table) Hold(c *Claim) {
	t.enter(c)
	l := t.line(c)
	if l.holder == nil {
		l.holder = c
		t.have(l)
	}
	c.stage = begun
}

// Leave takes the turn, or the place in the line, from c: it has ended, or does
// not wait any more. With a value all who waited are woken, and ask again if
// they find none; without one the oldest has its turn.
func (t *Table) Leave(c *Claim, value bool) (woken []*Claim) {
	woken = t.vacate(c, value)
	c.ticket = 0
	delete(t.owned[c.Owner], c)
	if len(t.owned[c.Owner]) == 0 {
		delete(t.owned, c.Owner)
	}
	return woken
}

// vacate makes c idle.
func (t *Table) vacate(c *Claim, value bool) (woken []*Claim) {
	l := t.lines[c.Key]
	was := c.stage
	c.stage = idle
	switch {
	case l == nil || was == idle:
	case was == waiting:
		if i, found := slices.BinarySearchFunc(l.queue, c, byTicket); found {
			l.queue = slices.Delete(l.queue, i, i+1)
		}
	case l.holder == c:
		l.holder = nil
		woken = t.pass(l, c, value)
	}
	if l != nil {
		t.tidy(l, c.Key)
	}
	return woken
}

// tidy forgets a line that nobody is in.
func (t *Table) tidy(l *line, key string) {
	if l.holder == nil && len(l.queue) == 0 {
		t.giveBack(l, false)
		delete(t.lines, key)
	}
}

// pass gives the turn on that c had.
func (t *Table) pass(l *line, c *Claim, value bool) (woken []*Claim) {
	t.giveBack(l, value)
	switch {
	case len(l.queue) == 0:
		return nil
	case value:
		return l.disperse()
	case t.away: // others may have asked before
		t.want(l)
		return nil
	}
	return l.next(c.Carry, c.Knows)
}

// disperse lets all go who wait.
func (l *line) disperse() (woken []*Claim) {
	woken, l.queue = l.queue, nil
	for _, c := range woken {
		c.stage = idle
	}
	return woken
}

// next gives the turn to the oldest.
func (l *line) next(carry []byte, knows bool) []*Claim {
	c := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	c.stage, l.holder = granted, c
	if !foreign(c) {
		c.Carry, c.Knows = carry, knows
	}
	return []*Claim{c}
}

// Park keeps the claims of a run from having a turn, or no longer. Back are
// those that waited: they are to ask again when the run goes on. Who had a turn
// and has not begun loses it, and woken are those who have theirs for it.
func (t *Table) Park(owner int64, parked bool) (woken, back []*Claim) {
	if !parked {
		delete(t.parked, owner)
		return nil, nil
	}
	t.parked[owner] = true
	own := make([]*Claim, 0, len(t.owned[owner]))
	for c := range t.owned[owner] {
		own = append(own, c)
	}
	slices.SortFunc(own, byTicket)
	for _, c := range own { // first those that wait: no turn is given to them
		if c.stage == waiting {
			t.vacate(c, false)
			back = append(back, c)
		}
	}
	for _, c := range own {
		if c.stage == granted {
			woken = append(woken, t.vacate(c, false)...)
		}
	}
	return woken, back
}

// Of gives the claims of a run, in no order.
func (t *Table) Of(owner int64) (claims []*Claim) {
	for c := range t.owned[owner] {
		claims = append(claims, c)
	}
	return claims
}
