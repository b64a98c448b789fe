package runnel_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// expensive says when it runs.
func expensive(_ context.Context, x int) (int, error) {
	fmt.Fprintln(os.Stdout, "running an expensive operation")
	return 2 * x, nil
}

// runs opens an engine for an example and runs the pipelines.
func runs(task runnel.AnyTask, pipelines ...runnel.Pipeline[int]) *runnel.Engine {
	ctx := context.Background()
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(task))
	if err != nil {
		panic(err)
	}
	for _, p := range pipelines {
		v, err := eng.Run(ctx, p)
		fmt.Fprintln(os.Stdout, v, err)
	}
	return eng
}

func ExampleCacheKey() {
	static := func(runnel.CallFacts) (string, error) { return "static cache key", nil }
	task := runnel.NewTask1("double", expensive, runnel.CacheKey(static))
	eng := runs(task, task.Send(21), task.Send(21), task.Send(1))
	defer eng.Close(context.Background())
	// Output:
	// running an expensive operation
	// 42 <nil>
	// 42 <nil>
	// 42 <nil>
}

func ExampleInputHash() {
	task := runnel.NewTask1("double", expensive, runnel.CacheKey(runnel.InputHash), runnel.CacheExpiration(24*time.Hour), runnel.Version("1"))
	eng := runs(task, task.Send(1), task.Send(2), task.Send(1))
	defer eng.Close(context.Background())
	// Output:
	// running an expensive operation
	// 2 <nil>
	// running an expensive operation
	// 4 <nil>
	// 2 <nil>
}

func ExampleCacheBy() {
	// The second argument is left out: it changes nothing that matters.
	add := func(_ context.Context, x, attempt int) (int, error) { return expensive(context.Background(), x) }
	task := runnel.NewTask2("add", add, runnel.CacheBy(runnel.ByInputs.Without(1), runnel.ByVersion))
	eng := runs(task, task.Send(1, 1), task.Send(1, 2))
	defer eng.Close(context.Background())
	// Output:
	// running an expensive operation
	// 2 <nil>
	// 2 <nil>
}

func ExampleCallFacts() {
	// Per customer, within one run.
	key := func(c runnel.CallFacts) (string, error) {
		customer, err := c.Arg[int](0)
		return fmt.Sprintf("%s %d %s", c.Task, customer, c.Run), err
	}
	task := runnel.NewTask1("double", expensive, runnel.CacheKey(key))
	eng := runs(task, task.Send(1).ContinueWith(task))
	defer eng.Close(context.Background())
	// Output:
	// running an expensive operation
	// running an expensive operation
	// 4 <nil>
}

func ExampleRefreshCache() {
	task := runnel.NewTask1("double", expensive, runnel.CacheKey(runnel.InputHash))
	eng := runs(task, task.Send(1), task.Send(1).Set(runnel.RefreshCache()), task.Send(1))
	defer eng.Close(context.Background())
	// Output:
	// running an expensive operation
	// 2 <nil>
	// running an expensive operation
	// 2 <nil>
	// 2 <nil>
}

func ExampleCache() {
	ctx := context.Background()
	task := runnel.NewTask1("double", func(_ context.Context, x int) (int, error) { return 2 * x, nil }, runnel.CacheBy(runnel.ByInputs))
	eng := runs(task, task.Send(1))
	defer eng.Close(ctx)
	run, err := eng.Submit(ctx, task.Send(2))
	if err != nil {
		panic(err)
	}
	if _, err := run.Wait(ctx); err != nil {
		panic(err)
	}
	report, err := eng.Cache().Explain(ctx, run.ID()+"/0")
	fmt.Println(report.Why, err)
	for entry, err := range eng.Cache().List(ctx, api.CacheFilter{Task: "double"}) {
		fmt.Println(entry.Parts[0].Value, entry.Size, err)
	}
	n, err := eng.Cache().Delete(ctx, api.CacheFilter{Task: "double"})
	fmt.Println(n, err)
	// Unordered output:
	// 2 <nil>
	// its body ran, and left the entry that is there; the nearest other one differs in argument 1 <nil>
	// 1 1 <nil>
	// 2 1 <nil>
	// 2 <nil>
}
