package pipeline

import "github.com/runnel-dev/runnel/api"

// Compile checks a pipeline against the registered tasks and makes a plan of
// it. What is refused is an api.ErrInvalid or api.ErrUnknownTask that names the
// place, as in "steps[0].children[3].steps[1]".
func Compile(spec *api.Spec, tasks Registry) (*Plan, error) {
	c := compiler{tasks: tasks}
	root, err := c.chain(spec, new(place), none, true)
	if err != nil {
		return nil, err
	}
	return &Plan{Root: root}, nil
}

type compiler struct {
	tasks Registry
	depth int
	shape bool // nothing is known of tasks, see Shape
}

// chain compiles a chain that is given a value of kind in. Only a whole pipeline
// may have a state and a finally.
func (c *compiler) chain(spec *api.Spec, at *place, in kind, whole bool) (*Chain, error) {
	out := newChain(spec)
	out.Inline = spec.Inline
	_, err := c.into(out, spec, at, in, whole)
	return out, err
}

// newChain makes a chain with room for the steps and their tasks: one piece for the many
// that are one call, and three for all others.
func newChain(spec *api.Spec) *Chain {
	if len(spec.Steps) == 1 && spec.Steps[0].Call != nil {
		one := new(struct {
			chain Chain
			steps [1]Step
			task  Task
		})
		one.steps[0].Task = &one.task
		one.chain.Steps = one.steps[:]
		return &one.chain
	}
	calls := 0
	for i := range spec.Steps {
		if spec.Steps[i].Call != nil {
			calls++
		}
	}
	c, tasks := &Chain{Steps: make([]Step, len(spec.Steps))}, make([]Task, calls)
	for i := range spec.Steps {
		if spec.Steps[i].Call != nil {
			c.Steps[i].Task, tasks = &tasks[0], tasks[1:]
		}
	}
	return c
}

// into compiles the steps of a chain, and gives the kind of its result.
func (c *compiler) into(out *Chain, spec *api.Spec, at *place, in kind, whole bool) (kind, error) {
	if c.depth > api.MaxDepth {
		// It could be stored, but not read again.
		return in, at.invalid("nested deeper than %d levels", api.MaxDepth)
	}
	c.depth++
	defer func() { c.depth-- }()
	if len(spec.Steps) == 0 {
		return in, at.invalid("has no steps")
	}
	if spec.State != nil {
		if !whole {
			return in, at.invalid("has an initial state: only a whole pipeline may have one")
		}
		out.State = State{Data: spec.State.Value, Merge: spec.State.Merge, Set: true}
	}
	if spec.Finally != nil && !whole {
		return in, at.invalid("has a finally: only a whole pipeline may have one")
	}
	if spec.Steps[0].OnError {
		at.enter("steps", 0)
		return in, at.invalid("a chain can't begin with a handler: nothing before it can fail")
	}
	result := in
	for i := range spec.Steps {
		given := result
		if spec.Steps[i].OnError {
			given = object
		}
		at.enter("steps", i)
		kind, err := c.step(out, &out.Steps[i], &spec.Steps[i], at, given)
		if err != nil {
			return in, err
		}
		at.leave()
		if spec.Steps[i].OnError && kind != result {
			kind = anything
		}
		result = kind
	}
	if spec.Finally == nil {
		return result, nil
	}
	at.enter("finally", -1)
	if spec.Finally.OnError {
		return in, at.invalid("finally can't be a handler as well")
	}
	out.Finally = new(Step)
	_, err := c.step(out, out.Finally, spec.Finally, at, none)
	at.leave()
	if out.Finally.Kind == ValueStep {
		out.Finally = nil // it runs nothing
	}
	return result, err
}

func (c *compiler) step(in *Chain, out *Step, spec *api.Step, at *place, given kind) (kind, error) {
	out.OnError, out.Wait, out.Ignore = spec.OnError, spec.Wait, spec.Ignore
	if spec.Ignore {
		given = none
	}
	switch {
	case spec.Call != nil:
		out.Kind, out.Slot = TaskStep, in.Slots
		in.Slots++
		if out.Task == nil {
			out.Task = new(Task)
		}
		return c.call(out.Task, spec.Call, at, given)
	case spec.Group != nil:
		out.Kind = GroupStep
		return c.group(out, spec, at, given)
	case spec.Each != nil:
		return c.each(out, spec, at, given)
	case spec.Chain != nil:
		return c.nested(in, out, spec, at, given)
	}
	out.Kind, out.Value = ValueStep, Value{Data: spec.Value}
	return kindOf(spec.Value), nil
}

// nested compiles a chain that is a step: its tasks take keys of the chain that
// it stands in, and it takes one itself, never the first, to be known by.
func (c *compiler) nested(in *Chain, out *Step, spec *api.Step, at *place, given kind) (kind, error) {
	out.Kind = ChainStep
	out.Slot = max(in.Slots, 1)
	out.Chain = newChain(spec.Chain)
	out.Chain.Slots = out.Slot + 1
	at.enter("chain", -1)
	kind, err := c.into(out.Chain, spec.Chain, at, given, false)
	at.leave()
	in.Slots = out.Chain.Slots
	return kind, err
}

func (c *compiler) group(out *Step, spec *api.Step, at *place, given kind) (kind, error) {
	g := &Group{GroupOptions: spec.Group.GroupOptions}
	out.Group = g
	if err := c.options(at, g); err != nil {
		return given, err
	}
	g.Empty = !(&api.Spec{Steps: []api.Step{*spec}}).HasTask() && !spec.OnError
	g.Children = make([]*Chain, len(spec.Group.Children))
	for i := range spec.Group.Children {
		at.enter("children", i)
		chain, err := c.chain(&spec.Group.Children[i], at, given, false)
		if err != nil {
			return given, err
		}
		at.leave()
		g.Children[i] = chain
	}
	g.setKeys()
	g.setLane()
	return array, nil
}

func (c *compiler) each(out *Step, spec *api.Step, at *place, given kind) (kind, error) {
	out.Kind = EachStep
	g := &Group{GroupOptions: spec.Each.GroupOptions}
	out.Group = g
	if err := c.options(at, g); err != nil {
		return given, err
	}
	if given != array && given != anything {
		return given, at.invalid("each wants an array, got %s", given)
	}
	at.enter("each", -1)
	chain, err := c.chain(&spec.Each.Do, at, anything, false)
	at.leave()
	g.Each = chain
	if err == nil {
		g.setKeys()
		g.setLane()
	}
	return array, err
}

func checkGroup(at *place, o *api.GroupOptions) error {
	switch {
	case o.MaxParallelism < 0:
		return at.invalid("max_parallelism is %d; want 0 for no limit, or more", o.MaxParallelism)
	case o.NumStages < 0:
		return at.invalid("num_stages is %d; want 1 or more", o.NumStages)
	case o.FailFast && o.Settle:
		return at.invalid("fail_fast and settle contradict each other")
	case o.FailFast && len(o.KillSwitches) > 0:
		return at.invalid("fail_fast stops at the first failure, before kill switch %s could: want one of the two", o.KillSwitches[0])
	}
	return nil
}
