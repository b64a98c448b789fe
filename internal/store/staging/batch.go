// Package staging sorts one Commit out, for stores that write it as statements
// over many rows: at most one write for each row, since such a statement applies
// a key that it is given twice only once.
//
// It must not know SQL, nor why a transition is made. Transitions apply in
// order, so what comes later in a batch is held to what came before it here, in
// memory, and only the first write of a row is left for the store to hold to
// what it has.
package staging

import (
	"fmt"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Facts is what a store says about its content while a batch is sorted out.
type Facts interface {
	// Mark gives what is known of a run without a new row of its own in the batch,
	// or, if isNew, with one; known is false if the store checks it by itself, as
	// Run.Check says. State 0: there is no such run, or the key will say.
	Mark(run int64, isNew bool) (m Mark, known bool, err error)
	// Lines gives the number of a run's last line, or 0 if the store adds that to
	// the numbers of the batch's lines by itself.
	Lines(run int64) (int64, error)
	// Frames reads those that exist of some frames, in any order.
	Frames(refs []store.FrameRef) ([]store.FrameRow, error)
}

// A Batch is one Commit sorted out. It is used again and again.
type Batch struct {
	Runs    []Run
	runAt   map[int64]int // place in Runs
	lastRun int           // the one used last: many transitions in a row are of one run

	tasks  []Task
	frames []Frame

	NewRuns, SetRuns        []*Run
	CheckRuns               []*Run // neither written nor known
	NewTasks, SetTasks      []Task // as all lists of rows ordered by key
	ReopenTasks             []Task
	NewFrames, SetFrames    []Frame
	PutFrames, JoinedFrames []Frame
	// Closed are frames that were brought to zero here; those of JoinedFrames are
	// the store's to find.
	Closed []store.FrameRef
	Blocks []store.Block
	Keyed  []store.KeyedWrite
	Logs   []Log
	// Records are one write for each, by kind and key; Dropped are blobs of writes
	// that others have replaced within the batch.
	Records []store.RecordWrite
	Dropped []int64
}

// Mark is what fences a transition on its run, and the number of its last line.
type Mark struct {
	Epoch int32
	State api.State
	Lines int64 // -1: not known
}

// Run is a run that the batch is about.
type Run struct {
	ID     int64
	Mark   Mark // after the batch
	Insert bool
	Update bool
	Row    store.RunRow // if it is inserted or updated

	// Check has the store see to it that the run is at epoch Was and not final,
	// or, with Reopen, in any state.
	Check, Reopen bool
	Was           int32
}

// Task is a write to a task run's row.
type Task struct {
	*store.TaskWrite
	Run int64
	seq int // in the batch
}

// Log is a line with its number within its run.
type Log struct {
	Run, Number int64
	Line        *api.LogLine
}

func (b *Batch) reset() {
	if b.runAt == nil {
		b.runAt = map[int64]int{}
	}
	clear(b.Runs)
	clear(b.runAt)
	clear(b.tasks)
	clear(b.frames)
	clear(b.NewTasks)
	clear(b.SetTasks)
	clear(b.ReopenTasks)
	clear(b.NewFrames)
	clear(b.SetFrames)
	clear(b.PutFrames)
	clear(b.Keyed)
	clear(b.Logs)
	*b = Batch{
		Runs: b.Runs[:0], runAt: b.runAt, lastRun: -1,
		tasks: b.tasks[:0], frames: b.frames[:0],
		NewRuns: b.NewRuns[:0], SetRuns: b.SetRuns[:0], CheckRuns: b.CheckRuns[:0],
		NewTasks: b.NewTasks[:0], SetTasks: b.SetTasks[:0], ReopenTasks: b.ReopenTasks[:0],
		NewFrames: b.NewFrames[:0], SetFrames: b.SetFrames[:0],
		PutFrames: b.PutFrames[:0], JoinedFrames: b.JoinedFrames[:0],
		Blocks: b.Blocks[:0], Keyed: b.Keyed[:0], Logs: b.Logs[:0],
	}
}

// Fence makes the error of a transition that does not fit.
func Fence(run int64, format string, args ...any) error {
	return fmt.Errorf("run %d: %s: %w", run, fmt.Sprintf(format, args...), store.ErrFenced)
}

// Stage sorts the transitions out.
func (b *Batch) Stage(transitions []*store.Transition, facts Facts) error {
	b.reset()
	var records []store.RecordWrite
	for _, t := range transitions {
		if err := b.enter(t, facts); err != nil {
			return err
		}
		for i := range t.Frames {
			b.frames = append(b.frames, Frame{Run: t.Run, ID: t.Frames[i].ID, seq: len(b.frames), Write: &t.Frames[i]})
		}
		for i := range t.Tasks {
			b.tasks = append(b.tasks, Task{&t.Tasks[i], t.Run, len(b.tasks)})
		}
		for _, j := range t.Joins {
			if j.Ended < 0 {
				return Fence(t.Run, "%d children can't end in frame %d", j.Ended, j.Frame)
			}
			b.join(t.Run, j)
		}
		for _, block := range t.Blocks {
			block.Run = t.Run
			b.Blocks = append(b.Blocks, block)
		}
		b.Keyed = append(b.Keyed, t.Keyed...)
		records = append(records, t.Records...)
		if len(t.Logs) > 0 {
			if err := b.addLogs(t, facts); err != nil {
				return err
			}
		}
	}
	for i := range b.Runs {
		switch r := &b.Runs[i]; {
		case r.Insert:
			b.NewRuns = append(b.NewRuns, r)
		case r.Update:
			b.SetRuns = append(b.SetRuns, r)
		case r.Check:
			b.CheckRuns = append(b.CheckRuns, r)
		}
	}
	if err := b.foldTasks(); err != nil {
		return err
	}
	if len(records) > 0 {
		var err error
		if b.Records, b.Dropped, err = FoldRecords(records); err != nil {
			return err
		}
	}
	return b.foldFrames(facts)
}

// Empty reports whether there is nothing to write.
func (b *Batch) Empty() bool {
	return len(b.NewRuns)+len(b.SetRuns)+len(b.tasks)+len(b.frames)+len(b.Blocks)+len(b.Keyed)+len(b.Logs)+len(b.Records) == 0
}

// Size counts the rows that are written, and the bytes of their values.
func (b *Batch) Size() (rows, bytes int) {
	rows = len(b.NewRuns) + len(b.SetRuns) + len(b.tasks) + len(b.frames) + len(b.Blocks) + len(b.Keyed) + len(b.Records) + len(b.Logs)
	for _, r := range b.NewRuns {
		bytes += len(r.Row.Plan) + len(r.Row.Cell)
	}
	for _, r := range b.SetRuns {
		bytes += len(r.Row.Cell)
	}
	for _, op := range b.tasks {
		bytes += len(op.Cell)
	}
	for _, op := range b.frames {
		if op.Write != nil {
			bytes += len(op.Write.Cell)
		}
	}
	for _, k := range b.Keyed {
		bytes += len(k.Value)
	}
	for _, r := range b.Records {
		bytes += len(r.Value)
	}
	for _, l := range b.Logs {
		bytes += len(l.Line.Text)
	}
	return rows, bytes
}

// addLogs numbers the lines of a transition, whose run was entered.
func (b *Batch) addLogs(t *store.Transition, facts Facts) error {
	m := &b.Runs[b.lastRun].Mark
	if m.Lines < 0 {
		var err error
		if m.Lines, err = facts.Lines(t.Run); err != nil {
			return err
		}
	}
	for i := range t.Logs {
		m.Lines++
		b.Logs = append(b.Logs, Log{t.Run, m.Lines, &t.Logs[i].LogLine})
	}
	return nil
}
