package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/store"
)

// Where engines share a store, a live run is asked about and controlled through
// the engine that has it. Methods of Engine send these requests there.
const (
	askEnd     = "run.end"     // replies once the run has ended
	askControl = "run.control" // pause, resume, cancel
	askAnswer  = "run.answer"  // a token
	askStatus  = "run.status"  // counts of tasks
	askLines   = "run.lines"   // replies once there are more lines
	askWhy     = "run.why"     // what a run or a task run waits for
	askTasks   = "run.tasks"   // the task runs that are in memory
	askTask    = "run.task"    // one of them
)

type controlRequest struct {
	Run    string           `json:"run"`
	Action lifecycle.Action `json:"action"`
}

type answerRequest struct {
	Token  string   `json:"token"`
	Answer external `json:"answer"`
}

type linesRequest struct {
	Run  string `json:"run"`
	Next int64  `json:"next"` // the first line that was not read
}

func (e *Engine) handleRequests() {
	answer(e, askEnd, func(ctx context.Context, id string) (any, error) {
		r, err := e.liveHere(id)
		if err == nil {
			err = heard(ctx, r.handle.wait(), nil)
		}
		return nil, err
	})
	answer(e, askLines, e.replyLines)
	answer(e, askControl, func(ctx context.Context, in controlRequest) (any, error) {
		if _, err := e.liveHere(in.Run); err != nil {
			return nil, err
		}
		switch in.Action {
		case lifecycle.Pause:
			return nil, e.Pause(ctx, in.Run)
		case lifecycle.Resume:
			return nil, e.Resume(ctx, in.Run)
		case lifecycle.Cancel:
			return nil, e.Cancel(ctx, in.Run)
		case lifecycle.Retried:
		}
		return nil, api.Errorf(api.ErrInvalid, "", "action %q is not for a run that is live", in.Action)
	})
	answer(e, askAnswer, func(ctx context.Context, in answerRequest) (any, error) {
		run, _, _ := strings.Cut(in.Token, ".")
		if _, err := e.liveHere(run); err != nil {
			return nil, err
		}
		return nil, e.answerToken(ctx, in.Token, in.Answer)
	})
	answer(e, askStatus, func(_ context.Context, id string) (any, error) {
		r, err := e.liveHere(id)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.counts.byName(), nil
	})
	answer(e, askWhy, func(ctx context.Context, id string) (any, error) {
		run, _, _ := strings.Cut(id, "/")
		r, err := e.liveHere(run)
		if err != nil {
			return nil, err
		}
		return e.whyHere(ctx, r, id)
	})
	answer(e, askTasks, func(_ context.Context, id string) (any, error) {
		r, err := e.liveHere(id)
		if err != nil {
			return nil, err
		}
		return r.liveTasks(), nil
	})
	answer(e, askTask, e.replyTask)
	answer(e, askCancelTask, func(ctx context.Context, id string) (any, error) {
		run, _, _ := strings.Cut(id, "/")
		if _, err := e.liveHere(run); err != nil {
			return nil, err
		}
		return nil, e.CancelTask(ctx, id)
	})
}

// replyLines replies when there are lines that were not read yet, or never will
// be more.
func (e *Engine) replyLines(ctx context.Context, in linesRequest) (any, error) {
	r, err := e.liveHere(in.Run)
	if err != nil {
		return nil, err
	}
	more := r.lines.wait()
	err = e.store.Logs(ctx, r.id, in.Next, func(api.LogLine) error { return errStop })
	if err != nil || ctx.Err() != nil {
		if errors.Is(err, errStop) {
			err = nil
		}
		return nil, err
	}
	return nil, heard(ctx, more, r.handle.wait())
}

// answer has requests answered by a function that may block.
func answer[In any](e *Engine, method string, f func(context.Context, In) (any, error)) {
	n := e.peers.node
	n.Handle(method, n.Blocking(func(ctx context.Context, q *cluster.Request) (any, error) {
		var in In
		if err := q.Decode(&in); err != nil {
			return nil, err
		}
		return f(ctx, in)
	}))
}

// liveHere gives a run that this engine has. Who asked for another looks again
// who has it.
func (e *Engine) liveHere(id string) (*run, error) {
	uid, err := parseID(id)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.runs[numberOf(uid)]; r != nil && r.uid == uid {
		return r, nil
	}
	return nil, cluster.ErrGone
}

// heard waits for one of two, or until nobody wants to know.
func heard(ctx context.Context, a, b <-chan struct{}) error {
	select {
	case <-a:
	case <-b:
	case <-ctx.Done():
		return cluster.ErrGone
	}
	return nil
}

// wherever does here what is about a run that is live here, or has ended, and
// asks the engine that has it otherwise, as often as it takes to find that. What
// that replies goes to out, unless out is nil.
func (e *Engine) wherever(ctx context.Context, id, method string, in, out any, here func(*run, *store.RunRow) error) error {
	for {
		r, row, err := e.find(ctx, id)
		if err != nil {
			return err
		}
		if r != nil || row.State.Final() {
			return here(r, &row)
		}
		changed := e.peers.changed.wait()
		err = e.elsewhere(ctx, &row, method, in, out)
		if errors.Is(err, cluster.ErrGone) { // not at once
			err = e.changing(ctx, changed)
		}
		if !errors.Is(err, cluster.ErrGone) {
			return err
		}
	}
}

// elsewhere asks the engine that has a run. ErrGone says that none has it at the
// moment: it has just ended, or is on its way to another.
func (e *Engine) elsewhere(ctx context.Context, row *store.RunRow, method string, in, out any) error {
	owner := int64(0) // or it is on its way back, after a retry
	if e.peers.shared != nil {
		var err error
		if owner, err = e.peers.shared.Owner(ctx, row.ID); err != nil {
			return err
		}
	}
	switch {
	case owner == 0 && e.peers.stray(row.ID) && e.peers.alone():
		if row, err := e.store.Run(ctx, row.ID); err != nil || !row.State.Final() {
			return strayError(uuid.UUID(row.UID).String())
		}
	case owner != 0 && owner != e.peers.node.Self():
		return e.peers.node.Call(ctx, owner, method, in, out)
	}
	return cluster.ErrGone
}

// askedBriefly is how long a page or a list waits for an engine that may stand still.
const askedBriefly = time.Second

// briefly is elsewhere for what can do without the answer.
func (e *Engine) briefly(ctx context.Context, row *store.RunRow, method string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, askedBriefly)
	defer cancel()
	return e.elsewhere(ctx, row, method, in, out)
}

// ownerAgain is how soon a run that nobody seems to have is looked for again.
const ownerAgain = 100 * time.Millisecond

// changing waits until the processes may be others, and gives ErrGone.
func (e *Engine) changing(ctx context.Context, changed <-chan struct{}) error {
	if e.manual {
		return api.Errorf(api.ErrConflict, "", "nobody has this run at the moment")
	}
	again := time.NewTimer(ownerAgain)
	defer again.Stop()
	select {
	case <-changed:
	case <-again.C:
	case <-e.Lost():
		return ErrLost
	case <-e.closers.ctx.Done():
		return api.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return cluster.ErrGone
}

// attend settles the handle of a run that another engine has once that has ended.
func (e *Engine) attend(h *Handle) {
	// As long as the store can't be read it waits, unless the engine ends.
	err := e.patiently(func() error {
		if e.closers.ctx.Err() != nil {
			return api.ErrClosed
		}
		return e.wherever(e.closers.ctx, h.id, askEnd, h.id, nil, func(r *run, row *store.RunRow) error {
			if r != nil {
				return h.like(r.handle)
			}
			var cell store.RunCell
			if err := cell.Decode(row.Cell); err != nil {
				return err
			}
			h.settle(row.State, &cell)
			return nil
		})
	})
	// The reply was only that it has ended: the outcome is in the store.
	switch {
	case err == nil:
		h.mu.Lock()
		ended := h.ended
		h.mu.Unlock()
		if !ended {
			e.attend(h)
		}
	case e.closers.ctx.Err() != nil:
		h.abandon()
	default:
		h.fail(err)
	}
}

// like ends as another handle of the same run does, unless the engine closes first.
func (h *Handle) like(other *Handle) error {
	select {
	case <-other.wait():
	case <-h.e.closers.ctx.Done():
		return api.ErrClosed
	}
	other.mu.Lock()
	end, err := other.end, other.err
	other.mu.Unlock()
	if err != nil {
		return err
	}
	h.is(end, nil)
	return nil
}
