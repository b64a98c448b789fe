package staging

import (
	"cmp"
	"slices"

	"github.com/runnel-dev/runnel/internal/store"
)

// Frame is a write to a frame's row, or a join if Write is nil.
type Frame struct {
	Run, ID int64
	Write   *store.FrameWrite
	Join    store.Join
	seq     int // in the batch
}

func (f *Frame) ref() store.FrameRef { return store.FrameRef{Run: f.Run, Frame: f.ID} }

// join adds a join, to the one before if that is of the same frame. Joins that
// end no child are kept apart: after the last child they do not fit.
func (b *Batch) join(run int64, j store.Join) {
	if n := len(b.frames); n > 0 {
		if last := &b.frames[n-1]; last.Write == nil && last.Run == run && last.ID == j.Frame && addable(last.Join, j) {
			last.Join = add(last.Join, j)
			return
		}
	}
	b.frames = append(b.frames, Frame{Run: run, ID: j.Frame, seq: len(b.frames), Join: j})
}

func addable(a, b store.Join) bool { return a.Ended > 0 && b.Ended > 0 }

func add(a, b store.Join) store.Join {
	return store.Join{Frame: a.Frame, Ended: a.Ended + b.Ended, Failed: a.Failed + b.Failed, Low: max(a.Low, b.Low)}
}

func compareFrames(x, y Frame) int {
	if c := cmp.Compare(x.Run, y.Run); c != 0 {
		return c
	}
	if c := cmp.Compare(x.ID, y.ID); c != 0 {
		return c
	}
	return cmp.Compare(x.seq, y.seq)
}

// foldFrames orders the frame writes and makes one of several to the same row.
func (b *Batch) foldFrames(facts Facts) error {
	if !slices.IsSortedFunc(b.frames, compareFrames) {
		slices.SortFunc(b.frames, compareFrames)
	}
	stored, err := b.readFrames(facts)
	if err != nil {
		return err
	}
	for ops := range sameFrame(b.frames) {
		op := ops[0]
		if sum, ok := sumJoins(ops); ok {
			b.JoinedFrames = append(b.JoinedFrames, sum)
			continue
		}
		if len(ops) > 1 {
			if op, err = b.foldFrame(ops, stored); err != nil {
				return err
			}
		}
		switch op.Write.Op {
		case store.InsertFrame:
			b.NewFrames = append(b.NewFrames, op)
		case store.UpdateFrame:
			b.SetFrames = append(b.SetFrames, op)
		case store.ReopenFrame:
			b.PutFrames = append(b.PutFrames, op)
		default:
			return Fence(op.Run, "frame %d: unknown write %d", op.ID, op.Write.Op)
		}
	}
	return nil
}

// sameFrame gives the writes to each frame, of a sorted list.
func sameFrame(list []Frame) func(yield func([]Frame) bool) {
	return func(yield func([]Frame) bool) {
		for i := 0; i < len(list); {
			end := i + 1
			for end < len(list) && list[end].ref() == list[i].ref() {
				end++
			}
			if !yield(list[i:end]) {
				return
			}
			i = end
		}
	}
}

// sumJoins adds up joins, if ops are nothing else.
func sumJoins(ops []Frame) (sum Frame, ok bool) {
	sum = ops[0]
	if sum.Write != nil {
		return sum, false
	}
	for _, op := range ops[1:] {
		if op.Write != nil || !addable(sum.Join, op.Join) {
			return sum, false
		}
		sum.Join = add(sum.Join, op.Join)
	}
	return sum, true
}

// inserts reports whether the first of several writes makes the row.
func inserts(ops []Frame) bool { return ops[0].Write != nil && ops[0].Write.Op == store.InsertFrame }

// readFrames reads the rows to which several writes of different kinds are to be
// applied in memory; nobody else changes them.
func (b *Batch) readFrames(facts Facts) (map[store.FrameRef]store.FrameRow, error) {
	var refs []store.FrameRef
	for ops := range sameFrame(b.frames) {
		if len(ops) == 1 || inserts(ops) {
			continue
		}
		if _, ok := sumJoins(ops); !ok {
			refs = append(refs, ops[0].ref())
		}
	}
	if len(refs) == 0 {
		return nil, nil
	}
	rows, err := facts.Frames(refs)
	if err != nil {
		return nil, err
	}
	stored := make(map[store.FrameRef]store.FrameRow, len(rows))
	for _, row := range rows {
		stored[store.FrameRef{Run: row.Run, Frame: row.ID}] = row
	}
	return stored, nil
}

// foldFrame applies several writes to one frame in memory: to what is stored,
// unless the first of them makes it.
func (b *Batch) foldFrame(ops []Frame, stored map[store.FrameRef]store.FrameRow) (Frame, error) {
	first := ops[0]
	put := &store.FrameWrite{Op: store.ReopenFrame}
	exists := false
	if inserts(ops) {
		put.Op = store.InsertFrame // the key will say if it exists
	} else {
		put.FrameRow, exists = stored[first.ref()]
	}
	row := &put.FrameRow
	for _, op := range ops {
		switch {
		case op.Write == nil:
			if !exists || row.State != store.FrameOpen || row.Pending < op.Join.Ended {
				return first, Fence(op.Run, "%d children can't end in frame %d", op.Join.Ended, op.ID)
			}
			row.Pending -= op.Join.Ended
			row.Failed += op.Join.Failed
			row.Low = max(row.Low, op.Join.Low)
			if row.Pending == 0 {
				row.State = store.FrameClosing
				b.Closed = append(b.Closed, op.ref())
			}
			continue
		case op.Write.Op == store.InsertFrame && exists:
			return first, Fence(op.Run, "frame %d exists", op.ID)
		case op.Write.Op == store.UpdateFrame && (!exists || row.State == store.FrameDone):
			return first, Fence(op.Run, "frame %d does not exist or is done", op.ID)
		case !exists:
			*row, exists = op.Write.FrameRow, true
			continue
		}
		row.State, row.Cell = op.Write.State, op.Write.Cell
		if op.Write.Op == store.ReopenFrame {
			row.Pending, row.Failed, row.Low = op.Write.Pending, op.Write.Failed, op.Write.Low
		}
	}
	return Frame{Run: first.Run, ID: first.ID, Write: put}, nil
}
