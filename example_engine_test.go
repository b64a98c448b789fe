package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"log/slog"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

var ctx = context.Background()

// begin opens an engine in memory for an example.
func begin(tasks ...runnel.AnyTask) *runnel.Engine {
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(tasks...))
	if err != nil {
		panic(err)
	}
	return eng
}

// end closes it.
func end(eng *runnel.Engine) {
	if err := eng.Close(ctx); err != nil {
		panic(err)
	}
}

func ExampleOpen() {
	square := runnel.NewTask1("square", func(_ context.Context, x int) (int, error) { return x * x, nil })

	eng, err := runnel.Open(ctx, "memory:",
		runnel.Register(square),
		runnel.Errors("declined", errors.New("card declined")),
		runnel.Concurrency(16),
		runnel.LogTo(slog.New(slog.DiscardHandler)))
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := eng.Close(ctx); err != nil {
			log.Fatal(err)
		}
	}()
	fmt.Println(eng.Run(ctx, square.Send(12)))
	// Output: 144 <nil>
}

func ExampleRetention() {
	square := runnel.NewTask1("square", func(_ context.Context, x int) (int, error) { return x * x, nil })

	// Runs go a week after their end. runnel.Retention(0) would keep them for ever.
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(square), runnel.Retention(7*24*time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	defer end(eng)
	fmt.Println(eng.Run(ctx, square.Send(12)))
	// Output: 144 <nil>
}

func ExampleEngine_Submit() {
	eng := begin(multiply)
	defer end(eng)

	run, err := eng.Submit(ctx, multiply.Send(6, 7), runnel.Name("the answer"))
	if err != nil {
		log.Fatal(err)
	}
	// The run is durable now. Another process could go on with its ID.
	v, err := run.Wait(ctx)
	fmt.Println(v, err)
	status, err := run.Status(ctx)
	fmt.Println(status.Name, status.State, err)
	request, err := run.Request(ctx)
	fmt.Println(string(request), err)
	// Output:
	// 42 <nil>
	// the answer COMPLETED <nil>
	// {"runnel":1,"steps":[{"task":"multiply","args":[6,7]}]} <nil>
}

func ExampleEngine_SubmitAll() {
	eng := begin(double)
	defer end(eng)

	var pipelines iter.Seq[runnel.Runnable[int]] = func(yield func(runnel.Runnable[int]) bool) {
		for i := range 1000 {
			if !yield(double.Send(i)) {
				return
			}
		}
	}
	runs, err := eng.SubmitAll(ctx, pipelines)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(runs))
	fmt.Println(runs[999].Wait(ctx))
	// Output:
	// 1000
	// 1998 <nil>
}

func ExampleEngine_Attach() {
	eng := begin(double)
	defer end(eng)
	run, err := eng.Submit(ctx, double.Send(4))
	if err != nil {
		log.Fatal(err)
	}

	same, err := eng.Attach[int](ctx, run.ID())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(same.Wait(ctx))
	fmt.Println(same.Result(ctx))
	_, err = eng.Attach[int](ctx, "no such run")
	fmt.Println(errors.Is(err, runnel.ErrNotFound))
	// Output:
	// 8 <nil>
	// 8 <nil>
	// true
}

func ExampleEngine_Runs() {
	eng := begin(double, multiply)
	defer end(eng)
	if _, err := eng.Run(ctx, double.Send(1).ContinueWith(multiply.With(5)), runnel.Name("nightly")); err != nil {
		log.Fatal(err)
	}

	for run, err := range eng.Runs(ctx, api.RunFilter{States: []api.State{api.Completed}, Limit: 10}) {
		fmt.Println(run.Name, run.State, err)
		for task, err := range eng.TaskRuns(ctx, api.TaskRunFilter{Run: run.ID}) {
			fmt.Println(task.Task, string(task.Result), err)
		}
	}
	// Output:
	// nightly COMPLETED <nil>
	// double 2 <nil>
	// multiply 10 <nil>
}

func ExampleEngine_Cancel() {
	forever := runnel.NewTask0("forever", func(ctx context.Context) (runnel.None, error) {
		<-ctx.Done()
		return runnel.None{}, context.Cause(ctx)
	})
	eng := begin(forever)
	defer end(eng)
	run, err := eng.Submit(ctx, forever.Send())
	if err != nil {
		log.Fatal(err)
	}

	if err := eng.Cancel(ctx, run.ID()); err != nil {
		log.Fatal(err)
	}
	_, err = run.Wait(ctx)
	fmt.Println(errors.Is(err, runnel.ErrCancelled))
	fmt.Println(errors.Is(run.Cancel(ctx), runnel.ErrConflict))
	// Output:
	// true
	// true
}

func ExampleRun_Retry() {
	online := false
	upload := runnel.NewTask1("upload", func(_ context.Context, x int) (string, error) {
		if !online {
			return "", errors.New("offline")
		}
		return fmt.Sprint("uploaded ", x), nil
	})
	eng := begin(double, upload)
	defer end(eng)
	run, err := eng.Submit(ctx, double.Send(4).ContinueWith(upload))
	if err != nil {
		log.Fatal(err)
	}
	_, err = run.Wait(ctx)
	fmt.Println(err)

	// What went well stays: double does not run again.
	online = true
	if err := run.Retry(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output:
	// offline
	// uploaded 8 <nil>
}

func ExamplePipeline_Wait() {
	eng := begin(double)
	defer end(eng)
	run, err := eng.Submit(ctx, double.Send(4).Wait().ContinueWith(double))
	if err != nil {
		log.Fatal(err)
	}

	for {
		status, err := run.Status(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if status.State == api.Paused {
			break
		}
	}
	_, err = run.Result(ctx)
	fmt.Println("paused, no result yet:", errors.Is(err, runnel.ErrConflict))
	if err := run.Resume(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output:
	// paused, no result yet: true
	// 16 <nil>
}

// Any number of processes may do this, on any number of machines.
func ExampleOpen_postgres() { //nolint:testableexamples // it needs a server
	square := runnel.NewTask1("square", func(_ context.Context, x int) (int, error) { return x * x, nil })

	eng, err := runnel.Open(ctx, "postgres://app@db.internal/app?schema=runnel",
		runnel.Register(square),
		runnel.Concurrency(64), // bodies at a time, in this process
		runnel.Queues("default", "mail"))
	if err != nil {
		log.Fatal(err)
	}
	defer end(eng)
	fmt.Println(eng.Run(ctx, square.Send(12)))
}

// A process without queues submits and looks on; others run what it submits.
func ExampleQueues_submitOnly() { //nolint:testableexamples // it needs a server
	square := runnel.NewTask1("square", func(_ context.Context, x int) (int, error) { return x * x, nil })

	eng, err := runnel.Open(ctx, "postgres://app@db.internal/app", runnel.Register(square), runnel.Queues())
	if err != nil {
		log.Fatal(err)
	}
	defer end(eng)
	run, err := eng.Submit(ctx, square.Send(12))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.ID())
}

// What a probe asks. It is answered from memory, also while the database is away.
func ExampleEngine_Health() {
	eng := begin()
	defer end(eng)
	h := eng.Health()
	if !h.Ready() {
		log.Println("the database is away since", h.Since, h.LastError)
	}
	fmt.Println("ready:", h.Ready(), "waiting:", h.Waiting, "late:", h.Late, "keeper:", h.Keeper)
	// Output: ready: true waiting: 0 late: 0 keeper: true
}
