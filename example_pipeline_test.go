package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/runnel-dev/runnel"
)

func ExamplePipeline_ContinueWith() {
	eng := begin(multiply, divide)
	defer end(eng)

	fmt.Println(eng.Run(ctx, multiply.Send(3, 2).ContinueWith(divide.With(2))))
	// Output: 3 <nil>
}

func ExamplePipeline_Exceptionally() {
	risky := runnel.NewTask1("risky", func(_ context.Context, x int) (int, error) { return 0, errors.New("too risky") })
	instead := runnel.NewTask1("instead", func(_ context.Context, f *runnel.Failure) (int, error) {
		fmt.Println("recovering from:", f.Task, f.Message)
		return -1, nil
	})
	eng := begin(risky, instead, double)
	defer end(eng)

	fmt.Println(eng.Run(ctx, risky.Send(1).Exceptionally(instead).ContinueWith(double)))
	// Output:
	// recovering from: risky too risky
	// -2 <nil>
}

func ExamplePipeline_FinallyDo() {
	tidy := runnel.NewTask1("tidy", func(_ context.Context, what string) (runnel.None, error) {
		fmt.Println("tidying", what)
		return runnel.None{}, nil
	})
	eng := begin(double, tidy)
	defer end(eng)

	fmt.Println(eng.Run(ctx, double.Send(1).FinallyDo(tidy.Send("up"))))
	// Output:
	// tidying up
	// 2 <nil>
}

func ExampleState() {
	remember := runnel.NewTask1("remember", func(ctx context.Context, x int) (int, error) {
		return x + 1, runnel.State[int](ctx).Set(x)
	})
	recall := runnel.NewTask1("recall", func(ctx context.Context, x int) (string, error) {
		before, err := runnel.State[int](ctx).Get()
		return fmt.Sprintf("%d, before that %d", x, before), err
	})
	eng := begin(remember, double, recall)
	defer end(eng)

	run, err := eng.Submit(ctx, remember.Send(10).ContinueWith(double).ContinueWith(recall).WithState(0))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Wait(ctx))
	fmt.Println(run.FinalState[int](ctx))
	// Output:
	// 22, before that 10 <nil>
	// 10 <nil>
}

func ExamplePipeline_Inline() {
	note := runnel.NewTask1("note", func(ctx context.Context, text string) (runnel.None, error) {
		return runnel.None{}, runnel.State[string](ctx).Set(text)
	})
	notes := runnel.NewOrchestrator1("notes", func(_ context.Context, inline bool) (runnel.Runnable[runnel.None], error) {
		if inline {
			return note.Send("from the child").Inline(), nil
		}
		return note.Send("from the child"), nil
	})
	eng := begin(note, notes)
	defer end(eng)

	for _, inline := range []bool{false, true} {
		run, err := eng.Submit(ctx, notes.Send(inline).WithState("from the parent"))
		if err != nil {
			log.Fatal(err)
		}
		if _, err := run.Wait(ctx); err != nil {
			log.Fatal(err)
		}
		fmt.Println(run.FinalState[string](ctx))
	}
	// Output:
	// from the parent <nil>
	// from the child <nil>
}

func ExampleInParallel() {
	eng := begin(multiply, divide, average)
	defer end(eng)

	p := runnel.InParallel(runnel.List(
		multiply.Send(3, 2).ContinueWith(divide.With(2)),
		runnel.InParallel(runnel.List(
			multiply.Send(4, 5).ContinueWith(divide.With(1)),
			multiply.Send(3, 4).ContinueWith(divide.With(1)),
		)).ContinueWith(average),
	), runnel.MaxParallelism(10)).ContinueWith(average)
	fmt.Println(eng.Run(ctx, p))
	// Output: 9.5 <nil>
}

func ExampleInParallel2() {
	eng := begin(double, upper)
	defer end(eng)

	pair, err := eng.Run(ctx, runnel.InParallel2(double.Send(21), upper.Send("x")))
	fmt.Println(pair.First, pair.Second, err)
	// Output: 42 X <nil>
}

func ExampleEach() {
	lines := runnel.NewTask0("lines", func(context.Context) ([]string, error) { return []string{"a", "b", "c"}, nil })
	eng := begin(lines, upper)
	defer end(eng)

	// How many there are is known only once "lines" has run.
	fmt.Println(eng.Run(ctx, lines.Send().ContinueWith(runnel.Each(upper, runnel.MaxParallelism(2), runnel.NumStages(2)))))
	// Output: [A B C] <nil>
}

func ExampleFan() {
	eng := begin(double, multiply)
	defer end(eng)

	all := runnel.Fan([]runnel.Step[int, int]{double.With(), multiply.With(10), multiply.With(100)})
	fmt.Println(eng.Run(ctx, all.WithInitial(7)))
	// Output: [14 70 700] <nil>
}

func ExampleSettle() {
	eng := begin(double, fail)
	defer end(eng)

	outcomes, err := eng.Run(ctx, runnel.Settle(runnel.List(double.Send(2), fail.Send("no luck"))))
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range outcomes {
		fmt.Println(o.Get())
	}
	// Output:
	// 4 <nil>
	// 0 no luck
}

func ExampleFailFast() {
	slow := runnel.NewTask0("slow", func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	})
	eng := begin(slow, fail)
	defer end(eng)

	_, err := eng.Run(ctx, runnel.InParallel(runnel.List(slow.Send(), fail.Send("enough")), runnel.FailFast()))
	var f *runnel.Failure
	fmt.Println(errors.As(err, &f))
	// Output: true
}
