package main

import (
	"context"
	"fmt"
	"time"

	"github.com/runnel-dev/runnel"
)

// hello_task runs once for each name, until a day has passed.
var (
	helloName = runnel.NewTask1("hello_name", func(_ context.Context, name string) (string, error) {
		bodies.ran("hello_name")
		return "hello " + name, nil
	}, runnel.CacheKey(runnel.InputHash), runnel.CacheExpiration(24*time.Hour))
	helloFlow = runnel.NewFlow0("hello_flow", func(f runnel.Flow) (string, error) {
		a, err := helloName.Call(f, "Marvin")
		if err != nil {
			return "", err
		}
		b, err := helloName.Call(f, "Marvin")
		if err != nil {
			return "", err
		}
		c, err := helloName.Call(f, "Arthur")
		return fmt.Sprintf("%s, %s, %s", a, b, c), err
	})
)

func staticCacheKey(runnel.CallFacts) (string, error) { return "static cache key", nil }

// Its key is always the same, so it runs once, whoever calls it.
var (
	cachedTask = runnel.NewTask0("cached_task", func(context.Context) (int, error) {
		bodies.ran("cached_task")
		return 42, nil
	}, runnel.CacheKey(staticCacheKey))
	testCaching = runnel.NewFlow0("test_caching", func(f runnel.Flow) ([]int, error) { return three(f, cachedTask) })
)

// With the flow's run in the key only calls within it share a result.
var (
	withinFlow = runnel.NewTask0("within_flow", func(context.Context) (int, error) {
		bodies.ran("within_flow")
		return 42, nil
	}, runnel.CacheKey(func(c runnel.CallFacts) (string, error) {
		hash, err := runnel.InputHash(c)
		return c.Flow + "-" + hash, err
	}))
	testWithin = runnel.NewFlow0("test_within", func(f runnel.Flow) ([]int, error) { return three(f, withinFlow) })
)

// three submits three calls and gives their results.
func three(f runnel.Flow, task runnel.Task0[int]) (results []int, err error) {
	calls := []*runnel.Future[int]{task.Submit(f), task.Submit(f), task.Submit(f)}
	for _, call := range calls {
		v, err := call.Result(f)
		if err != nil {
			return nil, err
		}
		results = append(results, v)
	}
	return results, nil
}

var cached = []runnel.AnyTask{helloName, helloFlow, cachedTask, testCaching, withinFlow, testWithin}

var cacheSnippets = []snippet{
	{"input hash", times(1, helloFlow, "hello_name")},
	{"static cache", times(3, testCaching, "cached_task")},
	{"cache within a flow run", times(2, testWithin, "within_flow")},
}

// times runs a flow so many times and says how often a body ran.
func times[R any](n int, flow runnel.Task0[R], task string) func(context.Context, *runnel.Engine) (any, error) {
	return func(ctx context.Context, eng *runnel.Engine) (any, error) {
		var last R
		for range n {
			var err error
			if last, err = eng.Run(ctx, flow.Send()); err != nil {
				return nil, err
			}
		}
		return fmt.Sprintf("%s (%d flow runs gave %v)", bodies.of(task), n, last), nil
	}
}
