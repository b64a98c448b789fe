package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/runnel-dev/runnel/api"
)

// maxStack bounds the stack kept of a panic. 16 KiB.
const maxStack = 16 << 10

// panicked is a panic as an error.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

func (p *panicked) Is(target error) bool { return target == api.ErrPanic }

// Failure makes data of an error.
func (r *Registry) Failure(err error) (f *api.Failure) {
	f = new(api.Failure)
	defer func() { // the error's own methods may panic
		if v := recover(); v != nil {
			f.Message = fmt.Sprintf("%T, whose methods panic: %v", err, v)
		}
	}()
	f.Type = typeName(err)
	f.Message = err.Error()
	f.Code = codeOf(err)
	for _, known := range r.errors {
		if errors.Is(err, known.Err) {
			f.Names = append(f.Names, known.Name)
		}
	}
	if p, ok := errors.AsType[*panicked](err); ok {
		f.Stack = string(p.stack[:min(len(p.stack), maxStack)])
	}
	if given, ok := errors.AsType[*api.Failure](err); ok {
		f.Causes, f.Count = []*api.Failure{given}, 1
	}
	return f
}

// failure makes data of the error that the body gave. A body that only passes
// on that its context has ended failed for the reason that it has.
func (b *Body) failure(err error) *api.Failure {
	f := b.registry.Failure(err)
	f.Task, f.TaskRun, f.Attempt = b.job.Task, b.job.ID, b.job.Attempt
	b.mu.Lock()
	cause := b.cause
	b.mu.Unlock()
	var reason *api.Error
	if f.Code == "" && cause != nil && errors.Is(err, context.Canceled) && errors.As(cause, &reason) {
		f.Code = reason.Code
	}
	return f
}

// codeOf gives that of the error behind err which is Runnel's own.
func codeOf(err error) api.Code {
	var (
		p     *panicked
		own   *api.Error
		given *api.Failure
	)
	switch {
	case errors.As(err, &p):
		return api.ErrPanic.Code
	case errors.As(err, &given):
		return given.Code
	case errors.As(err, &own):
		return own.Code
	case errors.Is(err, context.DeadlineExceeded):
		return api.ErrTimeout.Code
	}
	return ""
}

// typeName gives the type of the first error in the chain that says more than
// that it wraps another.
func typeName(err error) string {
	for {
		switch err.(type) { //nolint:errorlint // it is the chain itself that is looked at.
		case *final, *panicked:
		default:
			if name := fmt.Sprintf("%T", err); name != "*fmt.wrapError" {
				return name
			}
		}
		next := errors.Unwrap(err)
		if next == nil {
			if p, ok := errors.AsType[*panicked](err); ok {
				return fmt.Sprintf("%T", p.value)
			}
			return fmt.Sprintf("%T", err)
		}
		err = next
	}
}
