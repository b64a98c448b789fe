package engine

import (
	"context"
	"errors"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
)

// What is to be done now and then for all engines that share a store, schedules and
// the removal of what is old, does the keeper. Nothing of it is only in its memory:
// whoever is the keeper next reads how far that has come.
const (
	lookSchedule = "schedule.look" // to the keeper: one has changed, or a run of it has ended
	makeSchedule = "schedule.make" // of the keeper, which does not know the tasks: make a run
)

// onDuty reports whether it is this engine that does what one does for all.
func (e *Engine) onDuty() bool {
	if e.peers.node == nil {
		return true
	}
	_, self := e.peers.node.KeeperSession()
	return self
}

// beginDuties is for who has become the keeper.
func (e *Engine) beginDuties() {
	e.schedules.markAll()
	e.retention.rouse()
}

func (e *Engine) initDuties() {
	n := e.peers.node
	n.Handle(lookSchedule, func(q *cluster.Request) {
		var name string
		if err := q.Decode(&name); err == nil && e.onDuty() {
			e.schedules.mark(name)
		}
	})
	answer(e, makeSchedule, e.makeForKeeper)
}

// lookAt tells who makes the runs of a schedule that it is another one now, or that
// a run of it has ended. If that is not heard, since who is the keeper is changing,
// it is seen when all are read again.
func (e *Engine) lookAt(name string) {
	e.changes.tell(false, api.Change{Schedule: name})
	if e.onDuty() {
		e.schedules.mark(name)
		return
	}
	if keeper, _ := e.peers.node.KeeperSession(); keeper != 0 {
		_ = e.peers.node.Tell(keeper, lookSchedule, name) // a name can be encoded
	}
}

// scheduleRequest asks for the run of a step.
type scheduleRequest struct {
	Name   string         `json:"name"`
	Text   []byte         `json:"text"` // the schedule, as the keeper read it
	At     time.Time      `json:"at"`
	Record scheduleRecord `json:"record"` // what it becomes
}

// makeElsewhere has a run made by a process that knows its tasks, if there is one.
// Should it be made too late, because that process stood still meanwhile, the store
// refuses it: the schedule is another one then.
func (e *Engine) makeElsewhere(x *sched, step *scheduleStep, why error) {
	in := scheduleRequest{Name: x.name, Text: x.text, At: step.at, Record: step.rec}
	for _, m := range e.peers.node.Live() {
		if m.Session == e.peers.node.Self() {
			continue
		}
		var text []byte
		err := e.peers.node.Call(e.closers.ctx, m.Session, makeSchedule, in, &text)
		switch {
		case err == nil:
			made, err := e.decodeSchedule(x.name, text)
			if err == nil {
				step.rec = made.rec
			}
			e.schedules.settle(x, &step.rec, text, err)
			return
		case !notHere(err):
			e.schedules.settle(x, nil, nil, err)
			return
		}
	}
	e.miss(x, step, why)
}

// makeForKeeper makes a run for the keeper, and gives what the schedule is then.
func (e *Engine) makeForKeeper(ctx context.Context, in scheduleRequest) (any, error) {
	x, err := e.decodeSchedule(in.Name, in.Text)
	if err != nil {
		return nil, err
	}
	if x.spec == nil {
		return nil, api.Errorf(api.ErrInvalid, "", "%w", x.unreadable())
	}
	type outcome struct {
		text []byte
		err  error
	}
	done := make(chan outcome, 1)
	_, err = e.scheduled(x, byTimetable, in.At, &in.Record, func(text []byte, err error) { done <- outcome{text, err} })
	if err != nil {
		return nil, err
	}
	select {
	case out := <-done:
		return out.text, out.err
	case <-ctx.Done():
		return nil, errors.Join(cluster.ErrGone, ctx.Err())
	}
}
