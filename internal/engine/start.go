package engine

import (
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/store"
)

// postpone has a task that its options let begin later wait for that time: as
// part of change c it gets a row that says so. It reports false if the task may
// begin at once.
func (t *task) postpone(c *change) bool {
	o := t.call.Options
	if o.StartAfter == 0 && o.StartAt.IsZero() {
		return false
	}
	now := t.run.e.now()
	seldom := t.cell.Put()
	if seldom.Start == 0 { // else it was settled in an earlier generation of the run
		due := lifecycle.Start(o, t.since(now))
		seldom.Start = due.Add(time.Microsecond - 1).UnixMicro() // no earlier, in whole microseconds
	}
	due := time.UnixMicro(seldom.Start)
	if !due.After(now) {
		return false
	}
	t.phase, seldom.Due = scheduled, seldom.Start
	t.cell.History = store.AppendHistory(t.cell.History, &store.Line{
		State: api.Scheduled, At: now.UnixMicro(), Message: "until " + due.UTC().Format(time.RFC3339Nano),
	})
	t.write(c, api.Scheduled, &t.cell)
	t.standAside()
	c.then(func() {
		t.run.mu.Lock()
		t.bear()
		t.run.mu.Unlock()
		t.wait(due)
	})
	return true
}

// since is when what comes before the task had ended.
func (t *task) since(now time.Time) time.Time {
	g := t.among()
	if g == nil || g != t.group && (t.place > 0 || !t.ofChild(g)) {
		return now
	}
	return time.UnixMicro(g.since)
}

// among gives the group that the task, or the chain that it stands in, is of;
// nil for none.
func (t *task) among() *group {
	switch {
	case !t.inside: // and its frame is not looked at
		return nil
	case t.group != nil:
		return t.group
	}
	return t.frame.Parent.Data.(*group)
}

// ofChild reports whether the task's chain is a child of g itself, and not one
// that a child returned.
func (t *task) ofChild(g *group) bool {
	return spaceOf(t.frame).base() == g.base+g.frame.Group.Offset(t.frame.Place)
}

// standAside counts the task, which waits for its first attempt, for its group: of
// one whose children all wait so, not all are made. Called with run.mu.
func (t *task) standAside() {
	if g := t.among(); g != nil {
		t.aside = true
		t.run.e.dispatch.aside(g, 1)
	}
}

// stepForward undoes standAside. Called with run.mu.
func (t *task) stepForward() {
	if t.aside {
		t.aside = false
		t.run.e.dispatch.aside(t.among(), -1)
	}
}

// aside counts n tasks more of g that wait for their first attempt.
func (d *dispatcher) aside(g *group, n int) {
	d.mu.Lock()
	g.aside += n
	if n < 0 && g.lane != nil && g.startable() && !g.enlisted {
		d.enlist(g)
	}
	d.mu.Unlock()
}
