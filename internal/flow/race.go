package flow

import (
	"container/heap"
	"context"
	"sync"
)

// Race gives calls in the order in which they end. Ends come to the flow in the
// order in which they were kept, so it is the same when the flow runs again.
type Race struct {
	run     *Run
	futures []*Future
	err     error

	mu    sync.Mutex
	ended byOrder
	ready chan struct{} // closed by the next end; nil: nobody waits
}

// Race begins one among calls of the flow.
func (r *Run) Race(futures []*Future) *Race {
	race := &Race{run: r}
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
	if r.ready != nil {
		close(r.ready)
		r.ready = nil
	}
}

// Next waits for the next end and gives the call's place.
func (r *Race) Next(ctx context.Context) (int, error) {
	for r.err == nil {
		r.mu.Lock()
		if len(r.ended) > 0 {
			next := heap.Pop(&r.ended).(arrival) //nolint:forcetypeassert // there is nothing else in it
			f := r.futures[next.place]
			r.mu.Unlock()
			return next.place, r.run.failed(f.Ended().Err)
		}
		if r.ready == nil {
			r.ready = make(chan struct{})
		}
		ready := r.ready
		r.mu.Unlock()
		if err := r.run.wait(ctx, ready); err != nil {
			return 0, err
		}
	}
	return 0, r.err
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
