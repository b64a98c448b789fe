package engine

import (
	"context"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Reach is what a worker that is not of this process can do.
type Reach struct {
	Name   string   // for people
	Queues []string // nil: all
	Tasks  []string
}

// farClaim is a worker elsewhere that waits for something it can do.
type farClaim struct {
	offer  *offer
	places int           // how many it would take
	told   chan struct{} // closed when there may be something
}

// Join says that a worker is there, under a name of its own. What it knows must have
// been learned.
func (e *Engine) Join(id string, reach Reach) {
	o := &offer{name: reach.Name, Queues: reach.Queues, Tasks: slices.Sorted(slices.Values(reach.Tasks))}
	o.Key = o.keyOf()
	o.alien = !slices.ContainsFunc(o.Tasks, func(task string) bool { return e.local(task) != nil })
	r := e.remotes
	r.mu.Lock()
	r.workers[id] = o
	r.mu.Unlock()
	r.on.Store(true)
	e.openToRemotes()
	if e.peers.node != nil {
		e.offerAnew()
	}
	e.peers.changed.ring()
}

// Leave says that it is gone. What it has is given back by who claimed it.
func (e *Engine) Leave(id string) {
	e.remotes.mu.Lock()
	delete(e.remotes.workers, id)
	e.remotes.mu.Unlock()
	if e.peers.node != nil {
		e.offerAnew()
	}
}

// openToRemotes has what nobody serves here wait for somebody who does: until there
// was a worker elsewhere nobody could come, unless the store is shared.
func (e *Engine) openToRemotes() {
	d := &e.dispatch
	if d.open.Load() {
		return
	}
	d.mu.Lock()
	d.open.Store(true)
	if d.home == nil {
		d.home = d.roundOf("", 0)
	}
	d.mu.Unlock()
	for _, r := range e.liveRuns() {
		r.mu.Lock()
		d.mu.Lock()
		d.reopen(r)
		d.mu.Unlock()
		r.mu.Unlock()
	}
}

// reopen puts what nobody could come for where workers elsewhere find it. Called with
// r.mu and mu.
func (d *dispatcher) reopen(r *run) {
	home := func(l *lane) {
		if l.round == nil {
			l.round = d.roundOf(l.key.Queue, l.key.Priority)
		}
	}
	home(&r.lanes.first)
	for _, l := range r.lanes.others {
		home(l)
	}
	for _, g := range r.groups {
		if g.lane == nil {
			continue
		}
		g.passBack()
		if g.startable() && !g.enlisted {
			d.enlist(g)
		}
		d.weigh(g)
	}
	d.listAll(r)
}

// passBack has the children begin that were passed over.
func (g *group) passBack() {
	if g.unserved.n == 0 {
		return
	}
	left, began, skip := g.unserved, g.next, g.skip
	g.skip = func(i int) bool { return i < began && !left.has(i) || skip != nil && skip(i) }
	g.unserved, g.stuck, g.next = bitset{}, 0, 0
	for g.next < g.count && g.passed(g.next) {
		g.next++
	}
}

// rouse tells the workers elsewhere that there may be something for them. Called with
// mu.
func (d *dispatcher) rouse() {
	more := d.more()
	d.far = slices.DeleteFunc(d.far, func(c *farClaim) bool {
		if (!more || c.offer.alien) && d.awayFor(c.offer.serves) == nil {
			return false
		}
		close(c.told)
		return true
	})
}

// listen has a worker told, and unlisten not any more.
func (d *dispatcher) listen(c *farClaim) {
	c.told = make(chan struct{})
	d.mu.Lock()
	d.far = append(d.far, c)
	d.mu.Unlock()
}

func (d *dispatcher) unlisten(c *farClaim) {
	d.mu.Lock()
	d.far = slices.DeleteFunc(d.far, func(o *farClaim) bool { return o == c })
	d.mu.Unlock()
}

// ClaimFor gives the next job to a worker elsewhere that has joined, and who takes its
// answer. It begins with that: cancel of Begin is for who claims to call. It blocks
// until there is a job if it waits, with places for so many, and gives api.ErrNotFound
// if it waits with none.
func (e *Engine) ClaimFor(ctx context.Context, id string, places int) (*api.Job, worker.Lender, error) {
	e.remotes.mu.RLock()
	o := e.remotes.workers[id]
	e.remotes.mu.RUnlock()
	if o == nil {
		return nil, nil, api.Errorf(api.ErrNotFound, "", "no worker %s has joined", id)
	}
	c, wait := &farClaim{offer: o, places: places}, places > 0
	e.queue.throttle()
	for {
		if wait {
			e.dispatch.listen(c)
		}
		if x := e.dispatch.popFar(o); x != nil {
			e.dispatch.unlisten(c)
			e.borrowing.running.Add(1)
			return x.job, x, nil
		}
		t := e.claimFor(o, !o.alien && e.wantsHelp())
		if t != nil || !wait {
			e.dispatch.unlisten(c)
		}
		switch {
		case t != nil:
			e.remotes.took(t.job)
			return t.job, lentAway{e}, nil
		case e.isClosed():
			e.dispatch.unlisten(c)
			return nil, nil, api.ErrClosed
		case !wait:
			return nil, nil, api.ErrNotFound
		}
		e.wantFar()
		if err := e.awaitTold(ctx, c); err != nil {
			return nil, nil, err
		}
	}
}

// wantsHelp reports whether there is more to do than workers here can.
func (e *Engine) wantsHelp() bool { return e.dispatch.has() && e.crowded() && !e.brisk() }

// awaitTold waits until there may be something for a worker. While there is something
// that workers here may come to, it looks again a moment later.
func (e *Engine) awaitTold(ctx context.Context, c *farClaim) error {
	var again <-chan time.Time
	if !c.offer.alien && e.dispatch.has() || e.dispatch.hasAway(c.offer.serves) {
		t := time.NewTimer(haveEvery)
		defer t.Stop()
		again = t.C
	}
	select {
	case <-c.told:
		return nil
	case <-again:
	case <-e.closers.ctx.Done():
	case <-ctx.Done():
	}
	e.dispatch.unlisten(c)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// lentAway is the engine as the source of what a worker elsewhere has.
type lentAway struct{ *Engine }

// Settle takes the answer.
func (l lentAway) Settle(job *api.Job, answer api.Answer) (counts bool) {
	l.remotes.gave(job)
	if counts = l.Engine.Settle(job, answer); !counts {
		l.lates(1)
	}
	return counts
}

// GiveBack gives the job to somebody else.
func (l lentAway) GiveBack(job *api.Job) {
	l.remotes.gave(job)
	l.takeBack(job)
}

// Cached asks the cache. If the body is not to run, the job is over.
func (l lentAway) Cached(job *api.Job, use api.CacheUse) (run bool) {
	if run = l.Engine.Cached(job, use); !run {
		l.remotes.gave(job)
	}
	return run
}
