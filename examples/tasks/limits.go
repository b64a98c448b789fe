package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// instance counts how many of it are in progress.
var (
	running, most atomic.Int64
	instance      = runnel.NewTask1("instance", func(_ context.Context, n int) (int, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for most.Load() < now {
			most.Store(now)
		}
		return n, nil
	}, runnel.Tags("small_instance"))
	manyInstances = runnel.NewFlow0("many_instances", func(f runnel.Flow) (int, error) {
		numbers := make([]int, 200)
		results, err := instance.Map(f, numbers).Results(f)
		return len(results), err
	})
)

var limited = []runnel.AnyTask{instance, manyInstances}

var limitSnippets = []snippet{
	{"concurrency limit of 10", func(ctx context.Context, eng *runnel.Engine) (any, error) {
		most.Store(0)
		if err := eng.Limits().Create(ctx, "small_instance", 10); err != nil {
			return nil, err
		}
		n, err := eng.Run(ctx, manyInstances.Send())
		return fmt.Sprintf("%d task runs, never more than 10 at a time: %t", n, most.Load() <= 10), err
	}},
	{"list and read limits", func(ctx context.Context, eng *runnel.Engine) (any, error) {
		n := 0
		for _, err := range eng.Limits().List(ctx) {
			if err != nil {
				return nil, err
			}
			n++
		}
		l, err := eng.Limits().Read(ctx, "small_instance")
		return fmt.Sprintf("%d limit; %s: %d, active slots %v", n, l.Tag, l.Limit, l.ActiveSlots), err
	}},
	{"limit of 0", func(ctx context.Context, eng *runnel.Engine) (any, error) {
		if err := eng.Limits().Create(ctx, "small_instance", 0); err != nil {
			return nil, err
		}
		run, err := eng.Submit(ctx, instance.Send(1))
		if err != nil {
			return nil, err
		}
		_, failed := run.Wait(ctx)
		for t, err := range eng.TaskRuns(ctx, api.TaskRunFilter{Run: run.ID()}) {
			return fmt.Sprintf("%s, %s (%v)", t.State, t.StateName, failed), err
		}
		return nil, errors.New("the run has no task run")
	}},
	{"delete a limit", func(ctx context.Context, eng *runnel.Engine) (any, error) {
		if err := eng.Limits().Delete(ctx, "small_instance"); err != nil {
			return nil, err
		}
		_, err := eng.Limits().Read(ctx, "small_instance")
		return fmt.Sprintf("not found: %t", errors.Is(err, runnel.ErrNotFound)), nil
	}},
}
