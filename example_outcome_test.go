package runnel_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func ExampleOnFailure() {
	tell := func(what string) runnel.OutcomeHook {
		return func(_ context.Context, run api.TaskRun) error {
			fmt.Println(what, run.Name, run.StateName, "attempt", run.Attempt)
			return nil // an error or a panic would be logged, and change nothing
		}
	}
	charge := runnel.NewTask1("charge", func(_ context.Context, card string) (string, error) {
		if card == "old" {
			return "", errors.New("card has expired")
		}
		return "receipt", nil
	}, runnel.Retries(1),
		runnel.OnRunning(tell("runs:")), runnel.OnCompletion(tell("done:")),
		runnel.OnFailure(tell("failed:")), runnel.OnFailure(tell("and again:")))
	eng := begin(charge)

	_, err := eng.Run(ctx, charge.Send("old"))
	fmt.Println(err)
	end(eng) // waits for the hooks
	// Unordered output:
	// runs: charge-0 Running attempt 1
	// runs: charge-0 Retrying attempt 2
	// card has expired
	// failed: charge-0 Failed attempt 2
	// and again: charge-0 Failed attempt 2
}

func ExampleOnCompletion() {
	report := runnel.NewTask1("report", func(_ context.Context, day string) (int, error) { return len(day), nil },
		runnel.OnCompletion(func(ctx context.Context, run api.TaskRun) error {
			// The key is that of the body, so what is announced can be told apart.
			fmt.Println(run.Task, "gave", string(run.Result), runnel.IdempotencyKey(ctx) == run.ID)
			return nil
		}))
	eng := begin(report)
	if _, err := eng.Run(ctx, report.Send("monday")); err != nil {
		fmt.Println(err)
	}
	end(eng)
	// Output: report gave 6 true
}

func ExampleOnRunning() {
	step := runnel.NewTask0("step", func(context.Context) (int, error) { return 1, nil },
		runnel.OnRunning(func(_ context.Context, run api.TaskRun) error {
			fmt.Println(run.Name, run.StateName)
			return nil
		}))
	eng := begin(step)
	defer end(eng)
	fmt.Println(eng.Run(ctx, step.Send()))
	// Output:
	// step-0 Running
	// 1 <nil>
}

func ExampleOnCancellation() {
	begun := make(chan struct{})
	watch := runnel.NewTask0("watch", func(ctx context.Context) (int, error) {
		close(begun)
		<-ctx.Done()
		return 0, ctx.Err()
	}, runnel.OnCancellation(func(_ context.Context, run api.TaskRun) error {
		fmt.Println(run.Name, "was", run.State)
		return nil
	}))
	eng := begin(watch)
	run, err := eng.Submit(ctx, watch.Send())
	if err != nil {
		fmt.Println(err)
	}
	<-begun
	fmt.Println(run.Cancel(ctx))
	end(eng)
	// Unordered output:
	// <nil>
	// watch-0 was CANCELLED
}

func ExampleRunName() {
	fetch := runnel.NewTask2("fetch", func(ctx context.Context, host string, page int) (string, error) {
		return runnel.TaskRun(ctx).Name, nil
	}, runnel.RunName(func(c runnel.CallFacts) (string, error) {
		host, err := c.Arg[string](0)
		if err != nil {
			return "", err
		}
		page, err := c.Arg[int](1)
		return fmt.Sprintf("%s p. %d", host, page), err
	}))
	eng := begin(fetch)
	defer end(eng)

	fmt.Println(eng.Run(ctx, fetch.Send("example.org", 3)))
	fmt.Println(eng.Run(ctx, fetch.Send("example.org", 4).Set(runnel.Name("the last one"))))
	for run, err := range eng.TaskRuns(ctx, api.TaskRunFilter{}) {
		fmt.Println(run.Name, err)
	}
	// Output:
	// example.org p. 3 <nil>
	// the last one <nil>
	// the last one <nil>
	// example.org p. 3 <nil>
}

func ExampleEngine_Tasks() {
	fetch := runnel.NewTask1("fetch", func(_ context.Context, page string) ([]byte, error) { return nil, nil },
		runnel.Description("reads a page"), runnel.Tags("net"), runnel.Retries(3))
	crawl := runnel.NewFlow1("crawl", func(f runnel.Flow, pages []string) (int, error) { return len(pages), nil }, runnel.Description("reads many"))
	eng := begin(fetch, crawl)
	defer end(eng)

	for _, task := range eng.Tasks() {
		fmt.Println(task.Kind, task.Name, task.Params, task.Result, task.Options.Tags, task.Description)
	}
	fmt.Println(len(eng.Tasks()[0].Key), eng.Tasks()[0].Package)
	// Output:
	// flow crawl [array] integer [] reads many
	// task fetch [string] string [net] reads a page
	// 32 github.com/runnel-dev/runnel_test
}
