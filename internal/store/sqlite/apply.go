package sqlite

import (
	"strconv"

	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/staging"
)

const (
	runColumns   = "id, uid, name, state, gen, epoch, base, created, finished, plan, cell"
	taskColumns  = "id, run, frame, place, name, state, attempt, gen, cell"
	blockColumns = "run, first, count, seq, frame"
	logColumns   = "run, line, task_run, task, attempt, time, level, text"
)

// firstFinal compares with the first of the final states.
func firstFinal(op string) string { return op + strconv.Itoa(int(api.Completed)) }

// size is about how much the batch adds to the log. Each commit writes some
// pages entirely, whatever is in them.
func size(b *staging.Batch) int64 {
	const pages = 3 * defaultPageSize
	rows, bytes := b.Size()
	return int64(pages + rowBytes*rows + bytes)
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
	err := w.newRuns.run(len(b.NewRuns), func(st *sqlite.Stmt, p, i int) {
		r := &b.NewRuns[i].Row
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
	return w.setRuns.run(len(b.SetRuns), func(st *sqlite.Stmt, p, i int) {
		r := &b.SetRuns[i].Row
		st.BindInt64(p, b.SetRuns[i].ID)
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
	err := w.newTasks.run(len(b.NewTasks), func(st *sqlite.Stmt, p, i int) {
		op := b.NewTasks[i]
		t := op.TaskWrite
		if id == 0 || name != t.Task {
			name = t.Task
			var err error
			if id, err = w.nameID(name); err != nil {
				nameErr = err
			}
		}
		st.BindInt64(p, t.ID)
		st.BindInt64(p+1, op.Run)
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
	if err := w.setTasks.run(len(b.SetTasks), bindTasks(b.SetTasks)); err != nil {
		return err
	}
	return w.reopen.run(len(b.ReopenTasks), bindTasks(b.ReopenTasks))
}

func bindTasks(ops []staging.Task) func(st *sqlite.Stmt, p, i int) {
	return func(st *sqlite.Stmt, p, i int) {
		t := ops[i].TaskWrite
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
	if err := w.newFrames.run(len(b.NewFrames), bindFrames(b.NewFrames)); err != nil {
		return err
	}
	err := w.setFrames.run(len(b.SetFrames), func(st *sqlite.Stmt, p, i int) {
		op := b.SetFrames[i]
		st.BindInt64(p, op.Run)
		st.BindInt64(p+1, op.ID)
		st.BindInt64(p+2, int64(op.Write.State))
		bindCell(st, p+3, op.Write.Cell)
	})
	if err != nil {
		return err
	}
	return w.putFrames.run(len(b.PutFrames), bindFrames(b.PutFrames))
}

func bindFrames(ops []staging.Frame) func(st *sqlite.Stmt, p, i int) {
	return func(st *sqlite.Stmt, p, i int) {
		f := &ops[i].Write.FrameRow
		st.BindInt64(p, ops[i].Run)
		st.BindInt64(p+1, ops[i].ID)
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
	for _, op := range b.JoinedFrames {
		st := w.joinFrame
		st.BindInt64(1, op.Run)
		st.BindInt64(2, op.ID)
		st.BindInt64(3, op.Join.Ended)
		st.BindInt64(4, op.Join.Failed)
		st.BindInt64(5, op.Join.Low)
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
			return staging.Fence(op.Run, "%d children can't end in frame %d", op.Join.Ended, op.ID)
		}
		if closed {
			b.Closed = append(b.Closed, store.FrameRef{Run: op.Run, Frame: op.ID})
		}
	}
	return nil
}

func (w *writer) applyRest() error {
	b := &w.batch
	err := w.newBlocks.run(len(b.Blocks), func(st *sqlite.Stmt, p, i int) {
		block := &b.Blocks[i]
		st.BindInt64(p, block.Run)
		st.BindInt64(p+1, block.First)
		st.BindInt64(p+2, block.Count)
		st.BindInt64(p+3, block.Seq)
		st.BindInt64(p+4, block.Frame)
	})
	if err != nil {
		return err
	}
	for _, k := range b.Keyed {
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
	if err := w.applyRecords(b.Records, b.Dropped); err != nil {
		return err
	}
	return w.logs.run(len(b.Logs), func(st *sqlite.Stmt, p, i int) {
		l := b.Logs[i].Line
		st.BindInt64(p, b.Logs[i].Run)
		st.BindInt64(p+1, b.Logs[i].Number)
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
