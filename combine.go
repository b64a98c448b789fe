package runnel

import (
	"context"
	"errors"
	"io"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Combine makes one task of two, whose runs are one run on one worker in one
// process. What the first gives goes to the second in memory and need not be
// encodable: an io.ReadCloser, a channel, a file in the [TempDir] that they
// share. Should the second not run, a value that is an io.Closer is closed.
//
// A part is a plain task, with its trailing arguments bound or without, or a
// combined one; anything else, an orchestrator say, is an error given by Err
// and refused at [Open]. Parts need not be registered. Their hooks are called,
// and their timings are kept as Parts of the task run; of options only those
// of the combined task count, its retries start again with the first part.
func Combine[A, M, R any](name string, first Stepper[A, M], second Stepper[M, R], opts ...TaskOption) Task1[A, R] {
	one, two := partOf(stepPlan(first)), partOf(stepPlan(second))
	body := func(ctx context.Context, a A, _, _ None) (r R, err error) {
		rest, err := two.arguments()
		if err != nil {
			return r, err
		}
		m, err := one.begin(ctx, a)
		if err != nil {
			return r, err
		}
		out, err := two.feed(ctx, m, rest)
		return as[R](out), err
	}
	return Task1[A, R]{newCombined(name, 1, body, opts, one, two)}
}

// Combine2 is [Combine] with an argument for each part: the first one goes to
// the first part, the second one to the second part beside what the first gives.
func Combine2[A, M, B, R any](name string, first Stepper[A, M], second Task2[M, B, R], opts ...TaskOption) Task2[A, B, R] {
	one, two := partOf(stepPlan(first)), partOf(second.call())
	body := func(ctx context.Context, a A, b B, _ None) (r R, err error) {
		m, err := one.begin(ctx, a)
		if err != nil {
			return r, err
		}
		out, err := two.feed(ctx, m, []any{b})
		return as[R](out), err
	}
	return Task2[A, B, R]{newCombined(name, 2, body, opts, one, two)}
}

// CombineVia is [Combine] with a function between the parts, for when the
// second wants something else than what the first gives. Should the function
// fail, what it was given is closed as well.
func CombineVia[A, M, N, R any](name string, first Stepper[A, M], stitch func(context.Context, M) (N, error), second Stepper[N, R], opts ...TaskOption) Task1[A, R] {
	one, two := partOf(stepPlan(first)), partOf(stepPlan(second))
	if stitch == nil && one.err == nil {
		one.err = api.Errorf(ErrInvalid, "", "there is no function between the parts")
	}
	body := func(ctx context.Context, a A, _, _ None) (r R, err error) {
		rest, err := two.arguments()
		if err != nil {
			return r, err
		}
		m, err := one.begin(ctx, a)
		if err != nil {
			return r, err
		}
		n, err := stitched(ctx, as[M](m), stitch)
		if err != nil {
			return r, err
		}
		out, err := two.feed(ctx, n, rest)
		return as[R](out), err
	}
	return Task1[A, R]{newCombined(name, 1, body, opts, one, two)}
}

// part is one of the two tasks of a combined one.
type part struct {
	task  *declaration
	bound api.Args
	err   error
}

func partOf(p plan) part {
	switch {
	case p.err != nil:
		return part{err: p.err}
	case p.task == nil:
		return part{err: api.Errorf(ErrInvalid, "", "a part must be one plain task, with arguments bound or without: no group, no pipeline")}
	case p.task.direct == nil:
		return part{err: api.Errorf(ErrInvalid, "", "a part must be one plain task: %q is an orchestrator, or known by its name only", p.task.name)}
	}
	return part{task: p.task, bound: p.steps.list[0].Call.Args}
}

func newCombined[A, B, R any](name string, arity int, body func(context.Context, A, B, None) (R, error), opts []TaskOption, parts ...part) handle {
	h := newTask(name, arity, false, body, opts)
	h.decl.combined = true
	for _, p := range parts {
		switch {
		case p.err != nil && h.decl.err == nil:
			h.decl.err = api.Errorf(ErrInvalid, "", "combined task %q: %w", name, p.err)
		case p.err != nil:
		case p.task.combined: // it leaves no line of its own in the record
			h.decl.work.Parts = append(h.decl.work.Parts, p.task.work.Parts...)
		default:
			h.decl.work.Parts = append(h.decl.work.Parts, &p.task.work)
		}
	}
	return h
}

// arguments decodes the bound ones, which follow the first.
func (p part) arguments() ([]any, error) {
	values := make([]any, len(p.bound))
	for i, data := range p.bound {
		at := len(p.task.params) - len(p.bound) + i
		v, err := p.task.params[at].value(data)
		if err != nil {
			return nil, worker.Final(api.Errorf(ErrEncoding, "", "task %q: argument %d: %w", p.task.name, at+1, err))
		}
		values[i] = v
	}
	return values, nil
}

// begin runs the part as the first one.
func (p part) begin(ctx context.Context, a any) (any, error) {
	rest, err := p.arguments()
	if err != nil {
		return nil, err
	}
	m, err := p.run(ctx, a, rest, func() {})
	if errors.Is(err, Pending) {
		return nil, api.Errorf(ErrInvalid, "", "task %q can't wait for an answer from outside: another part follows", p.task.name)
	}
	return m, err
}

// feed runs the part with what the one before it gave, and closes that if it
// does not come to it.
func (p part) feed(ctx context.Context, m any, rest []any) (any, error) {
	reached := false
	defer func() {
		if !reached {
			release(m)
		}
	}()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return p.run(ctx, m, rest, func() { reached = true })
}

func (p part) run(ctx context.Context, first any, rest []any, reached func()) (out any, err error) {
	args := append([]any{first}, rest...)[:len(p.task.params)] // a task without arguments drops the first
	given := false
	err = worker.From(ctx).Part(&p.task.work, p.task.combined, func() error { //nolint:contextcheck // the body is the context
		reached()
		var err error
		out, err = p.task.direct(ctx, args)
		given = err == nil
		return err
	})
	if err != nil && given {
		release(out) // a hook aborted
	}
	return out, err
}

func stitched[M, N any](ctx context.Context, m M, stitch func(context.Context, M) (N, error)) (n N, err error) {
	done := false
	defer func() {
		if !done {
			release(m)
		}
	}()
	if ctx.Err() != nil {
		return n, context.Cause(ctx)
	}
	n, err = stitch(ctx, m)
	done = err == nil
	return n, err
}

// release closes a value that nobody will use.
func release(v any) {
	if c, ok := v.(io.Closer); ok {
		_ = c.Close() // the error that led here is the one to report
	}
}

// as gives a value in memory its type back; nil is the zero value.
func as[T any](v any) T {
	t, _ := v.(T)
	return t
}
