// Command tasks runs what the Prefect page on tasks and prefecto's page on
// BatchTask show, in Go, and prints one line for each snippet. Tasks and flows
// stand beside the snippets that use them.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/runnel-dev/runnel"
)

func main() {
	if err := run(context.Background(), os.Stdout, "memory:"); err != nil {
		fmt.Fprintln(os.Stderr, "tasks:", err)
		os.Exit(1)
	}
}

// run runs all snippets on a new database.
func run(ctx context.Context, out io.Writer, dsn string) error {
	bodies.reset()
	eng, err := runnel.Open(ctx, dsn, runnel.Register(basics...), runnel.Register(cached...), runnel.Register(futures...),
		runnel.Register(limited...), runnel.Register(batches...))
	if err != nil {
		return err
	}
	defer eng.Close(ctx)
	for _, part := range [][]snippet{basicSnippets, cacheSnippets, futureSnippets, limitSnippets, batchSnippets} {
		for _, s := range part {
			v, err := s.run(ctx, eng)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			fmt.Fprintf(out, "%s: %v\n", s.name, v)
		}
	}
	return nil
}

// snippet is one thing that is shown.
type snippet struct {
	name string
	run  func(context.Context, *runnel.Engine) (any, error)
}

// show runs a flow, or a pipeline, and shows its result.
func show[R any](name string, p runnel.Runnable[R]) snippet {
	return snippet{name, func(ctx context.Context, eng *runnel.Engine) (any, error) { return eng.Run(ctx, p) }}
}
