package engine

import (
	"context"
	"errors"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// Retry starts a new generation of a run that failed or was cancelled: what failed,
// was cancelled or never ran runs; what completed stays, and so do the ids of task
// runs.
func (e *Engine) Retry(ctx context.Context, id string) error {
	return e.startAgain(ctx, id, lifecycle.Retried, func(again *reopening) {
		again.chain(again.r.root, pipeline.Value{})
	})
}

// RetryAll starts a new generation of a run that has ended, in which all of it runs
// again, with the same inputs.
func (e *Engine) RetryAll(ctx context.Context, id string) error {
	return e.startAgain(ctx, id, lifecycle.Rerun, func(again *reopening) {
		again.onward(again.r.root, 0)
	})
}

// startAgain starts a new generation of a run that has ended. Mark says what of it
// is to run again. It is durable as a whole, or nothing has changed.
func (e *Engine) startAgain(ctx context.Context, id string, action lifecycle.Action, mark func(*reopening)) error {
	return e.unlessGone(ctx, id, e.startsAgain(ctx, id, action, mark))
}

func (e *Engine) startsAgain(ctx context.Context, id string, action lifecycle.Action, mark func(*reopening)) error {
	r, row, err := e.find(ctx, id)
	if err != nil {
		return err
	}
	if r != nil { // it is live here, or has just ended
		if row, err = e.store.Run(ctx, r.id); err != nil {
			return err
		}
	}
	if err := mayStartAgain(id, action, &row); err != nil {
		return err
	}
	row.State = api.Running
	r, err = e.rebuild(ctx, &row)
	if err != nil {
		return err
	}
	rec := &recovery{e: e, r: r, ctx: ctx}
	if err := rec.read(); err != nil {
		return err
	}
	again := &reopening{recovery: rec, run: &row, c: r.newChange()}
	r.gen++
	r.epoch++
	mark(again)
	if again.err != nil {
		return again.err
	}
	r.setRun(again.c)
	again.c.Records = r.liveWrites(true)
	row.Gen, row.Epoch, row.Cell, row.Finished = r.gen, r.epoch, again.c.SetRun.Cell, 0
	done := make(chan error, 1)
	again.c.told = toldBy(func(err error) {
		if errors.Is(err, store.ErrFenced) {
			err = api.Errorf(errRetriedNow, "", "run %s was retried by somebody else meanwhile", id)
		}
		if err == nil {
			err = e.recoverRun(context.WithoutCancel(ctx), &row)
		}
		done <- err
	})
	e.queue.push(again.c)
	if e.manual {
		return nil
	}
	return await(ctx, done)
}

// mayStartAgain reports why a run can't start again.
func mayStartAgain(id string, action lifecycle.Action, row *store.RunRow) error {
	_, err := lifecycle.Control(action, row.State)
	switch {
	case err == nil:
		return nil
	case !row.State.Final():
		return api.Errorf(errRunLive, "", "run %s has not ended, it is %s: it can be retried when it has; cancel it to end it", id, row.State)
	}
	return api.Errorf(errNothingFailed, "", "run %s is %s: nothing of it failed; retry all of it, or from one of its task runs on", id, row.State)
}

// reopening collects what has to be written so that a recovery of the run
// starts again what did not succeed. It uses the recovery's reading of records.
type reopening struct {
	*recovery
	run  *store.RunRow
	c    *change
	line *line // to the task run from which on all runs again; nil: what did not complete
	err  error
}

// chain reopens what failed in chain f.
func (a *reopening) chain(f *pipeline.Frame, in pipeline.Value) {
	visits := pipeline.Failing(f, in, a.finds(f))
	for i := range visits {
		f.In = visits[i].In
		a.step(f, visits[i].Place, !visits[i].Whole)
	}
}

// finds says what is recorded of the steps of chain f.
func (a *reopening) finds(f *pipeline.Frame) func(at int) (pipeline.Found, pipeline.End) {
	return func(at int) (pipeline.Found, pipeline.End) {
		found, end, err := a.find(f, at)
		if err != nil {
			a.err = err
		}
		return found, end
	}
}

// step reopens the step at a place of chain f: from where it failed, or whole.
func (a *reopening) step(f *pipeline.Frame, at int, inside bool) {
	step := f.Chain.Step(at)
	switch step.Kind {
	case pipeline.TaskStep:
		if key, _, ok := spaceOf(f).at(step.Slot); ok {
			a.task(f, at, key, inside)
		}
	case pipeline.ChainStep:
		below := a.nested(f, at)
		switch {
		case below == nil: // never reached
		case inside:
			a.chain(below, f.In)
		default:
			a.onward(below, 0)
		}
	default:
		row := a.groupAt(f, at)
		switch {
		case row == nil:
		case inside:
			a.group(f, at, row)
		default:
			a.void(row)
		}
	}
}

// nested reopens the frame of the chain that is a step of chain f; nil if it has none
// yet.
func (a *reopening) nested(f *pipeline.Frame, at int) *pipeline.Frame {
	id, _, ok := spaceOf(f).at(f.Chain.Step(at).Slot)
	if !ok {
		return nil
	}
	below := pipeline.Nested(f, at)
	below.ID, below.Data = id, spaceOf(f)
	a.reopenFrame(id, frameID(f), at)
	return below
}

// onward forgets the steps of chain f from a place on, Finally included.
func (a *reopening) onward(f *pipeline.Frame, from int) {
	for at := from; at <= len(f.Chain.Steps); at++ {
		if f.Chain.Step(at) != nil {
			a.step(f, at, false)
		}
	}
}

// void supersedes a group's frame: what it held is forgotten.
func (a *reopening) void(row *store.FrameRow) {
	if row.State == store.FrameVoid {
		return // it was already
	}
	row.State = store.FrameVoid
	w := store.FrameWrite{FrameRow: *row, Op: store.ReopenFrame}
	a.c.Frames = append(a.c.Frames, w)
}

// task reopens a task run, or the chain that it returned if that is what failed.
func (a *reopening) task(f *pipeline.Frame, at int, key int64, inside bool) {
	row, cell, err := a.row(key)
	if err != nil {
		a.err = err
		return
	}
	if row == nil || !row.State.Final() {
		return // a handler that nothing called, or one to come
	}
	if a.line != nil && key == a.line.leaf {
		a.line.found = true
	}
	if inside && row.State == api.Completed && cell.Child != nil {
		a.returned(f, at, cell, cell.Next, false)
		return
	}
	if cell.Tail { // what the chain in the place of f opened
		for at, rows := range a.groups {
			for _, group := range rows {
				if at.parent == frameID(f) && group.ID > cell.Next {
					a.void(group)
				}
			}
		}
	}
	if !inside {
		a.reopenTask(row, a.anew(cell))
		return
	}
	fresh := cell.Again()
	a.reopenTask(row, &fresh)
}

// anew is what is kept of a task run that forgets all: its name, and for a flow that
// it makes all its calls again.
func (a *reopening) anew(was *store.TaskCell) *store.TaskCell {
	cell := new(store.TaskCell)
	cell.Put().Anew, cell.Put().Shown = int64(a.r.gen), was.Seldom().Shown
	return cell
}

// returned reopens the chain that a task returned; its frame has the given id. On says
// that the line goes through it.
func (a *reopening) returned(f *pipeline.Frame, at int, cell *store.TaskCell, id int64, on bool) {
	if cell.Child == nil { // it returned none in its last attempt
		a.err = a.line.replaced()
		return
	}
	child, err := a.child(cell.Child)
	if err != nil {
		a.err = err
		return
	}
	below := pipeline.Returned(f, at, child, f.State, false)
	below.ID, below.Data = id, a.spaceAt(cell.Next)
	a.reopenFrame(id, frameID(f), at)
	if on {
		a.along(below, pipeline.Value{})
		return
	}
	a.chain(below, pipeline.Value{})
}

// reopenTask makes a row stand for a task that has not begun in this generation.
// What the cell says is kept, and the history.
func (a *reopening) reopenTask(row *store.TaskRow, fresh *store.TaskCell) {
	history, err := a.e.past(row, a.e.micros())
	if err != nil {
		a.err = err
		return
	}
	fresh.History = history
	a.c.Tasks = append(a.c.Tasks, store.TaskWrite{
		TaskRow: store.TaskRow{
			ID: row.ID, Run: row.Run, Frame: row.Frame, Place: row.Place, Task: row.Task,
			State: api.Pending, Gen: a.r.gen, Cell: fresh.Append(nil),
		},
		Op: store.ReopenTask, WasAttempt: row.Attempt, WasGen: row.Gen,
	})
}

// reopenFrame forgets how a chain's frame ended.
func (a *reopening) reopenFrame(id, parent int64, at int) {
	a.c.Frames = append(a.c.Frames, store.FrameWrite{Op: store.ReopenFrame, FrameRow: store.FrameRow{
		Run: a.r.id, ID: id, Parent: parent, Place: int32(at),
		Kind: store.ChainFrame, State: store.FrameOpen,
	}})
}
