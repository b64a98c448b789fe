package httpapi

import (
	"context"
	"iter"
	"slices"

	"github.com/runnel-dev/runnel/api"
)

// CountQuery asks a list how long it is.
type CountQuery struct {
	Count string `query:"count" enum:"approx,exact" doc:"Say in approx_total how many there are in all: approx is cheap however many, exact counts up to 10,000"`
}

// What a total is.
const (
	totalExact    = "exact"
	totalAtLeast  = "at_least"
	totalEstimate = "estimate"

	countExact = "exact"
)

// Total is how many there are, on all pages together.
type Total struct {
	ApproxTotal *int64 `json:"approx_total,omitempty" doc:"How many there are on all pages, if count asks for it"`
	TotalIs     string `json:"total_is,omitempty" enum:"exact,at_least,estimate" doc:"What approx_total is: at_least says that counting ended there"`
}

func total(n int64, is string) Total { return Total{ApproxTotal: &n, TotalIs: is} }

const (
	// countedMost is up to how many are counted one by one.
	countedMost = 10_000
	// sampled is how many of a list are looked at for an estimate.
	sampled = 1000
)

// tally counts those of a list that are kept, nil for all; up to most of them, and
// looking at no more than so many.
func tally[T any](list iter.Seq2[T, error], keep func(*T) bool, most, look int) (n, seen int, ended bool, err error) {
	for item, err := range list {
		switch {
		case err != nil:
			return n, seen, false, err
		case n == most || seen == look:
			return n, seen, false, nil
		}
		seen++
		if keep == nil || keep(&item) {
			n++
		}
	}
	return n, seen, true, nil
}

// countedOf is the total that count=exact gives.
func countedOf[T any](list iter.Seq2[T, error], keep func(*T) bool) (Total, error) {
	n, _, ended, err := tally(list, keep, countedMost, scanned)
	if ended {
		return total(int64(n), totalExact), err
	}
	return total(int64(n), totalAtLeast), err
}

// countRuns gives the total of a list of runs.
func (a *routes) countRuns(ctx context.Context, q RunsQuery) (Total, error) {
	if q.Count == "" {
		return Total{}, nil
	}
	q.Cursor = ""
	f, keep, err := a.runFilter(&q)
	if err != nil {
		return Total{}, err
	}
	if q.Count == countExact {
		return countedOf(a.svc().Runs(ctx, f), keep)
	}
	return a.estimated(ctx, f, func(r *api.Run) int64 {
		if keep == nil || keep(r) {
			return 1
		}
		return 0
	})
}

func (a *routes) estimated(ctx context.Context, f api.RunFilter, weigh func(*api.Run) int64) (Total, error) {
	n, exact, err := a.svc().Estimate(ctx, f, weigh)
	if exact {
		return total(n, totalExact), err
	}
	return total(n, totalEstimate), err
}

// countTasks gives the total of a list of task runs, of one run or of all. The estimate
// is what the counters of runs say, for what these don't count by the share of it among
// the first thousand.
func (a *routes) countTasks(ctx context.Context, run string, q TasksQuery) (Total, error) {
	if q.Count == "" {
		return Total{}, nil
	}
	q.Cursor = ""
	test, err := a.testOf(&q)
	if err != nil {
		return Total{}, err
	}
	if q.Count == countExact {
		return countedOf(test.list(ctx, run), test.chooses)
	}
	list := test.beside(ctx, a.svc().TaskRuns(ctx, api.TaskRunFilter{Run: run})) // all: it is about their share
	n, seen, ended, err := tally(list, test.chooses, sampled, sampled)
	switch {
	case err != nil:
		return Total{}, err
	case ended:
		return total(int64(n), totalExact), nil
	}
	f, share := &test.known, 1.0
	weigh := func(r *api.Run) int64 { return countedTasks(f, r) }
	if len(f.Tags) > 0 || len(f.AnyOf) > 0 || !test.whole {
		share = float64(n) / float64(seen)
		weigh = func(r *api.Run) int64 { return countedTasks(&api.TaskRunFilter{}, r) }
	}
	var sum Total
	if run == "" {
		sum, err = a.estimated(ctx, api.RunFilter{}, weigh)
	} else {
		var r api.Run
		r, err = a.svc().Status(ctx, run)
		sum = total(weigh(&r), totalEstimate)
	}
	if err != nil {
		return Total{}, err
	}
	return total(max(int64(float64(*sum.ApproxTotal)*share+0.5), int64(n)), totalEstimate), nil
}

// countedTasks gives how many task runs a run has by its counters, of a task and in states.
func countedTasks(f *api.TaskRunFilter, r *api.Run) (n int64) {
	for name, c := range r.Tasks {
		if f.Task != "" && f.Task != name {
			continue
		}
		if len(f.States) == 0 {
			n += c.Ended() + c.Open()
		}
		for i, s := range f.States {
			if !slices.Contains(f.States[:i], s) {
				n += inState(&c, s)
			}
		}
	}
	return n
}

func inState(c *api.TaskCounts, s api.State) int64 {
	switch s { //nolint:exhaustive // no task run is in the others, or they are not counted apart
	case api.Pending:
		return c.Pending
	case api.Scheduled:
		return c.Retrying
	case api.Running:
		return c.Running
	case api.Completed:
		return c.Completed
	case api.Failed:
		return c.Failed
	case api.Cancelled:
		return c.Cancelled
	case api.Skipped:
		return c.Skipped
	}
	return 0
}
