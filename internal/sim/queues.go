package sim

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// queueNames are the queues that calls may have.
var queueNames = []string{"default", "gpu", "mail"}

// queue gives some calls a queue and a priority.
func (g *generator) queue(s *script, o *api.Options) {
	if !g.faults.queues {
		return
	}
	if g.one(2) {
		s.Queue = queueNames[g.choose.IntN(len(queueNames))]
		o.Queue = s.Queue
	}
	if g.one(3) {
		n := g.choose.IntN(3) - 1
		o.Priority = &n
		o.Name = "priority " + strconv.Itoa(n) // so that lists tell
	}
}

// priorities gives the task runs that wait for nothing but a worker, with their
// priorities; now and then, once all that is decided is durable and told.
func (w *world) priorities() map[string]int {
	if !w.faults.queues || w.rng.IntN(4) > 0 {
		return nil
	}
	for w.commit() || w.e.AdvanceStep() {
		w.counts["made durable"]++
	}
	return w.claimable()
}

func (w *world) claimable() map[string]int {
	waiting := map[string]int{}
	for _, r := range w.runs {
		if !r.stored || r.last.State.Final() {
			continue
		}
		for t, err := range w.e.TaskRuns(w.ctx, api.TaskRunFilter{Run: r.id}) {
			if err != nil {
				w.broken("task runs of %d: %v", r.number, err)
				return nil
			}
			if t.Waiting != nil && t.Waiting.Kind == api.WaitsForWorker {
				waiting[t.ID] = priorityOf(t.Name)
			}
		}
	}
	return waiting
}

func priorityOf(name string) int {
	_, n, _ := strings.Cut(name, "priority ")
	priority, _ := strconv.Atoi(n) // 0 for a call that has none
	return priority
}

// inOrder: nothing is claimed while something of a higher priority waits for
// nothing but a worker, before and after. If something was decided on the way, it
// may wait for that to be durable.
func (w *world) inOrder(job *api.Job, before map[string]int) {
	if len(before) == 0 || w.commit() {
		return
	}
	w.counts["of several"]++
	for id, priority := range w.claimable() {
		if _, waited := before[id]; waited && priority > priorityOf(job.Name) {
			w.broken("%s %q is claimed, though %s of priority %d could be", job.ID, job.Name, id, priority)
		}
	}
}

// serve chooses the queues that the next engine serves: of some lives all, of
// some none.
func (w *world) serve() {
	w.served = nil
	if !w.faults.queues || w.calm || w.rng.IntN(4) == 0 {
		return
	}
	w.served = []string{}
	for _, q := range queueNames {
		if w.rng.IntN(2) == 0 {
			w.served = append(w.served, q)
		}
	}
	w.did("serve %v", w.served)
}

// mayServe: nothing begins whose queue is not served.
func (w *world) mayServe(h *held) {
	queue := h.script.Queue
	if queue == "" {
		queue = queueNames[0]
	}
	if w.served == nil {
		return
	}
	w.counts["of some queues"]++
	if !slices.Contains(w.served, queue) {
		w.broken("body %s of queue %q begins in an engine that serves %q", h.script.Label, queue, w.served)
	}
}
