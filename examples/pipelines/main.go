// Command pipelines runs small pipelines, one for each thing that a pipeline can
// do, and prints one line for each. The tasks are in tasks.go.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/runnel-dev/runnel"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pipelines:", err)
		os.Exit(1)
	}
}

// run runs all pipelines on a database in memory.
func run(ctx context.Context, out io.Writer) error {
	eng, err := runnel.Open(ctx, "memory:", tasks)
	if err != nil {
		return err
	}
	defer eng.Close(ctx)
	for _, s := range snippets() {
		v, err := s.run(ctx, eng)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(out, "%s: %v\n", s.name, v)
	}
	return nil
}

// snippet is a pipeline with a name.
type snippet struct {
	name string
	run  func(context.Context, *runnel.Engine) (any, error)
}

func show[R any](name string, p runnel.Runnable[R]) snippet {
	return snippet{name, func(ctx context.Context, eng *runnel.Engine) (any, error) { return eng.Run(ctx, p) }}
}

func snippets() []snippet {
	products := runnel.List(multiply.Send(3, 2), multiply.Send(4, 5))
	return []snippet{
		// The result of a task is the first argument of the next.
		show("continuation", multiply.Send(3, 2).ContinueWith(divide.With(2))),

		// Tasks at the same time, and their results as one list.
		show("fan-out", runnel.InParallel(products)),
		show("aggregate", runnel.InParallel(products).ContinueWith(average)),
		show("nested", runnel.InParallel(runnel.List(
			multiply.Send(3, 2).ContinueWith(divide.With(2)), // a continuation within a group
			runnel.InParallel(runnel.List( // a group within a group
				multiply.Send(4, 5),
				multiply.Send(3, 4),
			)).ContinueWith(average),
		)).ContinueWith(average)),
		show("max parallelism", runnel.InParallel(products, runnel.MaxParallelism(10))),
		show("stages", runnel.InParallel(products, runnel.NumStages(2))),

		// State goes along the pipeline, past tasks that don't look at it.
		show("state", multiplyAndSet.Send(3, 2). // 6
								ContinueWith(subtract.With(1)). // 5
								ContinueWith(addState)),        // 15

		// Failures.
		show("no error", multiply.Send(3, 2).Exceptionally(handleError)),
		show("error", divide.Send(3, 0).Exceptionally(handleError)),
		show("errors", a.Send().Exceptionally(b).ContinueWith(c).Exceptionally(d).FinallyDo(e.Send())),
		show("finally", multiply.Send(3, 2).FinallyDo(cleanup.Send())),

		// What all tasks of a group have in common is said once.
		show("initial argument", runnel.Fan(times(10_000), runnel.NumStages(10)).WithInitial(2).ContinueWith(average)),
		show("initial state", multiply.Send(3, 2).ContinueWith(addState).WithState(10.0)),

		// Tasks that return pipelines.
		show("composition", multiplyAndSubtract.Send(3, 2, 1).ContinueWith(multiply.With(10))),
		show("condition", addPositive.Send(-3, 2)),
		show("recursion", countTo100.Send(0)),
		show("isolated", multiplyAndSet.Send(3, 2).ContinueWith(isolated)),
		show("inline", multiplyAndSet.Send(3, 2).ContinueWith(inline)),

		// Two tasks that run as one.
		show("combined", migrate.Send("s3/file")),
		show("combined with arguments", migrateTo.Send("s3/file", "archive")),
		show("combined via", migrateUp.Send("s3/file")),
	}
}

// times multiplies what arrives by 1, 2, 3, …, n.
func times(n int) []runnel.Step[float64, float64] {
	steps := make([]runnel.Step[float64, float64], n)
	for i := range steps {
		steps[i] = multiply.With(float64(i + 1))
	}
	return steps
}
