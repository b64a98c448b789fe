package main

import (
	"context"
	"errors"

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
