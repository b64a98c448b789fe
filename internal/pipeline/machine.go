package pipeline

import (
	"slices"

	"github.com/runnel-dev/runnel/api"
)

// Status is how something ended.
type Status uint8

// The ways to end.
const (
	Done Status = iota
	Failed
	Cancelled
)

// Outcome is how a step, a frame or the run ended.
type Outcome struct {
	Status  Status
	Value   Value        // with Done
	Failure *api.Failure // with Failed
}

// End is the event that what stood at a place has ended.
type End struct {
	Outcome
	// State is the state afterwards, if SetState. A task that failed sets none.
	State    State
	SetState bool
	// Child takes the place of a task that returned a pipeline.
	Child *Chain
	// Pause pauses the run.
	Pause bool
}

// EffectKind is what the engine has to do.
type EffectKind uint8

// The effects.
const (
	// Start starts the task at Place of Frame with Input.
	Start EffectKind = iota + 1
	// Open makes Frame exist. A group's children are started with Child; an
	// each's Count is yet to be filled in.
	Open
	// Tail says that Frame, a chain, goes on with the chain that a task returned.
	Tail
	// Close says that Frame ended with Outcome and State.
	Close
	// Join says that the child at Place of the group Frame ended.
	Join
	// Pause pauses the run.
	Pause
	// Finish says that the run ended with Outcome and State.
	Finish
	// Answer says that Frame, a chain that a flow called, ended with Outcome.
	Answer
	// TryAgain says that Frame, a chain with Again, failed with Outcome and would
	// leave State: the task that returned it runs again, after Restore, or GiveUp
	// says what follows.
	TryAgain
)

// Effect is one answer to an event.
type Effect struct {
	Kind    EffectKind
	Frame   *Frame
	Place   int
	Task    *Task
	Input   Value
	Outcome Outcome
	State   State
}

var emptyList = Value{Data: []byte("[]")}

// Begin starts a run: root is its outermost frame, with only Chain set.
func Begin(effects []Effect, root *Frame) []Effect {
	if root.Chain.State.Set {
		root.State = root.Chain.State
	}
	return advance(effects, root, -1, Outcome{})
}

// Child starts child i of a group, which is not Immediate, with what it is
// given: its element of the list if the group is an each.
func Child(effects []Effect, g *Frame, i int, in Value) []Effect {
	c := g.Group.Child(i)
	if c.Single() {
		in = c.Steps[0].Takes(in)
		return append(effects, Effect{Kind: Start, Frame: g, Place: i, Task: c.Steps[0].Task, Input: in})
	}
	f := ChildFrame(g, i)
	return advance(append(effects, Effect{Kind: Open, Frame: f}), f, -1, Outcome{Value: in})
}

// Ended answers that what stood at place of frame f has ended.
func Ended(effects []Effect, f *Frame, place int, end End) []Effect {
	if f.Group != nil {
		return childEnded(effects, f, place, end)
	}
	step := f.Chain.Step(place)
	final := place == len(f.Chain.Steps)
	if f.Cancelled && !final {
		end.Outcome, end.Child = Outcome{Status: Cancelled}, nil
	}
	if end.Child != nil {
		return descend(effects, f, place, end)
	}
	f.keep(place, end)
	if step.Wait || end.Pause {
		effects = append(effects, Effect{Kind: Pause, Frame: f})
	}
	if final {
		return leave(effects, f, f.finalOutcome(end.Outcome))
	}
	if step.Kind == TaskStep && step.Task.NoResult && end.Status == Done {
		end.Value = Value{}
	}
	return advance(effects, f, place, end.Outcome)
}

// keep takes over the state after the step at place, unless that is Finally,
// whose state nobody sees.
func (f *Frame) keep(place int, end End) {
	if end.SetState && place < len(f.Chain.Steps) {
		f.State = end.State
	}
}

// GroupEnded answers that the last child of group g has ended. Outcome and
// state are those put together from its children.
func GroupEnded(effects []Effect, g *Frame, out Outcome, state State) []Effect {
	effects = append(effects, Effect{Kind: Close, Frame: g, Outcome: out, State: state})
	return Ended(effects, g.Parent, g.Place, End{Outcome: out, State: state, SetState: true})
}

// GiveUp answers that the task of a TryAgain does not run again.
func GiveUp(effects []Effect, try Effect) []Effect {
	return left(effects, try.Frame, try.Outcome, try.State)
}

// childEnded: a task that is itself a child of group g has ended.
func childEnded(effects []Effect, g *Frame, i int, end End) []Effect {
	step := &g.Group.Child(i).Steps[0]
	if g.Cancelled {
		end.Outcome, end.Child = Outcome{Status: Cancelled}, nil
	}
	state := g.State
	if end.SetState {
		state = end.State
	}
	if end.Child != nil {
		f := Returned(g, i, end.Child, state, step.Wait || end.Pause)
		return advance(append(effects, Effect{Kind: Open, Frame: f}), f, -1, Outcome{})
	}
	if step.Wait || end.Pause {
		effects = append(effects, Effect{Kind: Pause, Frame: g})
	}
	if step.Task.NoResult && end.Status == Done {
		end.Value = Value{}
	}
	return append(effects, Effect{Kind: Join, Frame: g, Place: i, Outcome: end.Outcome, State: state})
}

// descend goes on in the chain that the task at place returned. If nothing of f
// is left to do, the chain takes its place: so a recursion without end needs
// one frame.
func descend(effects []Effect, f *Frame, place int, end End) []Effect {
	step := f.Chain.Step(place)
	state := f.State
	if end.SetState {
		state = end.State
	}
	f.keep(place, end)
	last := place == len(f.Chain.Steps)-1 && f.Chain.Finally == nil
	if last && !step.Wait && !end.Pause && !step.Task.NoResult && !step.Task.retriesChild() && !step.Task.Cached {
		f.Chain, f.Pos = end.Child, -1
		f.isolate(state)
		effects = append(effects, Effect{Kind: Tail, Frame: f})
		return advance(effects, f, -1, Outcome{})
	}
	c := Returned(f, place, end.Child, state, end.Pause)
	return advance(append(effects, Effect{Kind: Open, Frame: c}), c, -1, Outcome{})
}

// advance goes on in chain f after the step at pos ended with out.
func advance(effects []Effect, f *Frame, pos int, out Outcome) []Effect {
	place, out, wait := f.Chain.walk(pos, out)
	if wait {
		effects = append(effects, Effect{Kind: Pause, Frame: f})
	}
	return enter(effects, f, place, out)
}

// enter starts the step at place with out, or ends the chain.
func enter(effects []Effect, f *Frame, place int, out Outcome) []Effect {
	f.Pos = place
	if place == len(f.Chain.Steps) {
		if f.Chain.Finally == nil {
			return leave(effects, f, out)
		}
		f.Final, f.In = out, Value{}
		return start(effects, f, place, Value{})
	}
	step := &f.Chain.Steps[place]
	f.In = step.Takes(out.given())
	return start(effects, f, place, f.In)
}

func start(effects []Effect, f *Frame, place int, in Value) []Effect {
	step := f.Chain.Step(place)
	switch step.Kind {
	case TaskStep:
		return append(effects, Effect{Kind: Start, Frame: f, Place: place, Task: step.Task, Input: in})
	case ChainStep:
		c := Nested(f, place)
		return advance(append(effects, Effect{Kind: Open, Frame: c}), c, -1, Outcome{Value: in})
	default:
		return append(effects, Effect{Kind: Open, Frame: GroupFrame(f, place)})
	}
}

// leave ends chain f and goes on above it.
func leave(effects []Effect, f *Frame, out Outcome) []Effect {
	state := f.State
	if f.HasReport {
		state = f.Report
	}
	if f.Cancelled {
		out = Outcome{Status: Cancelled}
	}
	if f.Parent == nil {
		return append(effects, Effect{Kind: Finish, Frame: f, Outcome: out, State: state})
	}
	if f.Again && out.Status == Failed {
		return append(effects, Effect{Kind: TryAgain, Frame: f, Outcome: out, State: state})
	}
	return left(effects, f, out, state)
}

// left goes on above chain f, which has ended.
func left(effects []Effect, f *Frame, out Outcome, state State) []Effect {
	if f.Parent.Flow {
		return append(effects, Effect{Kind: Answer, Frame: f, Outcome: out, State: state})
	}
	effects = append(effects, Effect{Kind: Close, Frame: f, Outcome: out, State: state})
	if f.Parent.Group != nil {
		if f.PauseAfter {
			effects = append(effects, Effect{Kind: Pause, Frame: f.Parent})
		}
		if out.Status == Done && f.Parent.noResult(f.Place) {
			out.Value = Value{}
		}
		return append(effects, Effect{Kind: Join, Frame: f.Parent, Place: f.Place, Outcome: out, State: state})
	}
	return Ended(effects, f.Parent, f.Place, End{Outcome: out, State: state, SetState: f.Shares, Pause: f.PauseAfter})
}

// next finds the step that follows the one at pos, which ended with out, and
// what it is given. len(Steps) is the end.
func (c *Chain) next(pos int, out Outcome) (int, Outcome) {
	place, out, _ := c.walk(pos, out)
	return place, out
}

// walk is next that also reports whether a value on the way wants the run to
// pause. Values and empty groups are all that there is on the way.
func (c *Chain) walk(pos int, out Outcome) (place int, _ Outcome, wait bool) {
	if out.Status == Cancelled {
		return len(c.Steps), out, false
	}
	for i := pos + 1; i < len(c.Steps); i++ {
		s := &c.Steps[i]
		switch {
		case s.OnError != (out.Status == Failed):
			// An ordinary step after a failure, or a handler without one.
		case s.Kind == ValueStep:
			out, wait = Outcome{Value: s.Value}, wait || s.Wait
		case s.Kind == GroupStep && s.Group.Empty:
			out = Outcome{Value: emptyList}
		default:
			return i, out, wait
		}
	}
	return len(c.Steps), out, wait
}

// finalOutcome is that of the chain once Finally ended with out: its failure
// replaces the outcome and keeps a replaced failure as a cause.
func (f *Frame) finalOutcome(out Outcome) Outcome {
	if out.Status != Failed || f.Final.Status == Cancelled {
		return f.Final
	}
	if f.Final.Status == Failed {
		failure := *out.Failure
		failure.Causes = append(slices.Clip(failure.Causes), f.Final.Failure)
		failure.Count++
		out.Failure = &failure
	}
	return out
}

// given is what the next step gets: the value, or the failure as one.
func (o Outcome) given() Value {
	if o.Status == Failed {
		return Value{Failure: o.Failure}
	}
	return o.Value
}

// noResult reports whether child i of group g is a task without result, whose
// returned pipeline's value is dropped.
func (f *Frame) noResult(i int) bool {
	c := f.Group.Child(i)
	return c.Single() && c.Steps[0].Task.NoResult
}

// Immediate gives the outcome of a chain that needs no task to run: values and
// empty groups only. Such a child of a group leaves no record.
func (c *Chain) Immediate(in Value) (Outcome, bool) {
	if c.Finally != nil {
		return Outcome{}, false
	}
	place, out := c.next(-1, Outcome{Value: in})
	return out, place == len(c.Steps)
}

// Takes gives what the step gets of what arrives.
func (s *Step) Takes(in Value) Value {
	if s.Ignore {
		return Value{}
	}
	return in
}
