package engine

import (
	"slices"
	"sync"

	"github.com/runnel-dev/runnel/internal/store"
)

// committed is a batch that is durable, with the frames it brought to zero.
type committed struct {
	batch  []*change
	closed []store.FrameRef
}

// commitLog hands committed batches from the committer to the advancer, so that
// the next commit runs while the last one is told.
type commitLog struct {
	mu     sync.Mutex
	more   *sync.Cond
	room   *sync.Cond
	list   []committed
	closed bool
	// unbounded: the same goroutine commits and advances.
	unbounded bool
}

// commitLogCap bounds how many batches may be told late.
const commitLogCap = 2

func (l *commitLog) init() { l.more, l.room = sync.NewCond(&l.mu), sync.NewCond(&l.mu) }

func (l *commitLog) push(c committed) {
	l.mu.Lock()
	l.list = append(l.list, c)
	l.more.Signal()
	for len(l.list) > commitLogCap && !l.closed && !l.unbounded {
		l.room.Wait()
	}
	l.mu.Unlock()
}

func (l *commitLog) take(wait bool) (committed, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for wait && len(l.list) == 0 && !l.closed {
		l.more.Wait()
	}
	if len(l.list) == 0 {
		return committed{}, false
	}
	c := l.list[0]
	l.list = slices.Delete(l.list, 0, 1)
	l.room.Signal()
	return c, true
}

func (l *commitLog) close() {
	l.mu.Lock()
	l.closed = true
	l.more.Broadcast()
	l.room.Broadcast()
	l.mu.Unlock()
}

func (e *Engine) advanceLoop() {
	for e.advanceBatch(true) {
	}
}

// AdvanceStep goes on from one committed batch and reports whether there was
// one.
func (e *Engine) AdvanceStep() bool { return e.advanceBatch(false) }

func (e *Engine) advanceBatch(wait bool) bool {
	done, ok := e.commits.take(wait)
	if !ok {
		return false
	}
	e.dispatch.at.Store(e.micros())
	news := e.newsOf(done.batch)
	e.vitals.meter.ended(done.batch)
	for batch := done.batch; len(batch) > 0; {
		n := 1
		for n < len(batch) && batch[n].run == batch[0].run {
			n++
		}
		e.advance(batch[:n])
		batch = batch[n:]
	}
	for _, ref := range done.closed {
		e.groupClosed(ref)
	}
	e.tellNews(news)
	return true
}

// advance does what changes of one run allowed once they were durable. The run's
// lock is taken once for all of them: of a wide run they are many, and a run
// beside it waits until they are done.
func (e *Engine) advance(batch []*change) {
	r := batch[0].run
	r.mu.Lock()
	for i, c := range batch {
		if c.counted != nil {
			if !c.tallied {
				r.tally(c)
			}
			if c.counted.phase == over {
				r.live.remove(c.counted)
				if len(batch)-i <= recentKept { // else they are pushed out again
					e.vitals.recent.put(c.counted)
				}
			}
		}
		c.starts = slices.DeleteFunc(c.starts, func(t *task) bool { return t.phase == over })
		for _, t := range c.starts {
			t.bear()
		}
		if c.more != nil {
			r.advanceRare(c.more)
		}
	}
	r.joined(batch)
	r.mu.Unlock()
	for _, c := range batch {
		e.follow(c)
		c.free()
	}
}

func (r *run) advanceRare(b *beyond) {
	if b.skipped != "" {
		r.counts.of(b.skipped).Skipped++
	}
	for _, g := range b.opened {
		g.expect()
	}
}

// follow starts what a durable change lets start, and tells who waits for it.
func (e *Engine) follow(c *change) {
	if len(c.starts) > 0 {
		e.enqueue(c.run, c.starts)
	}
	if c.more != nil {
		for _, g := range c.more.opened {
			e.dispatch.add(g)
		}
		for _, end := range c.more.ends {
			e.ended(end)
		}
	}
	if c.after != nil {
		c.after()
	}
	if c.end != nil { // told once what the run had is free
		e.forget(c.run)
		c.run.handle.is(c.end, nil)
	}
	if c.told != nil {
		c.told.tell(nil)
	}
}

// enqueue makes tasks claimable, those with a task id one at a time.
func (e *Engine) enqueue(r *run, tasks []*task) {
	for i, t := range tasks {
		if !e.takesTurns(t) {
			continue
		}
		plain := slices.Clone(tasks[:i])
		for _, t := range tasks[i:] {
			if !e.takesTurns(t) || e.enterKeyed(t) {
				plain = append(plain, t)
			}
		}
		tasks = plain
		break
	}
	if len(tasks) > 0 {
		e.dispatch.push(r, tasks...)
	}
}

// takesTurns reports whether t has to wait for others with its task id. One whose
// queue nobody will serve would be in their way.
func (e *Engine) takesTurns(t *task) bool {
	return t.keyed && e.dispatch.reaches(t.call.Lane.Queue)
}

// joined takes note that children of groups have durably ended. Called with r.mu.
func (r *run) joined(batch []*change) {
	var g *group // of the children at hand
	ended := 0
	release := func() {
		if ended > 0 {
			r.e.dispatch.release(g, ended)
		}
	}
	for _, c := range batch {
		for i := range c.joined {
			j := &c.joined[i]
			if j.group != g {
				release()
				g, ended = j.group, 0
			}
			g.ended(j.index)
			g.keep(j.index, j.out, j.state)
			ended++
		}
	}
	release()
}

// forget drops a run that has ended.
func (e *Engine) forget(r *run) {
	e.mu.Lock()
	delete(e.runs, r.id)
	e.mu.Unlock()
	if r.made.counts() {
		e.lookAt(r.made.Name) // a time may wait for its end
	}
}
