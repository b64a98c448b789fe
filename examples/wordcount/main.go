// Command wordcount counts the words of the Go toolchain's sources, as one
// durable pipeline: kill it at any moment, start it again, and it goes on.
// The pipeline is in pipeline.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/examples/cluster"
)

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "", "directory to read (default: the Go toolchain's)")
	flag.StringVar(&o.db, "db", filepath.Join(os.TempDir(), "runnel-wordcount.db"), "database file, or the DSN of a PostgreSQL database")
	flag.IntVar(&o.parallelism, "parallelism", 16, "folders at the same time")
	flag.BoolVar(&o.again, "continue", false, "take up the newest run in the database, even one that has ended")
	flag.BoolVar(&o.work, "work", false, "submit nothing: work on what others submit, until interrupted")
	flag.BoolVar(&o.submit, "submit", false, "submit it, for others to work on, and end")
	flag.IntVar(&o.concurrency, "concurrency", 0, "bodies at the same time (default 256)")
	flag.DurationVar(&slow, "slow", 0, "how much longer each file takes, as if its disk were slow")
	flag.StringVar(&o.ledger, "ledger", "", "note on this file which bodies ran")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "wordcount:", err)
		os.Exit(1)
	}
}

type options struct {
	dir, db, ledger          string
	parallelism, concurrency int
	again, work, submit      bool
}

// demo opens the database, runs the pipeline or goes on with it, and prints
// what came out.
func demo(ctx context.Context, o options) (err error) {
	if o.ledger != "" {
		if err := book.Open(o.ledger); err != nil {
			return err
		}
	}
	dsn := o.db
	if !strings.Contains(dsn, "://") {
		if o.db, err = filepath.Abs(o.db); err != nil {
			return err
		}
		dsn = "sqlite:" + o.db
	}
	eng, err := runnel.Open(ctx, dsn, runnel.Register(list, count, add), runnel.Concurrency(o.concurrency))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close(context.WithoutCancel(ctx))) }()

	if o.work {
		cluster.Report(ctx, eng)
		return nil
	}
	begun := time.Now()
	run, err := take(ctx, eng, o)
	if err != nil {
		return err
	}
	if o.submit {
		fmt.Println("submitted", run.ID())
		return nil
	}
	before, err := run.Status(ctx)
	if err != nil {
		return err
	}
	show := follow(ctx, run)
	tally, err := run.Wait(ctx)
	show.stop()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Println("stopped; start it again and it goes on")
		return nil
	}
	if err != nil {
		return err
	}
	after, err := run.Status(ctx)
	if err != nil {
		return err
	}
	report(tally, after, taskRuns(before), time.Since(begun))
	fmt.Println("database", o.db)
	return nil
}

// take gives the run to wait for: the one that is in the database, if it has
// not ended or that is asked for, or else a new one.
func take(ctx context.Context, eng *runnel.Engine, o options) (*runnel.Run[Tally], error) {
	for last, err := range eng.Runs(ctx, api.RunFilter{Name: "wordcount", Limit: 1}) {
		if err != nil {
			return nil, err
		}
		if o.again || !last.State.Final() {
			fmt.Println("going on with run", last.ID)
			return eng.Attach[Tally](ctx, last.ID)
		}
	}
	if o.dir == "" {
		root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
		if err != nil {
			return nil, fmt.Errorf("go env GOROOT: %w (name a directory with -dir)", err)
		}
		o.dir = strings.TrimSpace(string(root))
	}
	fmt.Println("counting the words below", o.dir)
	return eng.Submit(ctx, wordcount(o.dir, o.parallelism), runnel.Name("wordcount"))
}
