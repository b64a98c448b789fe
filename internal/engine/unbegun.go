package engine

import "github.com/runnel-dev/runnel/api"

// This file keeps the counters of a run's task runs that have not ended: one that is
// born is in one of Pending, Running and Retrying. They move when something is
// durable, as those of what has ended do, but that a body begins shows at once. All of
// it is called with run.mu.

// column is where a task run counts that stands in a phase.
func column(n *api.TaskCounts, at phase, attempt int32) *int64 {
	switch {
	case at == claimed || at == waiting:
		return &n.Running
	case attempt > 1:
		return &n.Retrying
	}
	return &n.Pending
}

// bear says that what lets t start is durable. If a child of a group begins with it, it
// was counted before.
func (t *task) bear() {
	switch g, i := t.opens(); {
	case t.born || t.phase == over:
	case g != nil && g.counted(i):
		t.born = true
	default:
		t.appear()
	}
}

// appear has t shown, and counted where it stands.
func (t *task) appear() {
	if !t.born && t.phase != over {
		t.born = true
		*column(t.run.counts.of(t.call.Name), t.phase, t.attempt)++
	}
}

// given says that a worker gets t, which is ready.
func (t *task) given() {
	n := t.run.counts.of(t.call.Name)
	*column(n, ready, t.attempt)--
	n.Running++
}

// takenBack undoes given.
func (t *task) takenBack() {
	n := t.run.counts.of(t.call.Name)
	n.Running--
	*column(n, ready, t.attempt)++
}

// tally counts the end of a task run, or of an attempt.
func (r *run) tally(c *change) {
	t := c.counted
	n := r.counts.of(t.call.Name)
	if c.retried {
		n.Retries++
		n.Running--
		n.Retrying++
		return
	}
	switch c.last {
	case api.Completed:
		n.Completed++
	case api.Failed:
		n.Failed++
	case api.Cancelled:
		n.Cancelled++
	case api.Skipped:
		n.Skipped++
	default:
	}
	if t.born {
		*column(n, c.from, t.attempt)--
	} // else it was cancelled, and its group forsaken
}

// opens gives the child of a group that begins with t, nil for none.
func (t *task) opens() (g *group, child int) {
	if g = t.among(); g == nil || g == t.group {
		return g, int(t.place)
	}
	if first, _ := t.frame.Chain.First(); int(t.place) != first || !t.ofChild(g) {
		return nil, 0
	}
	return g, t.frame.Place
}

// unbegun is how many children of an open group, which have not begun, are among what
// is pending: by the name of the task that each begins with. Those that begin with a
// group of their own have none. Guarded by run.mu.
type unbegun struct {
	name  string
	n     int
	names map[string]int // if there are several; then n is their sum
}

// expect counts the children that have not begun.
func (g *group) expect() {
	if g.owed == 0 {
		return
	}
	u := &g.unbegun
	if g.frame.Group.Each != nil {
		if _, t := g.frame.Group.Each.First(); t != nil {
			u.add(t.Name, g.owed)
		}
	} else {
		for i := g.next; i < g.count; i++ {
			if !g.passed(i) {
				u.add(g.firstOf(i), 1)
			}
		}
		for _, l := range g.later {
			u.add(g.firstOf(l.index), 1)
		}
	}
	u.each(func(name string, n int) { g.run.counts.of(name).Pending += int64(n) })
}

// firstOf gives the name of the task that child i begins with, "" for none.
func (g *group) firstOf(i int) string {
	if _, t := g.frame.Group.Child(i).First(); t != nil {
		return t.Name
	}
	return ""
}

func (u *unbegun) add(name string, n int) {
	switch {
	case name == "":
		return
	case u.names != nil:
		u.names[name] += n
	case u.n == 0:
		u.name = name
	case u.name != name:
		u.names = map[string]int{u.name: u.n, name: n}
	}
	u.n += n
}

func (u *unbegun) each(f func(name string, n int)) {
	if u.names == nil && u.n > 0 {
		f(u.name, u.n)
	}
	for name, n := range u.names {
		f(name, n)
	}
}

// counted takes child i, which begins, off those that have not, and reports whether it
// was among them: then it is pending as before.
func (g *group) counted(i int) bool {
	u := &g.unbegun
	switch {
	case u.n == 0:
		return false
	case u.names != nil:
		name := g.firstOf(i)
		if u.names[name] == 0 {
			return false
		}
		u.names[name]--
	}
	u.n--
	return true
}

// begun says of child i that it begins in another way, or not at all.
func (g *group) begun(i int) {
	if g.counted(i) {
		g.run.counts.of(g.firstOf(i)).Pending--
	}
}

// forsake says that none of the others will begin.
func (g *group) forsake() {
	g.unbegun.each(func(name string, n int) { g.run.counts.of(name).Pending -= int64(n) })
	g.unbegun = unbegun{}
}
