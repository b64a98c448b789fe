package pipeline

import "github.com/runnel-dev/runnel/api"

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
	for _, t := range g.trips {
		if t.trips(c) {
			return t.name
		}
	}
	return ""
}
