package limit

import "slices"

// Table is the limits, with who has slots and who waits for them.
type Table struct {
	limits  map[string]*slots
	waiting queue          // all who wait
	granted queue          // who has slots and has not begun
	parked  map[int64]bool // runs whose claims are passed over
	last    int64          // the ticket given last
	now     func() int64   // nil: how long slots are held and waited for is not measured
}

// slots are those of one tag.
type slots struct {
	limit  int
	active queue
	queue  queue // who waits for one, but for parked runs
	held   holds
	waited waits
}

// Change is what follows from a call for others than who called. The claims of
// both kinds have left the queues, and are in the order of their tickets.
type Change struct {
	Granted []*Claim // have all their slots, and may begin: they ask once more then
	Aborted []*Claim // have a tag whose limit is 0
}

// Verdict is the answer to who asks.
type Verdict uint8

// The verdicts.
const (
	Granted Verdict = iota // begin
	Waits                  // a later Change has it
	Aborted                // a limit is 0
)

// New makes a table without limits.
func New() *Table {
	return &Table{limits: make(map[string]*slots), parked: make(map[int64]bool)}
}

// Limited reports whether one of the tags has a limit.
func (t *Table) Limited(tags []string) bool {
	if len(t.limits) == 0 {
		return false
	}
	for _, tag := range tags {
		if t.limits[tag] != nil {
			return true
		}
	}
	return false
}

// Zero gives the first tag of c whose limit is 0.
func (t *Table) Zero(c *Claim) (tag string, found bool) {
	for _, tag := range c.Tags {
		if l := t.limits[tag]; l != nil && l.limit == 0 {
			return tag, true
		}
	}
	return "", false
}

// Holders gives who has a slot of a tag, and Waiting who waits and has the tag,
// those of parked runs too; the oldest first.
func (t *Table) Holders(tag string) []*Claim {
	if l := t.limits[tag]; l != nil {
		return l.active
	}
	return nil
}

// Waiting is told with Holders.
func (t *Table) Waiting(tag string) []*Claim { return t.waiting.with(tag) }

// Ask is for a claim that is to begin now.
func (t *Table) Ask(c *Claim) Verdict {
	switch c.stage {
	case granted:
		t.granted.remove(c)
		c.stage = begun
		return Granted
	case begun: // it does not wait for itself
		return Granted
	case waiting:
		return Waits
	case idle:
	}
	if _, zero := t.Zero(c); zero {
		c.ticket, c.asked = 0, 0
		return Aborted
	}
	t.number(c)
	if t.fits(c) {
		t.gets(c)
		c.stage = begun
		return Granted
	}
	c.stage = waiting
	t.waiting.add(c)
	if !t.parked[c.Owner] {
		t.enter(c)
	}
	return Waits
}

// Hold gives c its slots, be they free or not: it began before a crash.
func (t *Table) Hold(c *Claim) {
	t.number(c)
	t.take(c)
	c.stage = begun
}

// Leave takes everything from c: it has ended, or need not wait any more.
func (t *Table) Leave(c *Claim) Change {
	t.measure(c)
	t.vacate(c)
	c.ticket, c.asked = 0, 0
	return t.settle(c.Tags)
}

// Park passes over the claims of a run, or no longer. They keep their tickets;
// those that were granted slots and have not begun lose them, and ask again.
func (t *Table) Park(owner int64, parked bool) Change {
	if t.parked[owner] == parked {
		return Change{}
	}
	var touched []string
	if parked {
		t.parked[owner] = true
		for _, c := range t.waiting.of(owner) {
			t.depart(c)
			touched = append(touched, c.Tags...)
		}
		for _, c := range t.granted.of(owner) {
			t.vacate(c)
			touched = append(touched, c.Tags...)
		}
		return t.settle(touched)
	}
	delete(t.parked, owner)
	var change Change
	for _, c := range t.waiting.of(owner) {
		if t.abort(c, &change) {
			continue
		}
		t.enter(c)
		if !t.Limited(c.Tags) { // deleted meanwhile
			t.grant(c, &change)
		}
		touched = append(touched, c.Tags...)
	}
	return t.more(change, touched)
}

// number gives c its ticket.
func (t *Table) number(c *Claim) {
	if c.ticket == 0 {
		t.last++
		c.ticket = t.last
		if t.now != nil && c.asked == 0 {
			c.asked = t.now()
		}
	}
}

// fits reports whether all slots of c are free, and nobody older wants one.
func (t *Table) fits(c *Claim) bool {
	for _, tag := range c.Tags {
		l := t.limits[tag]
		if l != nil && (len(l.active) >= l.limit || len(l.queue) > 0 && l.queue[0].ticket < c.ticket) {
			return false
		}
	}
	return true
}

// gets is take for a claim that has waited, be it for nothing.
func (t *Table) gets(c *Claim) {
	t.take(c)
	if t.now == nil {
		return
	}
	for _, tag := range c.Tags {
		if l := t.limits[tag]; l != nil {
			l.waited.add(wait{c.since, max(c.since-c.asked, 0)})
		}
	}
}

func (t *Table) take(c *Claim) {
	if t.now != nil {
		c.since = t.now()
	}
	for _, tag := range c.Tags {
		if l := t.limits[tag]; l != nil {
			l.active.add(c)
		}
	}
}

// enter puts c into the queues of its tags.
func (t *Table) enter(c *Claim) {
	for _, tag := range c.Tags {
		if l := t.limits[tag]; l != nil {
			l.queue.add(c)
		}
	}
}

// depart takes c out of the queues of its tags.
func (t *Table) depart(c *Claim) {
	for _, tag := range c.Tags {
		if l := t.limits[tag]; l != nil {
			l.queue.remove(c)
		}
	}
}

// vacate makes c idle.
func (t *Table) vacate(c *Claim) {
	t.depart(c)
	t.waiting.remove(c)
	t.granted.remove(c)
	for _, tag := range c.Tags {
		if l := t.limits[tag]; l != nil {
			l.active.remove(c)
		}
	}
	c.stage = idle
}

// grant gives c, which waits, its slots.
func (t *Table) grant(c *Claim, change *Change) {
	t.depart(c)
	t.waiting.remove(c)
	t.gets(c)
	c.stage = granted
	t.granted.add(c)
	change.Granted = append(change.Granted, c)
}

// abort ends the waiting of c if one of its limits is 0.
func (t *Table) abort(c *Claim, change *Change) bool {
	if _, zero := t.Zero(c); !zero {
		return false
	}
	t.vacate(c)
	c.ticket, c.asked = 0, 0
	change.Aborted = append(change.Aborted, c)
	return true
}

// settle grants what can be granted after slots of the given tags were freed, or
// somebody left their queues.
func (t *Table) settle(touched []string) Change { return t.more(Change{}, touched) }

func (t *Table) more(change Change, touched []string) Change {
	for len(touched) > 0 {
		l := t.limits[touched[0]]
		touched = touched[1:]
		for l != nil && len(l.queue) > 0 && t.fits(l.queue[0]) {
			c := l.queue[0]
			t.grant(c, &change)
			if len(c.Tags) > 1 { // others may be first in their queues now
				touched = append(slices.Clip(touched), c.Tags...)
			}
		}
	}
	slices.SortFunc(change.Granted, byTicket)
	return change
}
