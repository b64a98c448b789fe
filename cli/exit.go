package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitAuth        = 3
	exitNotFound    = 4
	exitConflict    = 5
	exitTimeout     = 6
	exitUnreachable = 7
	exitPartly      = 8
	exitRunFailed   = 10
	exitRunStopped  = 11
	exitInterrupted = 130
)

// fault is an error that knows its exit code, its line on what to do, or both.
type fault struct {
	code   int // 0: that of the cause
	hint   string
	silent bool // all is said already
	cause  error
}

func (f *fault) Error() string { return f.cause.Error() }
func (f *fault) Unwrap() error { return f.cause }

// usagef is an error of who typed the command.
func usagef(format string, args ...any) error {
	return &fault{code: exitUsage, cause: api.Errorf(&api.Error{Code: "usage"}, "", format, args...)}
}

// hinted adds what to do about an error.
func hinted(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &fault{hint: fmt.Sprintf(format, args...), cause: err}
}

// ended is the exit of a command whose output is complete, with a code that is not 0.
func ended(code int, why string) error {
	return &fault{code: code, silent: true, cause: errors.New(why)}
}

// codes of errors, whether they come over the network or from this process.
var exits = map[api.Code]int{
	httpapi.CodeUnauthorized:    exitAuth,
	httpapi.CodeForbidden:       exitAuth,
	httpapi.CodePrecondition:    exitConflict,
	httpapi.CodeMalformed:       exitUsage,
	httpapi.CodeTooLarge:        exitUsage,
	httpapi.ErrUnreachable.Code: exitUnreachable,
	api.ErrInvalid.Code:         exitUsage,
	api.ErrEncoding.Code:        exitUsage,
	api.ErrUnknownTask.Code:     exitNotFound,
	api.ErrNotFound.Code:        exitNotFound,
	api.ErrConflict.Code:        exitConflict,
	api.ErrChanged.Code:         exitConflict,
	api.ErrTimeout.Code:         exitTimeout,
	api.ErrClosed.Code:          exitUnreachable,
	api.ErrStore.Code:           exitUnreachable,
}

// report writes an error in two lines, what it is and what to do, and gives the
// exit code.
func (env *Env) report(ctx context.Context, cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	var f *fault
	hint := ""
	for at := err; errors.As(at, &f); at = f.cause {
		if hint == "" {
			hint = f.hint
		}
		if f.silent {
			return f.code
		}
	}
	code, exit := env.kind(ctx, err)
	if exit == exitInterrupted {
		return exit
	}
	if exit == exitTimeout && errors.Is(context.Cause(cmd.Context()), errTimeout) {
		err = errTimeout // whatever noticed it first
	}
	if hint == "" {
		hint = hintOf(exit, cmd)
	}
	fmt.Fprintf(env.Err, "error: %s (%s)\n  %s\n", err, code, hint)
	if p, ok := errors.AsType[*httpapi.Problem](err); ok {
		for _, d := range p.Errors {
			fmt.Fprintf(env.Err, "  %s: %s\n", d.Location, d.Message)
		}
		if env.flags.verbose && p.RequestID != "" {
			fmt.Fprintf(env.Err, "  request %s\n", p.RequestID)
		}
	}
	return exit
}

// kind gives an error's code and exit code.
func (env *Env) kind(ctx context.Context, err error) (api.Code, int) {
	var f *fault
	var p *httpapi.Problem
	var known *api.Error
	var code api.Code
	switch {
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		return api.ErrTimeout.Code, exitTimeout
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return "interrupted", exitInterrupted
	case errors.As(err, &p):
		code = p.Code
	case errors.As(err, &known):
		code = known.Code
	case !env.started: // cobra found no such command, or no such flag
		return "usage", exitUsage
	default:
		return "failure", exitFailure
	}
	for at := err; errors.As(at, &f); at = f.cause {
		if f.code != 0 {
			return code, f.code
		}
	}
	if exit, ok := exits[code]; ok {
		return code, exit
	}
	if errors.Is(err, api.ErrConflict) { // of which some have a code that says more
		return code, exitConflict
	}
	if p != nil && p.Status == http.StatusServiceUnavailable {
		return code, exitUnreachable
	}
	return code, exitFailure
}

// hintOf is what to do where nothing better is known.
func hintOf(exit int, cmd *cobra.Command) string {
	switch exit {
	case exitUnreachable:
		return "is it running? Start one with: runnel server; or say where it is: --server URL, --db DSN"
	case exitAuth:
		return "the server does not allow it to you; see: runnel help environment"
	case exitTimeout:
		return "it may still happen; --timeout gives it longer"
	}
	return fmt.Sprintf("see: %s --help", cmd.CommandPath())
}

// codeOf gives the code that an error has, "" for none.
func codeOf(err error) api.Code {
	var p *httpapi.Problem
	var known *api.Error
	switch {
	case errors.As(err, &p):
		return p.Code
	case errors.As(err, &known):
		return known.Code
	}
	return ""
}
