package builtin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// Command is what [Shell] runs.
type Command struct {
	Command string            `json:"command"`          // for sh -c
	Args    []string          `json:"args,omitempty"`   // $1 and so on: put what comes from elsewhere here, not into the command
	Env     map[string]string `json:"env,omitempty"`    // beside this process's
	Dir     string            `json:"dir,omitempty"`    // default: this process's
	Stdin   string            `json:"stdin,omitempty"`  // what it reads
	Timeout api.Duration      `json:"timeout,omitzero"` // default: none
}

// Output is what came of it.
type Output struct {
	Stdout string `json:"stdout"` // the last 64 KiB
	Cut    bool   `json:"cut,omitempty"`
}

// maxOutput is how much of what a command writes is its result. The log has more.
const maxOutput = 64 << 10

// patience is how long a command that was told to end may take for it.
const patience = 5 * time.Second

// Shell runs a command. What it writes is in the log; what it writes to its standard
// output is the result as well. It fails if the command does.
var Shell = runnel.NewTask1("shell", shell, runnel.Description("Runs a command by sh -c; its output is in the log and the result."))

func shell(ctx context.Context, c Command) (Output, error) {
	if strings.TrimSpace(c.Command) == "" {
		return Output{}, api.Errorf(api.ErrInvalid, "command", "it is empty")
	}
	if c.Timeout < 0 {
		return Output{}, api.Errorf(api.ErrInvalid, "timeout", "%s is less than nothing", time.Duration(c.Timeout))
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(c.Timeout),
			api.Errorf(api.ErrTimeout, "", "the command took longer than %s", time.Duration(c.Timeout)))
		defer cancel()
	}
	lines := runnel.LogWriter(ctx)
	out := &tail{}
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", c.Command, "sh"}, c.Args...)...) //nolint:gosec // that is what it is for
	cmd.Dir, cmd.Env = c.Dir, os.Environ()
	for name, value := range c.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdin = strings.NewReader(c.Stdin)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(out, lines), lines
	cmd.WaitDelay = patience
	together(cmd)
	err := cmd.Run()
	switch {
	case err != nil && ctx.Err() != nil:
		return Output{}, context.Cause(ctx)
	case err != nil:
		return Output{}, failedCommand(err)
	}
	return Output{Stdout: out.String(), Cut: out.cut}, nil
}

// failedCommand says how a command failed.
func failedCommand(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return errors.New("the command ended with " + exit.Error())
	}
	return api.Errorf(api.ErrInvalid, "command", "it can't be run: %w", err)
}

// tail keeps the end of what is written.
type tail struct {
	buf bytes.Buffer
	cut bool
}

func (t *tail) Write(b []byte) (int, error) {
	t.buf.Write(b)
	if over := t.buf.Len() - maxOutput; over > 0 {
		t.buf.Next(over)
		t.cut = true
	}
	return len(b), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(t.buf.String(), "\uFFFD") }
