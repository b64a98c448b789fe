package httpapi

import (
	"context"
	"iter"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/filter"
)

// chosenRuns gives the runs that a query chooses: what the service can choose by
// itself, and a test for the rest, nil if nothing is left.
func (a *routes) chosenRuns(ctx context.Context, q *RunsQuery) (iter.Seq2[api.Run, error], func(*api.Run) bool, error) {
	f, keep, err := a.runFilter(q)
	if err != nil {
		return nil, nil, err
	}
	return a.svc().Runs(ctx, f), keep, nil
}

func (a *routes) runFilter(q *RunsQuery) (f api.RunFilter, keep func(*api.Run) bool, err error) {
	f = api.RunFilter{Name: q.Name, Since: q.Since, Until: q.Until}
	if f.Before, err = q.after(); err != nil {
		return f, nil, err
	}
	if f.States, err = parseStates(q.State); err != nil {
		return f, nil, err
	}
	chosen, err := filter.Parse(q.Q, filter.Runs)
	if err != nil {
		return f, nil, err
	}
	if chosen = chosen.With("flow", filter.Runs, q.Flow); chosen.Empty() {
		return f, nil, nil
	}
	now := a.now()
	chosen.NarrowRuns(&f, now)
	return f, func(r *api.Run) bool { return chosen.Run(r, now) }, nil
}

// chosenTasks is chosenRuns for task runs. All of it is tested here, since the service
// would look at every task run there is until it has found one: so what is looked at for
// an answer is bounded by who walks the list (see [scanned]).
func (a *routes) chosenTasks(ctx context.Context, run string, q *TasksQuery) (iter.Seq2[api.TaskRun, error], func(*api.TaskRun) bool, error) {
	test, err := a.testOf(q)
	if err != nil {
		return nil, nil, err
	}
	return test.list(ctx, run), test.chooses, nil
}

// testOf gives what a query chooses by.
func (a *routes) testOf(q *TasksQuery) (_ *taskTest, err error) {
	t := &taskTest{svc: a.svc(), now: a.now(), known: api.TaskRunFilter{Task: q.Task, Tags: q.Tag, AnyOf: q.AnyOf}, whole: true}
	if t.known.After, err = q.after(); err != nil {
		return nil, err
	}
	if t.known.States, err = parseStates(q.State); err != nil {
		return nil, err
	}
	chosen, err := filter.Parse(q.Q, filter.TaskRuns)
	if err != nil {
		return nil, err
	}
	t.chosen = chosen.With("flow", filter.TaskRuns, q.Flow).With("worker", filter.TaskRuns, q.Worker)
	t.oldest, t.whole = t.chosen.Oldest(t.now), t.chosen.NarrowTaskRuns(&t.known)
	return t, nil
}

// parseStates reads names of states, in capitals or not.
func parseStates(names []string) ([]api.State, error) {
	var states []api.State
	for _, name := range names {
		var s api.State
		if err := s.UnmarshalText([]byte(strings.ToUpper(name))); err != nil {
			return nil, api.Errorf(api.ErrInvalid, "query.state", "%q is no state", name)
		}
		states = append(states, s)
	}
	return states, nil
}
