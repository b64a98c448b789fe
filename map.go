package runnel

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/runnel-dev/runnel/api"
)

// Mapped is what Map can go over: a slice, an iterator, which is read as calls
// are made, futures, a mixture of both, or one value for all ([Unmapped]).
type Mapped[A any] interface {
	[]A | iter.Seq[A] | *Futures[A] | []*Future[A] | []Arg[A] | UnmappedArg[A]
}

// Unmapped gives the same value to every call of a Map.
func Unmapped[A any](v A) UnmappedArg[A] { return UnmappedArg[A]{v} }

// UnmappedArg is what [Unmapped] gives.
type UnmappedArg[A any] struct{ value A }

// Map calls the task for each element, and goes on at once. A call whose element
// is a future waits for that one only.
func (t Task1[A, R]) Map[X Mapped[A]](f Flow, xs X, opts ...SubmitOption) *Futures[R] {
	return mapOver[R](f, t.handle, []source{sourceOf[A](f, xs)}, opts)
}

// Map calls the task for each pair of elements, and goes on at once. Both must
// be of one length; [Unmapped] is for a value that is the same for all.
func (t Task2[A, B, R]) Map[X Mapped[A], Y Mapped[B]](f Flow, xs X, ys Y, opts ...SubmitOption) *Futures[R] {
	return mapOver[R](f, t.handle, []source{sourceOf[A](f, xs), sourceOf[B](f, ys)}, opts)
}

// Map calls the task for each triple of elements, and goes on at once. All must
// be of one length; [Unmapped] is for a value that is the same for all.
func (t Task3[A, B, C, R]) Map[X Mapped[A], Y Mapped[B], Z Mapped[C]](f Flow, xs X, ys Y, zs Z, opts ...SubmitOption) *Futures[R] {
	return mapOver[R](f, t.handle, []source{sourceOf[A](f, xs), sourceOf[B](f, ys), sourceOf[C](f, zs)}, opts)
}

// source gives the arguments of one place, one call after the other.
type source struct {
	next     func() (binding, bool)
	stop     func()
	length   int // -1: not known
	constant bool
	err      error
}

func sourceOf[A any, X Mapped[A]](f Flow, xs X) source {
	switch v := any(xs).(type) {
	case []A:
		i := 0
		return source{length: len(v), next: func() (binding, bool) {
			if i == len(v) {
				return binding{}, false
			}
			i++
			return constant(v[i-1]), true
		}}
	case iter.Seq[A]:
		next, stop := iter.Pull(v)
		return source{length: -1, stop: stop, next: func() (binding, bool) {
			a, more := next()
			if !more {
				return binding{}, false
			}
			return constant(a), true
		}}
	case *Futures[A]:
		if v == nil || v.err != nil {
			return source{err: api.Errorf(ErrInvalid, "", "Map over futures that are nil, or failed to be made")}
		}
		return argSource[A](f, v.list)
	case []*Future[A]:
		return argSource[A](f, v)
	case []Arg[A]:
		return argSource[A](f, v)
	case UnmappedArg[A]:
		b := constant(v.value)
		return source{length: -1, constant: true, next: func() (binding, bool) { return b, true }}
	}
	return source{err: api.Errorf(ErrInvalid, "", "Map can't go over %T", xs)}
}

func argSource[A any, X Arg[A]](f Flow, args []X) source {
	i := 0
	return source{length: len(args), next: func() (binding, bool) {
		if i == len(args) {
			return binding{}, false
		}
		i++
		return bindArg[A](args[i-1], f.scope()), true
	}}
}

func constant[A any](v A) binding {
	a := arg(v)
	return binding{err: a.err, value: func(context.Context) (json.RawMessage, *Failure, error) { return a.data, nil, nil }}
}

func mapOver[R any](f Flow, task handle, sources []source, opts []SubmitOption) *Futures[R] {
	out := &Futures[R]{}
	defer stopAll(sources)
	if out.err = mappable(task.Name(), f, sources); out.err != nil {
		return out
	}
	for {
		args, more, err := row(task.Name(), sources)
		if !more || err != nil {
			out.err = err
			return out
		}
		out.list = append(out.list, submitBound[R](f, task, args, opts))
	}
}

func stopAll(sources []source) {
	for _, s := range sources {
		if s.stop != nil {
			s.stop()
		}
	}
}

// mappable reports why there is nothing to go over.
func mappable(name string, f Flow, sources []source) error {
	length, some := -1, false
	for i, s := range sources {
		switch {
		case f == nil:
			return api.Errorf(ErrInvalid, "", "task %q: the Flow is nil", name)
		case s.err != nil:
			return api.Errorf(ErrInvalid, "", "task %q: argument %d: %w", name, i+1, s.err)
		case s.length >= 0 && length >= 0 && s.length != length:
			return api.Errorf(ErrInvalid, "", "task %q: argument %d has %d elements, one before it %d", name, i+1, s.length, length)
		}
		some = some || !s.constant
		length = max(length, s.length)
	}
	if !some {
		return api.Errorf(ErrInvalid, "", "task %q: every argument is Unmapped; there is nothing to go over", name)
	}
	return nil
}

// row gives the arguments of the next call.
func row(name string, sources []source) (args []binding, more bool, err error) {
	args = make([]binding, len(sources))
	ended, going := 0, 0
	for i, s := range sources {
		b, more := s.next()
		args[i] = b
		switch {
		case s.constant:
		case more:
			going++
		default:
			ended++
		}
	}
	if ended > 0 && going > 0 {
		return nil, false, api.Errorf(ErrInvalid, "", "task %q: the arguments are of different lengths", name)
	}
	return args, going > 0, nil
}
