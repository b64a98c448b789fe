package runnel_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// process opens an engine as one of several processes would: on the real clock,
// with NOTIFY. The test closes it.
func process(t *testing.T, dsn string, opts ...runnel.OpenOption) *runnel.Engine {
	t.Helper()
	eng, err := runnel.Open(context.WithoutCancel(t.Context()), dsn, append([]runnel.OpenOption{runnel.LogTo(slog.New(slog.DiscardHandler))}, opts...)...)
	do(t, err)
	t.Cleanup(func() {
		if err := eng.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return eng
}

// both are the two ways in which processes are told of each other: with NOTIFY, and
// behind a pooler, where they have to look.
func both(t *testing.T, test func(t *testing.T, dsn string)) {
	for name, with := range map[string][2]string{"notify": {"lease", "2s"}, "pooler": {"pooler", "transaction"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, pgtest.With(pgtest.DSN(t), with[0], with[1]))
		})
	}
}

// held is a task whose bodies wait until they are let go, and tell when they begin.
type held struct {
	begun chan string
	gate  chan struct{}
	task  runnel.Task1[string, string]
}

func newHeld(opts ...runnel.TaskOption) *held {
	h := &held{begun: make(chan string, 100), gate: make(chan struct{})}
	h.task = runnel.NewTask1("held", func(ctx context.Context, what string) (string, error) {
		runnel.Logger(ctx).Info("has begun", "what", what)
		h.begun <- what
		select {
		case <-h.gate:
			return what + " done", nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}, opts...)
	return h
}

// One process submits, the other one has the run too: it waits for it, says how it
// is, follows what it logs, and can stop it.
func TestTwoProcesses(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		here, there := newHeld(), newHeld()
		a, b := process(t, dsn, runnel.Register(here.task)), process(t, dsn, runnel.Register(there.task))
		run, err := a.Submit(t.Context(), here.task.Send("x"), runnel.Name("first"))
		do(t, err)
		same, err := b.Attach[string](t.Context(), run.ID())
		do(t, err)
		wants(t, "body", <-here.begun, "x")
		for line, err := range b.FollowLogs(t.Context(), api.LogFilter{Run: run.ID()}) {
			do(t, err)
			wants(t, "line", line.Text, "has begun what=x")
			break
		}
		status, err := same.Status(t.Context())
		do(t, err)
		wants(t, "status", []any{status.Name, status.State}, []any{"first", api.Running})
		close(here.gate)
		ends(t, "x done", same)

		here.gate = make(chan struct{})
		run, err = a.Submit(t.Context(), here.task.Send("y"))
		do(t, err)
		<-here.begun
		do(t, b.Cancel(t.Context(), run.ID()))
		_, err = run.Wait(t.Context())
		matches(t, err, runnel.ErrCancelled)
		same, err = b.Attach[string](t.Context(), run.ID())
		do(t, err)
		_, err = same.Wait(t.Context())
		matches(t, err, runnel.ErrCancelled)
		wants(t, "runs", slices.Sorted(slices.Values(listed(t, b))), slices.Sorted(slices.Values(listed(t, a))))
	})
}

// The runs of a process that closes go on in another one, from its next beat on.
func TestProcessCloses(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		here, there := newHeld(), newHeld()
		a, b := process(t, dsn, runnel.Register(here.task)), process(t, dsn, runnel.Register(there.task))
		run, err := a.Submit(t.Context(), here.task.Send("x").ContinueWith(here.task))
		do(t, err)
		<-here.begun
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		matches(t, a.Close(gone), runnel.ErrTimeout) // its body was interrupted
		close(there.gate)
		same, err := b.Attach[string](t.Context(), run.ID())
		do(t, err)
		ends(t, "x done done", same)
		wants(t, "bodies in the other process", []string{<-there.begun, <-there.begun}, []string{"x", "x done"})
	})
}

// Errors match in the process that did not make them.
func TestErrorsOfProcesses(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		pay := runnel.NewTask0("pay", func(context.Context) (int, error) { return 0, errDeclined }, runnel.Retries(1))
		slow := runnel.NewTask0("slow", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}, runnel.Timeout(time.Millisecond))
		named, tasks := runnel.Errors("declined", errDeclined), runnel.Register(pay, slow)
		a, b := process(t, dsn, tasks, named), process(t, dsn, tasks, named)
		for want, p := range map[error]runnel.Pipeline[int]{errDeclined: pay.Send(), runnel.ErrTimeout: slow.Send(), context.DeadlineExceeded: slow.Send()} {
			run, err := a.Submit(t.Context(), p)
			do(t, err)
			same, err := b.Attach[int](t.Context(), run.ID())
			do(t, err)
			_, err = same.Wait(t.Context())
			matches(t, err, want)
			if f, ok := errors.AsType[*runnel.Failure](err); !ok || f.Task == "" {
				t.Errorf("error %v is no failure of a task", err)
			}
			matches(t, b.Pause(t.Context(), run.ID()), runnel.ErrConflict)
		}
		waits := newHeld()
		c := process(t, dsn, tasks, named, runnel.Register(waits.task))
		run, err := c.Submit(t.Context(), waits.task.Send("x"))
		do(t, err)
		<-waits.begun
		matches(t, b.Retry(t.Context(), run.ID()), runnel.ErrConflict) // as the process that has it says
		close(waits.gate)
		_, err = run.Wait(t.Context())
		do(t, err)
		_, err = b.Attach[int](t.Context(), "01020304-0506-7708-890a-0b0c0d0e0f10")
		matches(t, err, runnel.ErrNotFound)
		_, err = runnel.Open(t.Context(), "postgres://me@/x?host=/nowhere")
		matches(t, err, runnel.ErrStore)
	})
}

// What kills of processes are about: a child process, and the ledger of its bodies.
const (
	killedVariable = "RUNNEL_KILLED_PROCESS" // directory and DSN of a child
	killedRuns     = 40
	killedSteps    = 5
)

// Two processes work on a schema. One is killed with SIGKILL in the midst of its
// runs. The other one finishes them: each run gives what it should, no body begins
// whose end somebody has built on, and none is lost.
func TestProcessKilled(t *testing.T) {
	if at := os.Getenv(killedVariable); at != "" {
		dir, dsn, _ := strings.Cut(at, " ")
		processToKill(t, dir, dsn)
		return
	}
	t.Parallel()
	dir, dsn := t.TempDir(), pgtest.With(pgtest.DSN(t), "lease", "1s")
	self, err := os.Executable()
	do(t, err)
	victim := exec.CommandContext(t.Context(), self, "-test.run=^TestProcessKilled$")
	victim.Env = append(os.Environ(), killedVariable+"="+dir+" "+dsn)
	stdout, err := victim.StdoutPipe()
	do(t, err)
	do(t, victim.Start())
	// It is killed once half of its bodies have ended.
	var ids []string
	for in, ended := bufio.NewScanner(stdout), 0; ended < killedRuns*killedSteps/2 && in.Scan(); {
		if id, isRun := strings.CutPrefix(in.Text(), "run "); isRun {
			ids = append(ids, id)
		} else if in.Text() == "." {
			ended++
		}
	}
	eng := process(t, dsn, runnel.Register(newStep(t, dir, "survivor")))
	do(t, victim.Process.Kill())
	if err := victim.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the process ends with %v before it is killed", err)
	}
	wants(t, "runs", len(ids), killedRuns)
	began := time.Now()
	for i, id := range ids {
		run, err := eng.Attach[int](t.Context(), id)
		do(t, err)
		ends(t, i+killedSteps, run)
	}
	t.Logf("taken over and finished in %v", time.Since(began).Round(time.Millisecond))
	steps, bodies := map[string]int{}, 0
	for _, line := range ledgerLines(t, dir) {
		who, key, _ := strings.Cut(line, ":")
		if steps[key] > 0 && who != "survivor" {
			t.Errorf("%s begins twice in the process that was killed", key)
		}
		steps[key]++
		bodies++
	}
	wants(t, "task runs with a body", len(steps), killedRuns*killedSteps)
	t.Logf("%d bodies began twice", bodies-len(steps))
	if again := bodies - len(steps); again > killedRuns { // one of each run was in progress
		t.Errorf("%d bodies began twice", again)
	}
	runs, err := pgtest.Connect(t).Query(t.Context(), "SELECT count(*) FROM "+pgtest.Schema(t, dsn)+".task GROUP BY run")
	do(t, err)
	for runs.Next() {
		var n int
		do(t, runs.Scan(&n))
		wants(t, "task runs of a run", n, killedSteps)
	}
	do(t, runs.Err())
}

// newStep is a task that notes who runs it and adds one.
func newStep(t *testing.T, dir, who string) runnel.Task1[int, int] {
	t.Helper()
	ledger, err := os.OpenFile(filepath.Join(dir, "ledger"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	do(t, err)
	t.Cleanup(func() { do(t, ledger.Close()) })
	return runnel.NewTask1("step", func(ctx context.Context, n int) (int, error) {
		if _, err := fmt.Fprintln(ledger, who+":"+runnel.IdempotencyKey(ctx)); err != nil {
			return 0, err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		_, err := fmt.Fprintln(os.Stdout, ".")
		return n + 1, cmp.Or(err, ctx.Err())
	})
}

// processToKill submits chains, and works on them until it is killed.
func processToKill(t *testing.T, dir, dsn string) {
	t.Helper()
	step := newStep(t, dir, "victim")
	eng, err := runnel.Open(t.Context(), dsn, runnel.Register(step), runnel.Concurrency(8))
	do(t, err)
	runs, err := eng.SubmitAll(t.Context(), func(yield func(runnel.Runnable[int]) bool) {
		for i := range killedRuns {
			p := step.Send(i)
			for range killedSteps - 1 {
				p = p.ContinueWith(step)
			}
			if !yield(p) {
				return
			}
		}
	})
	do(t, err)
	for _, run := range runs {
		fmt.Fprintln(os.Stdout, "run "+run.ID())
	}
	<-t.Context().Done()
}
