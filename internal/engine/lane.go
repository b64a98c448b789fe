package engine

import (
	"cmp"
	"slices"

	"github.com/runnel-dev/runnel/internal/pipeline"
)

// lanes is what can start of one run, by where it belongs. Guarded by
// dispatcher.mu.
type lanes struct {
	parked bool // the run is paused
	// waiting counts tasks that are in memory and stand aside: they wait for
	// slots of their tags, for somebody to serve their queue, or for their turn
	// in another lane than their group's. A group for whose children nobody comes
	// counts as one.
	waiting int32
	first   lane // of tasks that name neither queue nor priority
	others  map[laneKey]*lane
}

// waitingCap is with how many tasks that stand aside a run starts no more
// children of groups: those of a wide group are not all made to wait.
const waitingCap = 1024

// plainLane is where tasks belong that name neither queue nor priority.
var plainLane laneKey

// laneKey is where work belongs. Children of groups that begin in several lanes
// are made in one that every engine serves.
type laneKey struct {
	pipeline.Lane
	all bool
}

// lane is what can start in one place.
type lane struct {
	of     *lanes
	round  *round // nil: nobody serves the queue, and nobody can join who will
	turn   bool   // of the groups, when there are tasks too
	listed bool
	ready  []*task
	one    [1]*task // room for a single one
	groups []*group // with children to start
	key    *laneKey
	// If nobody serves the queue: tasks among ready that have ended, and groups
	// that were dropped.
	dead, gone int32
}

// add adds tasks to those that are ready. Most lanes have one at a time.
func (l *lane) add(tasks []*task) {
	if cap(l.ready) == 0 {
		l.ready = l.one[:0]
	}
	l.ready = append(l.ready, tasks...)
}

// round is the lanes with work of one priority.
type round struct {
	priority int
	away     bool // of one queue, which is not served here
	queue    string
	turn     int64 // when somebody had the last of it, if away
	lanes    []*lane
	head     int
}

// lane gives a lane of r, made if need be. Called with mu held.
func (d *dispatcher) lane(r *run, key laneKey) *lane {
	if key == (laneKey{}) {
		return &r.lanes.first
	}
	l := r.lanes.others[key]
	if l == nil {
		own := key // only here it is on the heap
		l = &lane{of: &r.lanes, key: &own}
		if key.all {
			l.round = roundIn(&d.rounds, round{priority: key.Priority})
		} else {
			l.round = d.roundOf(key.Queue, key.Priority)
		}
		if r.lanes.others == nil {
			r.lanes.others = make(map[laneKey]*lane)
		}
		r.lanes.others[key] = l
	}
	return l
}

// roundOf gives the round of a queue's lanes, nil if nobody will ever come for
// them.
func (d *dispatcher) roundOf(queue string, priority int) *round {
	switch {
	case d.serves(queue):
		return roundIn(&d.rounds, round{priority: priority})
	case d.reaches(queue):
		return roundIn(&d.away, round{priority: priority, away: true, queue: queue})
	}
	return nil
}

// roundIn gives a round, made if need be. There are no more than priorities, and
// queues of others, in use. Called with dispatcher.mu.
func roundIn(rounds *[]*round, like round) *round {
	i, found := slices.BinarySearchFunc(*rounds, like, func(r *round, like round) int {
		return cmp.Or(cmp.Compare(like.priority, r.priority), cmp.Compare(r.queue, like.queue))
	})
	if !found {
		*rounds = slices.Insert(*rounds, i, &like)
	}
	return (*rounds)[i]
}

// laneKey is where the children of g are made. Those that go on after a recovery
// may be anywhere.
func (g *group) laneKey() laneKey {
	of := g.frame.Group
	if of.Mixed || len(g.later) > 0 {
		return laneKey{pipeline.Lane{Priority: of.Lane.Priority}, true}
	}
	return laneKey{Lane: of.Lane}
}

// takes reports whether t belongs into the lane.
func (l *lane) takes(t *task) bool { return !l.key.all && l.key.Lane == t.call.Lane }

// unvisited reports whether nobody may come by for what is in the lane.
func (l *lane) unvisited() bool { return l.round == nil || l.round.away }

// open reports whether children of groups may start.
func (l *lane) open() bool { return len(l.groups) > 0 && l.of.waiting < waitingCap }

// list puts a lane with work into its round. Called with mu held.
func (d *dispatcher) list(l *lane) {
	if l.round == nil || l.of.parked || d.stops(l) || len(l.ready) == 0 && !l.open() {
		return
	}
	if !l.listed {
		l.listed = true
		l.round.lanes = append(l.round.lanes, l)
	}
	if l.round.away {
		d.tellBusy()
		return
	}
	d.someone()
}

func (d *dispatcher) listAll(r *run) {
	d.list(&r.lanes.first)
	for _, l := range r.lanes.others {
		d.list(l)
	}
}

// strand keeps tasks that nobody may come for.
func (l *lane) strand(tasks []*task) {
	for _, t := range tasks {
		if t.gone {
			continue
		}
		if !t.held {
			t.held = true
			l.of.waiting++
		}
		l.ready = append(l.ready, t)
	}
}

// forget notes that one of the stranded tasks has ended. They are cleared away
// when they are half of all.
func (l *lane) forget() {
	if l.dead++; int(l.dead)*2 > len(l.ready) {
		l.ready, l.dead = slices.DeleteFunc(l.ready, func(t *task) bool { return t.gone }), 0
	}
}

// dropped is forget for groups.
func (l *lane) dropped() {
	if l.gone++; int(l.gone)*2 > len(l.groups) {
		l.groups, l.gone = slices.DeleteFunc(l.groups, func(g *group) bool { return !g.enlisted }), 0
	}
}

// any reports whether there may be something in it.
func (r *round) any() bool { return r.head < len(r.lanes) }

// pop takes from the lane at the head and puts it at the end of the round.
func (r *round) pop(d *dispatcher) (item, bool) {
	for r.head < len(r.lanes) {
		l := r.lanes[r.head]
		r.lanes[r.head] = nil
		r.head++
		if r.head > 1024 && r.head*2 > len(r.lanes) {
			r.lanes = append(r.lanes[:0], r.lanes[r.head:]...)
			r.head = 0
		}
		l.listed = false
		if l.of.parked || d.stops(l) {
			continue
		}
		it, ok := l.take()
		if len(l.ready) > 0 || l.open() {
			l.listed = true
			r.lanes = append(r.lanes, l)
		}
		if ok {
			return it, true
		}
	}
	r.lanes, r.head = r.lanes[:0], 0
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
