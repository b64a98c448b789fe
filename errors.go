package runnel

import (
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Failure is why a task, a group or a run failed: data that is stored, given to
// [Pipeline.Exceptionally] handlers, and returned as an error. errors.Is and
// errors.As reach its causes.
//
// Runnel's own errors match on both sides of the database; those of the user's
// do if they were named with [Errors]; others keep type name and message.
type Failure = api.Failure //nolint:errname // it is data as much as an error

// The errors to compare with.
var (
	// ErrInvalid is input that can never work: a malformed pipeline, a bad
	// option, a task registered twice.
	ErrInvalid = api.ErrInvalid
	// ErrUnknownTask is a task that nobody registered.
	ErrUnknownTask = api.ErrUnknownTask
	// ErrEncoding is a value that can't be encoded or decoded.
	ErrEncoding = api.ErrEncoding
	// ErrNotFound is an id that is not known here.
	ErrNotFound = api.ErrNotFound
	// ErrConflict is an action that the present state does not allow, a second
	// answer, or one that came too late.
	ErrConflict = api.ErrConflict
	// ErrCancelled is the outcome of a cancelled run or task. It also matches
	// context.Canceled.
	ErrCancelled = api.ErrCancelled
	// ErrTimeout is a body, or a wait, that took longer than allowed. It also
	// matches context.DeadlineExceeded.
	ErrTimeout = api.ErrTimeout
	// ErrPanic is a body that panicked.
	ErrPanic = api.ErrPanic
	// ErrNotReady is a call of a flow that never ran, since what it depends on did
	// not complete.
	ErrNotReady = api.ErrNotReady
	// ErrKillSwitch is a batch that was stopped since too much of it failed.
	ErrKillSwitch = api.ErrKillSwitch
	// ErrChanged is a flow that, run again after a crash, does other than what it
	// has done.
	ErrChanged = api.ErrChanged
	// ErrClosed is an engine that was closed.
	ErrClosed = api.ErrClosed
	// ErrStore is a store that can't be opened or written.
	ErrStore = api.ErrStore

	// ErrAbort is what the error of a hook must wrap to fail the task.
	ErrAbort = worker.ErrAbort

	// Pending is what a body returns as its error to leave the task open until
	// somebody calls [Engine.Complete] or [Engine.Fail] with its [Token].
	Pending = worker.ErrPending //nolint:errname // it is no failure
)
