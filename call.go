package runnel

import (
	"context"
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flow"
)

// Call calls the task from a flow and waits for its result.
func (t Task0[R]) Call(f Flow, opts ...SubmitOption) (R, error) {
	return t.Submit(f, opts...).Result(f)
}

// Call calls the task from a flow and waits for its result.
func (t Task1[A, R]) Call(f Flow, a A, opts ...SubmitOption) (R, error) {
	return t.Submit(f, a, opts...).Result(f)
}

// Call calls the task from a flow and waits for its result.
func (t Task2[A, B, R]) Call(f Flow, a A, b B, opts ...SubmitOption) (R, error) {
	return t.Submit(f, a, b, opts...).Result(f)
}

// Call calls the task from a flow and waits for its result.
func (t Task3[A, B, C, R]) Call(f Flow, a A, b B, c C, opts ...SubmitOption) (R, error) {
	return t.Submit(f, a, b, c, opts...).Result(f)
}

// Submit calls the task from a flow and goes on at once.
func (t Task0[R]) Submit(f Flow, opts ...SubmitOption) *Future[R] { return t.Send().Submit(f, opts...) }

// Submit calls the task from a flow and goes on at once.
func (t Task1[A, R]) Submit(f Flow, a A, opts ...SubmitOption) *Future[R] {
	return t.Send(a).Submit(f, opts...)
}

// Submit calls the task from a flow and goes on at once.
func (t Task2[A, B, R]) Submit(f Flow, a A, b B, opts ...SubmitOption) *Future[R] {
	return t.Send(a, b).Submit(f, opts...)
}

// Submit calls the task from a flow and goes on at once.
func (t Task3[A, B, C, R]) Submit(f Flow, a A, b B, c C, opts ...SubmitOption) *Future[R] {
	return t.Send(a, b, c).Submit(f, opts...)
}

// Submit runs the pipeline as part of a flow, and goes on at once. Options of a
// task, [Tags] among them, are the last step's, which must be a task then. Tags
// for all steps come from [Flow].WithTags.
func (p Pipeline[R]) Submit(f Flow, opts ...SubmitOption) *Future[R] {
	return submitPlan[R](f, p.plan, opts)
}

// Call runs the pipeline as part of a flow and waits for its result.
func (p Pipeline[R]) Call(f Flow, opts ...SubmitOption) (R, error) {
	return p.Submit(f, opts...).Result(f)
}

// Submit runs the pipeline as part of a flow; see [Pipeline.Submit].
func (c Closed[R]) Submit(f Flow, opts ...SubmitOption) *Future[R] {
	return submitPlan[R](f, c.plan, opts)
}

// Call runs the pipeline as part of a flow and waits for its result.
func (c Closed[R]) Call(f Flow, opts ...SubmitOption) (R, error) {
	return c.Submit(f, opts...).Result(f)
}

func submitPlan[R any](f Flow, p plan, opts []SubmitOption) *Future[R] {
	var bare func() plan
	if p.finally == nil && p.state == nil && len(p.steps.list) == 1 && p.steps.list[0].Call != nil {
		bare = func() plan { return p }
	}
	return submitCall[R](f, callName(p), nil, bare, func(context.Context) (plan, error) { return p, nil }, opts)
}

// callName is the name that a call has its key from.
func callName(p plan) string {
	if len(p.steps.list) > 0 && p.steps.list[0].Call != nil {
		return p.steps.list[0].Call.Task
	}
	return "pipeline"
}

// submitCall calls what build gives once the dependencies have ended. Bare gives
// the same without arguments before that; it is nil if that is not one task.
func submitCall[R any](
	f Flow, name string, deps []flow.Dep, bare func() plan, build func(context.Context) (plan, error), opts []SubmitOption,
) *Future[R] {
	if f == nil {
		return &Future[R]{err: api.Errorf(ErrInvalid, "", "%s: the Flow is nil", name)}
	}
	s := f.scope()
	o := submitted(opts)
	if o.err == nil {
		o.err = s.err
	}
	if o.err == nil {
		o.err = o.unkeyed()
	}
	for _, future := range o.waitFor {
		if future == nil {
			o.err = api.Errorf(ErrInvalid, "", "WaitFor of a nil future")
			break
		}
		inner, err := future.future()
		if err != nil {
			o.err = err
			break
		}
		_, allow := future.(interface{ allowed() })
		deps = append(deps, flow.Dep{Future: inner, Allow: allow})
	}
	if o.err != nil {
		return &Future[R]{err: o.err}
	}
	if o.name != "" {
		o.options.Name = o.name
	}
	c := flow.Call{Task: name, Deps: deps, Build: func() (*api.Spec, error) {
		p, err := build(s)
		if err != nil {
			return nil, err
		}
		return s.finished(p, &o)
	}}
	if bare != nil && len(deps) > 0 {
		c.Shape = func() (*api.Spec, error) { return s.finished(bare(), &o) }
	}
	return &Future[R]{inner: s.run.Submit(s, s.keys, c)}
}

// finished gives a plan as data, with options and tags added.
func (s *scope) finished(p plan, o *submission) (*api.Spec, error) {
	if err := p.problem(); err != nil {
		return nil, err
	}
	if !o.options.IsZero() {
		last := len(p.steps.list) - 1
		if p.finally != nil || p.steps.list[last].Call == nil {
			return nil, api.Errorf(ErrInvalid, "", "options of a task are about the last step, which must be one")
		}
		p = p.editLast(func(step *api.Step) {
			call := *step.Call
			call.Options = merged(call.Options, o.options)
			step.Call = &call
		})
	}
	spec := p.spec()
	if len(s.tags) > 0 {
		return tagged(spec, s.tags), nil
	}
	return spec, nil
}

// tagged gives a copy in which every call has more tags.
func tagged(spec *api.Spec, tags []string) *api.Spec {
	out := *spec
	out.Steps = make([]api.Step, len(spec.Steps))
	for i := range spec.Steps {
		out.Steps[i] = taggedStep(spec.Steps[i], tags)
	}
	if spec.Finally != nil {
		last := taggedStep(*spec.Finally, tags)
		out.Finally = &last
	}
	return &out
}

func taggedStep(step api.Step, tags []string) api.Step {
	switch {
	case step.Call != nil:
		call := *step.Call
		var o api.Options
		if call.Options != nil {
			o = *call.Options
		}
		o.AddTags = union(o.AddTags, tags)
		call.Options = &o
		step.Call = &call
	case step.Chain != nil:
		step.Chain = tagged(step.Chain, tags)
	case step.Each != nil:
		each := *step.Each
		each.Do = *tagged(&each.Do, tags)
		step.Each = &each
	case step.Group != nil:
		group := *step.Group
		group.Children = make([]api.Spec, len(step.Group.Children))
		for i := range group.Children {
			group.Children[i] = *tagged(&step.Group.Children[i], tags)
		}
		step.Group = &group
	}
	return step
}

// list joins JSON values to an array.
func list(values []json.RawMessage) json.RawMessage {
	b := json.RawMessage{'['}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}
