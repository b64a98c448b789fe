package engine

import (
	"cmp"
	"maps"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/limit"
)

// sharing is what an engine knows of slots of tags that another one may keep.
// Guarded by limits.mu.
type sharing struct {
	on      bool
	keeper  int64 // whose letters count
	synced  bool  // known is what the keeper knows; if not, all is asked for
	version int64
	last    int64 // the number given last
	claims  map[*task]*share
	numbers map[int64]*share
	parked  map[int64]bool
}

// share is a task that has asked and not left.
type share struct {
	limit.Ask

	task  *task
	begun bool              // else it has its slots, if Held, or waits
	wants []api.WaitingSlot // as the keeper said last
}

func (s *sharing) init() {
	s.on = true
	s.claims, s.numbers, s.parked = make(map[*task]*share), make(map[int64]*share), make(map[int64]bool)
}

func (l *limitState) follows(session int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keeper == session
}

// keptBy takes note who the keeper is, and reports whether that is news.
func (l *limitState) keptBy(session int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keeper == session {
		return false
	}
	l.keeper, l.synced, l.version = session, false, 0
	return true
}

// learn takes note which tags are limited.
func (l *limitState) learn(from int64, in *knownLimits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from == l.keeper && (!l.synced || in.Version > l.version) {
		l.known, l.version, l.synced = in.Limits, in.Version, true
	}
}

func (l *limitState) all() *knownLimits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &knownLimits{l.version, maps.Clone(l.known)}
}

// limited reports whether a slot may be needed. Called with mu.
func (l *limitState) limited(tags []string) bool {
	return !l.synced || slices.ContainsFunc(tags, func(tag string) bool {
		_, known := l.known[tag]
		return known
	})
}

// say says something to the keeper. What this engine itself keeps is done at once;
// who calls spreads what follows, without limits.mu. Called with limits.mu, so that
// nothing is said in another order than it happened.
func (e *Engine) say(in *slotLetter) []limit.Told {
	switch e.limits.keeper {
	case 0: // it is stated when there is one
		return nil
	case e.peers.node.Self():
		return e.keepFor(e.limits.keeper, in)
	}
	_ = e.peers.node.Tell(e.limits.keeper, askSlots, in)
	return nil
}

// stateSlots states to the keeper all that is had and waited for here.
func (e *Engine) stateSlots() {
	l := &e.limits
	l.mu.Lock()
	in := slotLetter{All: true}
	for _, number := range slices.Sorted(maps.Keys(l.numbers)) {
		in.Asks = append(in.Asks, l.numbers[number].Ask)
	}
	told := e.say(&in)
	l.mu.Unlock()
	e.spread(told)
	for _, x := range e.turnsOf() {
		x.state(e)
	}
	e.stateGlobal()
}

// askKeeper is limitState.ask where the keeper has the table.
func (e *Engine) askKeeper(t *task) (verdict limit.Verdict, tag string) {
	l := &e.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.shareOf(t)
	switch {
	case c == nil:
		return limit.Granted, ""
	case c.Held:
		c.begun = true
		return limit.Granted, ""
	case c.Number != 0:
		return limit.Waits, ""
	}
	l.number(c)
	told := e.say(&slotLetter{Asks: []limit.Ask{c.Ask}})
	switch {
	case len(told) == 0:
		return limit.Waits, ""
	case told[0].Verdict == limit.Aborted: // it is of c, and the only one
		l.forget(c)
	default:
		c.Held, c.begun = true, true
	}
	return told[0].Verdict, told[0].Tag
}

// shareOf gives the share of t, a new one without a number if it needs one. Called
// with mu.
func (l *limitState) shareOf(t *task) *share {
	c := l.claims[t]
	if c == nil && l.limited(t.first.Tags) {
		c = &share{task: t, Ask: limit.Ask{ID: t.first.ID, Owner: t.run.id, Tags: t.first.Tags, Parked: l.parked[t.run.id], Since: t.run.e.micros()}}
	}
	return c
}

// number enters c. Called with mu.
func (l *limitState) number(c *share) {
	l.last++
	c.Number = l.last
	l.claims[c.task], l.numbers[c.Number] = c, c
}

// forget takes c out. Called with mu.
func (l *limitState) forget(c *share) {
	delete(l.claims, c.task)
	delete(l.numbers, c.Number)
}

// holdKept is holdSlots where the keeper has the table.
func (e *Engine) holdKept(t *task) {
	l := &e.limits
	l.mu.Lock()
	c := l.shareOf(t)
	var told []limit.Told
	if c != nil && c.Number == 0 {
		c.Held, c.begun = true, true
		l.number(c)
		told = e.say(&slotLetter{Asks: []limit.Ask{c.Ask}})
	}
	l.mu.Unlock()
	e.spread(told)
}

// leaveKept is leaveSlots where the keeper has the table.
func (e *Engine) leaveKept(t *task) {
	l := &e.limits
	l.mu.Lock()
	c := l.claims[t]
	if c == nil {
		l.mu.Unlock()
		return
	}
	l.forget(c)
	told := e.say(&slotLetter{Leave: []int64{c.Number}})
	l.mu.Unlock()
	if !c.Held {
		e.dispatch.unwait(t.run)
	}
	e.spread(told)
}

// parkKept is for a run that is paused, or goes on. Slots that were granted and
// are not used are given back: their tasks ask anew.
func (e *Engine) parkKept(r *run, parked bool) {
	l := &e.limits
	l.mu.Lock()
	if l.parked[r.id] == parked {
		l.mu.Unlock()
		return
	}
	in := slotLetter{Unpark: r.id}
	if delete(l.parked, r.id); parked {
		in = slotLetter{Park: r.id}
		l.parked[r.id] = true
	}
	for _, number := range slices.Sorted(maps.Keys(l.numbers)) {
		c := l.numbers[number]
		switch {
		case c.Owner != r.id || c.begun:
		case c.Held:
			l.forget(c)
			in.Leave = append(in.Leave, number)
		default:
			c.Parked = parked
		}
	}
	told := e.say(&in)
	l.mu.Unlock()
	e.spread(told)
}

// slotsTold is for a letter of the keeper.
func (e *Engine) slotsTold(q *cluster.Request) {
	var in toldLetter
	if err := q.Decode(&in); err != nil {
		e.log.Error("a message about slots can't be read", "from", q.From, "error", err)
		return
	}
	if !e.limits.follows(q.From) {
		return // it is not the keeper, or not yet: then all is stated to it
	}
	e.limits.mu.Lock()
	for number, wants := range in.Waits {
		if c := e.limits.numbers[number]; c != nil {
			c.wants = wants
		}
	}
	e.limits.mu.Unlock()
	if in.Known != nil {
		e.limits.learn(q.From, in.Known)
	}
	e.hear(q.From, in.Told)
}

// hear lets those begin that have their slots, and ends those that never will. What
// was said by who is not the keeper any more does not count, since the next one was
// told how all was before.
func (e *Engine) hear(from int64, told []limit.Told) {
	if len(told) == 0 {
		return
	}
	l := &e.limits
	var granted []*task
	var refused []refusal
	var back slotLetter
	l.mu.Lock()
	if l.keeper != from {
		told = nil
	}
	for _, x := range told {
		c := l.numbers[x.Number]
		switch {
		case c == nil || c.Held: // it has left, or was told before
		case x.Verdict == limit.Aborted:
			l.forget(c)
			refused = append(refused, refusal{c.task, x.Tag})
		case l.parked[c.Owner]: // it was paused meanwhile, and asks anew
			l.forget(c)
			back.Leave = append(back.Leave, c.Number)
			granted = append(granted, c.task)
		default:
			c.Held, c.wants = true, nil
			granted = append(granted, c.task)
		}
	}
	var more []limit.Told
	if len(back.Leave) > 0 {
		more = e.say(&back)
	}
	l.mu.Unlock()
	e.begin(granted)
	e.refuse(refused)
	e.spread(more)
}

// waitsKept says what a task waits for: as it is if this engine is the keeper, else
// as the keeper said last. Called with limits.mu.
func (e *Engine) waitsKept(t *task) []api.WaitingSlot {
	c := e.limits.claims[t]
	switch {
	case c == nil || c.Held:
		return nil
	case e.limits.keeper == e.peers.node.Self():
		if now := e.keptWaits(e.limits.keeper, c.Number); now != nil {
			return now
		}
	case c.wants != nil:
		return c.wants
	}
	for _, tag := range c.Tags { // the keeper has not said yet
		if r, known := e.limits.known[tag]; known {
			return []api.WaitingSlot{{Tag: tag, Limit: r.Limit}}
		}
	}
	return nil
}

// ofRun gives the tasks of a run that have asked. Called with limits.mu.
func (s *sharing) ofRun(r *run) (tasks []*task) {
	for _, c := range slices.SortedFunc(maps.Values(s.claims), func(a, b *share) int { return cmp.Compare(a.Number, b.Number) }) {
		if c.Owner == r.id {
			tasks = append(tasks, c.task)
		}
	}
	return tasks
}
