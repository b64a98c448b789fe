package engine

import (
	"context"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Bounds of Estimate: up to how many of the newest runs are looked at each, and how many
// there are of the places at which some of the older ones are.
const (
	estimateNewest = 1000
	estimatePlaces = 32
	estimateAt     = 32
)

// Estimate sums up what weigh gives for each run that the filter chooses. Of few runs
// that is exact. Of more, the newest are weighed, and of all others some here and there:
// so it looks at about 2,000 runs, however many there are. Runs have numbers in the order
// in which they were made, which is what makes here and there cheap; of numbers that
// nobody has, since those runs were removed, it notices by how far apart it finds some.
func (e *Engine) Estimate(ctx context.Context, f api.RunFilter, weigh func(*api.Run) int64) (sum int64, exact bool, err error) {
	x := estimate{e: e, filter: f, weigh: weigh}
	low, high, err := x.span(ctx)
	if err != nil {
		return 0, false, err
	}
	rows, err := e.store.Runs(ctx, api.RunFilter{}, high, estimateNewest)
	if err != nil {
		return 0, false, err
	}
	if sum, err = x.weighed(rows, low); err != nil {
		return 0, false, err
	}
	if len(rows) < estimateNewest || rows[len(rows)-1].ID <= low {
		return sum, true, nil
	}
	high = rows[len(rows)-1].ID
	rest := 0.0
	for i := range int64(estimatePlaces) {
		from, to := low+(high-low)*i/estimatePlaces, low+(high-low)*(i+1)/estimatePlaces
		part, err := x.stretch(ctx, from, to)
		if err != nil {
			return 0, false, err
		}
		rest += part
	}
	return sum + int64(rest+0.5), false, nil
}

type estimate struct {
	e      *Engine
	filter api.RunFilter
	weigh  func(*api.Run) int64
}

// span gives the numbers that runs of the filter's times have: low and more, and below
// high.
func (x *estimate) span(ctx context.Context) (low, high int64, err error) {
	last, err := x.e.store.LastRun(ctx)
	if low, high = 1, last+1; err != nil {
		return low, high, err
	}
	slack := lookupSlack.Milliseconds()
	if !x.filter.Until.IsZero() {
		if high, err = x.e.firstAfter(ctx, x.filter.Until.UnixMilli()+slack); err != nil {
			return low, high, err
		}
	}
	if !x.filter.Since.IsZero() {
		low, err = x.e.firstAfter(ctx, x.filter.Since.UnixMilli()-slack)
	}
	return low, high, err
}

// stretch estimates the sum over runs with from <= number < to, by the first ones below to.
func (x *estimate) stretch(ctx context.Context, from, to int64) (float64, error) {
	if from >= to {
		return 0, nil
	}
	rows, err := x.e.store.Runs(ctx, api.RunFilter{}, to, estimateAt)
	if err != nil {
		return 0, err
	}
	sum, err := x.weighed(rows, from)
	seen := to - from // all of it, if there are no more
	if len(rows) == estimateAt {
		seen = min(seen, to-rows[len(rows)-1].ID)
	}
	return float64(sum) * float64(to-from) / float64(seen), err
}

// weighed sums up those of some runs that are chosen and have no number below low.
func (x *estimate) weighed(rows []store.RunRow, low int64) (sum int64, err error) {
	for i := range rows {
		if rows[i].ID < low {
			break
		}
		run, err := x.e.fromRow(&rows[i])
		if err != nil {
			return 0, err
		}
		if chooses(&x.filter, &run) {
			sum += x.weigh(&run)
		}
	}
	return sum, nil
}

func chooses(f *api.RunFilter, r *api.Run) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, r.State)) && (f.Name == "" || f.Name == r.Name) &&
		(f.Since.IsZero() || !r.Created.Before(f.Since)) && (f.Until.IsZero() || r.Created.Before(f.Until))
}
