//go:build unix

// Command torture has processes that share a PostgreSQL database work on random
// pipelines and flows, kills them with SIGKILL, has them stand still, restarts the
// database, and holds each answer to that of the plainest interpreter. In the end
// program checker must find every promise kept.
//
// make torture runs it beside a throw-away server. It finds the server in
// RUNNEL_POSTGRES, and a command that restarts it in RUNNEL_POSTGRES_RESTART.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/examples/torture/work"
)

func main() {
	var o options
	serve := flag.String("serve", "", "be a worker on the database of this DSN")
	submit := flag.String("submit", "", "submit work to the database of this DSN, and end")
	ledger := flag.String("ledger", "", "note on this file which bodies ran")
	first := flag.Uint64("first", 1, "seed of the first work to submit")
	n := flag.Int("n", 10, "how much to submit")
	flag.DurationVar(&o.duration, "for", 10*time.Minute, "how long")
	flag.IntVar(&o.workers, "workers", 4, "how many processes")
	flag.DurationVar(&o.every, "every", 2*time.Second, "how often one of them is killed, or stands still")
	flag.DurationVar(&o.lease, "lease", 3*time.Second, "after how long without a sign of life a process is given up")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "chooses the work, and which process is killed")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *serve != "":
		if err = work.Book.Open(*ledger); err == nil {
			err = work.Serve(ctx, *serve, runnel.Concurrency(16))
		}
	case *submit != "":
		if err = work.Book.Open(*ledger); err == nil {
			err = work.Submit(ctx, *submit, *first, *n)
		}
	default:
		err = torture(ctx, o)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}
