package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

// dispatcher holds what can start, on lanes for each run, and gives it out going
// round the lanes of the highest priority: a run with a million children and a
// run with one task take turns.
type dispatcher struct {
	mu     sync.Mutex
	wake   *sync.Cond
	idle   int             // claims that wait
	queues map[string]bool // that are served; nil: all
	home   *round          // of the lane that each run has; nil: nobody serves its queue
	rounds []*round        // the highest priority first
	away   []*round        // of a queue each that is not served here, if the store is shared
	turns  int64           // how often something of these was taken
	closed bool
	// open says that somebody may join who serves what is not served here. It may
	// become so, and stays.
	open atomic.Bool
	// elsewhere reports whether others serve a queue.
	elsewhere func(queue string) bool
	busy      func()      // told that there is more than workers here can do; may be nil
	far       []*farClaim // of workers elsewhere, which wait
	farLaid   []*borrowed // jobs of other processes for these
	quiet     bool        // it is not news
	// paused are queues of which nothing begins; drained: nothing begins here.
	paused  map[string]bool
	drained atomic.Bool
	given   int          // how many were given to workers here
	at      atomic.Int64 // the time, as of the last batch of commits
	since   int64        // when it was first set
	// borrowed are jobs of other processes, which wait for a worker here.
	borrowed []*borrowed
}

// item is what a claim gets: a task, or a child of a group to make one of.
type item struct {
	task    *task
	group   *group
	index   int
	element []byte
	err     error  // the list could not be read
	revive  func() // brings back a child that had begun
	// borrowed is a job of another process; then there is nothing else.
	borrowed *borrowed
}

// init says which queues are served: nil for all; whether others may join who serve
// some, and which of them are served elsewhere.
func (d *dispatcher) init(queues []string, open bool, elsewhere func(queue string) bool) {
	d.open.Store(open)
	d.elsewhere = elsewhere
	d.wake = sync.NewCond(&d.mu)
	if queues != nil {
		d.queues = make(map[string]bool, len(queues))
		for _, q := range queues {
			d.queues[pipeline.QueueOf(q)] = true
		}
	}
	d.home = d.roundOf("", 0)
}

// serves reports whether a queue is served here.
func (d *dispatcher) serves(queue string) bool {
	if d.queues == nil {
		return !pipeline.IsAway(queue)
	}
	return d.queues[queue]
}

// idles reports whether no queue is served here.
func (d *dispatcher) idles() bool { return d.queues != nil && len(d.queues) == 0 }

// reaches reports whether somebody may come for the tasks of a queue: here, or a
// process or a worker that joins.
func (d *dispatcher) reaches(queue string) bool { return d.open.Load() || d.serves(queue) }

// served reports whether a queue is served, by whomever, at the moment.
func (d *dispatcher) served(queue string) bool {
	return d.serves(queue) && !d.drained.Load() || d.elsewhere(queue)
}

// push makes tasks of run r claimable. They stand aside if nobody serves their
// queue here.
func (d *dispatcher) push(r *run, tasks ...*task) {
	d.mu.Lock()
	d.put(r, tasks)
	d.mu.Unlock()
}

// put is push with mu held. Tasks of one lane go there together.
func (d *dispatcher) put(r *run, tasks []*task) {
	for now, i := d.ticks(d.at.Load()), 0; i < len(tasks); i++ {
		tasks[i].readied = now
	}
	for len(tasks) > 0 {
		at, n := tasks[0].call.Lane, 1
		for n < len(tasks) && tasks[n].call.Lane == at {
			n++
		}
		l := d.lane(r, laneKey{Lane: at})
		if l.unvisited() {
			l.strand(tasks[:n])
		} else {
			l.add(tasks[:n])
		}
		d.list(l)
		tasks = tasks[n:]
	}
}

// add makes the children of g claimable.
func (d *dispatcher) add(g *group) {
	d.mu.Lock()
	g.lane = d.lane(g.run, g.laneKey())
	if g.lane.key.all && d.queues != nil {
		g.passOver(d.reaches)
	}
	d.enlist(g)
	d.weigh(g)
	d.mu.Unlock()
}

// weigh counts g as standing aside while nobody comes for what is left of it.
func (d *dispatcher) weigh(g *group) {
	switch stranded := g.stranded(); {
	case stranded && !g.held:
		g.held = true
		g.run.lanes.waiting++
	case !stranded && g.held:
		g.held = false
		d.unhold(g.run)
	}
}

func (d *dispatcher) enlist(g *group) {
	g.enlisted = true
	g.lane.groups = append(g.lane.groups, g)
	d.list(g.lane)
}

// release says that n children of g have ended, which lets others start.
func (d *dispatcher) release(g *group, n int) {
	d.mu.Lock()
	g.active -= n
	if g.lane != nil {
		if g.startable() && !g.enlisted {
			d.enlist(g)
		}
		d.weigh(g)
	}
	d.mu.Unlock()
}

// drop takes the children of g that have not started, for good, and says how
// many they were.
func (d *dispatcher) drop(g *group) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := g.unstarted()
	g.next, g.later = g.count, nil
	if l := g.lane; l != nil && l.unvisited() && g.enlisted { // nobody may come by to see it
		g.enlisted = false
		l.dropped()
	}
	if g.lane != nil {
		d.weigh(g)
	}
	return n
}

// park takes the lanes of r out, or puts them back.
func (d *dispatcher) park(r *run, parked bool) {
	d.mu.Lock()
	r.lanes.parked = parked
	d.listAll(r)
	d.mu.Unlock()
}

// wait notes that a task of r waits for slots, unwait that it does not any more;
// tasks are claimable now.
func (d *dispatcher) wait(r *run) {
	d.mu.Lock()
	r.lanes.waiting++
	d.mu.Unlock()
}

func (d *dispatcher) unwait(r *run, tasks ...*task) {
	d.mu.Lock()
	d.unhold(r)
	d.put(r, tasks)
	d.mu.Unlock()
}

// unhold counts one task less that waits, which may let groups go on.
func (d *dispatcher) unhold(r *run) {
	r.lanes.waiting--
	if r.lanes.waiting == waitingCap-1 {
		d.listAll(r)
	}
}

// hold counts t as waiting until it is claimed: a child that begins elsewhere
// than its group stands.
func (d *dispatcher) hold(t *task) {
	d.mu.Lock()
	if !t.held {
		t.held = true
		t.run.lanes.waiting++
	}
	d.mu.Unlock()
}

// leave forgets t, which has ended before anybody claimed it, if nobody ever
// will.
func (d *dispatcher) leave(t *task) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.gone = true
	if !t.held {
		return
	}
	t.held = false
	d.unhold(t.run)
	d.lane(t.run, laneKey{Lane: t.call.Lane}).forget()
}

func (d *dispatcher) close() {
	d.mu.Lock()
	d.closed = true
	d.wake.Broadcast()
	d.mu.Unlock()
}

// next blocks until there is something to start. With wait false it gives
// api.ErrNotFound instead of blocking.
func (d *dispatcher) next(ctx context.Context, wait bool) (item, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var stop func() bool
	for {
		if d.closed {
			return item{}, api.ErrClosed
		}
		if it, ok := d.pop(); ok {
			if len(d.borrowed) > 0 || d.more() {
				d.someone()
			}
			if stop != nil {
				stop()
			}
			return it, nil
		}
		if !wait {
			return item{}, api.ErrNotFound
		}
		if ctx.Err() != nil {
			return item{}, ctx.Err()
		}
		if stop == nil && ctx.Done() != nil {
			stop = context.AfterFunc(ctx, func() {
				d.mu.Lock()
				d.wake.Broadcast()
				d.mu.Unlock()
			})
		}
		d.idle++
		d.wake.Wait()
		d.idle--
	}
}

// someone lets another worker come, or says that all are busy.
func (d *dispatcher) someone() {
	switch {
	case d.idle > 0 && (!d.drained.Load() || len(d.borrowed) > 0):
		d.wake.Signal()
	default:
		d.tellBusy()
	}
}

func (d *dispatcher) tellBusy() {
	if d.quiet {
		return
	}
	if d.busy != nil {
		d.busy()
	}
	if len(d.far) > 0 {
		d.rouse()
	}
}

// pop takes what is to start next, and more reports whether there may be more.
func (d *dispatcher) pop() (item, bool) {
	if len(d.borrowed) > 0 { // another process waits for it
		x := d.borrowed[0]
		d.borrowed = d.borrowed[1:]
		return item{borrowed: x}, true
	}
	if d.drained.Load() {
		return item{}, false
	}
	for _, r := range d.rounds {
		if it, ok := r.pop(d); ok {
			d.given++
			d.out(it)
			return it, true
		}
	}
	return item{}, false
}

// out notes that somebody has what stood aside.
func (d *dispatcher) out(it item) {
	if it.task != nil && it.task.held {
		it.task.held = false
		d.unhold(it.task.run)
	}
}

func (d *dispatcher) more() bool {
	return slices.ContainsFunc(d.rounds, (*round).any)
}
