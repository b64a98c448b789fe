package sim

import (
	"slices"

	"github.com/runnel-dev/runnel/api"
)

// reasons: when nothing moves any more, what has not ended says why, and it is a
// good reason.
func (w *world) reasons() {
	for _, r := range w.runs {
		if w.see(r); w.err != nil || !r.stored || r.last.State.Final() {
			continue
		}
		left := 0
		for t, err := range w.e.TaskRuns(w.ctx, api.TaskRunFilter{Run: r.id}) {
			if err != nil {
				w.broken("task runs of %d: %v", r.number, err)
				return
			}
			if !t.State.Final() {
				left++
				w.reason(r, &t)
			}
		}
		all, err := w.e.Why(w.ctx, r.id)
		if err != nil || all.Running > 0 || len(all.Counts) == 0 && r.last.State != api.Paused {
			w.broken("run %d, with %d task runs left, says that it %s (%v)", r.number, left, all, err)
		}
		if n := all.Counts[api.WaitsForWorker] + all.Counts[api.WaitsForStore]; n > 0 && w.err == nil {
			w.broken("run %d says that %d wait for what is there: %s", r.number, n, all)
		}
	}
}

func (w *world) reason(r *simRun, t *api.TaskRun) {
	why, err := w.e.Why(w.ctx, t.ID)
	if err != nil || t.Waiting == nil || t.Waiting.Kind != why.Kind || t.Reason != why.String() {
		w.broken("task run %s, %s, says that it %v, and then that it %v (%v)", t.ID, t.State, t.Waiting, why, err)
		return
	}
	w.counts["waits for "+string(why.Kind)]++
	good := true
	switch why.Kind {
	case api.WaitsForQueue:
		good = w.served != nil && !slices.Contains(w.served, why.Queue)
	case api.WaitsForSlots:
		for _, s := range why.Slots {
			good = good && s.Taken == len(s.Holders) && s.Limit == w.limits[s.Tag].n && s.Place > 0
		}
		good = good && len(why.Slots) > 0
	case api.WaitsForResume:
		good = r.last.State == api.Paused
	case api.WaitsForTaskID:
		good = why.TaskRun != "" && why.TaskRun != t.ID
	case api.WaitsForCache: // of a paused run only those that have begun keep their turns
		holder, err := w.e.Why(w.ctx, why.TaskRun)
		good = err == nil && why.TaskRun != t.ID && holder.Kind != api.WaitsForResume
	case api.WaitsForParallelism: // those in progress have reasons of their own
		good = why.Limit > 0 && why.Taken == why.Limit
	case api.WaitsForOthers, api.WaitsForAnswer:
	default: // nobody is busy, and no time has to come
		good = false
	}
	if !good {
		w.broken("task run %s, %s, says that it %v: %+v", t.ID, t.State, why, why)
	}
}

// spec is what is called, but for what it is given.
func (o *op) spec() (*api.Spec, error) { return o.Spec, nil }
