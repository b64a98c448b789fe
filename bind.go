package runnel

import (
	"context"
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flow"
)

// Arg is an argument that may not be there yet: a [Future], a [Pipeline] (a
// [Value] among them), a *[Futures] or [Gather] for a list.
type Arg[T any] interface {
	bind(s *scope) binding
	// gives is never called: it is what makes an Arg of one type no Arg of another.
	gives(T)
}

// binding is an argument within a flow: what it waits for, and what it gives
// once that has ended.
type binding struct {
	deps  []flow.Dep
	value func(ctx context.Context) (json.RawMessage, *Failure, error)
	err   error
}

func bound(future *flow.Future, err error) binding {
	if err != nil {
		return binding{err: err}
	}
	return binding{deps: []flow.Dep{{Future: future}}, value: func(ctx context.Context) (json.RawMessage, *Failure, error) {
		if end := future.Ended(); end.State != api.Completed {
			return nil, failureOf(future, end), nil
		}
		v, err := future.Value(ctx)
		if v == nil {
			v = json.RawMessage("null")
		}
		return v, nil, err
	}}
}

func (r *Future[R]) gives(R)             {}
func (r *Future[R]) bind(*scope) binding { return bound(r.future()) }

func (p Pipeline[R]) gives(R) {}

func (p Pipeline[R]) bind(s *scope) binding {
	if v, plain := p.plan.value(); plain && p.plan.err == nil {
		return binding{value: func(context.Context) (json.RawMessage, *Failure, error) { return v, nil, nil }}
	}
	return p.Submit(s).bind(s)
}

func (r *Futures[R]) gives([]R) {}

func (r *Futures[R]) bind(s *scope) binding {
	if r == nil || r.err != nil {
		if r == nil {
			return binding{err: api.Errorf(ErrInvalid, "", "the futures are nil")}
		}
		return binding{err: r.err}
	}
	all := make([]binding, len(r.list))
	for i, future := range r.list {
		all[i] = future.bind(s)
	}
	return gathered(all)
}

// gathered is a list of arguments as one.
func gathered(all []binding) binding {
	var out binding
	for _, b := range all {
		out.deps = append(out.deps, b.deps...)
		if out.err == nil {
			out.err = b.err
		}
	}
	out.value = func(ctx context.Context) (json.RawMessage, *Failure, error) {
		values := make([]json.RawMessage, len(all))
		for i, b := range all {
			v, failure, err := b.value(ctx)
			if failure != nil || err != nil {
				return nil, failure, err
			}
			values[i] = v
		}
		return list(values), nil, nil
	}
	return out
}

// Gather makes one argument of several: a list.
func Gather[T any](args ...Arg[T]) Arg[[]T] { return gather[T](args) }

type gather[T any] []Arg[T]

func (g gather[T]) gives([]T) {}

func (g gather[T]) bind(s *scope) binding {
	all := make([]binding, len(g))
	for i, a := range g {
		if a == nil {
			return binding{err: api.Errorf(ErrInvalid, "", "Gather: argument %d is nil", i+1)}
		}
		all[i] = a.bind(s)
	}
	return gathered(all)
}

// AllowFailure makes an argument of what became of another: its value or its
// failure. So a call can take, or with [WaitFor] wait for, what may fail.
func AllowFailure[T any](a Arg[T]) AllowedArg[T] { return AllowedArg[T]{a} }

// AllowedArg is what [AllowFailure] gives.
type AllowedArg[T any] struct{ arg Arg[T] }

func (a AllowedArg[T]) gives(Outcome[T]) {}

func (a AllowedArg[T]) bind(s *scope) binding {
	if a.arg == nil {
		return binding{err: api.Errorf(ErrInvalid, "", "AllowFailure of nil")}
	}
	b := a.arg.bind(s)
	for i := range b.deps {
		b.deps[i].Allow = true
	}
	value := b.value
	b.value = func(ctx context.Context) (json.RawMessage, *Failure, error) {
		v, failure, err := value(ctx)
		if err != nil {
			return nil, nil, err
		}
		data, err := json.Marshal(Outcome[json.RawMessage]{Value: v, Failure: failure})
		return data, nil, err
	}
	return b
}

// ID gives the id of the call's task run.
func (a AllowedArg[T]) ID() string {
	if future, err := a.future(); err == nil {
		return future.ID()
	}
	return ""
}

func (a AllowedArg[T]) future() (*flow.Future, error) {
	if future, ok := a.arg.(*Future[T]); ok {
		return future.future()
	}
	return nil, api.Errorf(ErrInvalid, "", "WaitFor(AllowFailure(x)): x must be a future")
}

func (a AllowedArg[T]) allowed() {}

// Bound is a call with its arguments, some of which may not be there yet. It can
// be made in the flow that the futures belong to, and has no JSON.
type Bound[R any] struct {
	task handle
	args []func(s *scope) binding
}

// Bind gives a call of the task in a flow, with what another call gives as its
// argument: it waits for that one.
func (t Task1[A, R]) Bind(a Arg[A]) Bound[R] {
	return Bound[R]{t.handle, []func(*scope) binding{lazy[A](a)}}
}

// Bind gives a call of the task in a flow, with what other calls give as its
// arguments: it waits for them. [Value] is an argument that is there.
func (t Task2[A, B, R]) Bind(a Arg[A], b Arg[B]) Bound[R] {
	return Bound[R]{t.handle, []func(*scope) binding{lazy[A](a), lazy[B](b)}}
}

// Bind gives a call of the task in a flow, with what other calls give as its
// arguments: it waits for them. [Value] is an argument that is there.
func (t Task3[A, B, C, R]) Bind(a Arg[A], b Arg[B], c Arg[C]) Bound[R] {
	return Bound[R]{t.handle, []func(*scope) binding{lazy[A](a), lazy[B](b), lazy[C](c)}}
}

func lazy[T any](a Arg[T]) func(*scope) binding {
	return func(s *scope) binding { return bindArg(a, s) }
}

func bindArg[T any](a Arg[T], s *scope) binding {
	if a == nil {
		return binding{err: api.Errorf(ErrInvalid, "", "an argument is nil")}
	}
	return a.bind(s)
}

// Call makes the call and waits for its result.
func (b Bound[R]) Call(f Flow, opts ...SubmitOption) (R, error) {
	return b.Submit(f, opts...).Result(f)
}

// Submit makes the call once its arguments are there, and goes on at once.
func (b Bound[R]) Submit(f Flow, opts ...SubmitOption) *Future[R] {
	if f == nil {
		return &Future[R]{err: api.Errorf(ErrInvalid, "", "%s: the Flow is nil", b.task.Name())}
	}
	all := make([]binding, len(b.args))
	for i, a := range b.args {
		all[i] = a(f.scope())
	}
	return submitBound[R](f, b.task, all, opts)
}

func submitBound[R any](f Flow, task handle, args []binding, opts []SubmitOption) *Future[R] {
	var deps []flow.Dep
	for i, a := range args {
		if a.err != nil {
			return &Future[R]{err: api.Errorf(ErrInvalid, "", "task %q: argument %d: %w", task.Name(), i+1, a.err)}
		}
		deps = append(deps, a.deps...)
	}
	bare := func() plan { return task.call(make([]argument, len(args))...).sent() }
	return submitCall[R](f, task.Name(), deps, bare, func(ctx context.Context) (plan, error) {
		values := make([]argument, len(args))
		for i, a := range args {
			v, _, err := a.value(ctx) // a failure would have kept the call from being made
			if err != nil {
				return plan{}, err
			}
			values[i] = argument{data: v}
		}
		return task.call(values...).sent(), nil
	}, opts)
}
