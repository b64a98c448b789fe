package httpapi

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/filter"
)

// taskTest says which task runs of a list are chosen. It has the run of each at hand, if
// the filter looks at that.
type taskTest struct {
	svc    Service
	now    time.Time
	known  api.TaskRunFilter // what a service could choose by
	chosen *filter.Query
	whole  bool      // known says all that chosen does
	oldest time.Time // no run that was submitted before it is chosen; zero: any may be

	at    *api.Run // that of the task run at hand; nil if it has gone
	id    string
	asked int
	ahead map[string]*api.Run
}

const (
	// runsAhead is how many runs are read at a time: a list of all task runs goes from
	// run to run, and those after one are next.
	runsAhead = 200
	// outOfOrder is by how much, with room to spare, runs may be out of the order of
	// their times.
	outOfOrder = time.Minute
)

// chooses reports whether the task run at hand is chosen.
func (r *taskTest) chooses(t *api.TaskRun) bool {
	return r.known.Chooses(t) && r.chosen.TaskRun(t, r.at, r.now)
}

// list gives the task runs of a run, or of all, among which are those that are chosen.
func (r *taskTest) list(ctx context.Context, run string) iter.Seq2[api.TaskRun, error] {
	if run == "" && r.byCounts() {
		return r.beside(ctx, r.counted(ctx))
	}
	return r.beside(ctx, r.svc.TaskRuns(ctx, api.TaskRunFilter{Run: run, After: r.known.After}))
}

// beside gives a list as it is, with at set for each of it if that is needed. It ends
// once all that follow are of runs that are too old.
func (r *taskTest) beside(ctx context.Context, list iter.Seq2[api.TaskRun, error]) iter.Seq2[api.TaskRun, error] {
	if !r.chosen.NeedsRun() {
		return list
	}
	return func(yield func(api.TaskRun, error) bool) {
		for t, err := range list {
			if err == nil && t.Run != r.id {
				err = r.look(ctx, t.Run)
			}
			if err != nil {
				yield(t, err)
				return
			}
			if r.at != nil && r.at.Created.Before(r.oldest.Add(-outOfOrder)) {
				return
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}

// look finds a run.
func (r *taskTest) look(ctx context.Context, id string) error {
	r.at, r.id = r.ahead[id], id
	if r.at != nil {
		return nil
	}
	run, err := r.svc.Status(ctx, id)
	switch {
	case errors.Is(err, api.ErrNotFound): // removed meanwhile
		return nil
	case err != nil:
		return err
	}
	r.at = &run
	if r.asked++; r.asked == 1 { // the list may be of this one alone
		return nil
	}
	r.ahead = make(map[string]*api.Run, runsAhead)
	for next, err := range r.svc.Runs(ctx, api.RunFilter{Before: id, Limit: runsAhead}) {
		if err != nil {
			return err
		}
		r.ahead[next.ID] = &next
	}
	return nil
}
