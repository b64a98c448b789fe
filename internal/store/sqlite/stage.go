package sqlite

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// A batch is one Commit sorted out: at most one write for each row, since a
// statement over several rows applies a key that it is given twice only once.
// Transitions apply in order, so what comes later in the batch is held to what
// came before it here, in memory, and only the first write of a row is held to
// what is stored.
type batch struct {
	runs    []stagedRun
	runAt   map[int64]int // place in runs
	lastRun int           // the one used last: many transitions in a row are of one run

	taskOps  []taskOp
	frameOps []frameOp

	newRuns, setRuns        []*stagedRun
	newTasks, setTasks      []taskOp
	reopenTasks             []taskOp
	newFrames, setFrames    []frameOp
	putFrames, joinedFrames []frameOp
	closed                  []store.FrameRef
	blocks                  []store.Block
	keyed                   []store.KeyedWrite
	logs                    []logOp
	records                 []store.RecordWrite
}

// mark is what fences a transition on its run, and the number of its last line.
type mark struct {
	epoch int32
	state api.State
	lines int64 // -1: not known
}

// stagedRun is a run that the batch is about.
type stagedRun struct {
	id     int64
	mark   mark
	insert bool
	update bool
	row    store.RunRow // if it is inserted or updated
}

type taskOp struct {
	w   *store.TaskWrite
	run int64
	seq int // in the batch
}

type logOp struct {
	run, number int64
	line        *api.LogLine
}

func (b *batch) reset() {
	clear(b.runs)
	clear(b.runAt)
	clear(b.taskOps)
	clear(b.frameOps)
	clear(b.newTasks)
	clear(b.setTasks)
	clear(b.reopenTasks)
	clear(b.newFrames)
	clear(b.setFrames)
	clear(b.putFrames)
	clear(b.keyed)
	clear(b.logs)
	clear(b.records)
	*b = batch{
		runs: b.runs[:0], runAt: b.runAt, lastRun: -1,
		taskOps: b.taskOps[:0], frameOps: b.frameOps[:0],
		newRuns: b.newRuns[:0], setRuns: b.setRuns[:0],
		newTasks: b.newTasks[:0], setTasks: b.setTasks[:0], reopenTasks: b.reopenTasks[:0],
		newFrames: b.newFrames[:0], setFrames: b.setFrames[:0],
		putFrames: b.putFrames[:0], joinedFrames: b.joinedFrames[:0],
		blocks: b.blocks[:0], keyed: b.keyed[:0], logs: b.logs[:0],
		records: b.records[:0],
	}
}

func fence(run int64, format string, args ...any) error {
	return fmt.Errorf("run %d: %s: %w", run, fmt.Sprintf(format, args...), store.ErrFenced)
}

// stage sorts the transitions out.
func (w *writer) stage(transitions []*store.Transition) error {
	b := &w.batch
	b.reset()
	for _, t := range transitions {
		if err := w.enter(t); err != nil {
			return err
		}
		for i := range t.Frames {
			b.frameOps = append(b.frameOps, frameOp{run: t.Run, id: t.Frames[i].ID, seq: len(b.frameOps), w: &t.Frames[i]})
		}
		for i := range t.Tasks {
			b.taskOps = append(b.taskOps, taskOp{&t.Tasks[i], t.Run, len(b.taskOps)})
		}
		for _, j := range t.Joins {
			if j.Ended < 0 {
				return fence(t.Run, "%d children can't end in frame %d", j.Ended, j.Frame)
			}
			b.join(t.Run, j)
		}
		for _, block := range t.Blocks {
			block.Run = t.Run
			b.blocks = append(b.blocks, block)
		}
		b.keyed = append(b.keyed, t.Keyed...)
		b.records = append(b.records, t.Records...)
		if len(t.Logs) > 0 {
			if err := w.stageLogs(t); err != nil {
				return err
			}
		}
	}
	for i := range b.runs {
		switch r := &b.runs[i]; {
		case r.insert:
			b.newRuns = append(b.newRuns, r)
		case r.update:
			b.setRuns = append(b.setRuns, r)
		}
	}
	if err := b.foldTasks(); err != nil {
		return err
	}
	return w.foldFrames()
}

// enter holds a transition to its run, and changes the run.
func (w *writer) enter(t *store.Transition) error {
	b := &w.batch
	r, err := w.stagedRun(t.Run, t.NewRun != nil)
	if err != nil {
		return err
	}
	switch {
	case t.NewRun != nil:
		if r != nil || t.NewRun.ID != t.Run {
			return fence(t.Run, "exists, or is not number %d", t.NewRun.ID)
		}
		r = b.addRun(stagedRun{id: t.Run, insert: true, row: *t.NewRun, mark: mark{t.NewRun.Epoch, t.NewRun.State, 0}})
	case r == nil:
		return fence(t.Run, "does not exist")
	case r.mark.epoch != t.Epoch:
		return fence(t.Run, "is at epoch %d, not %d", r.mark.epoch, t.Epoch)
	case r.mark.state.Final() && (t.SetRun == nil || t.SetRun.State.Final()):
		return fence(t.Run, "is %s", r.mark.state)
	}
	if set := t.SetRun; set != nil {
		r.mark.epoch, r.mark.state = set.Epoch, set.State
		r.row.State, r.row.Gen, r.row.Epoch = set.State, set.Gen, set.Epoch
		r.row.Finished, r.row.Cell = set.Finished, set.Cell
		r.update = true
	}
	return nil
}

// stagedRun finds a run in the batch, among the live ones or in the file; nil
// if it is not there. For a new run the file is not asked: the key will say.
func (w *writer) stagedRun(id int64, isNew bool) (*stagedRun, error) {
	b := &w.batch
	if b.lastRun >= 0 && b.runs[b.lastRun].id == id {
		return &b.runs[b.lastRun], nil
	}
	if i, ok := b.runAt[id]; ok {
		b.lastRun = i
		return &b.runs[i], nil
	}
	m, live := w.live[id]
	if !live {
		if isNew {
			return nil, nil
		}
		var err error
		if m, err = w.readMark(id); err != nil || m.state == 0 {
			return nil, err
		}
	}
	return b.addRun(stagedRun{id: id, mark: m}), nil
}

func (b *batch) addRun(r stagedRun) *stagedRun {
	b.lastRun = len(b.runs)
	b.runAt[r.id] = b.lastRun
	b.runs = append(b.runs, r)
	return &b.runs[b.lastRun]
}

// readMark reads epoch and state of a run; state 0 if it is not there.
func (w *writer) readMark(id int64) (m mark, err error) {
	st := w.selectMark
	st.BindInt64(1, id)
	found, err := st.Step()
	if err != nil {
		return m, err
	}
	if found {
		m = mark{st.ColumnInt32(0), api.State(st.ColumnInt64(1)), -1}
	}
	return m, st.Reset()
}

// foldTasks orders the task writes by key, which is also the order in which
// pages are best filled, and makes one of several to the same row.
func (b *batch) foldTasks() error {
	order := func(x, y taskOp) int {
		if c := cmp.Compare(x.w.ID, y.w.ID); c != 0 {
			return c
		}
		return cmp.Compare(x.seq, y.seq)
	}
	if !slices.IsSortedFunc(b.taskOps, order) {
		slices.SortFunc(b.taskOps, order)
	}
	for i := 0; i < len(b.taskOps); {
		op := b.taskOps[i]
		end := i + 1
		for end < len(b.taskOps) && b.taskOps[end].w.ID == op.w.ID {
			end++
		}
		if end > i+1 {
			var err error
			if op.w, err = foldTask(b.taskOps[i:end]); err != nil {
				return err
			}
		}
		i = end
		switch op.w.Op {
		case store.InsertTask:
			b.newTasks = append(b.newTasks, op)
		case store.UpdateTask:
			b.setTasks = append(b.setTasks, op)
		case store.ReopenTask:
			b.reopenTasks = append(b.reopenTasks, op)
		default:
			return fence(op.run, "task run %d: unknown write %d", op.w.ID, op.w.Op)
		}
	}
	return nil
}

// foldTask makes one write of several: with the fence of the first and what
// the last one leaves.
func foldTask(ops []taskOp) (*store.TaskWrite, error) {
	sum := *ops[0].w
	for _, op := range ops[1:] {
		w := op.w
		switch {
		case w.Op == store.InsertTask:
			return nil, fence(op.run, "task run %d exists", w.ID)
		case sum.State.Final() != (w.Op == store.ReopenTask):
			return nil, fence(op.run, "task run %d is %s", w.ID, sum.State)
		case sum.Attempt != w.WasAttempt || sum.Gen != w.WasGen:
			return nil, fence(op.run, "task run %d is at attempt %d of generation %d, not %d of %d",
				w.ID, sum.Attempt, sum.Gen, w.WasAttempt, w.WasGen)
		}
		sum.State, sum.Attempt, sum.Gen, sum.Cell = w.State, w.Attempt, w.Gen, w.Cell
	}
	return &sum, nil
}
