package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// superseded reports whether a call of an earlier attempt counts no more: it did
// not complete, was another one, or was left in progress by a generation of the
// run that has ended.
func (cl *call) superseded(inputs string) bool {
	now := cl.fl.t.round()
	switch {
	case cl.final():
		return cl.round != now && (cl.state != api.Completed || cl.inputs != inputs)
	case cl.stale:
		return cl.round>>32 != now>>32
	}
	return false
}

// answerStale answers a task that is in progress by its row, but was not brought
// back yet: its flow has not come to it again since the engine was opened. The
// answer waits in the row.
func (e *Engine) answerStale(ctx context.Context, r *run, parts []string, answer []byte) error {
	key, err := strconv.ParseInt(parts[1], 16, 64)
	if err != nil {
		return api.Errorf(api.ErrNotFound, "", "no such token")
	}
	row, cell, err := e.taskRow(context.WithoutCancel(ctx), r.id, key) // it is one row
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	r.mu.Lock()
	if err := r.staleToken(key, parts, row, cell); err != nil {
		r.mu.Unlock()
		return err
	}
	cell.Put().Answer = answer
	c := r.newChange()
	w := c.AddTask()
	w.TaskRow, w.Op, w.WasAttempt, w.WasGen = *row, store.UpdateTask, row.Attempt, row.Gen
	w.Cell = cell.Append(nil)
	if r.rec.answers == nil {
		r.rec.answers = make(map[int64][]byte)
	}
	r.rec.answers[key] = answer
	c.told = toldOn(done)
	e.queue.push(c)
	r.mu.Unlock()
	return await(ctx, done)
}

// errRevived says that a task was brought back meanwhile.
var errRevived = errors.New("engine: brought back")

// staleToken reports why the token's task can't be answered. Called with r.mu.
func (r *run) staleToken(key int64, parts []string, row *store.TaskRow, cell *store.TaskCell) error {
	x := cell.Seldom()
	switch {
	case r.rec != nil && r.rec.known[key]:
		return errRevived
	case r.rec == nil, row == nil || row.State != api.Running, r.state != api.Running && r.state != api.Paused,
		parts[2] != hexInt(int64(r.gen)), row.Gen != r.gen, parts[3] != hexInt(int64(row.Attempt)):
		return errLate
	case x.Token == nil || parts[4] != hex.EncodeToString(x.Token):
		return api.Errorf(api.ErrNotFound, "", "no such token")
	case x.Answer != nil, r.rec.answers[key] != nil:
		return api.Errorf(api.ErrConflict, "", "this token was answered before")
	}
	return nil
}

// taskRow reads a task's row, nil if there is none.
func (e *Engine) taskRow(ctx context.Context, run, key int64) (found *store.TaskRow, cell *store.TaskCell, err error) {
	cell = new(store.TaskCell)
	err = e.store.Tasks(ctx, run, key, key+1, func(row *store.TaskRow) error {
		kept := *row
		kept.Cell = clone(row.Cell)
		found = &kept
		return cell.Decode(kept.Cell)
	})
	return found, cell, err
}
