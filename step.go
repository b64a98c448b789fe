package runnel

import "github.com/runnel-dev/runnel/api"

// Step is the open end of a pipeline: it takes an A and gives a B. It is
// immutable; each method gives another.
type Step[A, B any] struct{ plan plan }

// Stepper is what can follow a step that gives an A: a [Step], a [Task1], or a
// [Task0] where A is [None].
type Stepper[A, B any] interface {
	// Err gives what is wrong with it, nil if nothing is.
	Err() error

	step() Step[A, B]
}

func (s Step[A, B]) step() Step[A, B] { return s }

// Err gives the first error made in building, nil if there is none.
func (s Step[A, B]) Err() error { return s.plan.problem() }

// ContinueWith appends a step, which is given the result of this one.
func (s Step[A, B]) ContinueWith[C any](next Stepper[B, C]) Step[A, C] {
	return Step[A, C]{s.plan.then(stepPlan(next))}
}

// Exceptionally appends a handler; see [Pipeline.Exceptionally].
func (s Step[A, B]) Exceptionally(handler Stepper[*Failure, B]) Step[A, B] {
	return Step[A, B]{s.plan.handle(stepPlan(handler))}
}

// Wait pauses the run when the last step has ended; see [Pipeline.Wait].
func (s Step[A, B]) Wait() Step[A, B] {
	return Step[A, B]{s.plan.editLast(func(last *api.Step) { last.Wait = true })}
}

// Set changes the options of the last step; see [Pipeline.Set].
func (s Step[A, B]) Set(opts ...CallOption) Step[A, B] { return Step[A, B]{s.plan.set(opts)} }

// WithInitial closes the step with what its beginning is given. A beginning
// that is a group gives it to every child.
func (s Step[A, B]) WithInitial(a A) Pipeline[B] { return Value(a).ContinueWith(s) }

// stepPlan gives the plan of a stepper, an error for none.
func stepPlan[A, B any](s Stepper[A, B]) plan {
	if s == nil {
		return failed(api.Errorf(ErrInvalid, "", "the step is nil"))
	}
	return s.step().plan
}
