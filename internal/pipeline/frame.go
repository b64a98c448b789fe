package pipeline

// Frame is a composite in execution: a chain or a group. The frames of a run
// form a tree; only those in progress exist.
type Frame struct {
	ID     int64
	Parent *Frame // nil: the outermost chain
	Place  int    // step of the parent chain, child of the parent group
	// Cancelled: what stands in it is being cancelled. Frames below Finally
	// are not.
	Cancelled bool

	// Of a chain:
	Chain *Chain
	Pos   int     // the step in progress
	State State   // the current one; of a group: that each child starts with
	In    Value   // what the step in progress was given; of a group: each child, or the list
	Final Outcome // of the chain, while Finally runs
	// Report is the state to report at the end instead of State: that of the
	// chain whose place this one took.
	Report    State
	HasReport bool
	// Shares: a chain that gives its state to the chain above.
	Shares bool
	// PauseAfter pauses the run when the frame closes.
	PauseAfter bool
	// Again: a chain that a task returned which may run again if the chain fails.
	Again bool
	// Kept: a chain that a task returned whose result goes into the cache.
	Kept bool
	// Origin is that task, or the call of a flow that the chain is; it belongs to
	// the engine.
	Origin any

	// Of a group:
	Group *Group
	Count int // children; of an each filled in by the engine

	// Flow: its children are the calls of the flow at Place of Parent.
	Flow bool

	// Data belongs to the engine.
	Data any
}

// ChildFrame is the frame of a group's child that is a chain.
func ChildFrame(g *Frame, i int) *Frame {
	return &Frame{Parent: g, Place: i, Chain: g.Group.Child(i), State: g.State, Cancelled: g.Cancelled}
}

// Returned is the frame of a chain that the task at place of f returned, when
// the state was as given.
func Returned(f *Frame, place int, c *Chain, state State, pause bool) *Frame {
	child := &Frame{Parent: f, Place: place, Chain: c, PauseAfter: pause, Cancelled: f.covers(place)}
	child.isolate(state)
	child.Again, child.Kept = f.Task(place).retriesChild(), f.Task(place).Cached
	return child
}

// Nested is the frame of a chain that is the step at place of f.
func Nested(f *Frame, place int) *Frame {
	return &Frame{Parent: f, Place: place, Chain: f.Chain.Step(place).Chain, State: f.State, Shares: true, Cancelled: f.covers(place)}
}

// GroupFrame is the frame of the group at place of f, which is given f.In.
func GroupFrame(f *Frame, place int) *Frame {
	g := f.Chain.Step(place).Group
	return &Frame{Parent: f, Place: place, Group: g, Count: len(g.Children), State: f.State, In: f.In, Cancelled: f.covers(place)}
}

// Task gives the task at a place of f.
func (f *Frame) Task(place int) *Task {
	if f.Group != nil {
		return f.Group.Child(place).Steps[0].Task
	}
	return f.Chain.Step(place).Task
}

// covers reports whether a cancellation of f reaches what stands at place.
func (f *Frame) covers(place int) bool {
	return f.Cancelled && (f.Chain == nil || place < len(f.Chain.Steps))
}

// isolate gives f, which runs a returned chain, its first state: none, its own
// initial one, or with Inline that of the chain it was returned into.
func (f *Frame) isolate(outer State) {
	if !f.Chain.Inline && !f.HasReport {
		f.Report, f.HasReport = outer, true
	}
	if f.Chain.Inline && !f.HasReport {
		f.Shares = true
	}
	switch {
	case f.Chain.State.Set:
		f.State = f.Chain.State
	case f.Chain.Inline:
		f.State = outer
	default:
		f.State = State{}
	}
}

// Restore puts f back to before the task at a place of it ran, which was given
// the state.
func Restore(f *Frame, state State) {
	if f.Chain != nil {
		f.State = state
	}
}

func (t *Task) retriesChild() bool { return t.Options.Retry != nil && t.Options.Retry.Child }

// FlowFrame is the frame of the calls that the flow at place of f makes.
func FlowFrame(f *Frame, place int) *Frame {
	return &Frame{Parent: f, Place: place, Flow: true, Cancelled: f.covers(place)}
}

// CallFrame is the frame of a chain that a flow calls.
func CallFrame(flow *Frame, place int, c *Chain) *Frame {
	return &Frame{Parent: flow, Place: place, Chain: c, State: c.State, Cancelled: flow.Cancelled}
}

// BeginCall starts the chain of a CallFrame.
func BeginCall(effects []Effect, f *Frame) []Effect { return advance(effects, f, -1, Outcome{}) }
