package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flight"
)

// keyedState lets one task at a time run under a task id, and hands the state
// kept under it from one to the next.
type keyedState struct{ turns }

// enterKeyed reports whether t may run; if not it waits its turn.
func (e *Engine) enterKeyed(t *task) bool {
	k := &e.keyed
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.idTurn == nil {
		t.idTurn = &flight.Claim{ID: t.first.ID, Key: t.job.TaskID, Task: t, Since: k.since(e)}
	}
	granted := k.table.Ask(t.idTurn) == flight.Granted
	k.said(e)
	return granted
}

// loadKeyed gives the state kept under the id of t, whose turn it is: as the one
// before it left it, or as it is stored, if that was one of another process.
func (e *Engine) loadKeyed(t *task) ([]byte, error) {
	k := &e.keyed
	k.mu.Lock()
	if c := t.idTurn; c != nil && c.Knows {
		defer k.mu.Unlock()
		return c.Carry, nil
	}
	k.mu.Unlock()
	v, err := e.store.Keyed(context.Background(), t.job.TaskID) //nolint:forbidigo // a claim's context is its worker's
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := t.idTurn; c != nil && c.Turn() {
		c.Carry, c.Knows = v, true
	}
	return v, nil
}

// leaveKeyed ends the turn of t once what it answered is durable, and lets the next
// one start. One that waits has its turn all the same, and leaves then.
func (e *Engine) leaveKeyed(t *task, a *api.Answer) {
	k := &e.keyed
	k.mu.Lock()
	c := t.idTurn
	if c == nil || !c.Turn() {
		k.mu.Unlock()
		return
	}
	if a.SetKeyed {
		c.Carry, c.Knows = a.Keyed, true
	}
	t.idTurn = nil
	woken := k.table.Leave(c, false)
	k.said(e)
	k.mu.Unlock()
	e.wake(&k.turns, woken)
}
