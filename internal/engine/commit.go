package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// queue is what waits to be committed: what belongs to small runs first. A run
// uses one of the two at a time, so its changes stay in order.
type queue struct {
	mu     sync.Mutex
	more   *sync.Cond // there is something to commit, or it is closed
	room   *sync.Cond // there is room
	small  []*change
	wide   []*change
	busy   bool // a batch is being committed
	closed bool
	sick   bool // the store refuses; new runs are refused until it is well
}

// Bounds of a batch and of the queue. A wide run alone gets larger batches than
// when others wait for theirs.
const (
	batchCap   = 2000
	batchShare = 500
	queueCap   = 4096
)

func (q *queue) init() {
	q.more, q.room = sync.NewCond(&q.mu), sync.NewCond(&q.mu)
}

// push queues a change. Called with the run's lock, which keeps a run's changes
// in order.
func (q *queue) push(c *change) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		if e := c.run.e; e.isLost() {
			e.lates(1)
		}
		c.refuse(api.ErrClosed)
		return
	}
	if c.run.wide {
		q.wide = append(q.wide, c)
	} else {
		q.small = append(q.small, c)
	}
	if !q.busy {
		q.more.Signal()
	}
	q.mu.Unlock()
}

// throttle waits while the queue is full, so that workers can't outrun the
// store. Called without locks.
func (q *queue) throttle() {
	q.mu.Lock()
	for len(q.small)+len(q.wide) > queueCap && !q.closed {
		q.room.Wait()
	}
	q.mu.Unlock()
}

// take waits for changes and gives the next batch; nil once closed and empty.
func (q *queue) take(wait bool) []*change {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	for wait && len(q.small)+len(q.wide) == 0 && !q.closed {
		q.more.Wait()
	}
	n := min(len(q.small), batchCap)
	batch := append([]*change(nil), q.small[:n]...)
	q.small = cut(q.small, n)
	limit := batchCap
	if n > 0 { // others wait: a shorter batch
		limit = max(batchShare-n, 0)
	}
	n = min(len(q.wide), limit)
	batch = append(batch, q.wide[:n]...)
	q.wide = cut(q.wide, n)
	q.busy = len(batch) > 0
	q.room.Broadcast()
	return batch
}

// cut drops the first n, keeping the memory if nothing is left.
func cut(list []*change, n int) []*change {
	clear(list[:n])
	if n == len(list) {
		return list[:0]
	}
	return list[n:]
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.more.Broadcast()
	q.room.Broadcast()
	q.mu.Unlock()
}

func (e *Engine) commitLoop() {
	for e.commitBatch(true) {
	}
}

// CommitStep commits what is queued and reports whether there was anything.
func (e *Engine) CommitStep() bool { return e.commitBatch(false) }

func (e *Engine) commitBatch(wait bool) bool {
	batch := e.queue.take(wait)
	if len(batch) == 0 {
		return false
	}
	transitions := make([]*store.Transition, len(batch))
	for i, c := range batch {
		transitions[i] = &c.Transition
	}
	begun, size := e.now(), len(batch)
	e.watch.begins(begun, size)
	e.commit(batch, transitions)
	e.watch.ends()
	e.vitals.meter.committed(size, e.now().Sub(begun))
	return true
}

// commit makes a batch durable. A batch that is refused for what is in it is
// halved until the guilty change is alone, and alone gets the error.
func (e *Engine) commit(batch []*change, transitions []*store.Transition) {
	ctx := batch[0].ctx()
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		closed, err := e.commitNamed(ctx, transitions)
		if err == nil {
			e.setSick(false)
			e.storeSaid(byCommit, nil)
			e.commits.push(committed{batch, closed})
			return
		}
		if errors.Is(err, store.ErrLost) {
			e.givenUp(batch)
			return
		}
		if !errors.Is(err, store.ErrRetry) {
			if len(batch) == 1 {
				e.fail(batch, err)
				return
			}
			break
		}
		e.storeSaid(byCommit, err)
		batch, transitions = e.refuseNew(batch, transitions, err)
		if len(batch) == 0 {
			e.unasked()
		}
		if len(batch) == 0 || !e.waitStore(delay) {
			e.setSick(false)
			e.fail(batch, err)
			return
		}
	}
	half := len(batch) / 2
	e.commit(batch[:half:half], transitions[:half])
	e.commit(batch[half:], transitions[half:])
}

// commitNamed commits transitions, and with them what the workers are called that they
// are the first to name.
func (e *Engine) commitNamed(ctx context.Context, transitions []*store.Transition) ([]store.FrameRef, error) {
	names := e.workers.writes()
	if names == nil {
		return e.store.Commit(ctx, transitions)
	}
	first := transitions[0]
	own := first.Records
	first.Records = append(slices.Clip(own), names...)
	closed, err := e.store.Commit(ctx, transitions)
	first.Records = own
	if err == nil {
		e.workers.wrote(names)
	}
	return closed, err
}

// refuseNew takes the new runs out of a batch that the store has no room for,
// and out of the queue behind it, and tells who submits them; the rest has to
// wait for room.
func (e *Engine) refuseNew(batch []*change, transitions []*store.Transition, err error) ([]*change, []*store.Transition) {
	var kept []*change
	var left []*store.Transition
	refused := e.queue.sicken()
	for i, c := range batch {
		if c.NewRun != nil {
			refused = append(refused, c)
			continue
		}
		kept, left = append(kept, c), append(left, transitions[i])
	}
	e.fail(refused, err)
	return kept, left
}

// sicken notes that the store takes nothing, and gives the new runs that were
// queued before that was known.
func (q *queue) sicken() (refused []*change) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sick = true
	isNew := func(c *change) bool {
		if c.NewRun != nil {
			refused = append(refused, c)
		}
		return c.NewRun != nil
	}
	q.small, q.wide = slices.DeleteFunc(q.small, isNew), slices.DeleteFunc(q.wide, isNew)
	return refused
}

// checkStore refuses new work while the store takes none.
func (e *Engine) checkStore() error {
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	if e.queue.sick {
		return api.Errorf(api.ErrStore, e.store.Location(), "takes nothing at the moment (disk full?): what was accepted waits, new runs are refused")
	}
	return nil
}

// patiently does what needs the store for a run that exists: it waits while the
// store has no room rather than fail the run.
func (e *Engine) patiently(do func() error) error {
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		err := do()
		if !errors.Is(err, store.ErrRetry) || !e.waitStore(delay) {
			return err
		}
	}
}

func (e *Engine) setSick(sick bool) {
	e.queue.mu.Lock()
	e.queue.sick = sick
	e.queue.mu.Unlock()
}

// waitStore waits before the store is tried again; false if there is no point.
func (e *Engine) waitStore(delay time.Duration) bool {
	if e.manual {
		return true
	}
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	wake := time.AfterFunc(delay, func() {
		e.queue.mu.Lock() // not before the wait below, however late that comes
		e.queue.room.Broadcast()
		e.queue.mu.Unlock()
	})
	defer wake.Stop()
	if !e.queue.closed {
		e.queue.room.Wait()
	}
	return !e.queue.closed
}

// refuse tells who asked for the change that it was not committed; false if
// nobody did.
func (c *change) refuse(err error) bool {
	if c.told == nil {
		return false
	}
	if c.NewRun != nil {
		c.run.e.forget(c.run)
	}
	c.told.tell(err)
	return true
}

// fail deals with changes that could not be committed. One that nobody answers
// for means that memory and store differ: the run is left alone until the next
// engine reads it from the store. If this session was given up meanwhile, the next
// engine is about to.
func (e *Engine) fail(batch []*change, err error) {
	if e.isLost() {
		e.givenUp(batch)
		return
	}
	for _, c := range batch {
		if c.refuse(err) {
			continue
		}
		e.log.Error("change refused; the run stands still until the engine is opened again", "run", c.run.text, "error", err)
		c.run.mu.Lock()
		c.run.broken = true
		c.run.mu.Unlock()
		e.park(c.run, true)
		e.dropSlots(c.run)
		c.run.handle.fail(api.Errorf(api.ErrStore, "", "run %s: change refused: %w", c.run.text, err))
	}
}
