package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/examples/cluster"
)

// Begin is the number that all work is given.
const Begin = 5

// Serve works on what there is until ctx ends.
func Serve(ctx context.Context, dsn string, opts ...runnel.OpenOption) error {
	eng, err := runnel.Open(ctx, dsn, append(opts, Tasks())...)
	if err != nil {
		return err
	}
	cluster.Report(ctx, eng)
	return errors.Join(Book.Leaving(), eng.Close(context.WithoutCancel(ctx)))
}

// Submit submits the work of n seeds for others, and prints a line "run ID SEED" for
// each.
func Submit(ctx context.Context, dsn string, first uint64, n int) (err error) {
	eng, err := runnel.Open(ctx, dsn, Tasks())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, Book.Leaving(), eng.Close(context.WithoutCancel(ctx))) }()
	for seed := first; seed < first+uint64(n); seed++ {
		run, err := eng.Submit(ctx, visit.Send(Begin, Random(seed)), runnel.Name(fmt.Sprint("seed ", seed)))
		if err != nil {
			return err
		}
		fmt.Println("run", run.ID(), seed)
	}
	return nil
}
