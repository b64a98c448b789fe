package flight

import (
	"cmp"
	"slices"
)

// Claim is one who wants to run under a key.
type Claim struct {
	ID    string // of the task run, for people
	Key   string
	Owner int64 // its run's number
	Task  any   // belongs to who asks

	ticket int64 // from the first asking until it leaves; 0: none
	stage  stage
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
}

// Table is the lines of all keys.
type Table struct {
	lines  map[string]*line
	owned  map[int64]map[*Claim]bool // those that have asked and not left, by run
	parked map[int64]bool
	last   int64 // the ticket given last
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
	l := t.line(c.Key)
	if l.holder == nil {
		l.holder, c.stage = c, granted
		return Granted
	}
	c.stage = waiting
	i, _ := slices.BinarySearchFunc(l.queue, c, byTicket)
	l.queue = slices.Insert(l.queue, i, c)
	return Waits
}

func byTicket(a, b *Claim) int { return cmp.Compare(a.ticket, b.ticket) }

func (t *Table) enter(c *Claim) {
	if c.ticket == 0 {
		t.last++
		c.ticket = t.last
	}
	if t.owned[c.Owner] == nil {
		t.owned[c.Owner] = make(map[*Claim]bool)
	}
	t.owned[c.Owner][c] = true
}

func (t *Table) line(key string) *line {
	l := t.lines[key]
	if l == nil {
		l = new(line)
		t.lines[key] = l
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
	l := t.line(c.Key)
	if l.holder == nil {
		l.holder = c
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
		woken = l.pass(value)
	}
	if l != nil && l.holder == nil && len(l.queue) == 0 {
		delete(t.lines, c.Key)
	}
	return woken
}

// pass gives the turn on.
func (l *line) pass(value bool) (woken []*Claim) {
	if len(l.queue) == 0 {
		return nil
	}
	if value {
		woken, l.queue = l.queue, nil
		for _, c := range woken {
			c.stage = idle
		}
		return woken
	}
	next := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	next.stage, l.holder = granted, next
	return []*Claim{next}
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
