package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// The task of W7, whose results are all in the cache when it is measured, and a
// flow that submits calls of it and waits for them.
var (
	kept   = runnel.NewTask1("kept", func(_ context.Context, x int) (int, error) { return x + 1, nil }, runnel.CacheKey(runnel.InputHash))
	keeper = runnel.NewFlow1("keeper", func(f runnel.Flow, n int) (int, error) {
		return submitted(f, kept, n)
	})
)

// hits is W7: the pipeline gives the sum of n numbers' results, each of which was
// left in the cache by a pipeline that is not counted.
func hits(p func(n int) runnel.Pipeline[int]) func(ctx context.Context, m *meter) error {
	return func(ctx context.Context, m *meter) error {
		return withEngine(ctx, m, func(eng *runnel.Engine) error {
			run := func() error {
				got, err := eng.Run(ctx, p(m.w.n))
				return expect(got, m.w.n*(m.w.n+1)/2, err)
			}
			return errors.Join(run(), timed(m, run), allHit(ctx, eng, m.w.n))
		})
	}
}

// allHit checks that the newest run took all of its results from the cache.
func allHit(ctx context.Context, eng *runnel.Engine, want int) error {
	n := 0
	for run, err := range eng.Runs(ctx, api.RunFilter{Limit: 1}) {
		if err != nil {
			return err
		}
		for task, err := range eng.TaskRuns(ctx, api.TaskRunFilter{Run: run.ID, Task: "kept"}) {
			if err != nil {
				return err
			}
			if task.StateName == "Cached" {
				n++
			}
		}
	}
	if n != want {
		return fmt.Errorf("%d calls hit the cache, want %d", n, want)
	}
	return nil
}
