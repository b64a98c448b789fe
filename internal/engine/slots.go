package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/slot"
)

// slotState holds the global limits, and which bodies have slots of them. The
// limits are stored, and how much of a rate is used up; who holds slots is not:
// after a crash no body runs, so nobody does.
type slotState struct {
	writing sync.Mutex // one change of limits at a time

	mu     sync.Mutex
	table  *slot.Table
	owners map[*task]*slotOwner // bodies that have asked
	grants map[int64]*SlotTurn  // slots that are held, by the claims' ids
	free   map[*SlotTurn]bool   // who waits outside of any task
	known  map[string]slotRecord
	timers map[string]*timer // when time will bring slots, by limit
	closed bool
	levels slotLevels
}

func (s *slotState) init() {
	s.table = slot.New()
	s.owners, s.grants, s.free = make(map[*task]*slotOwner), make(map[int64]*SlotTurn), make(map[*SlotTurn]bool)
	s.known, s.timers = make(map[string]slotRecord), make(map[string]*timer)
	s.levels.dirty = make(map[string]bool)
}

// slotOwner is a body that has asked.
type slotOwner struct {
	slot.Owner

	warned []string // names that it was told there is no limit of
}

// SlotTurn is a body's asking for slots.
type SlotTurn struct {
	e     *Engine
	claim *slot.Claim
	ready chan struct{}
	over  bool  // it has its slots, or is refused
	err   error // why it is refused
}

// Acquire gives a body the slots that it asks for, and a number by which to give
// them back; 0 if there is nothing to give back. It blocks until all are free. A
// nil job asks from outside of any task. See worker.Source.
func (e *Engine) Acquire(ctx context.Context, job *api.Job, request api.SlotRequest) (int64, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	turn, err := e.AskSlots(job, request)
	if err != nil {
		return 0, err
	}
	select {
	case <-turn.ready:
	case <-ctx.Done():
		if turn.Withdraw() {
			return 0, e.gaveUp(ctx, turn)
		}
	}
	return turn.Grant()
}

// gaveUp says that ctx ended before a turn came.
func (e *Engine) gaveUp(ctx context.Context, turn *SlotTurn) error {
	cause, c := context.Cause(ctx), turn.claim
	if errors.Is(cause, context.DeadlineExceeded) {
		waited := e.now().Sub(c.At).Round(time.Millisecond)
		return api.Errorf(api.ErrTimeout, "", "waited %s for %s of %s: %w", waited, slots(c.Slots), quoted(c.Names), cause)
	}
	return cause
}

func slots(n int) string {
	if n == 1 {
		return "1 slot"
	}
	return itoa(int64(n)) + " slots"
}

func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// AskSlots asks for slots. Once what Ready gives is closed, Grant says what came of
// it.
func (e *Engine) AskSlots(job *api.Job, request api.SlotRequest) (*SlotTurn, error) {
	if request.Slots < 1 {
		return nil, api.Errorf(api.ErrInvalid, "", "%d slots of %s: want 1 or more", request.Slots, quoted(request.Names))
	}
	if slices.Contains(request.Names, "") || len(request.Names) == 0 {
		return nil, api.Errorf(api.ErrInvalid, "", "slots of a limit without a name")
	}
	names := slices.Compact(slices.Sorted(slices.Values(request.Names)))
	turn := &SlotTurn{e: e, ready: make(chan struct{})}
	turn.claim = &slot.Claim{Names: names, Slots: request.Slots, Rate: request.Rate, Task: turn}
	if job == nil {
		if e.isClosed() {
			return nil, api.ErrClosed
		}
		_, err := e.slots.ask(turn, nil, request.Strict, e.now())
		return turn, err
	}
	t := job.Key.(*task)
	unknown, err := e.askFor(t, job, turn, request.Strict)
	for _, name := range unknown {
		e.Log(job, api.LogLine{
			TaskRun: job.ID, Task: job.Task, Attempt: job.Attempt, Time: e.now(), Level: "WARN",
			Text: "no global limit is named " + quoted([]string{name}) + ": its slots are not limited",
		})
	}
	return turn, err
}

// askFor asks for the body of t, if it runs. It gives the names that there is no
// limit of, each once for an attempt.
func (e *Engine) askFor(t *task, job *api.Job, turn *SlotTurn, strict bool) (unknown []string, err error) {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	switch {
	case t.phase != claimed || t.job != job:
		return nil, api.Errorf(api.ErrConflict, "", "task run %s is not running any more", job.ID)
	case t.cause != nil:
		return nil, t.cause
	}
	t.acquires = true
	return e.slots.ask(turn, t, strict, e.now())
}

// ask puts a turn to the table. t is nil outside of tasks. Called with run.mu.
func (s *slotState) ask(turn *SlotTurn, t *task, strict bool, now time.Time) (unknown []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, api.ErrClosed
	}
	o := s.owners[t]
	if o == nil {
		o = new(slotOwner)
		if t != nil {
			o.Task = t
			s.owners[t] = o
		}
	}
	c := turn.claim
	for _, name := range c.Names {
		if s.table.Knows(name) {
			if err := turn.e.alone("global limit " + quoted([]string{name})); err != nil {
				return nil, err
			}
		}
		switch {
		case s.table.Knows(name):
		case strict:
			return nil, api.Errorf(api.ErrNotFound, "", "no global limit is named %q, and Strict wants one", name)
		case !slices.Contains(o.warned, name):
			o.warned = append(o.warned, name)
			unknown = append(unknown, name)
		}
	}
	c.Owner = &o.Owner
	verdict, name, change := s.table.Ask(c, now)
	s.follow(turn.e, change)
	switch {
	case verdict == slot.Granted:
		s.granted(turn)
	case verdict != slot.Waits:
		return unknown, s.refusal(verdict, name, c)
	case t == nil:
		s.free[turn] = true
	}
	return unknown, nil
}

// refusal is why a claim can't have slots.
func (s *slotState) refusal(v slot.Verdict, name string, c *slot.Claim) error {
	switch v {
	case slot.TooMany:
		return api.Errorf(api.ErrInvalid, "", "global limit %q is %d, and %s are wanted: they will never be free", name, s.known[name].Limit, slots(c.Slots))
	case slot.NoDecay:
		return api.Errorf(api.ErrInvalid, "", "global limit %q has no decay, so slots that are used up would not come back: define it with one, or hold slots with Acquire", name)
	default:
		return api.Errorf(api.ErrConflict, "", "would wait for ever for %s of %q: this body holds them itself, or holds what their holders wait for", slots(c.Slots), name)
	}
}

// granted ends the waiting of a turn that has its slots. Called with mu.
func (s *slotState) granted(turn *SlotTurn) {
	delete(s.free, turn)
	if turn.claim.Rate {
		s.levels.used(turn.e, turn.claim.Names)
	} else {
		s.grants[turn.claim.ID()] = turn
	}
	turn.over = true
	close(turn.ready)
}

// refuse ends the waiting of a turn that gets nothing. Called with mu.
func (s *slotState) refuse(turn *SlotTurn, err error) {
	delete(s.free, turn)
	turn.over, turn.err = true, err
	close(turn.ready)
}

// follow does what a change says. Called with mu.
func (s *slotState) follow(e *Engine, change slot.Change) {
	for _, c := range change.Granted {
		s.granted(c.Task.(*SlotTurn))
	}
	for _, x := range change.Refused {
		s.refuse(x.Claim.Task.(*SlotTurn), s.refusal(x.Verdict, x.Name, x.Claim))
	}
	for _, w := range change.Wakes {
		s.timers[w.Name].stop()
		delete(s.timers, w.Name)
		if !w.At.IsZero() && !s.closed {
			s.timers[w.Name] = e.timers.after(w.At, func() { e.slotsDue(w.Name) })
		}
	}
}

// slotsDue is for when time has brought slots of a limit.
func (e *Engine) slotsDue(name string) {
	e.slots.mu.Lock()
	defer e.slots.mu.Unlock()
	delete(e.slots.timers, name)
	e.slots.follow(e, e.slots.table.Due(name, e.now()))
}

// Ready gives what is closed when the turn has come, or can't any more.
func (t *SlotTurn) Ready() <-chan struct{} { return t.ready }

// Grant gives the number by which the slots are given back, 0 if they need not be.
func (t *SlotTurn) Grant() (int64, error) {
	s := &t.e.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case t.err != nil:
		return 0, t.err
	case !t.over:
		return 0, api.Errorf(api.ErrConflict, "", "the turn for slots of %s has not come yet", quoted(t.claim.Names))
	case t.claim.Rate:
		return 0, nil
	}
	return t.claim.ID(), nil
}

// Withdraw ends the waiting, and reports whether it still did.
func (t *SlotTurn) Withdraw() bool {
	s := &t.e.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.over {
		return false
	}
	s.follow(t.e, s.table.Leave(t.claim, t.e.now()))
	s.refuse(t, api.ErrCancelled)
	return true
}

// Release gives back slots by the number that Acquire gave, once; whoever waits
// next has them then. See worker.Source.
func (e *Engine) Release(job *api.Job, grant int64) {
	s := &e.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	var owner any
	if job != nil {
		owner = job.Key
	}
	turn := s.grants[grant]
	if turn == nil || turn.claim.Owner.Task != owner {
		return // a body that has ended has nothing, and another one may have its number
	}
	delete(s.grants, grant)
	s.follow(e, s.table.Leave(turn.claim, e.now()))
}

// endSlots takes everything from the body of t, which has ended or was given up.
// Called with run.mu.
func (t *task) endSlots() {
	if !t.acquires {
		return
	}
	t.acquires = false
	e := t.run.e
	s := &e.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.owners[t]
	if o == nil {
		return
	}
	delete(s.owners, t)
	held, waited, change := s.table.End(&o.Owner, e.now())
	for _, c := range held {
		delete(s.grants, c.ID())
	}
	for _, c := range waited {
		s.refuse(c.Task.(*SlotTurn), api.Errorf(api.ErrConflict, "", "the task's body has ended"))
	}
	s.follow(e, change)
}

// slotWait says which global limits the body of t waits for, and its place in the
// line, 1 for the next one; in the longest of them if they are several. Called with
// run.mu.
func (e *Engine) slotWait(t *task) (names []string, position int, waits bool) {
	if !t.acquires {
		return nil, 0, false
	}
	e.slots.mu.Lock()
	defer e.slots.mu.Unlock()
	o := e.slots.owners[t]
	if o == nil {
		return nil, 0, false
	}
	c, before := e.slots.table.Wait(&o.Owner)
	if c == nil {
		return nil, 0, false
	}
	return c.Names, before + 1, true
}

// closeSlots lets nobody outside of tasks wait any more; with all, no body either.
func (e *Engine) closeSlots(all bool) {
	s := &e.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	for turn := range s.free {
		s.follow(e, s.table.Leave(turn.claim, e.now()))
		s.refuse(turn, api.ErrClosed)
	}
	if !all {
		return
	}
	s.closed = true
	for _, o := range s.owners {
		_, waited, change := s.table.End(&o.Owner, e.now())
		for _, c := range waited {
			s.refuse(c.Task.(*SlotTurn), api.ErrClosed)
		}
		s.follow(e, change)
	}
}
