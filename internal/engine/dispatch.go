package engine

import (
	"context"
	"sync"

	"github.com/runnel-dev/runnel/api"
)

// dispatcher holds what can start, on a lane for each run, and gives it out
// going round the lanes: a run with a million children and a run with one task
// take turns.
type dispatcher struct {
	mu     sync.Mutex
	wake   *sync.Cond
	idle   int // claims that wait
	lanes  []*lane
	head   int
	closed bool
}

// lane is what can start of one run.
type lane struct {
	run    *run
	ready  []*task
	groups []*group // with children to start
	turn   bool     // of the groups, when there are tasks too
	parked bool     // the run is paused
	listed bool
	// waiting counts tasks that wait for slots of their tags.
	waiting int
}

// waitingCap is with how many tasks waiting for slots a run starts no more
// children of groups: those of a wide group are not all made to wait.
const waitingCap = 1024

// item is what a claim gets: a task, or a child of a group to make one of.
type item struct {
	task    *task
	group   *group
	index   int
	element []byte
	err     error  // the list could not be read
	revive  func() // in place of index: brings back a child that had begun
}

func (d *dispatcher) init() { d.wake = sync.NewCond(&d.mu) }

// push makes tasks of run r claimable.
func (d *dispatcher) push(r *run, tasks ...*task) {
	d.mu.Lock()
	r.lane.ready = append(r.lane.ready, tasks...)
	d.list(&r.lane)
	d.mu.Unlock()
}

// add makes the children of g claimable.
func (d *dispatcher) add(g *group) {
	d.mu.Lock()
	g.run.lane.groups = append(g.run.lane.groups, g)
	g.enlisted = true
	d.list(&g.run.lane)
	d.mu.Unlock()
}

// release says that n children of g have ended, which lets others start.
func (d *dispatcher) release(g *group, n int) {
	d.mu.Lock()
	g.active -= n
	if g.startable() && !g.enlisted {
		g.enlisted = true
		g.run.lane.groups = append(g.run.lane.groups, g)
		d.list(&g.run.lane)
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
	return n
}

// park takes the lane of r out, or puts it back.
func (d *dispatcher) park(r *run, parked bool) {
	d.mu.Lock()
	r.lane.parked = parked
	d.list(&r.lane)
	d.mu.Unlock()
}

// wait notes that a task of r waits for slots, unwait that it does not any more;
// tasks are claimable now.
func (d *dispatcher) wait(r *run) {
	d.mu.Lock()
	r.lane.waiting++
	d.mu.Unlock()
}

func (d *dispatcher) unwait(r *run, tasks ...*task) {
	d.mu.Lock()
	r.lane.waiting--
	r.lane.ready = append(r.lane.ready, tasks...)
	d.list(&r.lane)
	d.mu.Unlock()
}

// open reports whether children of groups may start.
func (l *lane) open() bool { return len(l.groups) > 0 && l.waiting < waitingCap }

// list puts a lane with work into the round. Called with mu held.
func (d *dispatcher) list(l *lane) {
	if l.parked || len(l.ready) == 0 && !l.open() {
		return
	}
	if !l.listed {
		l.listed = true
		d.lanes = append(d.lanes, l)
	}
	if d.idle > 0 {
		d.wake.Signal()
	}
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
			if d.idle > 0 && d.head < len(d.lanes) {
				d.wake.Signal() // there is more; let another one come
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

// pop takes from the lane at the head and puts it at the end of the round.
func (d *dispatcher) pop() (item, bool) {
	for d.head < len(d.lanes) {
		l := d.lanes[d.head]
		d.lanes[d.head] = nil
		d.head++
		if d.head > 1024 && d.head*2 > len(d.lanes) {
			d.lanes = append(d.lanes[:0], d.lanes[d.head:]...)
			d.head = 0
		}
		l.listed = false
		if l.parked {
			continue
		}
		it, ok := l.take()
		if len(l.ready) > 0 || l.open() {
			l.listed = true
			d.lanes = append(d.lanes, l)
		}
		if ok {
			return it, true
		}
	}
	d.lanes, d.head = d.lanes[:0], 0
	return item{}, false
}

// take gives the lane's next piece of work: a task or a child, in turns.
func (l *lane) take() (item, bool) {
	if len(l.ready) > 0 && (!l.turn || !l.open()) {
		l.turn = true
		t := l.ready[0]
		l.ready[0] = nil
		l.ready = l.ready[1:]
		return item{task: t}, true
	}
	l.turn = false
	for l.open() {
		g := l.groups[0]
		if !g.startable() {
			g.enlisted = false
			l.groups[0] = nil
			l.groups = l.groups[1:]
			continue
		}
		if len(l.groups) > 1 { // let the next group have its turn
			l.groups = append(l.groups[1:], g)
		}
		return g.take(), true
	}
	return item{}, false
}
