// Command etl loads CSV files into a database by a durable flow: one call for each
// file, of which four at a time may use the disk (a limit by tag), with retries,
// look-ups that are cached, and a load in batches that a kill switch watches over.
// Its report is checked against a plain loop over the same rows.
//
// It runs twice. The second time what was done for a file is taken from the cache.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// settings are the flags.
type settings struct {
	dir   string
	files int
	rows  int
	seed  uint64
}

func main() {
	var s settings
	flag.StringVar(&s.dir, "dir", "", "folder for the files and both databases; default: a new one, removed at the end")
	flag.IntVar(&s.files, "files", 64, "number of CSV files")
	flag.IntVar(&s.rows, "rows", 1_000_000, "number of rows in all of them")
	flag.Uint64Var(&s.seed, "seed", 1, "what the rows are made of")
	flag.Parse()
	if err := start(context.Background(), s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "etl:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, s settings, out io.Writer) (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "runnel-etl-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	}
	paths, want, err := generate(s)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "wrote %d rows in %d files\n", s.rows, s.files)
	for range 2 {
		if err := once(ctx, s, paths, want, out); err != nil {
			return err
		}
	}
	return nil
}

// once runs the flow, checks its report, and says how long it took and how much of
// it came from the cache.
func once(ctx context.Context, s settings, paths []string, want report, out io.Writer) error {
	eng, err := runnel.Open(ctx, "sqlite:"+filepath.Join(s.dir, "runnel.db"), runnel.Register(tasks...))
	if err != nil {
		return err
	}
	defer eng.Close(ctx)
	if err := eng.Limits().Create(ctx, "db", 4); err != nil {
		return err
	}
	began := time.Now()
	run, err := eng.Submit(ctx, etl.Send(paths, filepath.Join(s.dir, "warehouse.db")))
	if err != nil {
		return err
	}
	got, err := run.Wait(ctx)
	if err != nil {
		return err
	}
	if diff := got.differs(want); diff != "" {
		return fmt.Errorf("the report is wrong: %s", diff)
	}
	if err := stored(ctx, filepath.Join(s.dir, "warehouse.db"), s.rows); err != nil {
		return err
	}
	status, err := run.Status(ctx)
	if err != nil {
		return err
	}
	retries := int64(0)
	for _, n := range status.Tasks {
		retries += n.Retries
	}
	hits, all, err := reused(ctx, eng, run.ID())
	if err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(out, "%d rows of %d regions, as in a plain loop; %d task runs, %d from the cache, %d retries; %.1fs\n",
		got.rows(), len(got), all, hits, retries, took.Seconds())
	return nil
}

// reused counts the task runs of a run, and those that took a result from the cache.
func reused(ctx context.Context, eng *runnel.Engine, id string) (hits, all int, err error) {
	for t, err := range eng.TaskRuns(ctx, api.TaskRunFilter{Run: id}) {
		if err != nil {
			return 0, 0, err
		}
		all++
		if t.Cache != nil && t.Cache.From != "" {
			hits++
		}
	}
	return hits, all, nil
}
