package engine

import (
	"math/bits"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// group is a group frame in execution. Its memory does not grow with the number
// of children, but for a bit each: which of them have ended.
type group struct {
	run   *run
	frame *pipeline.Frame
	base  int64 // key of the first child; the frame's own is the one before
	seq   int64
	count int
	since int64 // when it began

	// Guarded by dispatcher.mu: what can start.
	list     *elements // of an each
	lane     *lane     // where its children are made
	next     int
	active   int
	enlisted bool
	owed     int // children that have not started
	// After recovery: children with a record don't start again.
	skip    func(i int) bool
	skipped bitset
	// Children that begin in queues that nobody serves here do not begin: which,
	// and how many.
	unserved bitset
	stuck    int
	held     bool         // counted as standing aside: for what is left of it nobody comes
	aside    int          // tasks of its children that wait for the time of their first attempt
	later    []laterChild // children that go on when there is room

	// Guarded by run.mu.
	done    bitset // children that have ended, durably
	low     int    // all below have ended
	kept    *kept  // results in memory while they are few and small
	tripped bool   // FailFast or a kill switch has cancelled the others
	// With kill switches: children that ended, and failed, and which one tripped.
	over, failed int
	trip         *pipeline.Trip
	unbegun      unbegun
}

// laterChild is a child that goes on when there is room.
type laterChild struct {
	index  int
	revive func()
}

// kept are results held in memory so that a small group is put together without
// reading them back.
type kept struct {
	values    []pipeline.Value
	failures  []*api.Failure
	states    []pipeline.State
	cancelled map[int]bool
	size      int
}

// keepCount and keepSize bound what a group holds in memory.
const (
	keepCount = 4096
	keepSize  = 1 << 20
)

// wideCount is from how many children on a run's changes stand back behind
// those of others.
const wideCount = 1000

func newGroup(r *run, f *pipeline.Frame, b block, count int) *group {
	g := &group{run: r, frame: f, base: b.first + 1, seq: b.seq + 1, count: count}
	g.done.grow(count)
	if count <= keepCount {
		g.kept = &kept{
			values: make([]pipeline.Value, count), failures: make([]*api.Failure, count),
			states: make([]pipeline.State, count),
		}
	}
	g.owed = count - g.immediates()
	for g.next < count && g.immediate(g.next) {
		g.next++
	}
	return g
}

// immediate reports whether child i needs no task.
func (g *group) immediate(i int) bool {
	_, ok := g.frame.Group.Child(i).Immediate(pipeline.Value{})
	return ok
}

// immediates counts the children that need no task.
func (g *group) immediates() int {
	if g.frame.Group.Each != nil {
		if g.count > 0 && g.immediate(0) {
			return g.count
		}
		return 0
	}
	n := 0
	for i := range g.count {
		if g.immediate(i) {
			n++
		}
	}
	return n
}

// startable reports whether a child may start now. Called with dispatcher.mu.
func (g *group) startable() bool {
	limit := g.frame.Group.MaxParallelism
	return (g.next < g.count || len(g.later) > 0) && (limit == 0 || g.active < limit) && g.aside < waitingCap
}

// unstarted counts the children that have not started, and takes them off.
func (g *group) unstarted() int {
	n := g.owed
	g.owed, g.stuck = 0, 0
	return n
}

func (g *group) passed(i int) bool {
	return g.immediate(i) || g.skip != nil && g.skip(i) || g.unserved.n > 0 && g.unserved.has(i)
}

// passOver takes note of the children that nobody here can begin. They are left
// for an engine that serves their queues.
func (g *group) passOver(serves func(queue string) bool) {
	of := g.frame.Group
	if of.Each != nil && of.Each.Begins(serves) {
		return
	}
	for i := g.next; i < g.count; i++ {
		if g.passed(i) || of.Each == nil && of.Children[i].Begins(serves) {
			continue
		}
		if g.unserved.n == 0 {
			g.unserved.grow(g.count)
		}
		g.unserved.set(i)
		g.stuck++
	}
	for g.next < g.count && g.passed(g.next) {
		g.next++
	}
}

// stranded reports whether nobody comes for what is left of the group. Called
// with dispatcher.mu.
func (g *group) stranded() bool {
	more := g.next < g.count || len(g.later) > 0
	if g.lane.round == nil {
		return more
	}
	return g.stuck > 0 && g.active == 0 && !more
}

// take gives the next child. Called with dispatcher.mu.
func (g *group) take() item {
	if len(g.later) > 0 {
		it := item{group: g, index: g.later[0].index, revive: g.later[0].revive}
		g.later = g.later[1:]
		g.active++
		g.owed--
		return it
	}
	it := item{group: g, index: g.next}
	if g.list != nil {
		it.element, it.err = g.list.at(g.next)
	}
	g.active++
	g.owed--
	g.next++
	for g.next < g.count && g.passed(g.next) {
		g.next++
	}
	return it
}

// keep holds what child i ended with, as long as all of it is little.
func (g *group) keep(i int, out pipeline.Outcome, state pipeline.State) {
	k := g.kept
	if k == nil {
		return
	}
	k.size += len(out.Value.Data) + len(state.Data)
	if k.size > keepSize {
		g.kept = nil
		return
	}
	k.values[i], k.failures[i], k.states[i] = out.Value, out.Failure, state
	if out.Status == pipeline.Cancelled {
		if k.cancelled == nil {
			k.cancelled = make(map[int]bool)
		}
		k.cancelled[i] = true
	}
}

// ended marks child i as durably ended.
func (g *group) ended(i int) {
	g.done.set(i)
	g.low = g.done.low(g.low)
}

// frameRow is the row of an open group.
func (g *group) frameRow(parent *pipeline.Frame) store.FrameRow {
	f := g.frame
	cell := store.FrameCell{Input: payload(f.In), State: f.State.Data, Merge: f.State.Merge, Trip: g.tripCell(), Opened: g.since}
	pending := int64(g.count - g.immediates())
	return store.FrameRow{
		Run: g.run.id, ID: f.ID, Parent: frameID(parent), Place: int32(f.Place),
		Kind: store.GroupFrame, State: store.FrameOpen, Base: g.base, Source: spaceOf(parent).base(), Count: int64(g.count),
		Pending: pending, Cell: cell.Append(nil),
	}
}

// bitset is one bit for each child.
type bitset struct {
	words []uint64
	n     int
}

func (b *bitset) grow(n int) { b.words, b.n = make([]uint64, (n+63)/64), n }

func (b *bitset) set(i int) { b.words[i/64] |= 1 << (i % 64) }

func (b *bitset) has(i int) bool { return b.words[i/64]&(1<<(i%64)) != 0 }

// low gives the first index from i on that is not set.
func (b *bitset) low(i int) int {
	for i < b.n {
		w := ^b.words[i/64] >> (i % 64)
		if w != 0 {
			return min(i+bits.TrailingZeros64(w), b.n)
		}
		i = (i/64 + 1) * 64
	}
	return b.n
}

// payload gives a value as the store keeps it.
func payload(v pipeline.Value) store.Payload {
	if v.Blob != 0 {
		return store.Payload{Blob: store.Blob{ID: v.Blob, Size: v.Size}}
	}
	return store.Payload{Data: text(v)}
}

// text gives a value that is not in a blob as JSON, nil for none.
func text(v pipeline.Value) []byte {
	if v.Failure != nil {
		return encodeFailure(v.Failure)
	}
	return v.Data
}

// value gives a stored value.
func value(p store.Payload) pipeline.Value {
	return pipeline.Value{Data: p.Data, Blob: p.Blob.ID, Size: p.Blob.Size}
}
