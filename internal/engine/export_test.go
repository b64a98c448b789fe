package engine

import "github.com/runnel-dev/runnel/api"

// Recount gives what is open of a live run by name, found by looking at all of it. All
// that was decided has to be durable, and advanced from.
func (e *Engine) Recount(id string) map[string]api.TaskCounts {
	r, err := e.liveHere(id)
	if err != nil {
		return nil
	}
	all := make(map[string]api.TaskCounts)
	count := func(name string, pick func(*api.TaskCounts) *int64) {
		n := all[name]
		*pick(&n)++
		all[name] = n
	}
	for _, t := range r.liveTasks() {
		count(t.Task, func(n *api.TaskCounts) *int64 {
			switch {
			case t.State == api.Running:
				return &n.Running
			case t.Attempt > 1:
				return &n.Retrying
			}
			return &n.Pending
		})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.dispatch.mu.Lock()
	defer e.dispatch.mu.Unlock()
	for _, g := range r.groups {
		more := func(i int) {
			if name := g.firstOf(i); name != "" {
				count(name, func(n *api.TaskCounts) *int64 { return &n.Pending })
			}
		}
		owed := 0
		for i := range g.count {
			if i >= g.next && !g.passed(i) || g.unserved.n > 0 && g.unserved.has(i) && !g.immediate(i) && (g.skip == nil || !g.skip(i)) && g.stuck > 0 {
				more(i)
				owed++
			}
		}
		for _, l := range g.later {
			more(l.index)
			owed++
		}
		if owed != g.owed {
			panic("children that have not begun are not those that are owed")
		}
	}
	return all
}
