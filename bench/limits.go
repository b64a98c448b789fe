package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/runnel-dev/runnel"
)

// limited is inc with a tag, of which ten may run at a time.
var limited = runnel.NewTask1("limited", func(_ context.Context, x int) (int, error) { return x + 1, nil }, runnel.Tags("ten"))

// bounded is W6: a task for each of n numbers, ten at a time. What bounds them is
// the group, or the limit of the tag that the task has.
func bounded(task runnel.Task1[int, int], opts ...runnel.GroupOption) func(context.Context, *meter) error {
	return func(ctx context.Context, m *meter) error {
		return withEngine(ctx, m, func(eng *runnel.Engine) error {
			run := func(n int) error {
				got, err := eng.Run(ctx, numbers.Send(n).ContinueWith(runnel.Each(task, opts...)).ContinueWith(sum))
				return expect(got, n*(n+1)/2, err)
			}
			return errors.Join(
				eng.Limits().Create(ctx, "ten", 10),
				run(warmUpEach),
				timed(m, func() error { return run(m.w.n) }))
		})
	}
}

// turned has a tag of which one may run at a time. It notes how long after the end
// of the body before it its own begins.
var turned = runnel.NewTask1("turned", func(_ context.Context, x int) (int, error) {
	turns.mu.Lock()
	defer turns.mu.Unlock()
	if !turns.last.IsZero() {
		turns.laps = append(turns.laps, time.Since(turns.last))
	}
	turns.last = time.Now()
	return x + 1, nil
}, runnel.Tags("one"))

var turns struct {
	mu   sync.Mutex
	last time.Time
	laps []time.Duration
}

// handOver is W6's slot that goes from one to the next: n runs of one task each,
// all of which wait for it from the beginning.
func handOver(ctx context.Context, m *meter) error {
	return withEngine(ctx, m, func(eng *runnel.Engine) error {
		all := func(n int) error {
			turns.last, turns.laps = time.Time{}, nil
			runs, err := eng.SubmitAll(ctx, single(turned, n))
			for i := 0; err == nil && i < len(runs); i++ {
				var got int
				got, err = runs[i].Wait(ctx)
				err = expect(got, i+1, err)
			}
			return err
		}
		return errors.Join(
			eng.Limits().Create(ctx, "one", 1),
			all(warmUp),
			timed(m, func() error {
				err := all(m.w.n)
				m.latencies = turns.laps
				return err
			}))
	})
}
