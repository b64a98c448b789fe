package runnel

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flow"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Flow is what the function of a flow is given: the context to call tasks with.
// No other context can be one, so the compiler sees to it that tasks are called
// from flows only. It is good until the flow's function has returned.
//
// A flow is durable because it is done again: after a crash its function runs
// from the top, and each call that has ended gives its recorded outcome at once.
// So what a flow does must follow from its arguments and from what its calls
// gave. Time comes from Now, and what is random or read from outside belongs
// into a task. Two flows that do the same in another order are different flows.
type Flow interface {
	context.Context

	// WithTags gives a Flow that adds tags to all that it calls, and to what is
	// called below that.
	WithTags(tags ...string) Flow
	// WithTimeout gives a Flow whose waits for calls, and Sleep, fail with
	// ErrTimeout once d has passed; [Future.Wait] ends then. What was called goes on.
	WithTimeout(d time.Duration) Flow
	// WithContext gives a Flow that takes values, and being cancelled, from ctx too.
	WithContext(ctx context.Context) Flow
	// Now gives the time, the same when the flow runs again.
	Now() (time.Time, error)
	// Sleep waits. After a crash it goes on, and does not begin again.
	Sleep(d time.Duration) error

	scope() *scope
}

// NewFlow0 makes a flow: a task whose function may call tasks, other flows among
// them. It is called, retried and timed out like any task, but holds no place
// among the running bodies, since it mostly waits. On a retry of the flow the
// calls that completed give their results again, and the others are made anew.
//
// A flow whose function returns without error is COMPLETED, whatever became of
// its calls. Calls that are still in progress then are waited for.
func NewFlow0[R any](name string, body func(f Flow) (R, error), opts ...TaskOption) Task0[R] {
	return Task0[R]{newFlow(name, 0, body == nil, func(f Flow, _, _, _ None) (R, error) { return body(f) }, opts)}
}

// NewFlow1 makes a flow with one argument; see [NewFlow0].
func NewFlow1[A, R any](name string, body func(f Flow, a A) (R, error), opts ...TaskOption) Task1[A, R] {
	return Task1[A, R]{newFlow(name, 1, body == nil, func(f Flow, a A, _, _ None) (R, error) { return body(f, a) }, opts)}
}

// NewFlow2 makes a flow with two arguments; see [NewFlow0].
func NewFlow2[A, B, R any](name string, body func(f Flow, a A, b B) (R, error), opts ...TaskOption) Task2[A, B, R] {
	return Task2[A, B, R]{newFlow(name, 2, body == nil, func(f Flow, a A, b B, _ None) (R, error) { return body(f, a, b) }, opts)}
}

// NewFlow3 makes a flow with three arguments; see [NewFlow0].
func NewFlow3[A, B, C, R any](name string, body func(f Flow, a A, b B, c C) (R, error), opts ...TaskOption) Task3[A, B, C, R] {
	return Task3[A, B, C, R]{newFlow(name, 3, body == nil, body, opts)}
}

func newFlow[A, B, C, R any](name string, arity int, noBody bool, body func(Flow, A, B, C) (R, error), opts []TaskOption) handle {
	d := declare[A, B, C, R](name, arity)
	d.configure(noBody, opts)
	d.work.Flow = true
	d.work.Run = func(b *worker.Body) (worker.Result, error) {
		x, y, z, err := begin[A, B, C](d, b)
		if err != nil {
			return worker.Result{}, err
		}
		engine, ok := b.Source().(flow.Engine)
		if !ok {
			return worker.Result{}, worker.Final(api.Errorf(ErrInvalid, "", "flow %q can't run here: this worker's engine is elsewhere", name))
		}
		run := flow.New(b, engine, b.Job(), nil)
		r, err := body(&scope{Context: b, run: run, body: b, keys: flow.NewScope(""), tags: b.Job().Tags}, x, y, z)
		if wrong := endFlow(b, run); wrong != nil {
			err = wrong
		}
		if err != nil {
			return worker.Result{}, err
		}
		return encodeResult(d, r)
	}
	return handle{decl: d}
}

// endFlow waits for what a flow left open. Its error takes the place of the
// function's.
func endFlow(b *worker.Body, run *flow.Run) error {
	interrupted, err := run.End()
	if interrupted {
		b.Interrupt()
	}
	if errors.Is(err, api.ErrChanged) {
		return worker.Final(err)
	}
	return err
}

// Go runs part of a flow on another goroutine. The flow does not end before it.
// The key names the part, once in a flow: calls in it have keys that begin with
// "key/". A second part with the same key is an error, which all of its calls
// give.
func Go(f Flow, key string, part func(f Flow)) {
	s := f.scope()
	keys, fresh := s.keys.Within(key)
	below := *s
	below.keys = keys
	if !fresh || key == "" {
		below.err = api.Errorf(ErrInvalid, "", "runnel.Go: key %q is empty, or used twice", key)
	}
	s.run.Go(func() { part(&below) })
}

// scope is the Flow that there is.
type scope struct {
	context.Context //nolint:containedctx // it is one

	run      *flow.Run
	body     *worker.Body
	keys     *flow.Scope
	tags     []string
	deadline time.Time
	err      error // why nothing can be called
}

func (s *scope) scope() *scope { return s }

func (s *scope) WithTags(tags ...string) Flow {
	below := *s
	below.tags = union(s.tags, tags)
	if slices.Contains(tags, "") && s.err == nil {
		below.err = api.Errorf(ErrInvalid, "", "WithTags: a tag is empty")
	}
	return &below
}

// union gives the tags of both, sorted, each once.
func union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

func (s *scope) WithTimeout(d time.Duration) Flow {
	below := *s
	if s.err != nil {
		return &below
	}
	at, err := s.run.Deadline(s, s.keys, d)
	if !s.deadline.IsZero() && s.deadline.Before(at) {
		at = s.deadline
	}
	below.deadline, below.err = at, err
	return &below
}

func (s *scope) WithContext(ctx context.Context) Flow {
	below := *s
	below.Context = &both{Context: s.Context, values: ctx}
	if ctx.Done() != nil {
		joined, cancel := context.WithCancelCause(s.Context)
		stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(s.Context, func() { stop() })
		below.Context = &both{Context: joined, values: ctx}
	}
	return &below
}

// both is a context with the values of another one too.
type both struct {
	context.Context //nolint:containedctx // it is one

	values context.Context //nolint:containedctx // it is one
}

func (c *both) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

func (s *scope) Now() (time.Time, error) {
	if s.err != nil {
		return time.Time{}, s.err
	}
	return s.run.Now(s, s.keys)
}

func (s *scope) Sleep(d time.Duration) error {
	if s.err != nil {
		return s.err
	}
	return s.run.Sleep(s, s.keys, d, s.deadline)
}

// wait waits for the end of a call.
func (s *scope) wait(f *flow.Future) (*api.FlowEnd, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.deadline.IsZero() {
		return f.Wait(s)
	}
	ended, err := s.run.WaitUntil(s, s.keys, f, s.deadline)
	if err == nil && !ended {
		err = api.Errorf(ErrTimeout, f.Key(), "did not end in time")
	}
	if err != nil {
		return nil, err
	}
	return f.Ended(), nil
}
