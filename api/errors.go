package api

import (
	"context"
	"errors"
	"fmt"
)

// Code says what kind of error it is. It survives the database and the wire.
type Code string

// Error is the one error type of Runnel: a code, the place it is about, what
// is wrong, and the cause if there is one. Compare with errors.Is and one of
// the Err variables.
type Error struct {
	Code  Code   `json:"code"`
	Where string `json:"where,omitempty"`
	Msg   string `json:"message"`
	Cause error  `json:"-"`
}

// The errors to compare with.
var (
	// ErrInvalid is input that can never work: a malformed pipeline, a bad option.
	ErrInvalid = &Error{Code: "invalid", Msg: "invalid"}
	// ErrUnknownTask is a task that nobody registered.
	ErrUnknownTask = &Error{Code: "unknown_task", Msg: "unknown task"}
	// ErrEncoding is a value that can't be encoded or decoded.
	ErrEncoding = &Error{Code: "encoding", Msg: "value can't be encoded"}
	// ErrNotFound is an id that is not known here.
	ErrNotFound = &Error{Code: "not_found", Msg: "not found"}
	// ErrConflict is an action that the present state does not allow, a second
	// answer, or an answer that came too late. Some have a code that says more, such as
	// "run_live" or "nothing_failed"; they match it all the same.
	ErrConflict = &Error{Code: "conflict", Msg: "not allowed in this state"}
	// ErrCancelled is the outcome of a cancelled run or task.
	ErrCancelled = &Error{Code: "cancelled", Msg: "cancelled"}
	// ErrTimeout is a body, or a wait, that took longer than allowed. It also
	// matches context.DeadlineExceeded.
	ErrTimeout = &Error{Code: "timeout", Msg: "timed out"}
	// ErrPanic is a body that panicked.
	ErrPanic = &Error{Code: "panic", Msg: "panic"}
	// ErrNotReady is a call that never ran, since what it depends on did not
	// complete.
	ErrNotReady = &Error{Code: "not_ready", Msg: "an upstream did not complete"}
	// ErrKillSwitch is a batch that was stopped since too much of it failed.
	ErrKillSwitch = &Error{Code: "kill_switch", Msg: "kill switch tripped"}
	// ErrChanged is a flow that, run again after a crash, does other than what it
	// has done.
	ErrChanged = &Error{Code: "changed", Msg: "the flow has changed"}
	// ErrClosed is an engine that was closed.
	ErrClosed = &Error{Code: "closed", Msg: "engine is closed"}
	// ErrStore is a store that can't be opened or written: in use by another
	// process, not a database, of a newer schema, read-only, full.
	ErrStore = &Error{Code: "store", Msg: "store"}
)

// Errorf makes an error of the kind of like, about the place where ("" for
// none). A %w in the format becomes its cause.
func Errorf(like *Error, where, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: like.Code, Where: where, Msg: err.Error(), Cause: errors.Unwrap(err)}
}

// Error gives place and message.
func (e *Error) Error() string {
	if e.Where == "" {
		return e.Msg
	}
	return e.Where + ": " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is compares codes.
func (e *Error) Is(target error) bool { return codeIs(e.Code, target) }

// wider has codes that are of the kind of another one.
var wider = map[Code]Code{
	"run_live": ErrConflict.Code, "run_final": ErrConflict.Code, "nothing_failed": ErrConflict.Code, "retried_meanwhile": ErrConflict.Code,
	"task_not_ended": ErrConflict.Code, "task_final": ErrConflict.Code, "task_replaced": ErrConflict.Code, "inside_call": ErrConflict.Code,
	"ambiguous_task": ErrConflict.Code,
}

func codeIs(code Code, target error) bool {
	switch code {
	case "":
		return false
	case ErrTimeout.Code:
		if target == context.DeadlineExceeded {
			return true
		}
	case ErrCancelled.Code:
		if target == context.Canceled {
			return true
		}
	}
	var e *Error
	t, ok := target.(*Error)
	if ok {
		e = t
	}
	return e != nil && (e.Code == code || e.Code == wider[code])
}
