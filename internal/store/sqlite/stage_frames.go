package sqlite

import (
	"cmp"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/internal/store"
)

// frameOp is a write to a frame's row, or a join if w is nil.
type frameOp struct {
	run, id int64
	seq     int // in the batch
	w       *store.FrameWrite
	join    store.Join
}

// join adds a join, to the one before if that is of the same frame. Joins that
// end no child are kept apart: after the last child they do not fit.
func (b *batch) join(run int64, j store.Join) {
	if n := len(b.frameOps); n > 0 {
		if last := &b.frameOps[n-1]; last.w == nil && last.run == run && last.id == j.Frame && addable(last.join, j) {
			last.join = add(last.join, j)
			return
		}
	}
	b.frameOps = append(b.frameOps, frameOp{run: run, id: j.Frame, seq: len(b.frameOps), join: j})
}

func addable(a, b store.Join) bool { return a.Ended > 0 && b.Ended > 0 }

func add(a, b store.Join) store.Join {
	return store.Join{Frame: a.Frame, Ended: a.Ended + b.Ended, Failed: a.Failed + b.Failed, Low: max(a.Low, b.Low)}
}

// foldFrames orders the frame writes and makes one of several to the same row.
func (w *writer) foldFrames() error {
	b := &w.batch
	order := func(x, y frameOp) int {
		if c := cmp.Compare(x.run, y.run); c != 0 {
			return c
		}
		if c := cmp.Compare(x.id, y.id); c != 0 {
			return c
		}
		return cmp.Compare(x.seq, y.seq)
	}
	if !slices.IsSortedFunc(b.frameOps, order) {
		slices.SortFunc(b.frameOps, order)
	}
	for i := 0; i < len(b.frameOps); {
		op := b.frameOps[i]
		end := i + 1
		for end < len(b.frameOps) && b.frameOps[end].run == op.run && b.frameOps[end].id == op.id {
			end++
		}
		ops := b.frameOps[i:end]
		i = end
		if sum, ok := sumJoins(ops); ok {
			b.joinedFrames = append(b.joinedFrames, sum)
			continue
		}
		if len(ops) > 1 {
			var err error
			if op, err = w.foldFrame(ops); err != nil {
				return err
			}
		}
		switch op.w.Op {
		case store.InsertFrame:
			b.newFrames = append(b.newFrames, op)
		case store.UpdateFrame:
			b.setFrames = append(b.setFrames, op)
		case store.ReopenFrame:
			b.putFrames = append(b.putFrames, op)
		default:
			return fence(op.run, "frame %d: unknown write %d", op.id, op.w.Op)
		}
	}
	return nil
}

// sumJoins adds up joins, if ops are nothing else.
func sumJoins(ops []frameOp) (sum frameOp, ok bool) {
	sum = ops[0]
	if sum.w != nil {
		return sum, false
	}
	for _, op := range ops[1:] {
		if op.w != nil || !addable(sum.join, op.join) {
			return sum, false
		}
		sum.join = add(sum.join, op.join)
	}
	return sum, true
}

// foldFrame applies several writes to one frame in memory: to what is stored,
// which nobody else changes, unless the first of them makes it.
func (w *writer) foldFrame(ops []frameOp) (frameOp, error) {
	first := ops[0]
	put := &store.FrameWrite{Op: store.ReopenFrame}
	exists := false
	if first.w != nil && first.w.Op == store.InsertFrame {
		put.Op = store.InsertFrame // the key will say if it exists
	} else {
		var err error
		if put.FrameRow, exists, err = w.readFrame(first.run, first.id); err != nil {
			return first, err
		}
	}
	row := &put.FrameRow
	for _, op := range ops {
		switch {
		case op.w == nil:
			if !exists || row.State != store.FrameOpen || row.Pending < op.join.Ended {
				return first, fence(op.run, "%d children can't end in frame %d", op.join.Ended, op.id)
			}
			row.Pending -= op.join.Ended
			row.Failed += op.join.Failed
			row.Low = max(row.Low, op.join.Low)
			if row.Pending == 0 {
				row.State = store.FrameClosing
				w.batch.closed = append(w.batch.closed, store.FrameRef{Run: op.run, Frame: op.id})
			}
			continue
		case op.w.Op == store.InsertFrame && exists:
			return first, fence(op.run, "frame %d exists", op.id)
		case op.w.Op == store.UpdateFrame && (!exists || row.State == store.FrameDone):
			return first, fence(op.run, "frame %d does not exist or is done", op.id)
		case !exists:
			*row, exists = op.w.FrameRow, true
			continue
		}
		row.State, row.Cell = op.w.State, op.w.Cell
		if op.w.Op == store.ReopenFrame {
			row.Pending, row.Failed, row.Low = op.w.Pending, op.w.Failed, op.w.Low
		}
	}
	return frameOp{run: first.run, id: first.id, w: put}, nil
}

// readFrame reads one frame with the writer's connection.
func (w *writer) readFrame(run, id int64) (row store.FrameRow, exists bool, err error) {
	st := w.selectFrame
	st.BindInt64(1, run)
	st.BindInt64(2, id)
	if exists, err = st.Step(); err != nil {
		return row, false, err
	}
	if exists {
		row = frameRow(st)
	}
	return row, exists, st.Reset()
}

const frameColumns = "run, id, parent, place, kind, state, base, source, count, pending, failed, low, cell"

func frameRow(st *sqlite.Stmt) store.FrameRow {
	return store.FrameRow{
		Run: st.ColumnInt64(0), ID: st.ColumnInt64(1), Parent: st.ColumnInt64(2), Place: st.ColumnInt32(3),
		Kind: store.FrameKind(st.ColumnInt64(4)), State: store.FrameState(st.ColumnInt64(5)),
		Base: st.ColumnInt64(6), Source: st.ColumnInt64(7), Count: st.ColumnInt64(8), Pending: st.ColumnInt64(9),
		Failed: st.ColumnInt64(10), Low: st.ColumnInt64(11), Cell: column(st, 12),
	}
}
