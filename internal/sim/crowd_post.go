package sim

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// work does one thing that brings runs forward, and reports whether there was one.
func (p *post) work() bool {
	first := p.c.rng.IntN(5)
	for i := range 10 { // twice round: a claim may queue a change and give nothing
		var did bool
		switch (first + i) % 5 {
		case 0:
			did = p.e.CommitStep()
		case 1:
			did = p.e.AdvanceStep()
		case 2:
			did = p.e.CloseStep()
		case 3:
			did = p.claim()
		case 4:
			did = p.deliver()
		}
		if did {
			p.c.counts["steps"]++
			return true
		}
	}
	return false
}

// claim begins a body if there is a place, own or borrowed.
func (p *post) claim() bool {
	if len(p.jobs) >= p.places {
		return false
	}
	job, err := p.e.TryClaim(p.c.ctx)
	if err != nil && !errors.Is(err, api.ErrClosed) {
		p.c.broken("%s: claim: %v", p.name, err)
	}
	if job == nil {
		return false
	}
	b := &crowdBody{Source: p.e, job: job, script: scriptOf(job.Bound)}
	lender, lent := job.Key.(worker.Source)
	if lent {
		b.Source = lender
		p.c.counts["lent"]++
	}
	p.c.did("%s begins %s attempt %d (%s, lent %t)", p.name, job.ID, job.Attempt, b.script.Label, lent)
	p.c.mayBeginAt(p, b)
	b.due = p.c.now.Add(time.Duration(p.c.rng.IntN(3000)) * time.Millisecond)
	p.c.bodies.Execute(b, job)
	if b.ran {
		p.jobs = append(p.jobs, b)
	}
	return true
}

// deliver gives the engine an answer that is due, once or twice.
func (p *post) deliver() bool {
	i := slices.IndexFunc(p.jobs, func(b *crowdBody) bool { return !p.c.now.Before(b.due) })
	if i < 0 {
		return false
	}
	b := p.jobs[i]
	p.jobs = slices.Delete(p.jobs, i, i+1)
	p.c.did("%s answers %s attempt %d", p.name, b.job.ID, b.job.Attempt)
	b.Source.Finish(b.job, b.answer)
	return true
}

// commits makes durable all that is decided, or finds that it does not count.
func (p *post) commits() {
	for p.e.CommitStep() || p.e.AdvanceStep() {
		p.c.counts["steps"]++
	}
}

// crash ends a process in the middle of what it does, and begins another in its place.
func (p *post) crash() { p.begin() }

// wakes is for a process that finds that it was given up. What its bodies answer
// changes nothing, and it begins anew.
func (p *post) wakes() {
	p.c.did("%s was given up", p.name)
	p.c.counts["given up"]++
	for _, b := range p.jobs {
		b.Source.Finish(b.job, b.answer)
	}
	p.commits()
	gone, stop := context.WithCancel(p.c.ctx)
	stop()
	_ = p.e.Close(gone) // what its bodies do counts no more
	p.begin()
}

// leave closes a process in order, and begins another in its place. Its bodies may
// have ended before.
func (p *post) leave() {
	p.c.did("%s is closed", p.name)
	p.c.counts["closed"]++
	if p.c.one(2) {
		for _, b := range p.jobs {
			b.Source.Finish(b.job, b.answer)
		}
		p.jobs = nil
	}
	p.commits()
	p.fine(p.e.Close(p.c.ctx))
	p.commits()
	p.fine(p.session.Close())
	p.begin()
}

// fault plans that something goes wrong.
func (c *crowd) fault() {
	p := c.posts[c.rng.IntN(len(c.posts))]
	if p.standsStill() {
		return
	}
	switch c.rng.IntN(12) {
	case 0, 1:
		p.next = []fault{crashBefore, crashAfter}[c.rng.IntN(2)]
	case 2:
		c.did("%s crashes", p.name)
		c.counts["crashes"]++
		p.crash()
	case 3:
		c.alive(p, p.leave)
	case 4, 5:
		p.still = c.now.Add(time.Duration(1 + c.rng.Int64N(3*int64(crowdLease))))
		c.did("%s stands still", p.name)
		c.counts["stood still"]++
	case 6:
		p.deaf = c.now.Add(time.Duration(c.rng.Int64N(int64(crowdLease / 2))))
	case 7: // the one that all ask
		for _, p := range c.posts {
			if p.e.Keeps() && !p.standsStill() && c.one(3) {
				c.did("%s, the keeper, crashes", p.name)
				c.counts["keepers crashed"]++
				p.crash()
			}
		}
	}
}
