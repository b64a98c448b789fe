package engine

import (
	"container/heap"
	"sync"
	"time"
)

// timers fires what is due. One goroutine sleeps until the next one is.
type timers struct {
	mu     sync.Mutex
	heap   timerHeap
	wake   chan struct{} // the next one changed
	closed bool
}

type timer struct {
	at      time.Time
	fire    func()
	index   int // in the heap, -1 outside
	stopped bool
	owner   *timers
}

func (t *timers) init() { t.wake = make(chan struct{}, 1) }

// after fires f at the given time, without any lock held.
func (t *timers) after(at time.Time, f func()) *timer {
	tm := &timer{at: at, fire: f, owner: t}
	t.mu.Lock()
	heap.Push(&t.heap, tm)
	first := tm.index == 0
	t.mu.Unlock()
	if first {
		t.poke()
	}
	return tm
}

// stop keeps the timer from firing; it may just have fired.
func (tm *timer) stop() {
	if tm == nil {
		return
	}
	tm.owner.mu.Lock()
	if tm.index >= 0 && !tm.stopped {
		heap.Remove(&tm.owner.heap, tm.index)
	}
	tm.stopped = true
	tm.owner.mu.Unlock()
}

func (t *timers) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *timers) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.poke()
}

// next is when the first timer is due.
func (t *timers) next() (at time.Time, some, closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heap) == 0 {
		return time.Time{}, false, t.closed
	}
	return t.heap[0].at, true, t.closed
}

// due takes the timers that are due.
func (t *timers) due(now time.Time) []*timer {
	t.mu.Lock()
	defer t.mu.Unlock()
	var due []*timer
	for len(t.heap) > 0 && !t.heap[0].at.After(now) {
		tm := heap.Pop(&t.heap).(*timer)
		tm.stopped = true
		due = append(due, tm)
	}
	return due
}

// Tick fires what is due.
func (e *Engine) Tick() {
	for _, tm := range e.timers.due(e.now()) {
		tm.fire()
	}
}

// NextTimer is when the next timer is due, if there is one.
func (e *Engine) NextTimer() (time.Time, bool) {
	at, ok, _ := e.timers.next()
	return at, ok
}

func (e *Engine) timerLoop() {
	sleep := time.NewTimer(time.Hour)
	defer sleep.Stop()
	for {
		at, ok, closed := e.timers.next()
		if closed {
			return
		}
		wait := time.Hour
		if ok {
			wait = at.Sub(e.now())
		}
		sleep.Reset(max(wait, 0))
		select {
		case <-e.timers.wake:
		case <-sleep.C:
			e.Tick()
		}
	}
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	tm := x.(*timer)
	tm.index = len(*h)
	*h = append(*h, tm)
}

func (h *timerHeap) Pop() any {
	old := *h
	tm := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	tm.index = -1
	return tm
}
