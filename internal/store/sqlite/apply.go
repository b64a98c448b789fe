package sqlite

import (
	"strconv"

	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

const (
	runColumns   = "id, uid, name, state, gen, epoch, base, created, finished, plan, cell"
	taskColumns  = "id, run, frame, place, name, state, attempt, gen, cell"
	blockColumns = "run, first, count, seq, frame"
	logColumns   = "run, line, task_run, task, attempt, time, level, text"
)

// firstFinal compares with the first of the final states.
func firstFinal(op string) string { return op + strconv.Itoa(int(api.Completed)) }

// empty reports whether there is nothing to write.
func (b *batch) empty() bool {
	return len(b.newRuns)+len(b.setRuns)+len(b.taskOps)+len(b.frameOps)+len(b.blocks)+len(b.keyed)+len(b.logs)+len(b.records) == 0
}

// bytes is about how much the batch adds to the log. Each commit writes some
// pages entirely, whatever is in them.
func (b *batch) bytes() int64 {
	const pages, row = 3 * defaultPageSize, 60
	n := pages + row*(len(b.newRuns)+len(b.setRuns)+len(b.taskOps)+len(b.frameOps)+len(b.blocks))
	for _, r := range b.newRuns {
		n += len(r.row.Plan) + len(r.row.Cell)
	}
	for _, r := range b.setRuns {
		n += len(r.row.Cell)
	}
	for _, op := range b.taskOps {
		n += len(op.w.Cell)
	}
	for _, op := range b.frameOps {
		if op.w != nil {
			n += len(op.w.Cell)
		}
	}
	for _, k := range b.keyed {
		n += row + len(k.Value)
	}
	for _, r := range b.records {
		n += row + len(r.Value)
	}
	for _, l := range b.logs {
		n += row + len(l.line.Text)
	}
	return int64(n)
}

// apply writes the batch.
func (w *writer) apply() error {
	for _, f := range []func() error{w.applyRuns, w.applyLive, w.applyTasks, w.applyFrames, w.applyJoins, w.applyRest} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) applyRuns() error {
	b := &w.batch
	err := w.newRuns.run(len(b.newRuns), func(st *sqlite.Stmt, p, i int) {
		r := &b.newRuns[i].row
		st.BindInt64(p, r.ID)
		st.BindBytes(p+1, r.UID[:])
		st.BindText(p+2, r.Name)
		st.BindInt64(p+3, int64(r.State))
		st.BindInt64(p+4, int64(r.Gen))
		st.BindInt64(p+5, int64(r.Epoch))
		st.BindInt64(p+6, r.Base)
		st.BindInt64(p+7, r.Created)
		st.BindInt64(p+8, r.Finished)
		bindCell(st, p+9, r.Plan)
		bindCell(st, p+10, r.Cell)
	})
	if err != nil {
		return err
	}
	return w.setRuns.run(len(b.setRuns), func(st *sqlite.Stmt, p, i int) {
		r := &b.setRuns[i].row
		st.BindInt64(p, b.setRuns[i].id)
		st.BindInt64(p+1, int64(r.State))
		st.BindInt64(p+2, int64(r.Gen))
		st.BindInt64(p+3, int64(r.Epoch))
		st.BindInt64(p+4, r.Finished)
		bindCell(st, p+5, r.Cell)
	})
}

func (w *writer) applyTasks() error {
	b := &w.batch
	var name string // of the row before: mostly the same
	var id int64
	var nameErr error
	err := w.newTasks.run(len(b.newTasks), func(st *sqlite.Stmt, p, i int) {
		op := b.newTasks[i]
		t := op.w
		if id == 0 || name != t.Task {
			name = t.Task
			var err error
			if id, err = w.nameID(name); err != nil {
				nameErr = err
			}
		}
		st.BindInt64(p, t.ID)
		st.BindInt64(p+1, op.run)
		st.BindInt64(p+2, t.Frame)
		st.BindInt64(p+3, int64(t.Place))
		st.BindInt64(p+4, id)
		st.BindInt64(p+5, int64(t.State))
		st.BindInt64(p+6, int64(t.Attempt))
		st.BindInt64(p+7, int64(t.Gen))
		bindCell(st, p+8, t.Cell)
	})
	if nameErr != nil {
		return nameErr
	}
	if err != nil {
		return err
	}
	if err := w.setTasks.run(len(b.setTasks), bindTasks(b.setTasks)); err != nil {
		return err
	}
	return w.reopen.run(len(b.reopenTasks), bindTasks(b.reopenTasks))
}

func bindTasks(ops []taskOp) func(st *sqlite.Stmt, p, i int) {
	return func(st *sqlite.Stmt, p, i int) {
		t := ops[i].w
		st.BindInt64(p, t.ID)
		st.BindInt64(p+1, int64(t.State))
		st.BindInt64(p+2, int64(t.Attempt))
		st.BindInt64(p+3, int64(t.Gen))
		bindCell(st, p+4, t.Cell)
		st.BindInt64(p+5, int64(t.WasAttempt))
		st.BindInt64(p+6, int64(t.WasGen))
	}
}

func (w *writer) applyFrames() error {
	b := &w.batch
	if err := w.newFrames.run(len(b.newFrames), bindFrames(b.newFrames)); err != nil {
		return err
	}
	err := w.setFrames.run(len(b.setFrames), func(st *sqlite.Stmt, p, i int) {
		op := b.setFrames[i]
		st.BindInt64(p, op.run)
		st.BindInt64(p+1, op.id)
		st.BindInt64(p+2, int64(op.w.State))
		bindCell(st, p+3, op.w.Cell)
	})
	if err != nil {
		return err
	}
	return w.putFrames.run(len(b.putFrames), bindFrames(b.putFrames))
}

func bindFrames(ops []frameOp) func(st *sqlite.Stmt, p, i int) {
	return func(st *sqlite.Stmt, p, i int) {
		f := &ops[i].w.FrameRow
		st.BindInt64(p, ops[i].run)
		st.BindInt64(p+1, ops[i].id)
		st.BindInt64(p+2, f.Parent)
		st.BindInt64(p+3, int64(f.Place))
		st.BindInt64(p+4, int64(f.Kind))
		st.BindInt64(p+5, int64(f.State))
		st.BindInt64(p+6, f.Base)
		st.BindInt64(p+7, f.Source)
		st.BindInt64(p+8, f.Count)
		st.BindInt64(p+9, f.Pending)
		st.BindInt64(p+10, f.Failed)
		st.BindInt64(p+11, f.Low)
		bindCell(st, p+12, f.Cell)
	}
}

// applyJoins counts the children off that ended.
func (w *writer) applyJoins() error {
	b := &w.batch
	for _, op := range b.joinedFrames {
		st := w.joinFrame
		st.BindInt64(1, op.run)
		st.BindInt64(2, op.id)
		st.BindInt64(3, op.join.Ended)
		st.BindInt64(4, op.join.Failed)
		st.BindInt64(5, op.join.Low)
		found, err := st.Step()
		if err != nil {
			return err
		}
		closed := found && st.ColumnInt64(0) == 0
		for more := found; more; { // COMMIT fails while a statement is in progress
			if more, err = st.Step(); err != nil {
				return err
			}
		}
		if err := st.Reset(); err != nil {
			return err
		}
		if !found {
			return fence(op.run, "%d children can't end in frame %d", op.join.Ended, op.id)
		}
		if closed {
			b.closed = append(b.closed, store.FrameRef{Run: op.run, Frame: op.id})
		}
	}
	return nil
}

func (w *writer) applyRest() error {
	b := &w.batch
	err := w.newBlocks.run(len(b.blocks), func(st *sqlite.Stmt, p, i int) {
		block := &b.blocks[i]
		st.BindInt64(p, block.Run)
		st.BindInt64(p+1, block.First)
		st.BindInt64(p+2, block.Count)
		st.BindInt64(p+3, block.Seq)
		st.BindInt64(p+4, block.Frame)
	})
	if err != nil {
		return err
	}
	for _, k := range b.keyed {
		st := w.deleteKeyed
		if k.Value != nil {
			st = w.putKeyed
			st.BindBytes(2, k.Value)
		}
		st.BindBytes(1, []byte(k.TaskID))
		if err := exec(st); err != nil {
			return err
		}
	}
	if err := w.applyRecords(b.records); err != nil {
		return err
	}
	return w.logs.run(len(b.logs), func(st *sqlite.Stmt, p, i int) {
		l := b.logs[i].line
		st.BindInt64(p, b.logs[i].run)
		st.BindInt64(p+1, b.logs[i].number)
		st.BindText(p+2, l.TaskRun)
		st.BindText(p+3, l.Task)
		st.BindInt64(p+4, int64(l.Attempt))
		st.BindInt64(p+5, l.Time.UnixMicro())
		st.BindText(p+6, l.Level)
		st.BindText(p+7, l.Text)
	})
}

// bindCell binds bytes, and NULL for none: it takes no room and no allocation.
func bindCell(st *sqlite.Stmt, param int, b []byte) {
	if len(b) == 0 {
		st.BindNull(param)
		return
	}
	st.BindBytes(param, b)
}
