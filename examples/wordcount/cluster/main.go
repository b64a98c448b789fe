//go:build unix

// Command cluster counts words with four processes that share a PostgreSQL
// database. Every two seconds one of them is killed with SIGKILL and replaced, and
// once the database is restarted. The answer must be equal to that of an
// undisturbed count, and the checker must find every promise kept.
//
// make demo-cluster runs it beside a throw-away server. It finds the server in
// RUNNEL_POSTGRES, and a command that restarts it in RUNNEL_POSTGRES_RESTART.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/examples/cluster"
	"github.com/runnel-dev/runnel/examples/kill"
)

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "", "directory to read (default: the Go toolchain's)")
	flag.IntVar(&o.workers, "workers", 4, "how many processes")
	flag.DurationVar(&o.every, "every", 2*time.Second, "how often one of them is killed")
	flag.DurationVar(&o.slow, "slow", 100*time.Millisecond, "how much longer each file takes")
	flag.DurationVar(&o.lease, "lease", 5*time.Second, "after how long without a sign of life a process is given up")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "chooses which")
	flag.Parse()
	if err := count(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

type options struct {
	dir                string
	workers            int
	every, slow, lease time.Duration
	seed               uint64
}

func count(ctx context.Context, o options) error {
	work, err := os.MkdirTemp("", "runnel-cluster")
	if err != nil {
		return err
	}
	c, err := cluster.New(work, o.workers, o.lease, o.seed)
	if err != nil {
		return err
	}
	if err := kill.Build(ctx, work, "wordcount", "checker"); err != nil {
		return err
	}
	program := filepath.Join(work, "wordcount")
	calm, err := answerOf(exec.CommandContext(ctx, program, "-db", filepath.Join(work, "calm.db"), "-dir", o.dir))
	if err != nil {
		return err
	}
	fmt.Print("undisturbed:\n", calm)

	args := []string{"-db", c.Database, "-ledger", c.Ledger, "-slow", o.slow.String(), "-concurrency", "16", "-dir", o.dir, "-parallelism", "64"}
	c.Command = append([]string{program, "-work"}, args...)
	submit := func(how string) *exec.Cmd { return exec.CommandContext(ctx, program, append(args, how)...) }
	if err := disturbed(ctx, c, o, submit("-submit")); err != nil {
		return fmt.Errorf("%w\n(the files are in %s)", err, work)
	}
	torn, err := answerOf(submit("-continue"))
	if err != nil {
		return err
	}
	if torn != calm {
		return fmt.Errorf("the answers differ; disturbed:\n%s(the files are in %s)", torn, work)
	}
	var verdict string
	if err := c.Check(ctx, "check", &verdict); err != nil {
		return fmt.Errorf("%w\n(the files are in %s)", err, work)
	}
	fmt.Printf("%d processes killed, %d answers refused since they came too late, the database restarted %d times: the answer is equal\n%s", c.Kills, c.Late, c.Restarts, verdict)
	return os.RemoveAll(work)
}

// disturbed counts with workers that are disturbed, until the run has ended. Who
// submits ends before, so the run is always one of theirs.
func disturbed(ctx context.Context, c *cluster.Cluster, o options, submit *exec.Cmd) error {
	if err := c.Start(ctx); err != nil {
		return err
	}
	out, err := submit.CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("submitting: %w\n%s", err, out), c.Stop())
	}
	ended, stop := context.WithCancel(ctx)
	var waited error
	go func() {
		defer stop()
		waited = wait(ctx, c.Database)
	}()
	disturbing := c.Disturb(ctx, o.every, 0, ended.Done())
	if disturbing != nil {
		return errors.Join(disturbing, c.Stop())
	}
	<-ended.Done()
	return errors.Join(waited, c.Stop())
}

// wait waits for the run, as a process that knows none of its tasks.
func wait(ctx context.Context, dsn string) (err error) {
	eng, err := runnel.Open(ctx, dsn, runnel.LogTo(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close(ctx)) }()
	for last, err := range eng.Runs(ctx, api.RunFilter{Limit: 1}) {
		if err != nil {
			return err
		}
		run, err := eng.Attach[json.RawMessage](ctx, last.ID)
		if err != nil {
			return err
		}
		_, err = run.Wait(ctx)
		return err
	}
	return errors.New("there is no run")
}

func answerOf(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return strings.Join(answer.FindAllString(string(out), -1), ""), nil
}

var answer = regexp.MustCompile(`(?m)^(files=\d+ words=\d+|\d+ [a-z]+)\n`)
