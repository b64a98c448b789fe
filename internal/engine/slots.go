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
	last   int64                // the number given last
	grants map[int64]*SlotTurn  // slots that are held, by number
	free   map[*SlotTurn]bool   // who waits outside of any task
	known  map[string]slotRecord
	timers map[string]*timer // when time will bring slots, by limit
	closed bool
	levels slotLevels
	slotSharing
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
	// If another engine has the table: what it holds and waits for.
	number int64
	turns  []*SlotTurn
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
	turn.claim = &slot.Claim{Names: names, Slots: request.Slots, Rate: request.Rate, Strict: request.Strict, Task: turn}
	if job == nil {
		if e.isClosed() {
			return nil, api.ErrClosed
		}
		_, err := e.slots.ask(turn, nil, e.now())
		return turn, err
	}
	t := job.Key.(*task)
	unknown, err := e.askFor(t, job, turn)
	e.warnUnlimited(job, unknown)
	return turn, err
}

// warnUnlimited tells a body of names that there is no limit of.
func (e *Engine) warnUnlimited(job *api.Job, names []string) {
	for _, name := range names {
		e.Log(job, api.LogLine{
			TaskRun: job.ID, Task: job.Task, Attempt: job.Attempt, Time: e.now(), Level: "WARN",
			Text: "no global limit is named " + quoted([]string{name}) + ": its slots are not limited",
		})
	}
}

// askFor asks for the body of t, if it runs. It gives the names that there is no
// limit of, each once for an attempt.
func (e *Engine) askFor(t *task, job *api.Job, turn *SlotTurn) (unknown []string, err error) {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	switch {
	case t.phase != claimed || t.job != job:
		return nil, api.Errorf(api.ErrConflict, "", "task run %s is not running any more", job.ID)
	case t.cause != nil:
		return nil, t.cause
	}
	t.acquires = true
	return e.slots.ask(turn, t, e.now())
}

// ask puts a turn to the table. t is nil outside of tasks. Called with run.mu.
func (s *slotState) ask(turn *SlotTurn, t *task, now time.Time) (unknown []string, err error) {
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
	s.last++
	turn.owner, turn.number, c.Owner = o, s.last, &o.Owner
	verdict := slot.Waits
	if s.elsewhere {
		s.askLater(turn, now)
	} else {
		var name string
		var change slot.Change
		unknown = o.fresh(s.unlimited(c))
		verdict, name, change = s.table.Ask(c, now)
		s.follow(turn.e, change)
		if verdict > slot.Waits {
			return unknown, s.refusal(verdict, name, c)
		}
	}
	switch {
	case verdict == slot.Granted:
		s.granted(turn)
	case t == nil:
		s.free[turn] = true
	}
	return unknown, nil
}

// unlimited gives the names in c that there is no limit of.
func (s *slotState) unlimited(c *slot.Claim) (names []string) {
	for _, name := range c.Names {
		if !c.Strict && !s.table.Knows(name) {
			names = append(names, name)
		}
	}
	return names
}

// fresh gives those of names that o was not warned of, and takes note of them.
func (o *slotOwner) fresh(names []string) (fresh []string) {
	for _, name := range names {
		if !slices.Contains(o.warned, name) {
			o.warned = append(o.warned, name)
			fresh = append(fresh, name)
		}
	}
	return fresh
}

// refusal is why a claim can't have slots.
func (s *slotState) refusal(v slot.Verdict, name string, c *slot.Claim) error {
	switch v {
	case slot.TooMany:
		return api.Errorf(api.ErrInvalid, "", "global limit %q is %d, and %s are wanted: they will never be free", name, s.known[name].Limit, slots(c.Slots))
	case slot.NotFound:
		return api.Errorf(api.ErrNotFound, "", "no global limit is named %q, and Strict wants one", name)
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
		s.grants[turn.number] = turn
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
		if turn, own := c.Task.(*SlotTurn); own {
			s.granted(turn)
			continue
		}
		s.grantedTo(e, c)
	}
	for _, x := range change.Refused {
		err := s.refusal(x.Verdict, x.Name, x.Claim)
		if turn, own := x.Claim.Task.(*SlotTurn); own {
			s.refuse(turn, err)
			continue
		}
		s.refusedTo(e, x.Claim, err)
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
		return // a body that has ended has nothing
	}
	delete(s.grants, grant)
	s.leave(turn)
}

// leave takes everything from a turn. Called with mu.
func (s *slotState) leave(turn *SlotTurn) {
	if s.elsewhere {
		s.leaveLater(turn.e, turn)
		return
	}
	s.follow(turn.e, s.table.Leave(turn.claim, turn.e.now()))
}

var errBodyEnded = api.Errorf(api.ErrConflict, "", "the task's body has ended")

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
	s.endOwner(e, o, errBodyEnded)
}

// endOwner takes everything from a body, which is told why if it waits. Called with
// mu.
func (s *slotState) endOwner(e *Engine, o *slotOwner, why error) {
	if s.elsewhere {
		for _, turn := range slices.Clone(o.turns) {
			delete(s.grants, turn.number)
			if !turn.over {
				s.refuse(turn, why)
			}
		}
		s.leaveLater(e, slices.Clone(o.turns)...)
		return
	}
	held, waited, change := s.table.End(&o.Owner, e.now())
	for _, c := range held {
		delete(s.grants, c.Task.(*SlotTurn).number)
	}
	for _, c := range waited {
		s.refuse(c.Task.(*SlotTurn), why)
	}
	s.follow(e, change)
}

// closeSlots lets nobody outside of tasks wait any more; with all, no body either.
func (e *Engine) closeSlots(all bool) {
	s := &e.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	for turn := range s.free {
		s.leave(turn)
		s.refuse(turn, api.ErrClosed)
	}
	if !all {
		return
	}
	s.closed = true
	if s.shared {
		s.refuseAll()
		return
	}
	for _, o := range s.owners {
		s.endOwner(e, o, api.ErrClosed)
	}
}
