package engine

import (
	"maps"
	"slices"

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
		rec.r.rows[key] = stand{row.Attempt, row.Gen}
		return pipeline.Nothing, pipeline.End{}, nil
	case !row.State.Final():
		rec.todo = append(rec.todo, func(c *change) error {
			return rec.revive(c, row, cell, &pipeline.Effect{Frame: f, Place: at, Task: step.Task, Input: f.In})
		})
		return pipeline.Alive, pipeline.End{}, nil
	}
	end, err := taskEnd(row, cell)
	s := spaceOf(f)
	s.last, s.lastOK = s.blocks[0].seq+1, row.State == api.Completed
	if _, seq, ok := s.at(step.Slot); ok {
		s.last = seq + 1
	}
	if err != nil || cell.Child == nil || row.State != api.Completed {
		return pipeline.Over, end, err
	}
	return rec.findChild(f, at, cell, end)
}

// findChild finds what became of the chain that a task of chain f returned.
func (rec *recovery) findChild(f *pipeline.Frame, at int, cell *store.TaskCell, end pipeline.End) (pipeline.Found, pipeline.End, error) {
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
	rec.todo = append(rec.todo, func(c *change) error {
		state := f.State
		if end.SetState {
			state = end.State
		}
		below := pipeline.Returned(f, at, child, state, cell.Pause)
		below.ID, below.Data = cell.Next, space
		rec.resume(c, below, pipeline.Value{})
		return nil
	})
	return pipeline.Alive, end, nil
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
		return pipeline.Over, end, nil
	}
	if row.State == store.FrameDone {
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
	if row.State == store.FrameClosing {
		g.next = g.count
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
	alive, err := rec.children(g, int(row.Low))
	if err != nil {
		return err
	}
	g.skip = func(i int) bool { return g.skipped.has(i) }
	for g.next < g.count && g.passed(g.next) {
		g.next++
	}
	rec.found = append(rec.found, g)
	g.active, g.owed, g.recovered = alive, int(row.Pending)-alive, true
	g.tripped = row.Failed > 0 && frame.Group.FailFast
	return nil
}

// children reads the records of a group's children from low on, and counts
// those that go on.
func (rec *recovery) children(g *group, low int) (alive int, err error) {
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
	rows := make(map[int]*store.TaskRow)
	err = rec.e.store.Tasks(rec.ctx, first, last, func(row *store.TaskRow) error {
		i := group.ChildAt(row.ID - g.base)
		if row.Run != rec.r.id || g.done.has(i) || g.skipped.has(i) {
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
	for n, i := range slices.Sorted(maps.Keys(live)) {
		revive := func(c *change) error { return rec.reviveChild(c, g, i, live[i]) }
		if limit > 0 && n >= limit { // a retry of the run reopened more than may run at a time
			g.later = append(g.later, rec.later(revive))
			continue
		}
		alive++
		rec.todo = append(rec.todo, revive)
	}
	g.low = g.done.low(low)
	return alive, nil
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
		if i := g.frame.Group.ChildAt(parent - g.base); !g.skipped.has(i) {
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
		rec.r.rows[row.ID] = stand{row.Attempt, row.Gen}
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

// row reads one task row, nil if there is none.
func (rec *recovery) row(key int64) (*store.TaskRow, *store.TaskCell, error) {
	var found *store.TaskRow
	cell := new(store.TaskCell)
	err := rec.e.store.Tasks(rec.ctx, key, key+1, func(row *store.TaskRow) error {
		if row.Run != rec.r.id {
			return nil
		}
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
