// Package ledger notes on a file which bodies ran. The file outlives the
// process: what was noted before a SIGKILL stays. Program checker reads it.
//
// A line is one of
//
//	start PID TASKRUN TASK ATTEMPT
//	end PID TASKRUN TASK ATTEMPT ok|error
//	late PID
//	gone PID
//
// and is written by a single write to a file that only grows, so lines of
// several goroutines never mix.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/runnel-dev/runnel"
)

// Book writes a ledger. Its methods Started and Finished are hooks, for
// [runnel.OnStarted] and [runnel.OnFinished]. The zero Book writes nothing
// until it is opened.
type Book struct{ file atomic.Pointer[os.File] }

// Open starts to write at the end of a file.
func (b *Book) Open(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err == nil {
		b.file.Store(file)
	}
	return err
}

// Started notes that a body begins.
func (b *Book) Started(ctx context.Context) error { return b.write(ctx, "start", "") }

// Finished notes that a body has ended.
func (b *Book) Finished(ctx context.Context, how runnel.Finished) error {
	if how.Err != nil {
		return b.write(ctx, "end", " error")
	}
	return b.write(ctx, "end", " ok")
}

// Leaving notes that this process is about to close its engine: others go on with
// its flows from then on, so their bodies begin anew.
func (b *Book) Leaving() error {
	file := b.file.Load()
	if file == nil {
		return nil
	}
	_, err := fmt.Fprintf(file, "late %d\ngone %[1]d\n", os.Getpid())
	return err
}

// write fails the task if the line can't be written: no body may run unnoted.
func (b *Book) write(ctx context.Context, what, outcome string) error {
	file := b.file.Load()
	if file == nil {
		return nil
	}
	run := runnel.TaskRun(ctx)
	_, err := fmt.Fprintf(file, "%s %d %s %s %d%s\n", what, os.Getpid(), run.ID, run.Task, run.Attempt, outcome)
	if err != nil {
		return fmt.Errorf("ledger: %w", errors.Join(err, runnel.ErrAbort))
	}
	return nil
}
