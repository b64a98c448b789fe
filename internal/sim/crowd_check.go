package sim

import (
	"context"
	"errors"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
)

// submitTo submits a run to a process.
func (c *crowd) submitTo(p *post) {
	if p.standsStill() {
		return
	}
	spec := newGenerator(c.rng, c.faults).pipeline(c.rng.IntN(4))
	h, err := p.e.Submit(c.gone, spec, "")
	if err != nil && !errors.Is(err, context.Canceled) || h == nil {
		c.broken("submit to %s: %v: %s", p.name, err, encode(spec))
		return
	}
	number, err := numberOf(h.ID())
	if err != nil {
		c.broken("%v", err)
		return
	}
	r := &simRun{spec: spec, id: h.ID(), number: number, handle: h}
	r.foretell(0)
	c.runs = append(c.runs, r)
	p.handles = append(p.handles, r)
	c.did("submit run %d (%s) to %s: %s", r.number, r.id, p.name, encode(spec))
}

// lives reports whether a process's session was not given up.
func (p *post) lives() bool { return p.session.PutRecords(p.c.ctx) == nil }

// mayBeginAt holds a body that begins against what all others do: nobody else has
// begun the attempt who could still answer, its queue is served there, and its tags
// have room among the bodies of all whose lease holds.
func (c *crowd) mayBeginAt(p *post, b *crowdBody) {
	c.counts["bodies"]++
	number, err := numberOf(b.job.Run)
	if err != nil {
		c.broken("%v", err)
		return
	}
	row, err := c.memory.Run(c.ctx, number)
	if err != nil {
		c.broken("%s begins %s, whose run is not stored: %v", p.name, b.job.ID, err)
		return
	}
	if b.script.Queue != "" && p.queues != nil && !slices.Contains(p.queues, b.script.Queue) {
		c.broken("%s begins %s of queue %s, and serves %v", p.name, b.job.ID, b.script.Queue, p.queues)
	}
	if !p.lives() {
		return // it does not know yet that nothing counts any more
	}
	owner := p.session.Session()
	if lender := engine.Lender(b.job); lender != 0 {
		owner = lender
	}
	if now, err := p.session.Owner(c.ctx, number); err != nil || now != owner {
		c.counts["of who lost the run"]++ // which the borrower has not heard
		return
	}
	if row.State.Final() {
		c.broken("%s begins %s, whose run is %s", p.name, b.job.ID, row.State)
	}
	a := jobAttempt{b.job.ID, b.job.Generation, b.job.Attempt}
	if was := c.begunBy[a]; was != nil {
		c.counts["repeated"]++
		if was.e == was.by.e && was.by.lives() && was.owner == owner {
			c.broken("%s begins %s attempt %d, which %s has begun, and both live, as does who has the run", p.name, b.job.ID, b.job.Attempt, was.by.name)
		}
	}
	c.begunBy[a] = &beginning{p, p.e, owner}
	for _, tag := range b.job.Tags {
		l, limited := c.limits[tag]
		if !limited {
			continue
		}
		c.counts["under a limit"]++
		n := 1
		for _, other := range c.posts {
			if !other.lives() {
				continue
			}
			for _, x := range other.jobs {
				if slices.Contains(x.job.Tags, tag) {
					n++
				}
			}
		}
		if n > l.n {
			c.broken("%s begins %s as one of %d with tag %s, %d are allowed", p.name, b.job.ID, n, tag, l.n)
		}
	}
}

// look: who submitted a run is told nothing that is not stored.
func (c *crowd) look(p *post) {
	if p.places == 0 {
		return // it hands over what is submitted there, and would have to ask who has it
	}
	for _, r := range p.handles {
		out, err := r.handle.Wait(c.gone)
		if err != nil {
			continue
		}
		if row, err := c.memory.Run(c.ctx, r.number); err != nil || row.State != out.State {
			c.broken("run %d was told to be %s, but the store says %s (%v)", r.number, out.State, row.State, err)
		}
	}
}

// allEnded reports whether no run is live. One that was never durable, since its
// process crashed, is forgotten.
func (c *crowd) allEnded() bool {
	all := true
	c.runs = slices.DeleteFunc(c.runs, func(r *simRun) bool {
		row, err := c.memory.Run(c.ctx, r.number)
		if errors.Is(err, api.ErrNotFound) {
			lost := !slices.ContainsFunc(c.posts, func(p *post) bool { return slices.Contains(p.handles, r) })
			all = all && lost
			return lost
		}
		all = all && row.State.Final()
		return false
	})
	return all
}

// standing says what stands still.
func (c *crowd) standing() {
	for _, r := range c.runs {
		row, err := c.memory.Run(c.ctx, r.number)
		if err != nil || !row.State.Final() {
			r.last = row
			c.dump(r)
			owner, _ := c.posts[0].session.Owner(c.ctx, r.number)
			c.broken("run %d is %s (%v), of session %d, and nothing moves: a wake-up is lost", r.number, row.State, err, owner)
		}
	}
}

// judge holds what came out against what was foretold.
func (c *crowd) judge() {
	if c.err != nil {
		return
	}
	for _, r := range c.runs {
		e := c.posts[c.rng.IntN(len(c.posts))].e
		out, err := e.Result(c.ctx, r.id)
		if err != nil {
			c.broken("result of run %d: %v", r.number, err)
			return
		}
		c.counts[out.State.String()]++
		switch {
		case !r.fuzzy && !r.naive.loose:
			c.outcome(r, out)
		case out.State == api.Cancelled:
			c.broken("run %d is CANCELLED and nobody cancelled it", r.number)
		}
	}
	keepers := 0
	for _, p := range c.posts {
		if !p.e.Keeps() {
			continue
		}
		keepers++
		for l, err := range p.e.Limits(c.ctx) {
			if err != nil || l.Limit != c.limits[l.Tag].n || l.Active+l.Waiting > 0 {
				c.broken("in the end the limit of %s is %+v (%v), want %d and nobody", l.Tag, l, err, c.limits[l.Tag].n)
			}
		}
	}
	if keepers != 1 {
		c.broken("in the end there are %d keepers", keepers)
	}
}
