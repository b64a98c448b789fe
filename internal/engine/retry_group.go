package engine

import (
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// group reopens a group: the children whose end does not stay are pending again.
func (a *reopening) group(f *pipeline.Frame, at int, row *store.FrameRow) {
	frame := pipeline.GroupFrame(f, at)
	frame.ID, frame.Count = row.ID, int(row.Count)
	g := newGroup(a.r, frame, block{row.ID, a.spaceAt(row.ID).blocks[0].seq}, frame.Count)
	frame.Data, g.kept = g, nil
	stay := a.children(g)
	if a.err != nil {
		return
	}
	w := store.FrameWrite{FrameRow: *row, Op: store.ReopenFrame}
	w.State, w.Failed, w.Low, w.Cell = store.FrameOpen, int64(stay.failed), 0, nil
	w.Pending = int64(g.count - g.immediates() - stay.all)
	if w.Pending == 0 { // it was cancelled after its last child had completed
		w.State = store.FrameClosing
	}
	a.c.Frames = append(a.c.Frames, w)
}

// staying are the children of a group whose ends stay.
type staying struct{ all, failed int }

func (s *staying) add(g *group, i int, end *pipeline.End) {
	g.done.set(i)
	s.all++
	if end.Status == pipeline.Failed {
		s.failed++
	}
}

// children counts the children of g whose ends stay, and reopens the others.
func (a *reopening) children(g *group) (stay staying) {
	group := g.frame.Group
	first, last := g.base, g.base+group.Keys(g.count)
	ended := make(map[int]bool) // chains that are to go on
	err := a.e.store.Frames(a.ctx, a.r.id, first, last, func(row *store.FrameRow) error {
		if row.Kind != store.ChainFrame || row.State != store.FrameDone {
			return nil
		}
		i := group.ChildAt(row.ID - g.base)
		if row.ID != g.base+group.Offset(i) {
			return nil // a chain within a child
		}
		end, err := frameEnd(row)
		if err == nil && !a.on(g, i) && a.stays(g, &end) {
			stay.add(g, i, &end)
		} else {
			ended[i] = true
		}
		return err
	})
	if err != nil {
		a.err = err
		return stay
	}
	var again []*store.TaskRow
	err = a.e.store.Tasks(a.ctx, a.r.id, first, last, func(row *store.TaskRow) error {
		i := group.ChildAt(row.ID - g.base)
		if g.done.has(i) || !group.Child(i).Single() || !row.State.Final() {
			return nil
		}
		var cell store.TaskCell
		if err := cell.Decode(row.Cell); err != nil {
			return err
		}
		end, err := taskEnd(row, &cell)
		if err == nil && !ended[i] && !a.on(g, i) && a.stays(g, &end) {
			stay.add(g, i, &end)
			return nil
		}
		kept := *row
		kept.Cell = clone(row.Cell)
		again = append(again, &kept)
		return err
	})
	if err != nil {
		a.err = err
	}
	for _, row := range again {
		a.childTask(g, group.ChildAt(row.ID-g.base), row)
	}
	for i := range ended {
		if !group.Child(i).Single() {
			a.childChain(g, i)
		}
	}
	return stay
}

// childTask reopens a child that is one task.
func (a *reopening) childTask(g *group, i int, row *store.TaskRow) {
	var cell store.TaskCell
	if err := cell.Decode(row.Cell); err != nil {
		a.err = err
		return
	}
	on := a.on(g, i)
	switch {
	case on && row.ID == a.line.leaf:
		a.line.found = true
		a.leafChild(g, i, row, &cell)
	case on || row.State == api.Completed:
		a.returned(g.frame, i, &cell, row.ID, on)
	default:
		fresh := cell.Again()
		a.reopenTask(row, &fresh)
	}
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
	if a.on(g, i) {
		a.along(below, in)
		return
	}
	a.chain(below, in)
}
