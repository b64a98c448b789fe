package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/store"
)

// liveTasks is a run's task runs that are in memory, by number, for a list of
// all: those that have no record yet are shown as they are, the others say what
// they wait for.
type liveTasks struct {
	run  *run // nil if it is not live here
	list []api.TaskRun
}

// liveTasks gives those of a run, from the engine that has it. They are as many
// as workers and queues hold, and those that wait for time or for an answer.
func (e *Engine) liveTasks(ctx context.Context, row *store.RunRow) (l liveTasks) {
	if row.State.Final() {
		return l
	}
	e.mu.Lock()
	l.run = e.runs[row.ID]
	e.mu.Unlock()
	if l.run != nil {
		l.list = l.run.liveTasks()
	} else if e.peers.node != nil {
		// If it can't be asked, the list is what was stored.
		_ = e.briefly(ctx, row, askTasks, uuid.UUID(row.UID).String(), &l.list)
	}
	return l
}

func (r *run) liveTasks() (list []api.TaskRun) {
	r.mu.Lock()
	for t := range r.live.all() {
		if t.born {
			list = append(list, t.show())
		}
	}
	for _, call := range r.pending {
		if out, listed := call.show(); listed {
			list = append(list, out)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(list, func(a, b api.TaskRun) int { return cmp.Compare(a.Seq, b.Seq) })
	return list
}

// show gives a live task run for people. Called with run.mu.
func (t *task) show() api.TaskRun {
	out := api.TaskRun{
		ID: t.first.ID, Run: t.run.text, Seq: t.seq, Task: t.call.Name, Name: t.first.Name, Index: t.first.Index,
		State: api.Pending, Attempt: int(t.attempt), Generation: int(t.run.gen), Worker: t.worker(),
		Tags: slices.Clone(t.first.Tags), Started: at(t.cell.Started), Upstream: t.first.Upstream,
	}
	if out.Name == "" {
		out.Name = lifecycle.RunName(t.call.Name, t.seq)
	}
	at := t.phase
	if at == over { // its end is not durable yet: it is what it was
		at = t.last
	}
	switch at {
	case claimed, waiting:
		out.State = api.Running
	case scheduled:
		out.State = api.Scheduled
	case ready:
		if out.Attempt > 1 || t.cell.Seldom().Due != 0 { // it was to wait for the time of the attempt
			out.State = api.Scheduled
		}
	case over:
	}
	if t.attempt == 1 && out.State != api.Running { // no body has begun
		out.Attempt = 0
	}
	out.StateName = lifecycle.Name(out.State, out.Attempt, "")
	explain(&out, t.waits())
	return out
}

// explain says what a task run waits for.
func explain(out *api.TaskRun, w api.Waiting) {
	out.Waiting, out.Reason = nil, ""
	if w.Kind != "" {
		out.Waiting, out.Reason = &w, w.String()
	}
}

// before gives the task runs that come before a number, and forgets them.
func (l *liveTasks) before(seq int64, yield func(api.TaskRun) error) error {
	for len(l.list) > 0 && l.list[0].Seq < seq {
		next := l.list[0]
		l.list = l.list[1:]
		if err := yield(next); err != nil {
			return err
		}
	}
	return nil
}

// add says of a stored task run what it waits for.
func (l *liveTasks) add(out *api.TaskRun, key int64) {
	live := len(l.list) > 0 && l.list[0].Seq == out.Seq
	switch {
	case out.State.Final():
	case live:
		out.Waiting, out.Reason, out.Worker = l.list[0].Waiting, l.list[0].Reason, cmp.Or(l.list[0].Worker, out.Worker)
	case l.run != nil:
		explain(out, l.run.storedWaits(out, key))
	}
	if live {
		l.list = l.list[1:]
	}
}
