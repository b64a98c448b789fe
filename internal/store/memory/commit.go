package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/internal/store"
)

// undo is what takes a batch back that turned out not to fit. The transitions
// of a batch apply in order, each to what those before it left, so a check
// ahead of all of them would have to apply them as well. Nobody sees the rows
// between: the lock is held.
type undo struct {
	runs   []runWas
	tasks  []taskWas
	frames []frameWas
	rest   []func()
	// dropped are blobs of records that were replaced, for when the batch fits.
	dropped []int64
}

// runWas is a run's row before it was written.
type runWas struct {
	run *run
	row store.RunRow
	had bool // false: there was none
}

// taskWas is a task row before it was written.
type taskWas struct {
	row store.TaskRow
	had bool // false: there was none
}

// frameWas is a frame's row before it was written.
type frameWas struct {
	frame *store.FrameRow
	row   store.FrameRow
}

func (u *undo) add(f func()) { u.rest = append(u.rest, f) }

// Commit applies a batch. It looks at no context: a batch belongs to many
// callers.
func (s *Store) Commit(_ context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(batch, 0)
}

// commit applies a batch of a session, 0 for who has the store alone.
func (s *Store) commit(batch []*store.Transition, session int64) ([]store.FrameRef, error) {
	s.session = session
	var closed []store.FrameRef
	for _, t := range batch {
		var err error
		if closed, err = s.apply(t, closed); err != nil {
			s.rollback()
			return nil, err
		}
	}
	s.settle()
	return closed, nil
}

// settle ends a batch that fits.
func (s *Store) settle() {
	for _, id := range s.undo.dropped {
		s.dropBlob(id)
	}
	s.forget()
}

func (s *Store) rollback() {
	for _, v := range slices.Backward(s.undo.rest) {
		v()
	}
	for _, was := range slices.Backward(s.undo.frames) {
		*was.frame = was.row
	}
	for _, was := range slices.Backward(s.undo.runs) {
		if was.had {
			was.run.row = was.row
		} else {
			s.removeRun(was.run.row.ID)
		}
	}
	for i := len(s.undo.tasks) - 1; i >= 0; i-- {
		if was := &s.undo.tasks[i]; was.had {
			*s.tasks.get(was.row.ID) = was.row
		} else {
			s.tasks.remove(was.row.ID)
		}
	}
	s.forget()
}

func (s *Store) forget() {
	u := &s.undo
	clear(u.runs)
	clear(u.tasks)
	clear(u.frames)
	clear(u.rest)
	*u = undo{u.runs[:0], u.tasks[:0], u.frames[:0], u.rest[:0], u.dropped[:0]}
}

func fence(t *store.Transition, format string, args ...any) error {
	return fmt.Errorf("run %d: %s: %w", t.Run, fmt.Sprintf(format, args...), store.ErrFenced)
}

// apply does one transition: the run, then frames and blocks, then tasks and
// joins, which may be about those frames.
func (s *Store) apply(t *store.Transition, closed []store.FrameRef) ([]store.FrameRef, error) {
	r, err := s.enter(t)
	if err != nil {
		return closed, err
	}
	for i := range t.Frames {
		if err := s.writeFrame(t, r, &t.Frames[i]); err != nil {
			return closed, err
		}
	}
	for _, b := range t.Blocks {
		i, exists := findBlock(r.blocks, b.First)
		if exists {
			return closed, fence(t, "block %d exists", b.First)
		}
		b.Run = t.Run
		r.blocks = slices.Insert(r.blocks, i, b)
		s.undo.add(func() {
			i, _ := findBlock(r.blocks, b.First)
			r.blocks = slices.Delete(r.blocks, i, i+1)
		})
	}
	for i := range t.Tasks {
		if err := s.writeTask(t, &t.Tasks[i]); err != nil {
			return closed, err
		}
	}
	for _, j := range t.Joins {
		done, err := s.join(t, r, j)
		if err != nil {
			return closed, err
		}
		if done {
			closed = append(closed, store.FrameRef{Run: t.Run, Frame: j.Frame})
		}
	}
	for _, k := range t.Keyed {
		s.writeKeyed(k)
	}
	for i := range t.Records {
		if err := s.writeRecord(&t.Records[i]); err != nil {
			return closed, err
		}
	}
	if len(t.Logs) > 0 {
		was := r.logs
		s.undo.add(func() { r.logs = was })
		for _, l := range t.Logs {
			l.Line, l.Time = int64(len(r.logs))+1, l.Time.UTC().Truncate(time.Microsecond)
			r.logs = append(r.logs, l.LogLine)
		}
	}
	return closed, nil
}

// enter finds or makes the run, holds the transition to its epoch and state,
// and changes it.
func (s *Store) enter(t *store.Transition) (*run, error) {
	r := s.runs[t.Run]
	if t.NewRun != nil {
		if r != nil || t.NewRun.ID != t.Run {
			return nil, fence(t, "exists, or is not number %d", t.NewRun.ID)
		}
		r = s.addRun(t.NewRun)
		if r.owner = s.session; t.NewRun.Loose {
			r.owner, r.row.Loose = 0, false
		}
	} else if err := fits(t, r, s.session); err != nil {
		return nil, err
	}
	if set := t.SetRun; set != nil {
		s.undo.runs = append(s.undo.runs, runWas{r, r.row, true})
		r.row.State, r.row.Gen, r.row.Epoch = set.State, set.Gen, set.Epoch
		r.row.Finished, r.row.Cell = set.Finished, keep(set.Cell)
		if was := r.owner; was != s.session {
			s.undo.add(func() { r.owner = was })
			r.owner = s.session
		}
	}
	return r, nil
}

func fits(t *store.Transition, r *run, session int64) error {
	switch {
	case r == nil:
		return fence(t, "does not exist")
	case r.owner != session && !r.row.State.Final():
		return fence(t, "belongs to session %d, not %d", r.owner, session)
	case r.row.Epoch != t.Epoch:
		return fence(t, "is at epoch %d, not %d", r.row.Epoch, t.Epoch)
	case r.row.State.Final() && (t.SetRun == nil || t.SetRun.State.Final()):
		return fence(t, "is %s", r.row.State)
	}
	return nil
}

func (s *Store) addRun(row *store.RunRow) *run {
	r := &run{row: *row}
	r.row.Plan, r.row.Cell = keep(row.Plan), keep(row.Cell)
	s.runs[row.ID] = r
	i := len(s.order)
	if i > 0 && s.order[i-1] > row.ID {
		i, _ = slices.BinarySearch(s.order, row.ID)
	}
	s.order = slices.Insert(s.order, i, row.ID)
	s.undo.runs = append(s.undo.runs, runWas{run: r})
	return r
}

func (s *Store) removeRun(id int64) {
	delete(s.runs, id)
	i, _ := slices.BinarySearch(s.order, id)
	s.order = slices.Delete(s.order, i, i+1)
}

func (s *Store) writeTask(t *store.Transition, w *store.TaskWrite) error {
	row := s.tasks.get(w.ID)
	if w.Op == store.InsertTask {
		if row != nil {
			return fence(t, "task run %d exists", w.ID)
		}
		ins := w.TaskRow
		ins.Run, ins.Cell = t.Run, keep(w.Cell)
		s.tasks.insert(ins)
		s.undo.tasks = append(s.undo.tasks, taskWas{row: store.TaskRow{ID: w.ID}})
		return nil
	}
	switch {
	case row == nil:
		return fence(t, "task run %d does not exist", w.ID)
	case row.State.Final() != (w.Op == store.ReopenTask):
		return fence(t, "task run %d is %s", w.ID, row.State)
	case row.Attempt != w.WasAttempt || row.Gen != w.WasGen:
		return fence(t, "task run %d is at attempt %d of generation %d, not %d of %d",
			w.ID, row.Attempt, row.Gen, w.WasAttempt, w.WasGen)
	}
	s.undo.tasks = append(s.undo.tasks, taskWas{row: *row, had: true})
	row.State, row.Attempt, row.Gen, row.Cell = w.State, w.Attempt, w.Gen, keep(w.Cell)
	return nil
}

func (s *Store) writeFrame(t *store.Transition, r *run, w *store.FrameWrite) error {
	f := r.frames[w.ID]
	switch {
	case w.Op == store.InsertFrame && f != nil:
		return fence(t, "frame %d exists", w.ID)
	case w.Op == store.UpdateFrame && (f == nil || f.State == store.FrameDone):
		return fence(t, "frame %d does not exist or is done", w.ID)
	case f == nil:
		if r.frames == nil {
			r.frames = map[int64]*store.FrameRow{}
		}
		ins := w.FrameRow
		ins.Run, ins.Cell = t.Run, keep(w.Cell)
		r.frames[w.ID] = &ins
		i, _ := slices.BinarySearch(r.frameIDs, w.ID)
		r.frameIDs = slices.Insert(r.frameIDs, i, w.ID)
		s.undo.add(func() {
			delete(r.frames, w.ID)
			i, _ := slices.BinarySearch(r.frameIDs, w.ID)
			r.frameIDs = slices.Delete(r.frameIDs, i, i+1)
		})
		return nil
	}
	s.undo.frames = append(s.undo.frames, frameWas{f, *f})
	f.State, f.Cell = w.State, keep(w.Cell)
	if w.Op == store.ReopenFrame {
		f.Pending, f.Failed, f.Low = w.Pending, w.Failed, w.Low
	}
	return nil
}

func (s *Store) join(t *store.Transition, r *run, j store.Join) (closed bool, err error) {
	f := r.frames[j.Frame]
	if f == nil || f.State != store.FrameOpen || j.Ended < 0 || f.Pending < j.Ended {
		return false, fence(t, "%d children can't end in frame %d", j.Ended, j.Frame)
	}
	s.undo.frames = append(s.undo.frames, frameWas{f, *f})
	f.Pending -= j.Ended
	f.Failed += j.Failed
	f.Low = max(f.Low, j.Low)
	if f.Pending == 0 {
		f.State = store.FrameClosing
	}
	return f.Pending == 0, nil
}

func findBlock(blocks []store.Block, first int64) (int, bool) {
	return slices.BinarySearchFunc(blocks, first, func(b store.Block, first int64) int {
		return compare(b.First, first, 0, 0)
	})
}

func (s *Store) writeKeyed(k store.KeyedWrite) {
	was, had := s.keyed[k.TaskID]
	s.undo.add(func() {
		delete(s.keyed, k.TaskID)
		if had {
			s.keyed[k.TaskID] = was
		}
	})
	if k.Value == nil {
		delete(s.keyed, k.TaskID)
		return
	}
	s.keyed[k.TaskID] = bytes.Clone(k.Value)
}

// keep copies a cell. No cell and an empty one are the same.
func keep(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return bytes.Clone(b)
}
