package engine

import (
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// find says what is recorded of the step at a place of chain f. What is alive
// is brought back later, once f itself stands where it belongs.
func (rec *recovery) find(f *pipeline.Frame, at int) (pipeline.Found, pipeline.End, error) {
	step := f.Chain.Step(at)
	switch step.Kind {
	case pipeline.TaskStep:
		return rec.findTask(f, at, step)
	case pipeline.ChainStep:
		return rec.findChain(f, at, step)
	default:
		return rec.findGroup(f, at)
	}
}

func (rec *recovery) findTask(f *pipeline.Frame, at int, step *pipeline.Step) (pipeline.Found, pipeline.End, error) {
	key, _, ok := spaceOf(f).at(step.Slot)
	if !ok {
		return pipeline.Nothing, pipeline.End{}, nil
	}
	row, cell, err := rec.row(key)
	switch {
	case err != nil || row == nil:
		return pipeline.Nothing, pipeline.End{}, err
	case row.State == api.Pending:
		rec.r.rows[key] = again(row)
		return pipeline.Nothing, pipeline.End{}, nil
	case !row.State.Final():
		rec.todo = append(rec.todo, func(c *change) error {
			return rec.revive(c, row, cell, &pipeline.Effect{Frame: f, Place: at, Task: step.Task, Input: f.In})
		})
		return pipeline.Alive, pipeline.End{}, nil
	}
	end, err := taskEnd(row, cell)
	s := spaceOf(f)
	s.last, s.lastOK, s.lastID = s.blocks[0].seq+1, row.State == api.Completed, ""
	if _, seq, ok := s.at(step.Slot); ok {
		s.last = seq + 1
	}
	if err != nil || cell.Child == nil || row.State != api.Completed {
		return pipeline.Over, end, err
	}
	return rec.findChild(f, at, row, cell, end)
}

// findChild finds what became of the chain that a task of chain f returned.
func (rec *recovery) findChild(f *pipeline.Frame, at int, row *store.TaskRow, cell *store.TaskCell, end pipeline.End) (pipeline.Found, pipeline.End, error) {
	if done := rec.closed[cell.Next]; done != nil && !cell.Tail {
		over, err := frameEnd(done)
		if err != nil {
			return pipeline.Nothing, end, err
		}
		end.Outcome = over.Outcome
		if child, err := rec.child(cell.Child); err == nil && child.Inline {
			end.State, end.SetState = over.State, true
		}
		return pipeline.Over, end, nil
	}
	child, err := rec.child(cell.Child)
	if err != nil {
		return pipeline.Nothing, end, err
	}
	space := rec.spaceAt(cell.Next)
	if cell.Tail {
		f.Data, end.Child = space, child
		return pipeline.Over, end, nil
	}
	before := f.State
	rec.todo = append(rec.todo, func(c *change) error {
		state := f.State
		if end.SetState {
			state = end.State
		}
		below := pipeline.Returned(f, at, child, state, cell.Pause)
		below.ID, below.Data = cell.Next, space
		if err := rec.origin(c, below, f.In, before, row, cell); err != nil {
			return err
		}
		rec.resume(c, below, pipeline.Value{})
		return nil
	})
	return pipeline.Alive, end, nil
}

// origin gives a returned chain the task that returned it, given the input and
// the state, if that may have to run again.
func (rec *recovery) origin(c *change, below *pipeline.Frame, in pipeline.Value, state pipeline.State, row *store.TaskRow, cell *store.TaskCell) error {
	if !below.Again && !below.Kept {
		return nil
	}
	f := below.Parent
	now := f.State
	f.State = state
	t, err := rec.r.newTask(c, &pipeline.Effect{Frame: f, Place: below.Place, Task: f.Task(below.Place), Input: in})
	f.State = now
	if err != nil {
		return err
	}
	rec.r.live.remove(t)
	t.phase, t.row, t.final, t.born = over, true, true, true
	t.was, t.attempt = standOf(row), row.Attempt
	below.Origin = t
	err = t.restore(cell)
	t.holdKey()
	return err
}

func (rec *recovery) findChain(f *pipeline.Frame, at int, step *pipeline.Step) (pipeline.Found, pipeline.End, error) {
	id, _, ok := spaceOf(f).at(step.Slot)
	if !ok {
		return pipeline.Nothing, pipeline.End{}, nil
	}
	if done := rec.closed[id]; done != nil {
		end, err := frameEnd(done)
		end.SetState = true
		return pipeline.Over, end, err
	}
	rec.todo = append(rec.todo, func(c *change) error {
		below := pipeline.Nested(f, at)
		below.ID, below.Data = id, spaceOf(f)
		rec.resume(c, below, f.In)
		return nil
	})
	return pipeline.Alive, pipeline.End{}, nil
}

func (rec *recovery) findGroup(f *pipeline.Frame, at int) (pipeline.Found, pipeline.End, error) {
	row := rec.groupAt(f, at)
	if row == nil {
		end, ok, err := rec.r.instant(rec.ctx, pipeline.GroupFrame(f, at))
		if !ok || err != nil {
			return pipeline.Nothing, end, err
		}
		spaceOf(f).last = 0
		return pipeline.Over, end, nil
	}
	if row.State == store.FrameDone {
		spaceOf(f).last = 0
		end, err := frameEnd(row)
		end.SetState = true
		return pipeline.Over, end, err
	}
	rec.todo = append(rec.todo, func(*change) error { return rec.group(f, at, row) })
	return pipeline.Alive, pipeline.End{}, nil
}

// groupAt gives the frame of the group at a place of chain f. A chain that took
// the place of another has the same places, and other keys.
func (rec *recovery) groupAt(f *pipeline.Frame, at int) *store.FrameRow {
	for _, row := range rec.groups[place{frameID(f), int32(at)}] {
		if row.Source == spaceOf(f).base() {
			return row
		}
	}
	return nil
}

// row reads one task row, nil if there is none.
func (rec *recovery) row(key int64) (*store.TaskRow, *store.TaskCell, error) {
	var found *store.TaskRow
	cell := new(store.TaskCell)
	err := rec.e.store.Tasks(rec.ctx, rec.r.id, key, key+1, func(row *store.TaskRow) error {
		kept := *row
		kept.Cell = clone(row.Cell)
		found = &kept
		return cell.Decode(kept.Cell)
	})
	return found, cell, err
}

// child compiles the pipeline that a row says its task returned.
func (rec *recovery) child(ref []byte) (*pipeline.Chain, error) {
	text, err := rec.e.load(rec.ctx, store.DecodeRef(ref))
	if err != nil {
		return nil, err
	}
	spec, err := api.ParseSpec(text)
	if err != nil {
		return nil, err
	}
	plan, err := pipeline.Compile(spec, rec.e.registry)
	if err != nil {
		return nil, err
	}
	return plan.Root, nil
}
