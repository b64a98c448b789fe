package pipeline

import (
	"fmt"

	"github.com/runnel-dev/runnel/api"
)

// tripper is a kill switch of a compiled group.
type tripper struct {
	name  string
	trips func(api.BatchCounts) bool
}

// options checks a group's options, and finds its kill switches.
func (c *compiler) options(at *place, g *Group) error {
	if err := checkGroup(at, &g.GroupOptions); err != nil {
		return err
	}
	for _, k := range g.KillSwitches {
		if err := k.Check(); err != nil {
			return at.invalid("%w", err)
		}
		trips := k.Trips
		if k.Kind == api.OwnSwitch {
			sig := c.tasks(k.Name)
			if sig == nil || sig.Trips == nil {
				return at.invalid("kill switch %q is not registered", k.Name)
			}
			trips = sig.Trips
		}
		g.trips = append(g.trips, tripper{k.String(), trips})
	}
	return nil
}

// HasSwitch reports whether the group has kill switches.
func (g *Group) HasSwitch() bool { return len(g.trips) > 0 }

// Tripped gives the first kill switch that trips, "" for none.
func (g *Group) Tripped(c api.BatchCounts) string {
	for i := range g.trips {
		if name := g.trips[i].tripped(c); name != "" {
			return name
		}
	}
	return ""
}

// tripped gives the switch's name if it trips. One that panics does: it is the
// user's code, and the engine, which asks again after a restart, has to survive it.
func (t *tripper) tripped(c api.BatchCounts) (name string) {
	defer func() {
		if v := recover(); v != nil {
			name = fmt.Sprintf("%s (panic: %v)", t.name, v)
		}
	}()
	if t.trips(c) {
		return t.name
	}
	return ""
}
