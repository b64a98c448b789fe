package pipeline

import (
	"strconv"

	"github.com/runnel-dev/runnel/api"
)

// Shape makes a plan of a pipeline that has been accepted before, to tell where in
// it something stands: it knows no tasks, so it checks nothing, and nothing can be
// run by it. Slots, widths and offsets are those of the plan that Compile makes.
func Shape(spec *api.Spec) (*Chain, error) {
	c := compiler{shape: true}
	return c.chain(spec, new(place), anything, true)
}

// shapeOptions are those of every task of a shape.
var shapeOptions api.Options

// Path is the place of a step in the JSON form, within its chain.
func (c *Chain) Path(place int) string {
	if place == len(c.Steps) {
		return "finally"
	}
	return "steps[" + strconv.Itoa(place) + "]"
}

// AtSlot gives the path of the task or chain that has a slot of a chain's keys, and
// the step; nil if there is none.
func (c *Chain) AtSlot(slot int) (path string, _ *Step) {
	for place := range len(c.Steps) + 1 {
		s := c.step(place)
		switch {
		case s == nil:
		case s.Kind == TaskStep && s.Slot == slot, s.Kind == ChainStep && s.Slot == slot:
			return c.Path(place), s
		case s.Kind == ChainStep && s.Slot < slot && slot < s.Chain.Slots:
			below, at := s.Chain.AtSlot(slot)
			return c.Path(place) + ".chain." + below, at
		}
	}
	return "", nil
}

// step is Step for places that may have none.
func (c *Chain) step(place int) *Step {
	if place > len(c.Steps) {
		return nil
	}
	return c.Step(place)
}

// ChildPath is what stands between the place of a group and that of a step of its
// child i. All elements of an each have the same one.
func (g *Group) ChildPath(i int) string {
	if g.Each != nil {
		return ".each."
	}
	return ".children[" + strconv.Itoa(i) + "]."
}
