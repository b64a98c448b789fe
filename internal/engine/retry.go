package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// Retry starts a new generation of a failed run: what failed, was cancelled or
// never ran runs; what completed stays, and so do the ids of task runs.
func (e *Engine) Retry(ctx context.Context, id string) error {
	return e.unlessGone(ctx, id, e.retry(ctx, id))
}

func (e *Engine) retry(ctx context.Context, id string) error {
	r, row, err := e.find(ctx, id)
	if err != nil {
		return err
	}
	if r != nil { // it is live here, or has just ended
		if row, err = e.store.Run(ctx, r.id); err != nil {
			return err
		}
	}
	if row.State, err = lifecycle.Control(lifecycle.Retried, row.State); err != nil {
		return err
	}
	r, err = e.rebuild(ctx, &row)
	if err != nil {
		return err
	}
	rec := &recovery{e: e, r: r, ctx: ctx}
	if err := rec.read(); err != nil {
		return err
	}
	again := &reopening{recovery: rec, c: r.newChange()}
	r.gen++
	r.epoch++
	again.chain(r.root, pipeline.Value{})
	if again.err != nil {
		return again.err
	}
	r.setRun(again.c)
	again.c.Records = r.liveWrites(true)
	row.Gen, row.Epoch, row.Cell, row.Finished = r.gen, r.epoch, again.c.SetRun.Cell, 0
	done := make(chan error, 1)
	again.c.told = func(err error) {
		if err == nil {
			err = e.recoverRun(context.WithoutCancel(ctx), &row)
		}
		done <- err
	}
	e.queue.push(again.c)
	if e.manual {
		return nil
	}
	return await(ctx, done)
}

// reopening collects what has to be written so that a recovery of the run
// starts again what did not succeed. It uses the recovery's reading of records.
type reopening struct {
	*recovery
	c   *change
	err error
}

// chain reopens what failed in chain f.
func (a *reopening) chain(f *pipeline.Frame, in pipeline.Value) {
	find := func(at int) (pipeline.Found, pipeline.End) {
		found, end, err := a.find(f, at)
		if err != nil {
			a.err = err
		}
		return found, end
	}
	visits := pipeline.Failing(f, in, find)
	for i := range visits {
		// The first is tried again from where it failed; what ran because it
		// failed starts anew.
		f.In = visits[i].In
		a.step(f, &visits[i], i == 0)
	}
}

// step reopens one step of chain f: from where it failed, or whole.
func (a *reopening) step(f *pipeline.Frame, v *pipeline.Visit, inside bool) {
	step := f.Chain.Step(v.Place)
	switch step.Kind {
	case pipeline.TaskStep:
		key, _, _ := spaceOf(f).at(step.Slot)
		a.task(f, v.Place, key, inside)
	case pipeline.ChainStep:
		id, _, ok := spaceOf(f).at(step.Slot)
		if !ok {
			return // never reached
		}
		below := pipeline.Nested(f, v.Place)
		below.ID, below.Data = id, spaceOf(f)
		a.reopenFrame(id, frameID(f), v.Place)
		if inside {
			a.chain(below, f.In)
			return
		}
		for at := range below.Chain.Steps {
			a.step(below, &pipeline.Visit{Place: at}, false)
		}
	default:
		row := a.groupAt(f, v.Place)
		switch {
		case row == nil:
		case inside:
			a.group(f, v.Place, row)
		default:
			a.void(row)
		}
	}
}

// void supersedes a group's frame: what it held is forgotten.
func (a *reopening) void(row *store.FrameRow) {
	w := store.FrameWrite{FrameRow: *row, Op: store.ReopenFrame}
	w.State = store.FrameVoid
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
	if inside && row.State == api.Completed && cell.Child != nil {
		a.returned(f, at, cell, cell.Next)
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
	fresh := cell.Again()
	if !inside { // a flow makes all its calls again
		fresh = store.TaskCell{}
		fresh.Put().Anew = int64(a.r.gen)
	}
	a.reopenTask(row, &fresh)
}

// returned reopens the chain that a task returned; its frame has the given id.
func (a *reopening) returned(f *pipeline.Frame, at int, cell *store.TaskCell, id int64) {
	child, err := a.child(cell.Child)
	if err != nil {
		a.err = err
		return
	}
	below := pipeline.Returned(f, at, child, f.State, false)
	below.ID, below.Data = id, a.spaceAt(cell.Next)
	a.reopenFrame(id, frameID(f), at)
	a.chain(below, pipeline.Value{})
}

// reopenTask makes a row stand for a task that has not begun in this generation.
// What the cell says is kept, and the history.
func (a *reopening) reopenTask(row *store.TaskRow, fresh *store.TaskCell) {
	history, err := past(row, a.e.micros())
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

// group reopens a group: the children that did not complete are pending again.
func (a *reopening) group(f *pipeline.Frame, at int, row *store.FrameRow) {
	frame := pipeline.GroupFrame(f, at)
	frame.ID, frame.Count = row.ID, int(row.Count)
	g := newGroup(a.r, frame, block{row.ID, a.spaceAt(row.ID).blocks[0].seq}, frame.Count)
	frame.Data, g.kept = g, nil
	ok, err := a.completed(g)
	if err != nil {
		a.err = err
		return
	}
	w := store.FrameWrite{FrameRow: *row, Op: store.ReopenFrame}
	w.State, w.Failed, w.Low, w.Cell = store.FrameOpen, 0, 0, nil
	w.Pending = int64(g.count - g.immediates() - ok)
	if w.Pending == 0 { // it was cancelled after its last child had completed
		w.State = store.FrameClosing
	}
	a.c.Frames = append(a.c.Frames, w)
}

// completed counts the children of g that completed, and reopens the others.
func (a *reopening) completed(g *group) (ok int, err error) {
	group := g.frame.Group
	first, last := g.base, g.base+group.Keys(g.count)
	ended := make(map[int]*store.FrameRow) // chains that did not complete
	err = a.e.store.Frames(a.ctx, a.r.id, first, last, func(row *store.FrameRow) error {
		if row.Kind != store.ChainFrame || row.State != store.FrameDone {
			return nil
		}
		i := group.ChildAt(row.ID - g.base)
		if row.ID != g.base+group.Offset(i) {
			return nil // a chain within a child
		}
		end, err := frameEnd(row)
		if end.Status == pipeline.Done {
			g.done.set(i)
			ok++
		} else {
			kept := *row
			ended[i] = &kept
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	var again []*store.TaskRow
	err = a.e.store.Tasks(a.ctx, a.r.id, first, last, func(row *store.TaskRow) error {
		i := group.ChildAt(row.ID - g.base)
		if g.done.has(i) || !group.Child(i).Single() || !row.State.Final() {
			return nil
		}
		if row.State == api.Completed && ended[i] == nil {
			g.done.set(i)
			ok++
			return nil
		}
		kept := *row
		kept.Cell = clone(row.Cell)
		again = append(again, &kept)
		return nil
	})
	for _, row := range again {
		a.childTask(g, group.ChildAt(row.ID-g.base), row)
	}
	for i := range ended {
		if !group.Child(i).Single() {
			a.childChain(g, i)
		}
	}
	return ok, err
}

// childTask reopens a child that is one task.
func (a *reopening) childTask(g *group, i int, row *store.TaskRow) {
	var cell store.TaskCell
	if err := cell.Decode(row.Cell); err != nil {
		a.err = err
		return
	}
	if row.State == api.Completed {
		a.returned(g.frame, i, &cell, row.ID)
		return
	}
	fresh := cell.Again()
	a.reopenTask(row, &fresh)
}

// childChain reopens a child that is a chain.
func (a *reopening) childChain(g *group, i int) {
	in := g.frame.In
	if g.frame.Group.Each != nil {
		element, err := a.element(g, i)
		if err != nil {
			a.err = err
			return
		}
		in = pipeline.Value{Data: element}
	}
	below := pipeline.ChildFrame(g.frame, i)
	below.ID, below.Data = g.base+g.frame.Group.Offset(i), a.spaceIn(g, i)
	a.reopenFrame(below.ID, g.frame.ID, i)
	a.chain(below, in)
}
