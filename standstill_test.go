//go:build unix

package runnel_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// A child process is a worker on the database of a DSN. It prints a line for each
// body that begins, and its health once it was given up and has begun anew.
const childVariable = "RUNNEL_TEST_WORKER"

// linger is a task that the worker does slowly, in spite of its context, so that it
// has bodies in progress which answer in any case. They take from d to twice as long: those
// that begin together do not end together, with none begun while their ends are on their way.
func linger(d time.Duration, note func(key string)) runnel.Task1[int, int] {
	return runnel.NewTask1("linger", func(ctx context.Context, n int) (int, error) {
		note(runnel.IdempotencyKey(ctx))
		<-time.After(d + d*time.Duration(n%8)/8)
		return n + 1, nil
	})
}

func worksAsChild(t *testing.T, dsn string) {
	t.Helper()
	task := linger(50*time.Millisecond, func(key string) { fmt.Fprintln(os.Stdout, "body "+key) })
	eng := process(t, dsn, runnel.Register(task), runnel.Concurrency(8), runnel.LogTo(slog.New(slog.NewTextHandler(os.Stdout, nil))))
	runs, err := eng.SubmitAll(t.Context(), func(yield func(runnel.Runnable[int]) bool) {
		for i := range 8 {
			if !yield(chainOf(task, i)) {
				return
			}
		}
	})
	do(t, err)
	for _, run := range runs {
		fmt.Fprintln(os.Stdout, "run "+run.ID())
	}
	h := turns(t, eng, "given up", func(h api.Health) bool { return h.Restarts == 1 && h.Late > 0 && len(h.Processes) == 2 && isBack(h) })
	text, err := json.Marshal(h)
	do(t, err)
	fmt.Fprintln(os.Stdout, "health "+string(text))
}

const lingering = 12 // steps of a run

func chainOf(task runnel.Task1[int, int], n int) runnel.Pipeline[int] {
	p := task.Send(n)
	for range lingering - 1 {
		p = p.ContinueWith(task)
	}
	return p
}

// child is a worker process, and what it prints.
type child struct {
	t       *testing.T
	process *os.Process
	lines   chan string
}

// startChild runs a test of this binary again, as the worker that it is for.
func startChild(t *testing.T, dsn string, before ...string) *child {
	t.Helper()
	self, err := os.Executable()
	do(t, err)
	words := append(before, self, "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"="+dsn)
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	do(t, err)
	do(t, cmd.Start())
	c := &child{t: t, process: cmd.Process, lines: make(chan string, 10_000)}
	go func() {
		defer close(c.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			c.lines <- in.Text()
		}
	}()
	t.Cleanup(func() {
		_ = c.process.Kill() // it may have ended
		for range c.lines {
		}
		_ = cmd.Wait() // it was killed
	})
	return c
}

// until reads lines up to one that begins with some words, and gives its rest, and
// those before it.
func (c *child) until(prefix string) (rest string, before []string) {
	c.t.Helper()
	line, before := c.read(prefix, func(line string) bool { return strings.HasPrefix(line, prefix) })
	return line[len(prefix):], before
}

// says reads lines up to one that has some words.
func (c *child) says(words string) {
	c.t.Helper()
	c.read(words, func(line string) bool { return strings.Contains(line, words) })
}

func (c *child) read(what string, is func(line string) bool) (line string, before []string) {
	c.t.Helper()
	patience := time.After(40 * time.Second)
	for {
		select {
		case line, ok := <-c.lines:
			if !ok {
				c.t.Fatalf("the worker ends before it says %q:\n%s", what, strings.Join(before, "\n"))
			}
			if is(line) {
				return line, before
			}
			before = append(before, line)
		case <-patience:
			c.t.Fatalf("the worker does not say %q:\n%s", what, strings.Join(before, "\n"))
		}
	}
}

// runs gives the ids of the runs that the worker has submitted, once it is in the
// middle of them.
func (c *child) runs() (ids []string) {
	c.t.Helper()
	for range 8 {
		id, _ := c.until("run ")
		ids = append(ids, id)
	}
	for range 8 * lingering / 3 {
		c.until("body ")
	}
	return ids
}

// goesOn checks that another process has taken over what the worker had within its
// lease, and brings it to the right end, before the worker says or does anything.
func (c *child) goesOn(eng *runnel.Engine, begun <-chan string, ids []string, lease time.Duration) {
	c.t.Helper()
	began := time.Now()
	for len(begun) > 0 {
		<-begun // it was lent before
	}
	<-begun
	if d := time.Since(began); d > lease+lease/2+2*time.Second { // the beat at which it is found out, and a slow machine
		c.t.Errorf("taken over after %s, with a lease of %s", d, lease)
	}
	for i, id := range ids {
		run, err := eng.Attach[int](c.t.Context(), id)
		do(c.t, err)
		ends(c.t, i+lingering, run)
	}
	c.t.Logf("all is done elsewhere after %s", time.Since(began).Round(time.Millisecond))
}

// comesBack checks what the worker says when it can go on: that it came too late.
// Of its answers nothing counts.
func (c *child) comesBack(rows func() int64) {
	c.t.Helper()
	text, before := c.until("health ")
	var h api.Health
	do(c.t, json.Unmarshal([]byte(text), &h))
	c.t.Logf("%d answers came too late", h.Late)
	if log := strings.Join(before, "\n"); !strings.Contains(log, "came too late") || !strings.Contains(log, "it begins again") {
		c.t.Errorf("the log of the worker does not say that it was late:\n%s", log)
	}
	wants(c.t, "task runs that are COMPLETED", rows(), 8*lingering)
}

// A worker stands still in the middle of its tasks for longer than its lease. Others
// take its work over within the lease. When it wakes up, what it answers is refused,
// counted and logged, and it begins anew.
func TestStandsStill(t *testing.T) {
	if dsn := os.Getenv(childVariable); dsn != "" {
		worksAsChild(t, dsn)
		return
	}
	t.Parallel()
	const lease = time.Second
	dsn := pgtest.With(pgtest.DSN(t), "lease", lease.String())
	c := startChild(t, dsn)
	ids := c.runs()
	begun := make(chan string, 1000)
	eng := process(t, dsn, runnel.Register(linger(0, func(key string) { begun <- key })), runnel.Concurrency(8))
	if err := c.process.Signal(syscall.SIGSTOP); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	c.goesOn(eng, begun, ids, lease)
	do(t, c.process.Signal(syscall.SIGCONT))
	c.comesBack(func() int64 {
		return pgtest.Number(t, "SELECT count(*) FROM "+pgtest.Schema(t, dsn)+".task WHERE state = $1", api.Completed)
	})
}
