package engine

import (
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/slot"
)

// SlotTurn is a body's asking for slots.
type SlotTurn struct {
	e      *Engine
	claim  *slot.Claim
	owner  *slotOwner
	number int64
	place  int // in the line, as the engine said that has the table; 0: it has not
	ready  chan struct{}
	over   bool  // it has its slots, or is refused
	err    error // why it is refused
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
	return t.number, nil
}

// Withdraw ends the waiting, and reports whether it still did.
func (t *SlotTurn) Withdraw() bool {
	s := &t.e.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.over {
		return false
	}
	s.leave(t)
	s.refuse(t, api.ErrCancelled)
	return true
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
	for _, turn := range o.turns {
		if !turn.over {
			return turn.claim.Names, max(turn.place, 1), true
		}
	}
	c, before := e.slots.table.Wait(&o.Owner)
	if c == nil {
		return nil, 0, false
	}
	return c.Names, before + 1, true
}
