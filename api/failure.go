package api

import (
	"errors"
	"strings"
)

// MaxCauses is how many causes a Failure keeps; Count has the true number.
const MaxCauses = 100

// Failure is why a task, a group or a run failed. It is data: it is stored,
// handed to Exceptionally tasks as their argument, and given back as an error.
// errors.Is and errors.As reach its causes.
type Failure struct {
	// Task is the task's name; empty for a group.
	Task string `json:"task,omitempty"`
	// TaskRun is the id of the task run; empty for a group.
	TaskRun string `json:"task_run,omitempty"`
	// Attempt counts from 1; 0 for a group.
	Attempt int `json:"attempt,omitempty"`
	// Type is the Go type of the error, as in "*fs.PathError".
	Type string `json:"type,omitempty"`
	// Code is that of the [Error] behind it, if it was one of Runnel's.
	Code Code `json:"code,omitempty"`
	// Message is the error's text.
	Message string `json:"message"`
	// Names are those under which the error was registered at Open.
	Names []string `json:"names,omitempty"`
	// Stack is the goroutine's stack if the body panicked.
	Stack string `json:"stack,omitempty"`
	// Causes are the failures behind this one: of a group, one for each failed
	// child in declaration order, 100 at most.
	Causes []*Failure `json:"causes,omitempty"`
	// Count is the number of causes before they were cut to 100.
	Count int `json:"count,omitempty"`
	// Killed is set of a group that a kill switch stopped.
	Killed *Killed `json:"killed,omitempty"`

	// known are the registered errors that Names stand for, or the error itself
	// where it never left the process.
	known []error
}

// Error gives the message, and those of the causes of a group. The message of
// a failure that passes another one on has that one's already.
func (f *Failure) Error() string {
	if len(f.Causes) == 0 || len(f.Causes) == 1 && strings.Contains(f.Message, f.Causes[0].Error()) {
		return f.Message
	}
	var b strings.Builder
	b.WriteString(f.Message)
	for i, c := range f.Causes {
		if b.Len() > 2000 {
			b.WriteString(" | …")
			break
		}
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString(" | ")
		}
		b.WriteString(c.Error())
	}
	return b.String()
}

// Unwrap gives the causes and the registered errors behind the failure.
func (f *Failure) Unwrap() []error {
	errs := make([]error, 0, len(f.Causes)+len(f.known))
	errs = append(errs, f.known...)
	for _, c := range f.Causes {
		errs = append(errs, c)
	}
	return errs
}

// Is compares the failure's code.
func (f *Failure) Is(target error) bool { return codeIs(f.Code, target) }

// Resolve attaches to f and its causes the errors that their names stand for,
// so that errors.Is finds them. It returns f.
func (f *Failure) Resolve(named map[string]error) *Failure {
	if f == nil || len(named) == 0 {
		return f
	}
	for _, name := range f.Names {
		if err := named[name]; err != nil && !errors.Is(errors.Join(f.known...), err) {
			f.known = append(f.known, err)
		}
	}
	for _, c := range f.Causes {
		c.Resolve(named)
	}
	return f
}
