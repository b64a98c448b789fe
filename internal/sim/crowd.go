package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/worker"
)

// A crowd is a simulation of many engines on one store, each with a session: they
// share runs, lend each other jobs, hand runs over, and one keeps the limits of all.
// Engines crash before and after commits, stand still for longer than their lease and
// wake up, are closed, and come back as new ones. All of it is one goroutine.

// crowdLease is that of each session.
const crowdLease = 10 * time.Second

// CrowdOptions choose what a crowd does.
type CrowdOptions struct {
	Seed          uint64
	Engines, Runs int
}

// crowd is one simulation of many engines.
type crowd struct {
	*world

	memory  *memory.Store
	posts   []*post
	joined  int
	begunBy map[jobAttempt]*beginning // who has begun an attempt last
	left    int                       // runs to submit
}

// post is a process: an engine, a session and places for bodies.
type post struct {
	c       *crowd
	name    string
	queues  []string // nil: all
	places  int
	session *memory.Session
	e       *engine.Engine
	beat    time.Time // when the next one is due
	still   time.Time // until then it stands still
	deaf    time.Time // until then no letter comes
	next    fault     // of the next commit
	jobs    []*crowdBody
	handles []*simRun
}

// crowdBody is a body that has run, whose answer comes later.
type crowdBody struct {
	worker.Source

	job    *api.Job
	script *script
	due    time.Time
	answer api.Answer
	ran    bool
}

// Finish keeps the answer for later.
func (b *crowdBody) Finish(_ *api.Job, a api.Answer) { b.answer, b.ran = a, true }

// jobAttempt names an attempt of a task run.
type jobAttempt struct {
	id           string
	gen, attempt int
}

// beginning is who has begun an attempt.
type beginning struct {
	by    *post
	e     *engine.Engine
	owner int64 // the session that had the run
}

// outpost is a session whose commits go wrong when that is planned.
type outpost struct {
	store.Shared

	p *post
}

// Commit is the session's, or what goes wrong instead.
func (o outpost) Commit(ctx context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	now := o.p.next
	o.p.next = none
	if now == crashBefore {
		panic(crash{now})
	}
	closed, err := o.Shared.Commit(ctx, batch)
	if now == crashAfter {
		panic(crash{now})
	}
	return closed, err
}

// ReserveKeys is for calls that have no time to wait.
func (o outpost) ReserveKeys(ctx context.Context, n int64) (int64, error) {
	return o.Shared.ReserveKeys(context.WithoutCancel(ctx), n)
}

// ReserveRuns is for calls that have no time to wait.
func (o outpost) ReserveRuns(ctx context.Context, n int64) (int64, error) {
	return o.Shared.ReserveRuns(context.WithoutCancel(ctx), n)
}

// SimulateCrowd runs one seed and reports what broke, with what was done until then.
func SimulateCrowd(ctx context.Context, o CrowdOptions) (log []string, counts map[string]int, err error) {
	gone, stop := context.WithCancel(ctx)
	stop()
	c := &crowd{
		world: &world{
			ctx: ctx, gone: gone, rng: rand.New(rand.NewPCG(o.Seed, 2)), now: epoch, counts: map[string]int{},
			limits: map[string]simLimit{}, slots: newSlotBooks(),
		},
		memory: memory.Open(), begunBy: map[jobAttempt]*beginning{}, left: o.Runs,
	}
	c.store = newFaulty(c.memory)
	c.bodies = registry(c.world)
	c.bodies.Log = slog.New(slog.DiscardHandler)
	c.bodies.Now = func() time.Time { return c.now }
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		log, counts = c.steps, c.counts
	}()
	c.faults = faults{fail: true, failFast: c.one(2), tags: c.one(2), queues: c.one(2)}
	for i := range o.Engines {
		c.posts = append(c.posts, c.newPost(i))
		if i == 0 && c.faults.tags { // before the others come, since who asks another one waits for it
			c.limitTags()
		}
	}
	c.storm()
	c.settle()
	c.judge()
	return c.steps, c.counts, c.err
}

func (c *crowd) one(in int) bool { return c.rng.IntN(in) == 0 }

// newPost makes a process. Few serve some queues only, or none; the first serves all.
func (c *crowd) newPost(i int) *post {
	c.joined++
	p := &post{c: c, name: fmt.Sprintf("process %d.%d", i, c.joined), places: 1 + c.rng.IntN(3)}
	switch n := c.rng.IntN(10); {
	case i == 0:
	case n == 0:
		p.queues, p.places = []string{}, 0
	case n < 3 && c.faults.queues:
		p.queues = []string{queueNames[c.rng.IntN(len(queueNames))]}
	}
	p.begin()
	return p
}

// begin makes the engine, with a session of its own.
func (p *post) begin() {
	c := p.c
	p.session = c.memory.Join(p.name, crowdLease, func() time.Time { return c.now })
	p.jobs, p.handles, p.next = nil, nil, none
	p.beat = c.now.Add(time.Duration(c.rng.Int64N(int64(crowdLease / 4))))
	e, err := engine.New(c.ctx, engine.Config{
		Store: outpost{p.session, p}, Registry: signatures, Manual: true, Random: c.rng.Uint64,
		Now: func() time.Time { return c.now }, Logger: slog.New(&alarm{c.world}),
		Queues: p.queues, Places: p.places, Tasks: append([]string{}, taskNames...), Beat: crowdLease / 4,
	})
	if err != nil {
		c.broken("%s can't begin: %v", p.name, err)
		return
	}
	p.e = e
}

func (c *crowd) limitTags() {
	e := c.posts[0].e
	for i, tag := range tagNames {
		c.limits[tag] = simLimit{n: 1 + i*2}
		if err := e.SetLimit(c.ctx, tag, c.limits[tag].n); err != nil {
			c.broken("limit of %s: %v", tag, err)
		}
	}
}

// storm lets all work, with faults, until all runs were submitted and some time has
// passed.
func (c *crowd) storm() {
	for until := c.now.Add(4 * crowdLease); c.err == nil && (c.left > 0 || c.now.Before(until)); {
		if c.round(true) > 0 && !c.one(3) {
			continue
		}
		c.pass()
		for range min(c.left, c.rng.IntN(2+len(c.posts)/20)) {
			c.left--
			c.submitTo(c.posts[c.rng.IntN(len(c.posts))])
		}
		for range 1 + len(c.posts)/50 {
			c.fault()
		}
	}
}

// settle lets all work without faults until every run has ended.
func (c *crowd) settle() {
	c.calm = true
	for _, p := range c.posts {
		p.still, p.deaf, p.next = time.Time{}, time.Time{}, none
	}
	until := c.now.Add(time.Hour)
	for c.err == nil {
		if c.round(false) > 0 {
			continue
		}
		if c.allEnded() {
			break
		}
		if c.now.After(until) {
			c.standing()
			return
		}
		c.pass()
	}
	// What is left to be said about slots, and who keeps them if nobody does.
	for until := c.now.Add(2 * crowdLease); c.err == nil && c.now.Before(until); {
		if c.round(false) == 0 {
			c.pass()
		}
	}
}

// round lets each process that does not stand still do something, in any order, and
// gives how many did.
func (c *crowd) round(faults bool) (did int) {
	for _, i := range c.rng.Perm(len(c.posts)) {
		p := c.posts[i]
		if c.err != nil || p.standsStill() {
			continue
		}
		c.alive(p, func() {
			for range 1 + c.rng.IntN(8) {
				if !p.work() {
					break
				}
				did++
			}
			if !faults || !c.now.Before(p.deaf) {
				talked, err := p.e.PeerStep(c.ctx, false)
				p.fine(err)
				if talked {
					did++
				}
			}
		})
		c.look(p)
	}
	return did
}

// alive does a step of a process, in which it may crash, or find that it was given up.
func (c *crowd) alive(p *post, step func()) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if _, planned := v.(crash); !planned {
			panic(v)
		}
		c.did("%s crashes in a commit", p.name)
		c.counts["crashes in a commit"]++
		p.crash()
	}()
	step()
	select {
	case <-p.e.Lost():
		p.wakes()
	default:
	}
}

// fine reports what went wrong, but for what comes of having been given up.
func (p *post) fine(err error) {
	if err != nil && !errors.Is(err, store.ErrLost) {
		p.c.broken("%s: %v", p.name, err)
	}
}

// crowdTick is by how much time passes at least, so that what many are about to do in
// one moment is one round.
const crowdTick = 250 * time.Millisecond

// pass lets time pass, up to when something is due somewhere: a timer, a beat, an
// answer.
func (c *crowd) pass() {
	at := c.now.Add(crowdLease / 4)
	sooner := func(t time.Time) {
		if t.After(c.now) && t.Before(at) {
			at = t
		}
	}
	for _, p := range c.posts {
		sooner(p.beat)
		sooner(p.still)
		if p.standsStill() {
			continue
		}
		if t, ok := p.e.NextTimer(); ok {
			sooner(t)
		}
		for _, b := range p.jobs {
			sooner(b.due)
		}
	}
	c.now = c.now.Add((at.Sub(c.now) + crowdTick - 1).Truncate(crowdTick))
	for _, p := range c.posts {
		if c.err != nil || p.standsStill() {
			continue
		}
		c.alive(p, func() {
			p.e.Tick()
			if !c.now.Before(p.beat) {
				p.beat = c.now.Add(crowdLease / 4)
				_, err := p.e.PeerStep(c.ctx, true)
				p.fine(err)
			}
		})
	}
}

func (p *post) standsStill() bool { return p.c.now.Before(p.still) }
