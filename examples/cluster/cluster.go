//go:build unix

// Package cluster keeps several processes of a program at work on one database,
// and disturbs them: it kills some with SIGKILL and starts others in their place,
// has some stand still, and restarts the database. Program checker is told in the
// ledger, notes what is committed from time to time, and judges in the end.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Cluster is processes of a program that work on a database together, and keep one
// ledger of their bodies.
type Cluster struct {
	Command  []string // of a worker, which ends by SIGTERM
	Size     int      // how many of them
	Checker  string   // the checker program
	Database string   // its DSN
	Restart  []string // a command that restarts the database; empty: it is not restarted
	Ledger   string
	Look     int // after how many disturbances it is noted what is committed
	Rand     *rand.Rand
	Log      func(format string, args ...any)

	Kills, Restarts, Frozen int
	Late                    int // answers that came too late, as the workers told before they ended

	workers []*worker
	broken  chan error // a worker ended by itself
}

type worker struct {
	cmd  *exec.Cmd
	out  *output
	gone chan struct{}
}

// output keeps the end of what a process prints.
type output struct {
	mu   sync.Mutex
	text []byte
	late int // see Report
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if n, told := lateOf(o.text); told {
		o.late = n
	}
	if n := len(o.text) - 8192; n > 0 {
		o.text = o.text[n:]
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(bytes.TrimSpace(o.text))
}

func (o *output) lates() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.late
}

// New makes a cluster of so many processes, without a command yet, on the server that
// RUNNEL_POSTGRES names, in a schema of its own. RUNNEL_POSTGRES_RESTART may restart
// it. The ledger, and program checker, are in a folder.
func New(dir string, size int, lease time.Duration, seed uint64) (*Cluster, error) {
	server := os.Getenv("RUNNEL_POSTGRES")
	if server == "" {
		return nil, errors.New("RUNNEL_POSTGRES is not set: make starts a throw-away server (make demo-cluster, make torture), or set it to the DSN of one")
	}
	sep := "?"
	if strings.Contains(server, "?") {
		sep = "&"
	}
	return &Cluster{
		Size: size, Look: 3, Checker: filepath.Join(dir, "checker"), Ledger: filepath.Join(dir, "ledger"),
		Database: server + sep + "schema=" + filepath.Base(dir) + "&lease=" + lease.String(),
		Restart:  strings.Fields(os.Getenv("RUNNEL_POSTGRES_RESTART")),
		Rand:     rand.New(rand.NewPCG(seed, seed)),
		Log:      func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
	}, nil
}

// Start starts the workers.
func (c *Cluster) Start(ctx context.Context) error {
	c.broken = make(chan error, 1)
	if err := c.note("together"); err != nil {
		return err
	}
	for range c.Size {
		if err := c.add(ctx); err != nil {
			return errors.Join(err, c.Stop())
		}
	}
	return nil
}

func (c *Cluster) add(ctx context.Context) error {
	w := &worker{cmd: exec.CommandContext(ctx, c.Command[0], c.Command[1:]...), out: &output{}, gone: make(chan struct{})}
	w.cmd.Stdout, w.cmd.Stderr = w.out, w.out
	if err := w.cmd.Start(); err != nil {
		return err
	}
	c.workers = append(c.workers, w)
	go func() {
		err := w.cmd.Wait()
		close(w.gone)
		if status, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
			select {
			case c.broken <- fmt.Errorf("a worker ended by itself: %w\n%s", errors.Join(err, errors.New(w.cmd.ProcessState.String())), w.out):
			default:
			}
		}
	}()
	return nil
}

// Disturb disturbs the workers every so often until done is closed: most times one
// is killed and replaced; the database is restarted once, and if freeze is more
// than 0, one in five times a worker stands still for that long instead.
func (c *Cluster) Disturb(ctx context.Context, every, freeze time.Duration, done <-chan struct{}) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-c.broken:
			return err
		case <-ticker.C:
		}
		var err error
		switch {
		case len(c.Restart) > 0 && c.Restarts == 0 && n >= 3:
			err = c.restart(ctx)
		case freeze > 0 && n%5 == 0:
			err = c.freeze(ctx, freeze, done)
		default:
			err = c.kill(ctx)
		}
		if err == nil && n%c.Look == 0 {
			err = c.Check(ctx, "open", nil)
		}
		if err != nil {
			return err
		}
	}
}

// kill ends a worker with SIGKILL, and starts another one.
func (c *Cluster) kill(ctx context.Context) error {
	at := c.Rand.IntN(len(c.workers))
	w := c.workers[at]
	if err := w.cmd.Process.Kill(); err != nil {
		return err
	}
	<-w.gone
	c.workers = append(c.workers[:at], c.workers[at+1:]...)
	c.Late += w.out.lates()
	c.Kills++
	c.Log("killed process %d", w.cmd.Process.Pid)
	if err := c.note(fmt.Sprint("gone ", w.cmd.Process.Pid)); err != nil {
		return err
	}
	return c.add(ctx)
}

// freeze has a worker stand still: the others take it for dead. What it does when
// it goes on must count for nothing.
func (c *Cluster) freeze(ctx context.Context, d time.Duration, done <-chan struct{}) error {
	w := c.workers[c.Rand.IntN(len(c.workers))]
	if err := c.note(fmt.Sprint("late ", w.cmd.Process.Pid)); err != nil {
		return err
	}
	if err := w.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	c.Frozen++
	select { // a last line may be under way
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
	}
	if err := c.note(fmt.Sprint("gone ", w.cmd.Process.Pid)); err != nil {
		return err
	}
	c.Log("process %d stands still for %s", w.cmd.Process.Pid, d)
	awake := time.NewTimer(d)
	defer awake.Stop()
	select {
	case <-awake.C:
	case <-done:
	case <-ctx.Done():
	}
	return w.cmd.Process.Signal(syscall.SIGCONT)
}

func (c *Cluster) restart(ctx context.Context) error {
	c.Restarts++
	c.Log("the database is restarted")
	out, err := exec.CommandContext(ctx, c.Restart[0], c.Restart[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("restarting the database: %w\n%s", err, out)
	}
	return nil
}

// Stop has all workers end, and waits for them.
func (c *Cluster) Stop() error {
	var failed error
	for _, w := range c.workers {
		_ = w.cmd.Process.Signal(syscall.SIGTERM) // it fails if it is gone
	}
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for _, w := range c.workers {
		select {
		case <-w.gone:
			c.Late += w.out.lates()
			if w.cmd.ProcessState.ExitCode() != 0 {
				failed = errors.Join(failed, fmt.Errorf("a worker ended with %s\n%s", w.cmd.ProcessState, w.out))
			}
		case <-patience.C:
			failed = errors.Join(failed, fmt.Errorf("a worker does not end\n%s", w.out), w.cmd.Process.Kill())
		}
	}
	c.workers = nil
	return failed
}

// Check has the checker do its open or check, and gives what it prints.
func (c *Cluster) Check(ctx context.Context, what string, verdict *string) error {
	out, err := exec.CommandContext(ctx, c.Checker, "-db", c.Database, "-ledger", c.Ledger, what).CombinedOutput()
	if verdict != nil {
		*verdict = string(out)
	}
	if err != nil {
		return fmt.Errorf("checker %s: %w\n%s", what, err, out)
	}
	return nil
}

// note adds a line to the ledger.
func (c *Cluster) note(line string) error {
	file, err := os.OpenFile(c.Ledger, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(strings.TrimSpace(line) + "\n")
	return errors.Join(err, file.Close())
}
