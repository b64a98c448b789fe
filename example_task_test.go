package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func ExampleNewTask0() {
	var (
		now    = runnel.NewTask0("season", func(context.Context) (string, error) { return "spring", nil })
		shout  = runnel.NewTask1("shout", func(_ context.Context, s string) (string, error) { return s + "!", nil })
		repeat = runnel.NewTask2("repeat", func(_ context.Context, s string, n int) ([]string, error) {
			all := make([]string, n)
			for i := range all {
				all[i] = s
			}
			return all, nil
		})
	)
	eng := begin(now, shout, repeat)
	defer end(eng)

	// What arrives is the first argument; With binds the others.
	fmt.Println(eng.Run(ctx, now.Send().ContinueWith(shout).ContinueWith(repeat.With(2))))
	// Output: [spring! spring!] <nil>
}

func ExampleTask3_Spread() {
	greet := runnel.NewTask3("greet", func(_ context.Context, first, last, greeting string) (string, error) {
		return greeting + " " + first + " " + last, nil
	})
	eng := begin(greet)
	defer end(eng)

	three := runnel.InParallel3(runnel.Value("Ada"), runnel.Value("Lovelace"), runnel.Value("Hello"))
	fmt.Println(eng.Run(ctx, three.ContinueWith(greet.Spread())))
	two := runnel.Value(runnel.Pair[string, string]{First: "Ada", Second: "Lovelace"})
	fmt.Println(eng.Run(ctx, two.ContinueWith(greet.SpreadWith("Bye"))))
	// Output:
	// Hello Ada Lovelace <nil>
	// Bye Ada Lovelace <nil>
}

func ExampleNewOrchestrator1() {
	makePositive := runnel.NewOrchestrator1("make_positive", func(_ context.Context, x int) (runnel.Runnable[int], error) {
		if x > 0 {
			return runnel.Value(x), nil
		}
		return multiply.Send(x, -1), nil
	})
	eng := begin(multiply, makePositive)
	defer end(eng)

	fmt.Println(eng.Run(ctx, makePositive.Send(-5)))
	// Output: 5 <nil>
}

func ExampleRetryChild() {
	mirror := runnel.NewTask1("mirror", func(_ context.Context, host string) (string, error) {
		if host == "near" {
			return "", errors.New("no answer from " + host)
		}
		return "fetched from " + host, nil
	})
	// The pipeline that it returns may fail: then it returns another.
	fetch := runnel.NewOrchestrator0("fetch", func(ctx context.Context) (runnel.Runnable[string], error) {
		hosts := []string{"near", "far"}
		return mirror.Send(hosts[runnel.TaskRun(ctx).Attempt-1]), nil
	}, runnel.Retries(1), runnel.RetryChild())
	eng := begin(mirror, fetch)
	defer end(eng)

	fmt.Println(eng.Run(ctx, fetch.Send()))
	// Output: fetched from far <nil>
}

func ExampleTags() {
	fetch := runnel.NewTask1("fetch", func(ctx context.Context, page string) (string, error) {
		return fmt.Sprint(page, " ", runnel.TaskRun(ctx).Tags), nil
	}, runnel.Tags("net"))
	eng := begin(fetch)
	defer end(eng)

	fmt.Println(eng.Run(ctx, fetch.Send("a")))
	fmt.Println(eng.Run(ctx, fetch.Send("b").Set(runnel.Tags("slow", "net"))))
	for run, err := range eng.TaskRuns(ctx, api.TaskRunFilter{Tags: []string{"slow"}}) {
		fmt.Println(run.Tags, run.StateName, err)
	}
	// Output:
	// a [net] <nil>
	// b [net slow] <nil>
	// [net slow] Completed <nil>
}

// Two orchestrators that call each other as package variables: one of them is
// known to the other by its name.
var (
	collatzRef = runnel.Ref2[int, int, int]("collatz")
	collatz    = runnel.NewOrchestrator2("collatz", func(_ context.Context, x, steps int) (runnel.Runnable[int], error) {
		switch {
		case x == 1:
			return runnel.Value(steps), nil
		case x%2 == 0:
			return collatzRef.Send(x/2, steps+1), nil
		}
		return collatzRef.Send(3*x+1, steps+1), nil
	})
)

func ExampleRef2() {
	eng := begin(collatz)
	defer end(eng)

	fmt.Println(eng.Run(ctx, collatz.Send(27, 0)))
	// Output: 111 <nil>
}

func ExamplePipeline_MarshalJSON() {
	p := runnel.InParallel(runnel.List(multiply.Send(3, 2), multiply.Send(4, 5)), runnel.MaxParallelism(10))
	data, err := p.MarshalJSON()
	fmt.Println(string(data), err)

	// Any process that has the tasks can run it.
	var again runnel.Pipeline[[]int]
	if err := again.UnmarshalJSON(data); err != nil {
		log.Fatal(err)
	}
	eng := begin(multiply)
	defer end(eng)
	fmt.Println(eng.Run(ctx, again))
	// Output:
	// {"runnel":1,"steps":[{"children":[{"steps":[{"task":"multiply","args":[3,2]}]},{"steps":[{"task":"multiply","args":[4,5]}]}],"max_parallelism":10}]} <nil>
	// [6 20] <nil>
}

func ExamplePipeline_Err() {
	p := runnel.InParallel(runnel.List(double.Send(1)), runnel.MaxParallelism(-1)).ContinueWith(count)
	fmt.Println(p.Err())
	// Output: MaxParallelism(-1): want 0 for no limit, or more
}
