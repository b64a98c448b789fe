package pipeline

import "github.com/runnel-dev/runnel/api"

// Plan is a compiled pipeline. It is never changed, and shared by all that run
// it.
type Plan struct {
	Root *Chain
}

// Chain is steps one after the other.
type Chain struct {
	Steps []Step
	// Finally runs last, whatever happened; nil for none. Its place is
	// len(Steps), that of a step that follows the others.
	Finally *Step
	Inline  bool
	// State is the initial one.
	State State
	// Slots is how many of its steps are task runs of its own, Finally included.
	Slots int
}

// Kind is what a step does.
type Kind uint8

// The kinds of a step.
const (
	TaskStep Kind = iota + 1
	ValueStep
	GroupStep
	EachStep
	ChainStep
)

// Step is one entry of a chain.
type Step struct {
	Kind    Kind
	OnError bool // a handler: skipped unless a failure arrives
	Wait    bool // the run pauses when it has ended
	Ignore  bool // drops what arrives
	Slot    int  // of a task step: its number among the chain's task steps
	Task    *Task
	Value   Value
	Group   *Group // of a group or each
	Chain   *Chain
}

// Task is a call with everything that can be known before it runs.
type Task struct {
	Name     string
	Args     api.Args
	Spread   int
	Options  *api.Options // the call's over the declared ones
	NoResult bool
	Flow     bool
	Cached   bool
	// Alone: of those with one cache key, one runs at a time.
	Alone bool
	Told  bool // the worker is told how it ended
	Lane  Lane
}

// Group is what runs at the same time.
type Group struct {
	Children []*Chain // of a group
	Each     *Chain   // of an each; Children is nil
	api.GroupOptions
	// trips are the kill switches.
	trips []tripper
	// Empty is a group without any task; its result is [].
	Empty bool
	// Lane is where its children begin. Mixed: they do so in several; the queue
	// is of no meaning then, and the priority is the highest.
	Lane  Lane
	Mixed bool
	idle  bool // no child has a task
	// offsets[i] is where the keys of child i begin, counted from the first
	// child's; nil if each child has width keys.
	offsets []int64
	width   int64
}

// BlockSize is how many keys a chain is given at a time. With small blocks the
// keys of many chains at work are in about the order in which their rows are
// written, which keeps an ordered table fast.
const BlockSize = 16

// Width is how many keys the first block of a chain has.
func (c *Chain) Width() int64 { return int64(min(max(c.Slots, 1), BlockSize)) }

// Step gives the step at a place; len(Steps) is Finally.
func (c *Chain) Step(place int) *Step {
	if place == len(c.Steps) {
		return c.Finally
	}
	return &c.Steps[place]
}

// Single reports whether the chain is one plain task, which needs no frame of
// its own in a group.
func (c *Chain) Single() bool {
	return len(c.Steps) == 1 && c.Steps[0].Kind == TaskStep && c.Finally == nil && !c.State.Set
}

// First gives the task that the chain begins with, and its place; nil if it begins
// with a group, with another chain or not at all.
func (c *Chain) First() (at int, t *Task) {
	for i := range c.Steps {
		switch s := &c.Steps[i]; {
		case s.OnError || s.Kind == ValueStep: // skipped, or done at once
		case s.Kind == TaskStep:
			return i, s.Task
		default:
			return 0, nil
		}
	}
	return 0, nil
}

// Child gives the chain of child i.
func (g *Group) Child(i int) *Chain {
	if g.Each != nil {
		return g.Each
	}
	return g.Children[i]
}

// Offset is where the keys of child i begin, counted from the first child's.
func (g *Group) Offset(i int) int64 {
	if g.offsets != nil {
		return g.offsets[i]
	}
	return int64(i) * g.width
}

// ChildAt is the child that the key at an offset belongs to.
func (g *Group) ChildAt(offset int64) int {
	if g.offsets == nil {
		return int(offset / g.width)
	}
	lo, hi := 0, len(g.Children)
	for lo+1 < hi {
		if mid := (lo + hi) / 2; g.offsets[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// Keys is how many keys n children take.
func (g *Group) Keys(n int) int64 {
	if n == 0 {
		return 0
	}
	return g.Offset(n-1) + g.Child(n-1).Width()
}

// setKeys lays the children's keys one behind the other.
func (g *Group) setKeys() {
	if g.Each != nil {
		g.width = g.Each.Width()
		return
	}
	g.width = 1
	even := true
	for i, c := range g.Children {
		if i == 0 {
			g.width = c.Width()
		}
		even = even && c.Width() == g.width
	}
	if even {
		return
	}
	g.offsets = make([]int64, len(g.Children))
	next := int64(0)
	for i, c := range g.Children {
		g.offsets[i] = next
		next += c.Width()
	}
}

// Value is a value that the pipeline carries and does not look into: JSON in
// place, a reference to where it is kept, or both; or a failure. None of them is
// no value.
type Value struct {
	Data       []byte
	Blob, Size int64
	// Failure, if set, is the value: what a handler is given. Whoever needs JSON
	// encodes it.
	Failure *api.Failure
}

// State is the state of a pipeline. Merge says that it is a map.
type State struct {
	Data  []byte
	Merge bool
	Set   bool
}
