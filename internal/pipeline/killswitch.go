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
	if c.shape {
		return nil
	}
	if err := checkGroup(at, &g.GroupOptions); err != nil {
		return err
	}
	for i, k := range g.KillSwitches {
		at.enter("kill_switches", i)
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
		at.leave()
	}
	return nil
}

// HasSwitch reports whether the group has kill switches.
func (g *Group) HasSwitch() bool { return len(g.trips) > 0 }

// Trip is that a kill switch has stopped a group, when so many of its children
// had failed and ended.
type Trip struct {
	Switch string `json:"switch"`
	Failed int    `json:"failed"`
	Ended  int    `json:"ended"`
}

// Tripped asks the group's kill switches once one more of its children has
// ended, and gives the first that trips, nil for none.
func (g *Group) Tripped(total, ended, failed int) *Trip {
	// A child is cancelled only with its group: what has not failed completed.
	c := api.BatchCounts{Total: total, Ended: ended, Completed: ended - failed, Failed: failed}
	for i := range g.trips {
		if name := g.trips[i].tripped(c); name != "" {
			return &Trip{name, failed, ended}
		}
	}
	return nil
}

// Failure is that of the group, given how its children ended in the end, and the
// failures among them.
func (t *Trip) Failure(c api.BatchCounts, causes []*api.Failure) *api.Failure {
	return &api.Failure{
		Type: "*api.Error", Code: api.ErrKillSwitch.Code,
		Message: fmt.Sprintf("kill switch %s tripped at %d failed of %d ended: of %d children %d completed, %d failed, %d cancelled, %d never began",
			t.Switch, t.Failed, t.Ended, c.Total, c.Completed, c.Failed, c.Cancelled, c.Total-c.Ended),
		Causes: causes[:min(len(causes), api.MaxCauses)], Count: c.Failed,
		Killed: &api.Killed{Switch: t.Switch, BatchCounts: c},
	}
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
