package staging

import (
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// enter holds a transition to its run, and changes the run.
func (b *Batch) enter(t *store.Transition, facts Facts) error {
	r, err := b.run(t, facts)
	if err != nil {
		return err
	}
	switch {
	case t.NewRun != nil:
		if r != nil || t.NewRun.ID != t.Run {
			return Fence(t.Run, "exists, or is not number %d", t.NewRun.ID)
		}
		r = b.addRun(Run{ID: t.Run, Insert: true, Row: *t.NewRun, Mark: Mark{t.NewRun.Epoch, t.NewRun.State, 0}})
	case r == nil:
		return Fence(t.Run, "does not exist")
	case r.Mark.Epoch != t.Epoch:
		return Fence(t.Run, "is at epoch %d, not %d", r.Mark.Epoch, t.Epoch)
	case r.Mark.State.Final() && !reopens(t):
		return Fence(t.Run, "is %s", r.Mark.State)
	}
	if set := t.SetRun; set != nil {
		r.Mark.Epoch, r.Mark.State = set.Epoch, set.State
		r.Row.State, r.Row.Gen, r.Row.Epoch = set.State, set.Gen, set.Epoch
		r.Row.Finished, r.Row.Cell = set.Finished, set.Cell
		r.Update = true
	}
	return nil
}

// reopens reports whether a transition may find its run final.
func reopens(t *store.Transition) bool { return t.SetRun != nil && !t.SetRun.State.Final() }

// run finds the run of a transition in the batch or among the facts; nil if it
// is not there.
func (b *Batch) run(t *store.Transition, facts Facts) (*Run, error) {
	if b.lastRun >= 0 && b.Runs[b.lastRun].ID == t.Run {
		return &b.Runs[b.lastRun], nil
	}
	if i, ok := b.runAt[t.Run]; ok {
		b.lastRun = i
		return &b.Runs[i], nil
	}
	m, known, err := facts.Mark(t.Run, t.NewRun != nil)
	switch {
	case err != nil:
		return nil, err
	case known && m.State == 0:
		return nil, nil
	case known:
		return b.addRun(Run{ID: t.Run, Mark: m}), nil
	}
	// What the transition takes for granted is what is to be checked.
	return b.addRun(Run{
		ID: t.Run, Mark: Mark{t.Epoch, api.Running, -1},
		Check: true, Reopen: reopens(t), Was: t.Epoch,
	}), nil
}

func (b *Batch) addRun(r Run) *Run {
	b.lastRun = len(b.Runs)
	b.runAt[r.ID] = b.lastRun
	b.Runs = append(b.Runs, r)
	return &b.Runs[b.lastRun]
}
