package runnel

import (
	"encoding/json"
	"slices"
	"sync/atomic"

	"github.com/runnel-dev/runnel/api"
)

// plan is what the builders build, types erased: the pipeline so far, or the
// first error. It is a value that nobody changes: each method gives another.
type plan struct {
	steps   steps
	finally *api.Step
	inline  bool
	state   *api.SpecState
	err     error
	// refused is why a step can't be part of a pipeline, though it may be part
	// of a combined task.
	refused error
	// task is the one that a step is a plain call of, nil for all else.
	task *declaration
}

func planOf(step api.Step) plan { return plan{steps: steps{list: []api.Step{step}}} }

func failed(err error) plan { return plan{err: err} }

// problem gives the first error of building, also that there is nothing built.
func (p plan) problem() error {
	switch {
	case p.err != nil:
		return p.err
	case p.refused != nil:
		return p.refused
	case len(p.steps.list) == 0:
		return api.Errorf(ErrInvalid, "", "a pipeline has no steps")
	}
	return nil
}

// sent is the plan as a pipeline: what can't travel is an error now.
func (p plan) sent() plan {
	p.err, p.task = p.problem(), nil
	return p
}

// spec gives the plan as data, which must not be changed.
func (p plan) spec() *api.Spec {
	return &api.Spec{Steps: p.steps.list, Finally: p.finally, Inline: p.inline, State: p.state}
}

// value gives what the plan amounts to if it is one plain value.
func (p plan) value() (json.RawMessage, bool) {
	if len(p.steps.list) != 1 || p.finally != nil || p.inline || p.state != nil || p.steps.list[0].Wait {
		return nil, false
	}
	v := p.steps.list[0].Value
	return v, v != nil
}

// then appends the steps of another plan.
func (p plan) then(next plan) plan {
	return p.extend(next, func(steps []api.Step) []api.Step { return steps })
}

// extend appends what take makes of the steps of another plan.
func (p plan) extend(next plan, take func([]api.Step) []api.Step) plan {
	err := next.problem()
	switch {
	case p.err != nil:
		return p
	case len(p.steps.list) == 0:
		err = p.problem()
	case err != nil:
	case p.finally != nil || next.finally != nil:
		err = api.Errorf(ErrInvalid, "", "finally must come last")
	case next.state != nil:
		err = api.Errorf(ErrInvalid, "", "a pipeline with an initial state can't be appended to another")
	}
	if err != nil {
		return failed(err)
	}
	p.task = nil
	if p.refused == nil {
		p.refused = next.refused
	}
	p.steps = p.steps.append(take(next.steps.list)...)
	return p
}

// handle appends a plan that runs only if what is before it failed.
func (p plan) handle(handler plan) plan {
	return p.extend(handler, func(steps []api.Step) []api.Step { return []api.Step{asHandler(steps)} })
}

func asHandler(steps []api.Step) api.Step {
	step := steps[0]
	if len(steps) > 1 || step.Call == nil || step.OnError {
		step = api.Step{Chain: &api.Spec{Steps: steps}}
	}
	step.OnError = true
	return step
}

// finish sets what runs at the end in any case.
func (p plan) finish(last plan) plan {
	err := last.problem()
	switch {
	case p.err != nil:
		return p
	case err != nil:
		return failed(err)
	case p.finally != nil || last.finally != nil:
		return failed(api.Errorf(ErrInvalid, "", "a pipeline has two finally"))
	case last.state != nil:
		return failed(api.Errorf(ErrInvalid, "", "what runs finally can't have an initial state: it is given the pipeline's"))
	}
	step := last.steps.list[0]
	if len(last.steps.list) > 1 || last.inline {
		step = api.Step{Chain: last.spec()}
	}
	p.finally = &step
	return p
}

// editLast gives the plan with its last step changed.
func (p plan) editLast(change func(*api.Step)) plan {
	if n := len(p.steps.list); n > 0 && p.err == nil {
		p.steps, p.task = p.steps.edit(n-1, change), nil
	}
	return p
}

// spread cuts what arrives at the one step into n arguments.
func (p plan) spread(n int) plan {
	if p.err == nil {
		p.steps.list[0].Call.Spread = n // a call made just now, that nobody else has
		p.task = nil
	}
	return p
}

// ignoring drops what arrives.
func (p plan) ignoring() plan {
	switch {
	case p.err != nil || len(p.steps.list) == 0:
		return p
	case p.state != nil:
		return failed(api.Errorf(ErrInvalid, "", "a pipeline with an initial state can't be a step"))
	}
	p.inline = false
	p.steps = p.steps.edit(0, func(s *api.Step) { s.Ignore = s.Value == nil })
	return p
}

// set changes the options of the last step, which must be a task.
func (p plan) set(opts []CallOption) plan {
	changed, err := applyCall(opts)
	n := len(p.steps.list)
	switch {
	case p.err != nil || n == 0:
		return p
	case err != nil:
		return failed(err)
	case p.finally != nil || p.steps.list[n-1].Call == nil:
		return failed(api.Errorf(ErrInvalid, "", "Set is about the last step, which must be a task"))
	}
	return p.editLast(func(s *api.Step) {
		call := *s.Call
		call.Options = merged(call.Options, changed)
		s.Call = &call
	})
}

// steps is an immutable list. Lists that grow out of one another share an
// array: the first to append to the longest does so in place, any other copies,
// so that building a chain of n steps costs n.
type steps struct {
	list []api.Step
	used *atomic.Int64 // length of the longest list in the array; nil: not shared yet
}

func (s steps) append(more ...api.Step) steps {
	n, end := len(s.list), len(s.list)+len(more)
	if s.used != nil && end <= cap(s.list) && s.used.CompareAndSwap(int64(n), int64(end)) {
		return steps{append(s.list, more...), s.used}
	}
	grown := steps{append(s.list[:n:n], more...), new(atomic.Int64)}
	grown.used.Store(int64(end))
	return grown
}

// edit gives a copy with one step changed.
func (s steps) edit(i int, change func(*api.Step)) steps {
	list := slices.Clone(s.list)
	change(&list[i])
	return steps{list: list}
}
