package pipeline

import (
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// Lane says who runs a task, and what goes first. The zero value is what a task
// has that says nothing.
type Lane struct {
	// Queue is the queue's name, "" for DefaultQueue; of a task that is known away
	// only, as Away makes it.
	Queue    string
	Priority int
}

// DefaultQueue is that of tasks that name none.
const DefaultQueue = "default"

// MaxPriority is the highest priority; the lowest is as far below 0.
const MaxPriority = 100

// ValidPriority reports whether n may be a priority.
func ValidPriority(n int) bool { return n >= -MaxPriority && n <= MaxPriority }

// Name gives the queue's name.
func (l Lane) Name() string {
	name, _ := SplitQueue(l.Queue)
	return name
}

// awaySep stands between a queue and a task. No queue has it in its name.
const awaySep = "\x00"

// Away gives the queue, as it stands in a Lane, of a task whose body nobody has who
// shares the store: only workers elsewhere that serve the queue and know the task can
// run it. So it is a queue of its own to whoever goes by queues.
func Away(queue, task string) string { return QueueOf(queue) + awaySep + task }

// IsAway reports whether a queue, as it stands in a Lane, is one of Away.
func IsAway(queue string) bool { return strings.Contains(queue, awaySep) }

// SplitQueue gives the name of a queue that stands in a Lane, and the task if it is
// one of Away.
func SplitQueue(queue string) (name, task string) {
	name, task, _ = strings.Cut(queue, awaySep)
	if name == "" {
		name = DefaultQueue
	}
	return name, task
}

// QueueOf gives a queue as it stands in a Lane.
func QueueOf(name string) string {
	if name == DefaultQueue {
		return ""
	}
	return name
}

func laneOf(sig *Signature, o *api.Options) Lane {
	l := Lane{Queue: QueueOf(o.Queue)}
	if sig.Away {
		l.Queue = Away(o.Queue, sig.Name)
	}
	if o.Priority != nil {
		l.Priority = *o.Priority
	}
	return l
}

// beginning is in which lanes something begins.
type beginning struct {
	lane  Lane
	any   bool // in one
	mixed bool // and in another
}

func (b *beginning) add(lane Lane, mixed bool) {
	high := max(b.lane.Priority, lane.Priority)
	switch {
	case !b.any:
		b.lane, b.any, b.mixed = lane, true, mixed
	case mixed || b.mixed || lane != b.lane:
		b.lane, b.mixed = Lane{Priority: high}, true
	}
}

// setLane says where the children of g begin.
func (g *Group) setLane() {
	var b beginning
	if g.Each != nil {
		b.chain(g.Each)
	}
	for _, c := range g.Children {
		b.chain(c)
	}
	g.Lane, g.Mixed, g.idle = b.lane, b.mixed, !b.any
}

// chain adds where chain c begins.
func (b *beginning) chain(c *Chain) {
	c.beginnings(func(lane Lane, g *Group) { b.add(lane, g != nil && g.Mixed) })
}

// beginnings visits where chain c begins: the lane of a task, or of the children
// of group g. It reports whether c has a task.
func (c *Chain) beginnings(visit func(lane Lane, g *Group)) (found bool) {
	for i := range c.Steps {
		s := &c.Steps[i]
		switch {
		case s.OnError: // nothing before it has failed
			continue
		case s.Kind == TaskStep:
			visit(s.Task.Lane, nil)
			return true
		case s.Kind == ChainStep && s.Chain.beginnings(visit):
			return true
		case s.Group == nil || s.Group.idle:
		default:
			visit(s.Group.Lane, s.Group)
			if s.Kind == GroupStep {
				return true
			}
			found = true // its list may be empty: what follows counts as well
		}
	}
	if c.Finally == nil {
		return found
	}
	return (&Chain{Steps: []Step{*c.Finally}}).beginnings(visit) || found
}

// Lane gives where chain c begins; of several lanes one.
func (c *Chain) Lane() Lane {
	var b beginning
	b.chain(c)
	return b.lane
}

// Begins reports whether some of what chain c begins with is in a queue that is
// served. One without tasks begins anywhere.
func (c *Chain) Begins(serves func(queue string) bool) bool {
	begins := false
	found := c.beginnings(func(lane Lane, g *Group) {
		begins = begins || (g == nil && serves(lane.Queue)) || (g != nil && g.begins(serves))
	})
	return begins || !found
}

func (g *Group) begins(serves func(queue string) bool) bool {
	switch {
	case !g.Mixed:
		return serves(g.Lane.Queue)
	case g.Each != nil:
		return g.Each.Begins(serves)
	}
	return slices.ContainsFunc(g.Children, func(c *Chain) bool { return c.Begins(serves) })
}
