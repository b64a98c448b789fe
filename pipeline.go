package runnel

import (
	"reflect"

	"github.com/runnel-dev/runnel/api"
)

// Pipeline is steps, one after the other, that end in an R. It is data, not
// work in progress: it is immutable, each method gives another one, it can be
// submitted any number of times, and sent as JSON to be submitted by another
// process.
//
// What the compiler can't see, such as an argument that can't be encoded or a
// negative limit, is kept and given by Err, when it is marshalled, and when it
// is submitted.
type Pipeline[R any] struct{ plan plan }

// Closed is a pipeline that ended with [Pipeline.FinallyDo]: nothing can follow.
type Closed[R any] struct{ plan plan }

// Runnable is what can be submitted, and what an orchestrator returns: a
// [Pipeline] or a [Closed] one.
type Runnable[R any] interface {
	// Err gives the first error made in building, nil if there is none.
	Err() error

	closed() Closed[R]
}

// Value is a pipeline that runs nothing and gives v.
func Value[R any](v R) Pipeline[R] {
	data, err := encodeArg(v)
	if err != nil {
		return Pipeline[R]{failed(err)}
	}
	return Pipeline[R]{planOf(api.Step{Value: data})}
}

// ContinueWith appends a step, which is given the result of the one before.
func (p Pipeline[A]) ContinueWith[B any](next Stepper[A, B]) Pipeline[B] {
	return Pipeline[B]{p.plan.then(stepPlan(next)).sent()}
}

// Exceptionally appends a handler, which is skipped unless the step before it
// failed or was skipped for a failure. It is given the failure, and its result
// takes the place of the missing one; what follows goes on with that. Several
// in a row: once one of them succeeds the others are skipped.
func (p Pipeline[R]) Exceptionally(handler Stepper[*Failure, R]) Pipeline[R] {
	return Pipeline[R]{p.plan.handle(stepPlan(handler)).sent()}
}

// FinallyDo closes the pipeline with what runs exactly once at its end, whether
// it went well, failed, or was cancelled. It gets its own arguments only and its
// result is dropped; should it fail, its failure is the run's, and the failure
// that it replaces stays as a cause. A cancelled run is CANCELLED all the same.
func (p Pipeline[R]) FinallyDo[F any](last Runnable[F]) Closed[R] {
	return Closed[R]{p.plan.finish(runnablePlan(last))}
}

// Set changes the options of the last step, which must be a task. What is not
// named stays; a retry policy replaces the former whole.
func (p Pipeline[R]) Set(opts ...CallOption) Pipeline[R] { return Pipeline[R]{p.plan.set(opts)} }

// Wait pauses the run when the last step has ended, well or not, until it is
// resumed. Branches of a group beside it start nothing new either.
func (p Pipeline[R]) Wait() Pipeline[R] {
	return Pipeline[R]{p.plan.editLast(func(last *api.Step) { last.Wait = true })}
}

// Inline is about a pipeline that an orchestrator returns: it starts with the
// state of the pipeline it is returned into and gives its own back. Otherwise
// the two are apart.
func (p Pipeline[R]) Inline() Pipeline[R] {
	p.plan.inline = true
	return p
}

// WithState gives the pipeline an initial state. Such a pipeline can't be part
// of another.
func (p Pipeline[R]) WithState[S any](state S) Pipeline[R] {
	data, err := encodeArg(state)
	switch {
	case p.plan.err != nil:
	case err != nil:
		p.plan = failed(err)
	default:
		p.plan.state = &api.SpecState{Value: data, Merge: merges[S]()}
	}
	return p
}

// merges reports whether states of the type are merged after a group.
func merges[S any]() bool { return reflect.TypeFor[S]().Kind() == reflect.Map }

// Ignoring makes the pipeline a step that drops what arrives.
func (p Pipeline[R]) Ignoring[A any]() Step[A, R] { return Step[A, R]{p.plan.ignoring()} }

// Err gives the first error made in building, nil if there is none.
func (p Pipeline[R]) Err() error { return p.plan.problem() }

// MarshalJSON gives the versioned form that docs/pipeline-json.md describes.
func (p Pipeline[R]) MarshalJSON() ([]byte, error) { return p.plan.marshal() }

// UnmarshalJSON reads the versioned form, made by whatever program. Task names,
// argument counts and types are checked when it is submitted.
func (p *Pipeline[R]) UnmarshalJSON(data []byte) (err error) {
	p.plan, err = parsed(data)
	return err
}

func (p Pipeline[R]) closed() Closed[R] { return Closed[R](p) }

// Inline is as [Pipeline.Inline].
func (c Closed[R]) Inline() Closed[R] { return Closed[R](Pipeline[R](c).Inline()) }

// WithState is as [Pipeline.WithState].
func (c Closed[R]) WithState[S any](state S) Closed[R] {
	return Closed[R](Pipeline[R](c).WithState(state))
}

// Err gives the first error made in building, nil if there is none.
func (c Closed[R]) Err() error { return c.plan.problem() }

// MarshalJSON gives the versioned form; see [Pipeline.MarshalJSON].
func (c Closed[R]) MarshalJSON() ([]byte, error) { return c.plan.marshal() }

// UnmarshalJSON reads the versioned form; see [Pipeline.UnmarshalJSON].
func (c *Closed[R]) UnmarshalJSON(data []byte) (err error) {
	c.plan, err = parsed(data)
	return err
}

func (c Closed[R]) closed() Closed[R] { return c }

// runnablePlan gives the plan of a runnable, an error for none.
func runnablePlan[R any](r Runnable[R]) plan {
	if r == nil {
		return failed(api.Errorf(ErrInvalid, "", "the pipeline is nil"))
	}
	return r.closed().plan
}

func (p plan) marshal() ([]byte, error) {
	if err := p.problem(); err != nil {
		return nil, err
	}
	return p.spec().MarshalJSON()
}

func parsed(data []byte) (plan, error) {
	spec, err := api.ParseSpec(data)
	if err != nil {
		return plan{}, err
	}
	p := plan{steps: steps{list: spec.Steps}, finally: spec.Finally, inline: spec.Inline, state: spec.State}
	return p, p.problem()
}
