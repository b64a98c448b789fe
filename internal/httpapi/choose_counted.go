package httpapi

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// lastSeq is a number that no task run of a run comes after.
const lastSeq = 1 << 53

// byCounts reports whether counters of runs may tell that none of a run's task runs are
// chosen. Most runs have some that completed, so of these nothing would be saved; and what
// a flow never came to again after a crash is shown as cancelled, and was never counted.
func (r *taskTest) byCounts() bool {
	for _, s := range r.known.States {
		if s == api.Completed || s == api.Cancelled {
			return false
		}
	}
	return len(r.known.States) > 0
}

// none reports whether a run's counters say that none of its task runs are chosen. Those of
// a run that goes on are not asked: its list may be ahead of them.
func (r *taskTest) none(run *api.Run) bool {
	return run.State.Final() && run.Tasks != nil && countedTasks(&r.known, run) == 0
}

// counted lists the task runs of all runs from known.After on, but of each run that has
// none that are chosen it gives one that is not there, and not chosen: so who walks
// the list counts it as one that was looked at, and can go on after it.
func (r *taskTest) counted(ctx context.Context) iter.Seq2[api.TaskRun, error] {
	return func(yield func(api.TaskRun, error) bool) {
		before, _, _ := strings.Cut(r.known.After, "/")
		if before != "" && !r.each(ctx, before, r.known.After, yield) {
			return
		}
		for run, err := range r.svc.Runs(ctx, api.RunFilter{Before: before}) {
			if err != nil {
				yield(api.TaskRun{}, err)
				return
			}
			r.at, r.id = &run, run.ID
			if r.none(&run) {
				if !yield(api.TaskRun{ID: run.ID + "/" + strconv.Itoa(lastSeq), Run: run.ID}, nil) {
					return
				}
			} else if !r.each(ctx, run.ID, "", yield) {
				return
			}
		}
	}
}

// each yields the task runs of a run, and reports whether to go on.
func (r *taskTest) each(ctx context.Context, run, after string, yield func(api.TaskRun, error) bool) bool {
	for t, err := range r.svc.TaskRuns(ctx, api.TaskRunFilter{Run: run, After: after}) {
		if errors.Is(err, api.ErrNotFound) { // the run was removed meanwhile
			return true
		}
		if !yield(t, err) || err != nil {
			return false
		}
	}
	return true
}
