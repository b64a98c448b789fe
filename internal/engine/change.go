package engine

import (
	"context"
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// change is one transition with what follows once it is durable.
type change struct {
	store.Transition
	run *run
	// After the commit:
	starts  []*task  // to dispatch
	joined  []joined // children that ended
	counted *task    // whose end to count
	end     *ending  // of the run; nil: it goes on
	after   func()   // anything else; called without locks
	told    told     // last, also if it could not be committed; nil: nobody asked
	base    int64    // first key of the chain that a task returned
	baseSeq int64
	retried bool      // the counted task is to be tried again
	last    api.State // of the counted task
	from    phase     // where it stood before that
	tallied bool      // it is in the run's counters already
	// foreseen says that what starts was counted as having come with its group.
	foreseen bool
	measured
	more *beyond // nil: nothing of it

	effects []pipeline.Effect // empty, with room for the event's
	// Most changes have one of each.
	oneStart  [1]*task
	oneJoined [1]joined
}

// told is who asked for a change.
type told interface{ tell(err error) }

// toldOn is a channel on which somebody waits to be; it has room.
type toldOn chan error

func (c toldOn) tell(err error) { c <- err }

// toldBy is a function for it.
type toldBy func(err error)

func (f toldBy) tell(err error) { f(err) }

// beyond is what few changes have. There are many changes, and each is cleared when it
// is over.
type beyond struct {
	opened  []*group  // whose children may start
	ends    []callEnd // calls of flows that ended
	skipped string    // task of a call that will not run, to count
	// upstream is what a call of a flow was given the results of, or waited for.
	upstream []api.Upstream

	oneEnd [1]callEnd
}

// rare gives what few changes have, to be changed.
func (c *change) rare() *beyond {
	if c.more == nil {
		c.more = new(beyond)
	}
	return c.more
}

// open has the children of g start after the commit.
func (c *change) open(g *group) {
	b := c.rare()
	b.opened = append(b.opened, g)
}

// callOver has the end of a flow's call told after the commit.
func (c *change) callOver(end callEnd) {
	b := c.rare()
	if b.ends == nil {
		b.ends = b.oneEnd[:0]
	}
	b.ends = append(b.ends, end)
}

// start has t dispatched after the commit.
func (c *change) start(t *task) {
	if c.starts == nil {
		c.starts = c.oneStart[:0]
	}
	c.starts = append(c.starts, t)
}

// join has the end of a group's child noted after the commit.
func (c *change) join(j joined) {
	if c.joined == nil {
		c.joined = c.oneJoined[:0]
	}
	c.joined = append(c.joined, j)
}

// joined is a child that ended, with what a small group keeps of it.
type joined struct {
	group *group
	index int
	out   pipeline.Outcome
	state pipeline.State
}

func (c *change) ctx() context.Context { return context.Background() } //nolint:forbidigo // a shared commit outlives its callers

// then adds something to do after the commit, without locks.
func (c *change) then(f func()) {
	before := c.after
	if before == nil {
		c.after = f
		return
	}
	c.after = func() {
		before()
		f()
	}
}

// first is then before all else.
func (c *change) first(f func()) {
	after := c.after
	c.after = f
	if after != nil {
		c.then(after)
	}
}

// changes are used again: each is large, and there is one for every event. So is what
// they say of their runs: a short run has a change for each.
var (
	changes = sync.Pool{New: func() any { return new(change) }}
	newRuns = sync.Pool{New: func() any { return new(store.RunRow) }}
	setRuns = sync.Pool{New: func() any { return new(store.RunSet) }}
)

func (r *run) newChange() *change {
	c := changes.Get().(*change)
	c.run, c.Run, c.Epoch = r, r.id, r.epoch
	return c
}

// free gives back a change that nobody knows any more, or that came to nothing.
func (c *change) free() {
	if c.NewRun != nil {
		*c.NewRun = store.RunRow{}
		newRuns.Put(c.NewRun)
	}
	if c.SetRun != nil {
		*c.SetRun = store.RunSet{}
		setRuns.Put(c.SetRun)
	}
	effects := c.effects
	*c = change{} // cleared where it is; with the effects in the literal it would be made elsewhere and copied
	c.effects = effects
	changes.Put(c)
}
