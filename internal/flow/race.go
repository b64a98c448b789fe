package flow

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Race gives calls in the order in which they end. Ends come to the flow in the
// order in which they were kept, so it is the same when the flow runs again.
type Race struct {
	run     *Run
	keys    *Scope
	until   time.Time // as long as a Next may wait; zero: for ever
	futures []*Future
	err     error

	mu    sync.Mutex
	ended byOrder
	wake  func() // called by the next end; nil: nobody waits
}

// Race begins one among calls of the flow.
func (r *Run) Race(s *Scope, until time.Time, futures []*Future) *Race {
	race := &Race{run: r, keys: s, until: until}
	for _, f := range futures {
		race.Add(f)
	}
	return race
}

// Add lets another call take part.
func (r *Race) Add(f *Future) {
	if err := r.run.foreign([]Dep{{Future: f}}); err != nil {
		r.err = err
		return
	}
	r.mu.Lock()
	place := len(r.futures)
	r.futures = append(r.futures, f)
	r.mu.Unlock()
	f.Then(func() { r.arrive(place) })
}

func (r *Race) arrive(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	heap.Push(&r.ended, arrival{i, r.futures[i].Ended().Order})
	if r.wake != nil {
		r.wake()
		r.wake = nil
	}
}

// Next waits for the next end and gives the call's place.
func (r *Race) Next(ctx context.Context) (int, error) {
	if r.err == nil && !r.until.IsZero() {
		key := r.keys.Key("wait")
		in, err := r.run.inTime(ctx, key, r.until, r.came, r.then)
		if err == nil && !in {
			err = late(key)
		}
		if err != nil {
			return 0, err
		}
	}
	for r.err == nil {
		if place, ok := r.take(); ok {
			return place, r.run.failed(r.futures[place].Ended().Err)
		}
		ready := make(chan struct{})
		r.then(func() { close(ready) })
		if err := r.run.wait(ctx, ready); err != nil {
			return 0, err
		}
	}
	return 0, r.err
}

// take gives the first of those that have ended.
func (r *Race) take() (place int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ended) == 0 {
		return 0, false
	}
	return heap.Pop(&r.ended).(arrival).place, true //nolint:forcetypeassert // there is nothing else in it
}

func (r *Race) came() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ended) > 0
}

// then has wake called once there is one to take.
func (r *Race) then(wake func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ended) > 0 {
		wake()
		return
	}
	r.wake = wake
}

type arrival struct {
	place int
	order int64
}

// byOrder is a heap.
type byOrder []arrival

func (b byOrder) Len() int           { return len(b) }
func (b byOrder) Less(i, j int) bool { return b[i].order < b[j].order }
func (b byOrder) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// Push is heap.Push's.
func (b *byOrder) Push(x any) { *b = append(*b, x.(arrival)) } //nolint:forcetypeassert // see Next

// Pop is heap.Pop's.
func (b *byOrder) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}
