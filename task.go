package runnel

import (
	"context"
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
)

// Task0 is a task without arguments.
type Task0[R any] struct{ handle }

// Task1 is a task with one argument.
type Task1[A, R any] struct{ handle }

// Task2 is a task with two arguments.
type Task2[A, B, R any] struct{ handle }

// Task3 is a task with three arguments; more go into a struct.
type Task3[A, B, C, R any] struct{ handle }

// NewTask0 makes a task of a function. Make tasks once, as package variables,
// and name them to [Register]: the name is how a worker finds the function, so
// it must not change while runs are live.
//
// Here and in its siblings: ctx is cancelled when the task is, or has timed
// out; everything else about the task is read from it, as with [TaskRun] and
// [Logger]. A function without a result returns [None]. What is wrong with the
// arguments is given by Err, and refused at [Open].
func NewTask0[R any](name string, body func(ctx context.Context) (R, error), opts ...TaskOption) Task0[R] {
	return Task0[R]{newTask(name, 0, body == nil, func(ctx context.Context, _, _, _ None) (R, error) { return body(ctx) }, opts)}
}

// NewTask1 makes a task of a function with one argument; see [NewTask0].
func NewTask1[A, R any](name string, body func(ctx context.Context, a A) (R, error), opts ...TaskOption) Task1[A, R] {
	return Task1[A, R]{newTask(name, 1, body == nil, func(ctx context.Context, a A, _, _ None) (R, error) { return body(ctx, a) }, opts)}
}

// NewTask2 makes a task of a function with two arguments; see [NewTask0].
func NewTask2[A, B, R any](name string, body func(ctx context.Context, a A, b B) (R, error), opts ...TaskOption) Task2[A, B, R] {
	return Task2[A, B, R]{newTask(name, 2, body == nil, func(ctx context.Context, a A, b B, _ None) (R, error) { return body(ctx, a, b) }, opts)}
}

// NewTask3 makes a task of a function with three arguments; see [NewTask0].
func NewTask3[A, B, C, R any](name string, body func(ctx context.Context, a A, b B, c C) (R, error), opts ...TaskOption) Task3[A, B, C, R] {
	return Task3[A, B, C, R]{newTask(name, 3, body == nil, body, opts)}
}

// Ref0 is a task known by its name only: one that is declared further down and
// calls this one in turn, or belongs to another program. Its types are checked
// against those of the registered task when a pipeline with it is submitted.
func Ref0[R any](name string) Task0[R] { return Task0[R]{ref[None, None, None, R](name, 0)} }

// Ref1 is a task with one argument, known by its name only; see [Ref0].
func Ref1[A, R any](name string) Task1[A, R] { return Task1[A, R]{ref[A, None, None, R](name, 1)} }

// Ref2 is a task with two arguments, known by its name only; see [Ref0].
func Ref2[A, B, R any](name string) Task2[A, B, R] {
	return Task2[A, B, R]{ref[A, B, None, R](name, 2)}
}

// Ref3 is a task with three arguments, known by its name only; see [Ref0].
func Ref3[A, B, C, R any](name string) Task3[A, B, C, R] {
	return Task3[A, B, C, R]{ref[A, B, C, R](name, 3)}
}

// Send is a pipeline of this one task.
func (t Task0[R]) Send() Pipeline[R] { return Pipeline[R]{t.call().sent()} }

// Send is a pipeline of this one task with its argument.
func (t Task1[A, R]) Send(a A) Pipeline[R] { return Pipeline[R]{t.call(arg(a)).sent()} }

// Send is a pipeline of this one task with its arguments.
func (t Task2[A, B, R]) Send(a A, b B) Pipeline[R] {
	return Pipeline[R]{t.call(arg(a), arg(b)).sent()}
}

// Send is a pipeline of this one task with its arguments.
func (t Task3[A, B, C, R]) Send(a A, b B, c C) Pipeline[R] {
	return Pipeline[R]{t.call(arg(a), arg(b), arg(c)).sent()}
}

// With is the task as a step, for where a [Step] is asked for; a [Stepper] is
// what the task itself is. What arrives is dropped: there is no argument.
func (t Task0[R]) With() Step[None, R] {
	p := t.call().editLast(func(s *api.Step) { s.Ignore = true })
	p.task = t.decl
	return Step[None, R]{p}
}

// With is the task as a step, for where a [Step] is asked for; a [Stepper] is
// what the task itself is.
func (t Task1[A, R]) With() Step[A, R] { return Step[A, R]{t.call()} }

// With binds all arguments but the first, which is what will arrive.
func (t Task2[A, B, R]) With(b B) Step[A, R] { return Step[A, R]{t.call(arg(b))} }

// With binds all arguments but the first, which is what will arrive.
func (t Task3[A, B, C, R]) With(b B, c C) Step[A, R] { return Step[A, R]{t.call(arg(b), arg(c))} }

// Spread feeds a pair into both arguments.
func (t Task2[A, B, R]) Spread() Step[Pair[A, B], R] { return Step[Pair[A, B], R]{t.call().spread(2)} }

// Spread feeds a triple into all three arguments.
func (t Task3[A, B, C, R]) Spread() Step[Triple[A, B, C], R] {
	return Step[Triple[A, B, C], R]{t.call().spread(3)}
}

// SpreadWith feeds a pair into the first two arguments and binds the third.
func (t Task3[A, B, C, R]) SpreadWith(c C) Step[Pair[A, B], R] {
	return Step[Pair[A, B], R]{t.call(arg(c)).spread(2)}
}

// WithOptions is the task with other options; what is not named stays as it
// was declared. It changes nothing but the calls made with the copy.
func (t Task0[R]) WithOptions(opts ...CallOption) Task0[R] { return Task0[R]{t.with(opts)} }

// WithOptions is the task with other options; what is not named stays as it
// was declared. It changes nothing but the calls made with the copy.
func (t Task1[A, R]) WithOptions(opts ...CallOption) Task1[A, R] { return Task1[A, R]{t.with(opts)} }

// WithOptions is the task with other options; what is not named stays as it
// was declared. It changes nothing but the calls made with the copy.
func (t Task2[A, B, R]) WithOptions(opts ...CallOption) Task2[A, B, R] {
	return Task2[A, B, R]{t.with(opts)}
}

// WithOptions is the task with other options; what is not named stays as it
// was declared. It changes nothing but the calls made with the copy.
func (t Task3[A, B, C, R]) WithOptions(opts ...CallOption) Task3[A, B, C, R] {
	return Task3[A, B, C, R]{t.with(opts)}
}

func (t Task0[R]) step() Step[None, R] { return t.With() }

func (t Task1[A, R]) step() Step[A, R] { return t.With() }

// AnyTask is a task of any type, as [Register] takes it.
type AnyTask interface {
	// Name gives the name that the task is registered under.
	Name() string
	// Err gives what is wrong with the task, nil if nothing is.
	Err() error

	declared() *declaration
}

// handle is what the four task types have in common: a declaration, shared by
// all copies, and the options of this copy.
type handle struct {
	decl    *declaration
	options *api.Options // nil: those declared
	err     error
}

// Name gives the name that the task is registered under.
func (h handle) Name() string {
	if h.decl == nil {
		return ""
	}
	return h.decl.name
}

// Err gives what is wrong with the task, nil if nothing is.
func (h handle) Err() error {
	switch {
	case h.decl == nil:
		return api.Errorf(ErrInvalid, "", "the task was not made by NewTask, NewOrchestrator, Combine or Ref")
	case h.decl.err != nil:
		return h.decl.err
	}
	return h.err
}

func (h handle) declared() *declaration { return h.decl }

func (h handle) with(opts []CallOption) handle {
	changed, err := applyCall(opts)
	if h.err == nil && err != nil {
		h.err = api.Errorf(ErrInvalid, "", "task %q: %w", h.Name(), err)
	}
	h.options = merged(h.options, changed)
	return h
}

// argument is an encoded argument, or why it can't be.
type argument struct {
	data []byte
	err  error
}

func arg[T any](v T) argument {
	data, err := encodeArg(v)
	return argument{data, err}
}

// oneCall is what a plan of one step that calls a task consists of, with room for one
// argument: all of it is made at once.
type oneCall struct {
	call api.Call
	args [1]json.RawMessage
	step [1]api.Step
}

// call is a plan of one step that calls the task.
func (h handle) call(args ...argument) plan {
	if err := h.Err(); err != nil {
		return plan{err: err}
	}
	one := &oneCall{call: api.Call{Task: h.decl.name, Options: h.options}}
	call := &one.call
	if n := len(args); n > 0 && n == len(h.decl.params) && h.decl.params[0].kind == "none" {
		args = args[1:] // none is no argument
	}
	switch len(args) {
	case 0:
	case 1:
		call.Args = one.args[:]
	default:
		call.Args = make(api.Args, len(args))
	}
	for i, a := range args {
		if a.err != nil {
			place := len(h.decl.params) - len(args) + i + 1
			return plan{err: api.Errorf(ErrEncoding, "", "task %q: argument %d: %w", h.decl.name, place, a.err)}
		}
		call.Args[i] = a.data
	}
	one.step[0].Call = call
	return plan{steps: steps{list: one.step[:]}, task: h.decl, refused: h.decl.refused}
}
