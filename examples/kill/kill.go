// Package kill runs a program until it is done, and kills it with SIGKILL on the
// way, at random moments that depend on how far it has come. Program checker
// notes each opening, and judges in the end.
package kill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Victim is a program that works on a database and keeps a ledger of its bodies.
type Victim struct {
	Command  []string
	Checker  string // the checker program
	Database string
	Ledger   string
	Rand     *rand.Rand
	Log      func(format string, args ...any)
}

// Build makes programs of this module, and gives the directory that they are in.
func Build(ctx context.Context, dir string, packages ...string) error {
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, p := range packages {
		args = append(args, "github.com/runnel-dev/runnel/examples/"+p)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as the race detector has set it, they would be compiled once more
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Run starts the program again and again, kills it as often as told, and gives
// what it printed when it was left to its end. Bodies is how many of them an
// undisturbed run has: the kills are spread over them.
func (v *Victim) Run(ctx context.Context, kills, bodies int) (output []byte, err error) {
	for n := range kills {
		ended, err := v.ended()
		if err != nil {
			return nil, err
		}
		// Half to one and a half of an equal share of what is left. Every fourth
		// time it is a moment soon after the start, when it reads what is there.
		share := float64(bodies-ended) / float64(kills-n+1)
		at := ended + int(share*(0.5+v.Rand.Float64()))
		delay := time.Duration(v.Rand.IntN(3000)) * time.Microsecond
		if n%4 == 3 {
			at, delay = 0, time.Duration(v.Rand.IntN(150))*time.Millisecond
		}
		if err := v.once(ctx, at, delay); err != nil {
			return nil, fmt.Errorf("kill %d: %w", n+1, err)
		}
		now, err := v.ended()
		if err != nil {
			return nil, err
		}
		v.Log("kill %d: after %d of about %d bodies", n+1, now, bodies)
	}
	cmd, out, err := v.start(ctx)
	if err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return out.Bytes(), nil
}

// Check lets the checker judge, and gives what it prints.
func (v *Victim) Check(ctx context.Context) (string, error) {
	out, err := v.checker(ctx, "check").CombinedOutput()
	return string(out), err
}

func (v *Victim) checker(ctx context.Context, what string) *exec.Cmd {
	return exec.CommandContext(ctx, v.Checker, "-db", v.Database, "-ledger", v.Ledger, what)
}

// start notes the opening, while nobody has the database open, and starts the
// program.
func (v *Victim) start(ctx context.Context) (*exec.Cmd, *bytes.Buffer, error) {
	if out, err := v.checker(ctx, "open").CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("%w\n%s", err, out)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, v.Command[0], v.Command[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out, cmd.Start()
}

// once runs the program until so many bodies have ended, waits a little more,
// and kills it.
func (v *Victim) once(ctx context.Context, bodies int, delay time.Duration) error {
	cmd, out, err := v.start(ctx)
	if err != nil {
		return err
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	err = v.reach(ctx, bodies, delay, gone)
	_ = cmd.Process.Kill() // SIGKILL; it fails if the program is gone
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	if <-gone; !signaled(cmd) {
		return fmt.Errorf("it ended by itself: %s\n%s", cmd.ProcessState, out)
	}
	return nil
}

// reach returns when so many bodies have ended and some time has passed.
func (v *Victim) reach(ctx context.Context, bodies int, delay time.Duration, gone <-chan error) error {
	count, err := v.follow()
	if err != nil {
		return err
	}
	defer count.file.Close()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	var late <-chan time.Time
	for {
		n, err := count.more()
		if err != nil {
			return err
		}
		if n >= bodies && late == nil {
			late = time.After(delay)
		}
		select {
		case <-ticker.C:
		case <-late:
			return nil
		case err := <-gone:
			return fmt.Errorf("it ended before it was killed: %w", errors.Join(err, ctx.Err()))
		}
	}
}

// ended is how many bodies have ended, by the ledger.
func (v *Victim) ended() (int, error) {
	count, err := v.follow()
	if err != nil {
		return 0, err
	}
	defer count.file.Close()
	return count.more()
}

func (v *Victim) follow() (*counter, error) {
	file, err := os.OpenFile(v.Ledger, os.O_RDONLY|os.O_CREATE, 0o644)
	return &counter{file: file}, err
}

// counter counts the lines "end …" of a file that grows.
type counter struct {
	file *os.File
	rest []byte // of a line that is not complete
	n    int
}

func (c *counter) more() (int, error) {
	text, err := io.ReadAll(c.file)
	text = append(c.rest, text...)
	for {
		line, rest, complete := bytes.Cut(text, []byte("\n"))
		if !complete {
			c.rest = text
			return c.n, err
		}
		if bytes.HasPrefix(line, []byte("end ")) {
			c.n++
		}
		text = rest
	}
}
