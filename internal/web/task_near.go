package web

import (
	"net/url"

	"github.com/runnel-dev/runnel/api"
)

// nearby are task runs that come before or after another one, in one way.
type nearby struct {
	ID, Title string
	All       []neighbour
	More      int // that are not among All
}

// neighbour is one of them.
type neighbour struct {
	Look     look   // nothing, if its state is not known
	ID, Name string // Name: "" if it is not known
	URL      string // "": it is a pipeline, which has no page
}

const (
	// nearRuns is how many task runs a run may have in which those are looked for that come
	// after one: all of them are read.
	nearRuns = 200
	// nearShown is how many are shown of a kind.
	nearShown = 50
)

// around gives what comes before and after a task run. It says itself what comes before
// it; what comes after is found in runs that are not large.
func around(v *view, run *api.Run, t *api.TaskRun) ([]nearby, error) {
	var found list[api.TaskRun]
	if counts := totals(run); counts.Ended()+counts.Open() <= nearRuns {
		var err error
		if found, err = get[list[api.TaskRun]](v, at("/runs/%/tasks", run.ID), url.Values{"limit": {number0(nearRuns)}}); err != nil {
			return nil, err
		}
	}
	caller, given := nearby{ID: "caller", Title: "It was called by"}, nearby{ID: "given", Title: "It was given the results of"}
	called, gave := nearby{ID: "called", Title: "It has called"}, nearby{ID: "gave", Title: "Its result went to"}
	names := map[string]neighbour{}
	for i := range found.Items {
		one := neighbourOf(&found.Items[i])
		names[one.ID] = one
		if found.Items[i].Caller == t.ID {
			called.add(one)
		}
		for _, u := range found.Items[i].Upstream {
			if u.TaskRun == t.ID {
				gave.add(one)
			}
		}
	}
	if t.Caller != "" {
		caller.add(neighbour{Look: names[t.Caller].Look, ID: t.Caller, Name: names[t.Caller].Name, URL: taskURL(t.Caller)})
	}
	for _, u := range t.Upstream {
		given.add(neighbour{Look: lookOf(u.State), ID: u.TaskRun, Name: names[u.TaskRun].Name, URL: taskURL(u.TaskRun)})
	}
	var all []nearby
	for _, n := range []nearby{caller, given, called, gave} {
		if len(n.All) > 0 {
			all = append(all, n)
		}
	}
	return all, nil
}

func neighbourOf(t *api.TaskRun) neighbour {
	return neighbour{Look: named(t.State, t.StateName), ID: t.ID, Name: t.Name, URL: taskURL(t.ID)}
}

func (n *nearby) add(one neighbour) {
	if len(n.All) == nearShown {
		n.More++
		return
	}
	n.All = append(n.All, one)
}
