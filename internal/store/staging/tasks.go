package staging

import (
	"cmp"
	"slices"

	"github.com/runnel-dev/runnel/internal/store"
)

// foldTasks orders the task writes by key, which is also the order in which
// pages are best filled, and makes one of several to the same row.
func (b *Batch) foldTasks() error {
	order := func(x, y Task) int {
		if c := cmp.Compare(x.ID, y.ID); c != 0 {
			return c
		}
		return cmp.Compare(x.seq, y.seq)
	}
	if !slices.IsSortedFunc(b.tasks, order) {
		slices.SortFunc(b.tasks, order)
	}
	for i := 0; i < len(b.tasks); {
		op := b.tasks[i]
		end := i + 1
		for end < len(b.tasks) && b.tasks[end].ID == op.ID {
			end++
		}
		if end > i+1 {
			var err error
			if op.TaskWrite, err = foldTask(b.tasks[i:end]); err != nil {
				return err
			}
		}
		i = end
		switch op.Op {
		case store.InsertTask:
			b.NewTasks = append(b.NewTasks, op)
		case store.UpdateTask:
			b.SetTasks = append(b.SetTasks, op)
		case store.ReopenTask:
			b.ReopenTasks = append(b.ReopenTasks, op)
		default:
			return Fence(op.Run, "task run %d: unknown write %d", op.ID, op.Op)
		}
	}
	return nil
}

// foldTask makes one write of several: with the fence of the first and what
// the last one leaves.
func foldTask(ops []Task) (*store.TaskWrite, error) {
	sum := *ops[0].TaskWrite
	for _, op := range ops[1:] {
		w := op.TaskWrite
		switch {
		case w.Op == store.InsertTask:
			return nil, Fence(op.Run, "task run %d exists", w.ID)
		case sum.State.Final() != (w.Op == store.ReopenTask):
			return nil, Fence(op.Run, "task run %d is %s", w.ID, sum.State)
		case sum.Attempt != w.WasAttempt || sum.Gen != w.WasGen:
			return nil, Fence(op.Run, "task run %d is at attempt %d of generation %d, not %d of %d",
				w.ID, sum.Attempt, sum.Gen, w.WasAttempt, w.WasGen)
		}
		sum.State, sum.Attempt, sum.Gen, sum.Cell = w.State, w.Attempt, w.Gen, w.Cell
	}
	return &sum, nil
}
