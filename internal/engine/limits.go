package engine

import (
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/limit"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

// limitState holds the limits of tags, and who has slots of them. The limits are
// stored; who has slots is not: after a crash nobody has any, and bodies that
// start again take theirs again.
type limitState struct {
	writing sync.Mutex // one change of limits at a time

	mu      sync.Mutex
	table   *limit.Table
	asked   map[*task]*limit.Claim // of who has asked and not left
	known   map[string]limitRecord
	sharing // in place of table and claims, if others share the store
}

// refusal is a task that may not begin, for a tag of it has the limit 0.
type refusal struct {
	task *task
	tag  string
}

func (l *limitState) init() {
	l.table, l.asked, l.known = limit.New(), make(map[*task]*limit.Claim), make(map[string]limitRecord)
}

// takeSlots reports whether t may begin now as far as the limits of its tags go.
// If not, it has its turn later, or ends.
func (e *Engine) takeSlots(t *task) bool {
	ask := e.limits.ask
	if e.limits.on {
		ask = e.askKeeper
	}
	// Slots that come at once must find that t waits, and t can't be claimed again
	// before: whoever does takes the run's lock.
	t.run.mu.Lock()
	verdict, tag := ask(t)
	gone := verdict != limit.Granted && t.phase != ready // cancelled before it asked
	switch verdict {
	case limit.Granted:
	case limit.Waits:
		e.dispatch.wait(t.run)
	case limit.Aborted:
		t.refuse(tag)
	}
	t.run.mu.Unlock()
	if gone {
		e.leaveSlots(t)
		e.dropKeyed(t)
	}
	return verdict == limit.Granted
}

func (l *limitState) ask(t *task) (verdict limit.Verdict, tag string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claim(t)
	if c == nil {
		return limit.Granted, ""
	}
	verdict = l.table.Ask(c)
	if verdict == limit.Aborted {
		tag, _ = l.table.Zero(c)
		delete(l.asked, t)
	}
	return verdict, tag
}

// claim gives what t asks for, nil if none of its tags has a limit. Called with
// mu held.
func (l *limitState) claim(t *task) *limit.Claim {
	c := l.asked[t]
	if c == nil && l.table.Limited(t.first.Tags) {
		c = &limit.Claim{ID: t.first.ID, Owner: t.run.id, Tags: t.first.Tags, Task: t}
		l.asked[t] = c
	}
	return c
}

// leaveSlots gives back what t has or waits for, and lets those begin who waited
// for it.
func (e *Engine) leaveSlots(t *task) {
	if !t.tagged {
		return
	}
	if e.limits.on {
		e.leaveKept(t)
		return
	}
	granted, waited := e.limits.leave(t)
	if waited {
		e.dispatch.unwait(t.run)
	}
	e.begin(granted)
}

func (l *limitState) leave(t *task) (granted []*task, waited bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.asked[t]
	if c == nil {
		return nil, false
	}
	delete(l.asked, t)
	waited = c.Waits()
	granted, _ = l.follow(l.table.Leave(c))
	return granted, waited
}

// follow gives the tasks that a change is about. Called with mu held.
func (l *limitState) follow(change limit.Change) (granted []*task, refused []refusal) {
	for _, c := range change.Granted {
		granted = append(granted, c.Task.(*task))
	}
	for _, c := range change.Aborted {
		tag, _ := l.table.Zero(c)
		refused = append(refused, refusal{c.Task.(*task), tag})
		delete(l.asked, c.Task.(*task))
	}
	return granted, refused
}

// begin makes tasks claimable that have their slots now.
func (e *Engine) begin(granted []*task) {
	for _, t := range granted {
		if e.dispatch.stopped(t.call.Lane.Queue) { // others need not wait for it: it asks anew
			e.leaveSlots(t)
		}
		e.dispatch.unwait(t.run, t)
	}
}

// freeSlots has the slots of t given back once c is durable, unless it still
// runs: one that waits for an answer from outside does.
func (t *task) freeSlots(c *change) {
	if t.tagged && t.phase != waiting {
		c.first(func() { t.run.e.leaveSlots(t) })
	}
}

// holdSlots gives t, which waits for an answer from outside since before a
// crash, the slots it had.
func (e *Engine) holdSlots(t *task) {
	if !t.tagged {
		return
	}
	if e.limits.on {
		e.holdKept(t)
		return
	}
	e.limits.mu.Lock()
	defer e.limits.mu.Unlock()
	if c := e.limits.claim(t); c != nil {
		e.limits.table.Hold(c)
	}
}

// refuse ends a task that can never begin, since a tag of it has the limit 0.
// Called with run.mu.
func (t *task) refuse(tag string) {
	if t.phase != ready {
		return
	}
	if t.shielded() {
		t.cell.Put().Name, t.cell.Begun = lifecycle.Aborted, 0
	}
	t.ended(api.Answer{NoRetry: true, Failure: &api.Failure{
		Type: "*api.Error", Code: api.ErrConflict.Code,
		Message: "the limit of tag " + tag + " is 0: it would wait for ever",
	}}, pipeline.Value{})
}

// park takes what could start of r out of the round, or puts it back. Called with
// r.mu to put it back.
func (e *Engine) park(r *run, parked bool) {
	e.dispatch.park(r, parked)
	e.parkTurns(r, parked)
	if e.limits.on {
		e.parkKept(r, parked)
		return
	}
	e.limits.mu.Lock()
	granted, refused := e.limits.follow(e.limits.table.Park(r.id, parked))
	e.limits.mu.Unlock()
	e.begin(granted)
	for _, x := range refused { // of r itself
		e.dispatch.unwait(r)
		x.task.refuse(x.tag)
	}
}

// dropSlots gives back what a run that stands still has no use for. Bodies that
// run give theirs back when they end.
func (e *Engine) dropSlots(r *run) {
	e.dropTurns(r)
	for _, t := range e.limits.of(r) {
		r.mu.Lock()
		runs := t.phase == claimed
		r.mu.Unlock()
		if !runs {
			e.leaveSlots(t)
		}
	}
}

func (l *limitState) of(r *run) (tasks []*task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.on {
		return l.ofRun(r)
	}
	for t := range l.asked {
		if t.run == r {
			tasks = append(tasks, t)
		}
	}
	return tasks
}
