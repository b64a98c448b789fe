package httpapi

import (
	"context"
	"iter"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/filter"
)

// chosenRuns gives the runs that a query chooses: what the service can choose by
// itself, and a test for the rest.
func (a *routes) chosenRuns(ctx context.Context, q *RunsQuery) (iter.Seq2[api.Run, error], func(*api.Run) bool, error) {
	before, err := q.after()
	if err != nil {
		return nil, nil, err
	}
	states, err := parseStates(q.State)
	if err != nil {
		return nil, nil, err
	}
	f := api.RunFilter{States: states, Name: q.Name, Since: q.Since, Until: q.Until, Before: before}
	chosen, err := filter.Parse(q.Q, filter.Runs)
	if err != nil {
		return nil, nil, err
	}
	if chosen = chosen.With("flow", filter.Runs, q.Flow); chosen.Empty() {
		return a.svc().Runs(ctx, f), nil, nil
	}
	now := a.now()
	chosen.NarrowRuns(&f, now)
	return a.svc().Runs(ctx, f), func(r *api.Run) bool { return chosen.Run(r, now) }, nil
}

// chosenTasks is chosenRuns for task runs.
func (a *routes) chosenTasks(ctx context.Context, run string, q *TasksQuery) (iter.Seq2[api.TaskRun, error], func(*api.TaskRun) bool, error) {
	after, err := q.after()
	if err != nil {
		return nil, nil, err
	}
	states, err := parseStates(q.State)
	if err != nil {
		return nil, nil, err
	}
	f := api.TaskRunFilter{Run: run, States: states, Task: q.Task, Tags: q.Tag, AnyOf: q.AnyOf, After: after}
	chosen, err := filter.Parse(q.Q, filter.TaskRuns)
	if err != nil {
		return nil, nil, err
	}
	chosen = chosen.With("flow", filter.TaskRuns, q.Flow).With("worker", filter.TaskRuns, q.Worker)
	if chosen.Empty() {
		return a.svc().TaskRuns(ctx, f), nil, nil
	}
	now := a.now()
	chosen.NarrowTaskRuns(&f)
	list := a.svc().TaskRuns(ctx, f)
	if !chosen.NeedsRun() {
		return list, func(t *api.TaskRun) bool { return chosen.TaskRun(t, nil, now) }, nil
	}
	r := &runsOf{svc: a.svc(), oldest: chosen.Oldest(now)}
	return r.beside(ctx, list), func(t *api.TaskRun) bool { return chosen.TaskRun(t, r.at, now) }, nil
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
