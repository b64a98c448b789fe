package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/runnel-dev/runnel"
)

// filling is what a store is filled with: runs of one task that fails, wide runs, and
// runs of one task, in this order. Lists begin with the newest, so that whoever looks
// for what failed has to look at all of it.
type filling struct{ failed, wide, children, single int }

// fillingOf gives one that has so many task runs, or a few more.
func fillingOf(tasks int) filling {
	f := filling{failed: 20, wide: 8, single: tasks / 100}
	f.children = max(tasks-f.failed-f.single-2*f.wide+f.wide-1, f.wide) / f.wide
	return f
}

func (f filling) tasks() int { return f.failed + f.single + f.wide*(f.children+2) }

var broken = runnel.NewTask1("broken", func(context.Context, int) (int, error) { return 0, errors.New("as it was meant to") })

// fill has an engine run all of it, and gives the id of a wide run, whose first task
// makes a list, those in the middle are its children, and the last sums up.
func (f filling) fill(ctx context.Context, dsn string) (wide string, err error) {
	eng, err := runnel.Open(ctx, dsn, runnel.Register(inc, broken, numbers, sum))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, eng.Close(ctx)) }()
	for i := range f.failed {
		if _, err := eng.Run(ctx, broken.Send(i)); err == nil {
			return "", errors.New("a task that is to fail has not")
		}
	}
	for range f.wide {
		run, err := eng.Submit(ctx, numbers.Send(f.children).ContinueWith(runnel.Each(inc)).ContinueWith(sum))
		if err != nil {
			return "", err
		}
		wide = run.ID()
		got, err := run.Wait(ctx)
		if err := expect(got, f.children*(f.children+1)/2, err); err != nil {
			return "", fmt.Errorf("a wide run: %w", err)
		}
	}
	return wide, submitAll(ctx, eng, f.single)
}
