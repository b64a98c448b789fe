package engine

import (
	"maps"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// group brings an open group back: which of its children have ended, and which
// have a record and go on.
func (rec *recovery) group(f *pipeline.Frame, at int, row *store.FrameRow) error {
	frame := pipeline.GroupFrame(f, at)
	frame.ID, frame.Count = row.ID, int(row.Count)
	seq := int64(0)
	if own := rec.blocks[row.ID]; len(own) > 0 {
		seq = own[0].Seq
	}
	g := newGroup(rec.r, frame, block{row.ID, seq}, frame.Count)
	frame.Data, g.kept = g, nil
	rec.r.groups[row.ID] = g
	rec.r.wide = rec.r.wide || g.count > wideCount
	if err := g.restore(row); err != nil {
		return err
	}
	if row.State == store.FrameClosing {
		g.next, g.owed = g.count, 0
		rec.ending = append(rec.ending, g)
		return nil
	}
	if frame.Group.Each != nil {
		list, err := rec.e.openList(rec.ctx, frame.In)
		if err != nil {
			return err
		}
		g.list = list
	}
	alive, err := rec.children(g, int(row.Low), int(row.Pending))
	if err != nil {
		return err
	}
	g.skip = func(i int) bool { return g.skipped.has(i) }
	for g.next < g.count && g.passed(g.next) {
		g.next++
	}
	rec.found = append(rec.found, g)
	g.active, g.owed = alive, int(row.Pending)-alive
	g.expect()
	g.tripped = g.tripped || row.Failed > 0 && frame.Group.FailFast
	return nil
}

// children reads the records of a group's children from low on, and counts
// those that go on.
func (rec *recovery) children(g *group, low, pending int) (alive int, err error) {
	group := g.frame.Group
	g.skipped.grow(g.count)
	for i := range low {
		g.done.set(i)
		g.skipped.set(i)
	}
	if low >= g.count {
		return 0, nil
	}
	first, last := g.base+group.Offset(low), g.base+group.Keys(g.count)
	err = rec.e.store.Frames(rec.ctx, rec.r.id, first, last, func(row *store.FrameRow) error {
		// A chain within a child is known by one of the child's other keys.
		i := group.ChildAt(row.ID - g.base)
		if row.Kind == store.ChainFrame && row.State == store.FrameDone && row.ID == g.base+group.Offset(i) {
			g.done.set(i)
			g.skipped.set(i)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	rows, begun, held := make(map[int]*store.TaskRow), make(map[int]bool), make(map[int]*heldChild)
	err = rec.e.store.Tasks(rec.ctx, rec.r.id, first, last, func(row *store.TaskRow) error {
		i := group.ChildAt(row.ID - g.base)
		if row.State != api.Pending && !row.State.Final() {
			begun[i] = true
		}
		defer rec.hold(held, row, g, i)
		if g.done.has(i) || g.skipped.has(i) {
			return nil
		}
		keep, err := rec.childRow(g, i, row)
		if keep {
			kept := *row
			kept.Cell = clone(row.Cell)
			rows[i] = &kept
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	live := rec.opened(g, first, last, rows)
	limit := group.MaxParallelism
	for n, i := range goingOn(live, begun, pending) {
		revive := func(c *change) error {
			if h := held[i]; h != nil {
				h.begun = true
			}
			return rec.reviveChild(c, g, i, live[i])
		}
		if limit > 0 && n >= limit { // a retry of the run reopened more than may run at a time
			g.later = append(g.later, laterChild{i, rec.later(revive)})
			continue
		}
		alive++
		rec.todo = append(rec.todo, revive)
	}
	g.low = g.done.low(low)
	return alive, nil
}

// hold notes of a row that begins anew which child of g it belongs to, for those
// who ask what it waits for.
func (rec *recovery) hold(held map[int]*heldChild, row *store.TaskRow, g *group, i int) {
	was, reopened := rec.r.rows[row.ID]
	if !reopened {
		return
	}
	if held[i] == nil {
		held[i] = &heldChild{group: g, index: i}
	}
	was.child = held[i]
	rec.r.rows[row.ID] = was
}

// goingOn gives the children with records that go on, in order: no more than are
// pending. There are more if a retry of the run reopened them and a cancellation
// then took those off the group that had no room yet: their rows stay. As what is
// left is cancelled as well, any will do, but one in an attempt has a row to end.
func goingOn(live map[int]*store.TaskRow, begun map[int]bool, pending int) []int {
	order := slices.Sorted(maps.Keys(live))
	if len(order) <= pending {
		return order
	}
	first := slices.DeleteFunc(slices.Clone(order), func(i int) bool { return !begun[i] })
	rest := slices.DeleteFunc(order, func(i int) bool { return begun[i] })
	order = append(first, rest...)[:pending]
	slices.Sort(order)
	return order
}

// opened adds to the children that go on those that have no task row yet, but
// began with a group or a chain: that has a frame, with one of the child's keys
// as its parent's or its own.
func (rec *recovery) opened(g *group, first, last int64, live map[int]*store.TaskRow) map[int]*store.TaskRow {
	from, _ := slices.BinarySearch(rec.parents, first)
	for _, parent := range rec.parents[from:] {
		if parent >= last {
			break
		}
		// One that is a task has a row; what stands below it may be left of an attempt.
		if i := g.frame.Group.ChildAt(parent - g.base); !g.skipped.has(i) && !g.frame.Group.Child(i).Single() {
			g.skipped.set(i)
			live[i] = nil
		}
	}
	return live
}

// childRow looks at the first row of a child and reports whether the child goes
// on.
func (rec *recovery) childRow(g *group, i int, row *store.TaskRow) (alive bool, err error) {
	single := g.frame.Group.Child(i).Single()
	if row.State == api.Pending && (single || row.ID == g.base+g.frame.Group.Offset(i)) {
		rec.r.rows[row.ID] = again(row)
		if single {
			return false, nil // it starts anew
		}
	}
	g.skipped.set(i)
	if !single || !row.State.Final() {
		return true, nil
	}
	var cell store.TaskCell
	if err := cell.Decode(row.Cell); err != nil {
		return false, err
	}
	if cell.Child != nil && row.State == api.Completed {
		return true, nil
	}
	g.done.set(i)
	return false, nil
}

// reviveChild brings back a child of a group that has a record and goes on. Of
// one that is more than a task the row is not looked at.
func (rec *recovery) reviveChild(c *change, g *group, i int, row *store.TaskRow) error {
	in := g.frame.In
	if g.frame.Group.Each != nil {
		element, err := rec.element(g, i)
		if err != nil {
			return err
		}
		in = pipeline.Value{Data: element}
	}
	chain := g.frame.Group.Child(i)
	if !chain.Single() {
		below := pipeline.ChildFrame(g.frame, i)
		below.ID = g.base + g.frame.Group.Offset(i)
		below.Data = rec.spaceIn(g, i)
		rec.resume(c, below, in)
		return nil
	}
	var cell store.TaskCell
	if err := cell.Decode(row.Cell); err != nil {
		return err
	}
	if !row.State.Final() {
		return rec.revive(c, row, &cell, &pipeline.Effect{Frame: g.frame, Place: i, Task: chain.Steps[0].Task, Input: chain.Steps[0].Takes(in)})
	}
	child, err := rec.child(cell.Child)
	if err != nil {
		return err
	}
	state := g.frame.State
	if cell.SetState {
		state = pipeline.State{Data: cell.State, Merge: cell.Merge, Set: true}
	}
	below := pipeline.Returned(g.frame, i, child, state, cell.Pause || chain.Steps[0].Wait)
	below.ID, below.Data = row.ID, rec.spaceAt(cell.Next)
	if err := rec.origin(c, below, chain.Steps[0].Takes(in), g.frame.State, row, &cell); err != nil {
		return err
	}
	rec.resume(c, below, pipeline.Value{})
	return nil
}

// spaceIn gives the keys of a group's child that is a chain.
func (rec *recovery) spaceIn(g *group, i int) *space {
	off := g.frame.Group.Offset(i)
	s := newSpace(g.base+off, g.seq+off)
	rec.more(s)
	return s
}

// element reads one element of an each's list. Those that go on are in order,
// so the list is read once.
func (rec *recovery) element(g *group, i int) ([]byte, error) {
	if rec.list == nil || rec.listOf != g || rec.list.next > i {
		if err := rec.list.done(); err != nil {
			return nil, err
		}
		list, err := rec.e.openList(rec.ctx, g.frame.In)
		if err != nil {
			return nil, err
		}
		rec.list, rec.listOf = list, g
	}
	return rec.list.at(i)
}
