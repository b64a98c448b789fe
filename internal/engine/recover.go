package engine

import (
	"context"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// recoverPage is how many live runs are read at a time.
const recoverPage = 500

// recover brings the live runs of the store back.
func (e *Engine) recover(ctx context.Context) error {
	for after := int64(0); ; {
		rows, err := e.store.LiveRuns(ctx, after, recoverPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows {
			after = rows[i].ID
			if err := e.recoverRun(ctx, &rows[i]); err != nil {
				return err
			}
		}
	}
}

// recoverRun brings one run back. A run whose pipeline does not fit what is
// registered is left as it is, for an engine that knows its tasks.
func (e *Engine) recoverRun(ctx context.Context, row *store.RunRow) error {
	r, err := e.rebuild(ctx, row)
	if err != nil {
		if isStoreError(err) {
			return err
		}
		e.leaveAlone(row, err)
		return nil
	}
	rec := &recovery{e: e, r: r, ctx: ctx}
	if err := rec.read(); err != nil {
		return err
	}
	e.mu.Lock()
	e.runs[r.id] = r
	e.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec.flows { // they come to their calls later
		rec.ctx = context.WithoutCancel(ctx)
		r.rec, rec.known = rec, make(map[int64]bool)
	}
	c := r.newChange()
	if err := rec.build(c); err != nil {
		return err
	}
	rec.push(c)
	rec.cancelAgain()
	rec.start()
	return nil
}

// rebuild makes the run of a row, with nothing in progress yet.
func (e *Engine) rebuild(ctx context.Context, row *store.RunRow) (*run, error) {
	text, err := e.load(ctx, store.DecodeRef(row.Plan))
	if err != nil {
		return nil, err
	}
	spec, err := api.ParseSpec(text)
	if err != nil {
		return nil, err
	}
	plan, err := pipeline.Compile(spec, e.registry)
	if err != nil {
		return nil, err
	}
	r := e.newRun(row.ID, row.UID, row.Name)
	r.state, r.gen, r.epoch, r.base, r.created = row.State, row.Gen, row.Epoch, row.Base, row.Created
	r.groups, r.rows, r.reopened = make(map[int64]*group), make(map[int64]reopened), make(map[int64]bool)
	if r.made, err = madeFrom(row.Cell); err != nil {
		return nil, err
	}
	r.seq = plan.Root.Width()
	r.root = &pipeline.Frame{Chain: plan.Root, State: plan.Root.State}
	if r.state == api.Paused {
		r.lanes.parked = true
	}
	return r, nil
}

// recovery puts a run's records back into frames and tasks.
type recovery struct {
	e   *Engine
	r   *run
	ctx context.Context //nolint:containedctx // lives for one call

	blocks  map[int64][]store.Block     // by owner, in order
	groups  map[place][]*store.FrameRow // group frames by where they stand, oldest first
	closed  map[int64]*store.FrameRow   // chain frames that ended, by id
	parents []int64                     // frames that have a group or more keys below them, and chains within others; sorted
	todo    []func(c *change) error     // what is alive, brought back once its frame is
	list    *elements                   // of listOf, for element
	listOf  *group
	ready   []*task
	found   []*group // open groups that were brought back
	ending  []*group // closed by their last child, not yet gone on from
	flows   bool     // some of the blocks are for calls of flows
	// For flows, which come to their calls later: tasks that were in memory since, and
	// answers from outside to those that were not brought back yet.
	known   map[int64]bool
	answers map[int64][]byte
	err     error
}

func standOf(row *store.TaskRow) stand { return stand{row.Attempt, row.Gen} }

// again is what a row says that starts anew; of a damaged one, which is noticed
// elsewhere, the part that is no cell.
func again(row *store.TaskRow) reopened {
	s := reopened{stand: standOf(row)}
	var cell store.TaskCell
	if cell.Decode(row.Cell) == nil {
		s.anew, s.start, s.history = cell.Seldom().Anew, cell.Seldom().Start, clone(cell.History)
	}
	return s
}

type place struct {
	parent int64
	place  int32
}

// read loads what there is to know of the run but its task rows.
func (rec *recovery) read() error {
	blocks, err := rec.e.store.Blocks(rec.ctx, rec.r.id)
	if err != nil {
		return err
	}
	rec.blocks = make(map[int64][]store.Block)
	for _, b := range blocks {
		rec.blocks[b.Frame] = append(rec.blocks[b.Frame], b)
		rec.r.seq = max(rec.r.seq, b.Seq+b.Count)
		rec.flows = rec.flows || b.Frame < 0
		if b.Frame > 0 && b.Frame != b.First { // a chain that began at a key beyond its first
			rec.parents = append(rec.parents, b.Frame)
		}
	}
	if err := rec.readFrames(); err != nil {
		return err
	}
	for at := range rec.groups {
		rec.parents = append(rec.parents, at.parent)
	}
	slices.Sort(rec.parents)
	root := newSpace(rec.r.base, 0)
	rec.more(root)
	rec.r.root.Data = root
	return rec.countTasks(blocks)
}

func (rec *recovery) readFrames() error {
	rec.groups, rec.closed = make(map[place][]*store.FrameRow), make(map[int64]*store.FrameRow)
	under := make(map[int64]bool)
	return rec.e.store.Frames(rec.ctx, rec.r.id, 0, maxKey, func(row *store.FrameRow) error {
		if row.Kind == store.NoteFrame {
			return nil // its flow reads it
		}
		kept := *row
		kept.Cell = clone(row.Cell)
		if row.Kind == store.ChainFrame && row.State != store.FrameVoid && !under[row.Parent] {
			rec.parents = append(rec.parents, row.ID)
		}
		switch {
		case row.State == store.FrameVoid:
		case row.Kind == store.ChainFrame && row.State == store.FrameOpen:
			rec.r.reopened[row.ID] = true
		case row.Kind == store.GroupFrame:
			under[row.ID] = true
			at := place{row.Parent, row.Place}
			rec.groups[at] = append(rec.groups[at], &kept)
		case !under[row.Parent] && row.State == store.FrameDone:
			rec.closed[row.ID] = &kept
		}
		return nil
	})
}

const maxKey = 1<<63 - 1

// more gives a space its further blocks.
func (rec *recovery) more(s *space) {
	for _, b := range rec.blocks[s.base()] {
		if b.First != s.base() {
			s.blocks = append(s.blocks, block{b.First, b.Seq})
		}
	}
}

// spaceAt gives the space that begins at a base, from its block.
func (rec *recovery) spaceAt(base int64) *space {
	s := newSpace(base, 0)
	if own := rec.blocks[base]; len(own) > 0 {
		s.blocks[0].seq = own[0].Seq
	}
	rec.more(s)
	return s
}

// countTasks counts how the run's tasks ended.
func (rec *recovery) countTasks(blocks []store.Block) error {
	end := rec.r.base + rec.r.root.Chain.Width()
	for _, b := range append([]store.Block{{First: rec.r.base, Count: end - rec.r.base}}, blocks...) {
		err := rec.e.store.Tasks(rec.ctx, rec.r.id, b.First, b.First+b.Count, func(row *store.TaskRow) error {
			n := rec.r.counts.of(row.Task)
			n.Retries += int64(max(row.Attempt-1, 0))
			switch row.State {
			case api.Completed:
				n.Completed++
			case api.Failed:
				n.Failed++
			case api.Cancelled:
				n.Cancelled++
			case api.Skipped:
				n.Skipped++
			case api.Pending: // reopened by a retry of the run
				rec.r.rows[row.ID] = again(row)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// build resumes the outermost chain and all that is alive below it.
func (rec *recovery) build(c *change) error {
	rec.resume(c, rec.r.root, pipeline.Value{})
	return rec.below(c)
}

// below brings back what is alive below what was brought back.
func (rec *recovery) below(c *change) error {
	for len(rec.todo) > 0 && rec.err == nil {
		next := rec.todo[0]
		rec.todo = rec.todo[1:]
		if err := next(c); err != nil {
			return err
		}
	}
	return rec.err
}

// later gives what brings back a child when there is room for it. It is to be
// called with run.mu.
func (rec *recovery) later(revive func(c *change) error) func() {
	rec.ctx = context.WithoutCancel(rec.ctx)
	return func() {
		c := rec.r.newChange()
		rec.todo, rec.ready, rec.found, rec.ending = []func(c *change) error{revive}, nil, nil, nil
		if err := rec.below(c); err != nil {
			rec.r.stand(err)
			return
		}
		rec.push(c)
		rec.stopAgain()
		rec.start()
	}
}

// push queues a change if there is something in it. What starts follows from
// records, so it may be shown.
func (rec *recovery) push(c *change) {
	for _, t := range c.starts {
		t.appear()
	}
	if len(c.Tasks)+len(c.Frames)+len(c.Joins)+len(c.starts) > 0 || c.more != nil || c.SetRun != nil {
		rec.e.queue.push(c)
	}
}

// resume puts chain f back to where its records say it is.
func (rec *recovery) resume(c *change, f *pipeline.Frame, in pipeline.Value) {
	effects := pipeline.Resume(nil, f, in, func(at int) (pipeline.Found, pipeline.End) {
		found, end, err := rec.find(f, at)
		if err != nil {
			rec.err = err
			return pipeline.Alive, pipeline.End{}
		}
		return found, end
	})
	rec.r.apply(c, effects)
}

// start makes claimable what was brought back.
func (rec *recovery) start() {
	if len(rec.ready) > 0 {
		rec.e.dispatch.at.Store(rec.e.micros())
		rec.e.enqueue(rec.r, rec.ready)
	}
	for _, g := range rec.found {
		rec.e.dispatch.add(g)
	}
	for _, g := range rec.ending {
		rec.e.closers.mu.Lock()
		rec.e.closers.todo = append(rec.e.closers.todo, g)
		rec.e.closers.mu.Unlock()
		if !rec.e.manual {
			rec.e.closers.begin(func() { rec.e.CloseStep() })
		}
	}
}

// cancelAgain goes on with a cancellation that a crash interrupted.
func (rec *recovery) cancelAgain() {
	r := rec.r
	c := r.newChange()
	if r.state == api.Cancelling {
		r.cancelTree(c)
		return
	}
	rec.stopAgain()
}

// stopAgain goes on with stopping the groups that were brought back and that
// FailFast or a kill switch had stopped.
func (rec *recovery) stopAgain() {
	stopped := false
	for _, g := range rec.found {
		if g.tripped {
			g.frame.Cancelled, stopped = true, true
		}
	}
	if !stopped {
		return
	}
	c := rec.r.newChange()
	tell := rec.r.cancelLive(c)
	if len(c.Joins) > 0 {
		rec.e.queue.push(c)
	}
	for _, t := range tell {
		t.tell(api.ErrCancelled)
	}
}

// revive makes the task of a row that is not final.
func (rec *recovery) revive(c *change, row *store.TaskRow, cell *store.TaskCell, eff *pipeline.Effect) error {
	t, err := rec.r.newTask(c, eff)
	if err != nil {
		return err
	}
	t.row, t.was, t.attempt = true, standOf(row), row.Attempt
	if err := t.restore(cell); err != nil {
		return err
	}
	if a := rec.answers[t.key]; a != nil {
		t.cell.Put().Answer = a
	}
	switch {
	case row.State == api.Scheduled:
		t.phase = scheduled
		rec.todo = append(rec.todo, func(*change) error {
			t.deadline = rec.e.timers.after(time.UnixMicro(t.cell.Seldom().Due), t.rise)
			if t.attempt == 1 {
				t.standAside()
			}
			return nil
		})
	case cell.Waiting() && t.cell.Seldom().Answer != nil: // it came while nobody was there
		t.phase = waiting
		rec.todo = append(rec.todo, func(c *change) error {
			t.answered(c)
			return nil
		})
	case cell.Waiting():
		t.phase = waiting
		rec.e.holdSlots(t)
		rec.e.holdTurn(t)
		if left := t.timeLeft(); left > 0 {
			t.deadline = rec.e.timers.after(rec.e.now().Add(left), func() { t.expire("timed out after " + t.job.Timeout.String()) })
		}
	default:
		rec.ready = append(rec.ready, t)
	}
	t.appear()
	return nil
}
