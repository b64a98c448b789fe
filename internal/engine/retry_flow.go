package engine

import (
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// forgotten is the round of a call that its flow makes again: before all others.
const forgotten = -1

// callRecord is what is recorded of a call of a flow, in one row.
type callRecord struct {
	call         store.Call
	id           int64
	base         int64 // key of the task run that it began with
	over         bool
	begun, ended int64
	task         *store.TaskWrite // one of the two, to be changed
	frame        *store.FrameWrite
}

// leafFlow reopens a flow: the call that the line ends at is forgotten, and those that
// the flow made once that had ended.
func (a *reopening) leafFlow(row *store.TaskRow, cell *store.TaskCell) {
	a.line.found = true
	if err := a.forget(row); err != nil {
		a.err = err
		return
	}
	fresh := cell.Again()
	a.reopenTask(row, &fresh)
}

func (a *reopening) forget(flow *store.TaskRow) error {
	records, err := a.callsOf(flow)
	if err != nil {
		return err
	}
	at, err := a.calledAt(records)
	if err != nil {
		return err
	}
	gone, first := map[string]bool{at.call.Key: true}, at.call.Order
	for _, r := range records {
		if r.call.Key == at.call.Key && r.call.Order > 0 {
			first = min(first, r.call.Order)
		}
	}
	for _, r := range records {
		if r.over && at.before(r, first) {
			gone[r.call.Key] = true
		}
	}
	for _, r := range records {
		if !gone[r.call.Key] || !r.over || r.call.Round == forgotten {
			continue // what did not end is left behind by every retry
		}
		r.call.Round = forgotten
		if err := r.put(a.c); err != nil {
			return err
		}
	}
	return nil
}

// before reports whether the flow made another call once it had been told how call r
// ended, so that it may depend on that. First is the order of the first end of that, in whatever
// generation. Of what an older program called the times have to say it.
func (r *callRecord) before(later *callRecord, first int64) bool {
	switch {
	case later.call.After > 0:
		return later.call.After > first
	case later.call.Order < first:
		return false // it had ended before
	}
	return later.begun >= r.ended
}

// calledAt finds the call that the line ends at.
func (a *reopening) calledAt(records []*callRecord) (*callRecord, error) {
	var at *callRecord
	for _, r := range records {
		if r.id == a.line.call && (at == nil || r.frame != nil) { // a task that returned a pipeline has both
			at = r
		}
	}
	if at == nil || !at.over || at.call.Round == forgotten {
		return nil, a.line.replaced()
	}
	for _, r := range records {
		if r.call.Key == at.call.Key && r.id > at.id {
			return nil, a.line.replaced()
		}
	}
	if at.base != a.line.key {
		first, _ := a.seqOf(at.base)
		return nil, api.Errorf(errInsideCall, "", "task run %s is part of what a flow called as %q, and a flow makes a call again whole, so the others of it can't be kept: retry from what it began with, %s/%d",
			a.line.id, at.call.Key, a.r.text, first)
	}
	return at, nil
}

// seqOf gives the number of the task run with a key.
func (a *reopening) seqOf(key int64) (seq int64, ok bool) {
	for _, blocks := range a.blocks {
		for _, b := range blocks {
			if b.First <= key && key < b.First+b.Count {
				return b.Seq + key - b.First, true
			}
		}
	}
	return 0, false
}

// callsOf reads what is recorded of the calls of a flow.
func (a *reopening) callsOf(flow *store.TaskRow) (all []*callRecord, err error) {
	for _, b := range a.blocks[-flow.ID] {
		err := a.e.store.Tasks(a.ctx, a.r.id, b.First, b.First+b.Count, func(row *store.TaskRow) error {
			r, err := calledTask(row)
			if r != nil {
				all = append(all, r)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		err = a.e.store.Frames(a.ctx, a.r.id, b.First, b.First+b.Count, func(row *store.FrameRow) error {
			r, err := calledFrame(row)
			if r != nil {
				all = append(all, r)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	single := make(map[int64]bool)
	for _, r := range all {
		if r.frame == nil {
			single[r.id] = true
		}
	}
	for _, r := range all {
		if r.frame == nil {
			continue
		}
		if single[r.id] { // a task, and the pipeline that it returned
			r.base = r.id
		}
		first, cell, err := a.row(r.base)
		switch {
		case err != nil:
			return nil, err
		case first == nil: // a pipeline that begins with a group
			r.begun, r.ended = maxKey, 0
		case r.call.One || r.base == r.id:
			r.begun, r.ended = cell.Started, cell.Ended
		default: // when it ended is not recorded: not before that
			r.begun, r.ended = cell.Started, cell.Started
		}
	}
	return all, nil
}

func calledTask(row *store.TaskRow) (*callRecord, error) {
	w := &store.TaskWrite{TaskRow: *row, Op: store.ReopenTask, WasAttempt: row.Attempt, WasGen: row.Gen}
	w.Cell = clone(row.Cell)
	var cell store.TaskCell
	if err := cell.Decode(w.Cell); err != nil || cell.Call == nil {
		return nil, err
	}
	r := &callRecord{call: *cell.Call, id: row.ID, base: row.ID, task: w, begun: cell.Started, ended: cell.Ended}
	r.over = row.State.Final() && r.call.Order > 0
	if r.begun == 0 { // it was never to run
		r.begun = r.ended
	}
	return r, nil
}

func calledFrame(row *store.FrameRow) (*callRecord, error) {
	w := &store.FrameWrite{FrameRow: *row, Op: store.ReopenFrame}
	w.Cell = clone(row.Cell)
	var cell store.FrameCell
	if err := cell.Decode(w.Cell); err != nil || row.Kind != store.ChainFrame || cell.Call.Key == "" {
		return nil, err
	}
	r := &callRecord{call: cell.Call, id: row.ID, base: row.Base, frame: w, over: row.State == store.FrameDone}
	return r, nil
}

// put has change c write the record as it is now.
func (r *callRecord) put(c *change) error {
	if r.task != nil {
		var cell store.TaskCell
		if err := cell.Decode(r.task.Cell); err != nil {
			return err
		}
		cell.Call = &r.call
		r.task.Cell = cell.Append(nil)
		c.Tasks = append(c.Tasks, *r.task)
		return nil
	}
	var cell store.FrameCell
	if err := cell.Decode(r.frame.Cell); err != nil {
		return err
	}
	cell.Call = r.call
	r.frame.Cell = cell.Append(nil)
	c.Frames = append(c.Frames, *r.frame)
	return nil
}
