package engine

import (
	"context"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

// A process that serves no queue may be one that submits and goes. So it does not
// keep the runs that it makes: they are nobody's from their first commit on, and one
// that works is told to adopt them. While there is none it has them itself.

// runsHanded tells a session of a run that is there to be adopted; 0: there may be
// others.
const runsHanded = "runs.handed"

// heir gives the session that a new run is to go to, 0 if it stays: one that knows
// its tasks, and can begin it if there is such a one.
func (e *Engine) heir(req *request, root *pipeline.Chain) (session int64) {
	if e.peers.node == nil || !e.dispatch.idles() || req.made.time() != nil {
		return 0
	}
	var fit []*offer
	begins := false
	for _, o := range e.peers.workers() {
		if !o.knowsAll(req.spec) {
			continue
		}
		if here := root.Begins(o.serves); here && !begins {
			fit, begins = fit[:0], true
		} else if begins && !here {
			continue
		}
		fit = append(fit, o)
	}
	if len(fit) == 0 {
		return 0
	}
	return fit[e.random()%uint64(len(fit))].session
}

func (o *offer) knowsAll(spec *api.Spec) bool {
	for task := range tasksOf(spec) {
		if !o.knows(task) {
			return false
		}
	}
	return true
}

// handOver queues the change that makes a run, and leaves that to another session.
// Called with r.mu.
func (e *Engine) handOver(c *change, heir int64, asked told) {
	r := c.run
	r.handle.away = true // nobody has it yet
	c.NewRun.Loose = true
	c.told = toldBy(func(err error) {
		if err == nil {
			e.forget(r)
			e.peers.mu.Lock()
			e.peers.heirs[heir] = true
			e.peers.mu.Unlock()
			_ = e.peers.node.Tell(heir, runsHanded, r.id) // a number can be encoded
		}
		asked.tell(err)
	})
	e.queue.push(c)
}

// passOn has the others look for runs that were handed over to sessions which are
// gone, perhaps before they heard of them.
func (e *Engine) passOn(gone []int64) {
	p := &e.peers
	p.mu.Lock()
	orphans := false
	for _, session := range gone {
		orphans = orphans || p.heirs[session]
		delete(p.heirs, session)
	}
	p.mu.Unlock()
	if !orphans {
		return
	}
	for _, o := range p.workers() {
		_ = p.node.Tell(o.session, runsHanded, 0) // a number can be encoded
	}
}

func (e *Engine) runHanded(q *cluster.Request) {
	var id int64
	if q.Decode(&id) != nil {
		return
	}
	if id == 0 {
		e.wakeAdopt()
		return
	}
	e.peers.mu.Lock()
	e.peers.handed = append(e.peers.handed, id)
	e.peers.mu.Unlock()
	e.rouseAdopt()
}

// adoptHanded takes over runs that this process was told of.
func (e *Engine) adoptHanded(ctx context.Context, runs []int64) error {
	var fit []int64
	for _, id := range runs {
		row, err := e.store.Run(ctx, id)
		switch {
		case isStoreError(err):
			e.wakeAdopt()
			return err
		case err == nil && !row.State.Final() && !slices.Contains(fit, id) && e.knows(ctx, &row):
			fit = append(fit, id)
		}
	}
	return e.adoptThese(ctx, fit)
}
