//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/examples/cluster"
	"github.com/runnel-dev/runnel/examples/kill"
	"github.com/runnel-dev/runnel/examples/torture/work"
)

type options struct {
	duration, every, lease time.Duration
	workers                int
	seed                   uint64
}

// patience is how long the work may take that is in progress when nobody is
// disturbed any more.
const patience = 2 * time.Minute

func torture(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "runnel-torture")
	if err != nil {
		return err
	}
	c, err := cluster.New(dir, o.workers, o.lease, o.seed)
	if err != nil {
		return err
	}
	c.Look = max(c.Look, int(o.duration/o.every)/8)
	if err := kill.Build(ctx, dir, "torture", "checker"); err != nil {
		return err
	}
	program := filepath.Join(dir, "torture")
	c.Command = []string{program, "-serve", c.Database, "-ledger", c.Ledger}
	fmt.Printf("%d processes for %s, seed %d\n", o.workers, o.duration, o.seed)
	runs, err := disturbed(ctx, c, o, program)
	var verdict string
	if err == nil {
		err = c.Check(ctx, "check", &verdict)
	}
	if err != nil {
		return fmt.Errorf("%w\n(the files are in %s; to begin it alike: -seed %d)", err, dir, o.seed)
	}
	fmt.Printf("%d runs, each with the right answer; %d processes killed, %d stood still, %d answers refused since they came too late, the database restarted %d times\n%s",
		runs, c.Kills, c.Frozen, c.Late, c.Restarts, verdict)
	return os.RemoveAll(dir)
}

// disturbed has runs submitted and looked at, while the workers are disturbed, and
// says how many there were.
func disturbed(ctx context.Context, c *cluster.Cluster, o options, program string) (int, error) {
	// The observer knows no task, so it is asked, and never works.
	eng, err := runnel.Open(ctx, c.Database, runnel.LogTo(slog.New(slog.DiscardHandler)))
	if err != nil {
		return 0, err
	}
	err = errors.Join(
		eng.Limits().Create(ctx, work.Tag, 3),
		eng.GlobalLimits().Create(ctx, api.GlobalLimit{Name: work.Limit, Limit: 3}),
	)
	if err == nil {
		err = c.Start(ctx)
	}
	if err != nil {
		return 0, errors.Join(err, eng.Close(ctx))
	}
	over, end := context.WithTimeout(ctx, o.duration)
	defer end()
	calm, late := context.WithCancelCause(ctx)
	defer late(nil)
	j := &jury{eng: eng, first: o.seed, program: []string{program, "-submit", c.Database, "-ledger", c.Ledger}, end: end, calm: calm, places: make(chan struct{}, ahead)}
	j.all.Go(func() { j.submit(over) })
	disturbing := c.Disturb(ctx, o.every, 2*o.lease, over.Done())
	end()
	patient := time.AfterFunc(patience, func() { late(fmt.Errorf("it does not end within %s though nobody is disturbed", patience)) })
	j.all.Wait()
	patient.Stop()
	return j.runs, errors.Join(disturbing, errors.Join(j.wrong...), c.Stop(), eng.Close(ctx))
}
