package engine

import (
	"maps"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/vital"
)

// meter counts what becomes durable, once for each batch of commits: a task pays for
// two numbers in its change. The engines that sit in one seat after the other share it.
type meter struct {
	mu sync.Mutex
	vital.Totals
	since time.Time             // it counts
	cache map[string]CacheTaken // by task
	queue map[string]int64      // bodies that have ended, by queue
}

// CacheTaken counts what task runs of a name had from the cache since the engine was
// opened, as far as it is durable.
type CacheTaken struct {
	Hits   int64 // took a result
	Misses int64 // completed by their bodies
	Saved  time.Duration
}

// measured is what a change tells the meter of the attempt that ended with it.
type measured struct {
	body, hit, miss bool  // there was one; it looked into the cache
	waited, ran     int64 // microseconds; waited is negative if nobody knows
}

// measure notes how long the attempt took that ends with c, at a time. Called with
// run.mu.
func (t *task) measure(c *change, from phase, end int64) {
	if x := t.cached; x != nil && x.key != "" && c.last == api.Completed {
		c.hit = t.cell.Seldom().Name == lifecycle.Cached
		c.miss = !c.hit
	}
	if from != claimed && from != waiting || t.cell.Begun == 0 {
		return
	}
	c.body, c.ran, c.waited = true, end-t.cell.Begun, -1
	switch {
	case t.readied != 0:
		c.waited = t.run.e.dispatch.sinceReady(t.readied, t.cell.Begun)
	case t.group != nil && t.group.frame.Group.MaxParallelism == 0:
		c.waited = t.cell.Begun - t.group.since
	}
}

// ended counts a batch of changes that is durable.
func (m *meter) ended(batch []*change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue, bodies := "", int64(0) // the last one that is not in the map yet: mostly, it is all of a batch's
	for _, c := range batch {
		if c.NewRun != nil {
			m.Submitted++
		}
		if c.end != nil {
			m.runEnded(c.SetRun.State)
		}
		if c.more != nil && c.more.skipped != "" {
			m.TasksSkipped++
		}
		if c.counted == nil {
			continue
		}
		if c.retried {
			m.Retries++
		} else {
			m.taskEnded(c.last)
		}
		if c.hit || c.miss {
			m.looked(c)
		}
		if c.body {
			m.Attempts++
			if q := c.counted.call.Lane.Queue; q != queue {
				m.bodies(queue, bodies)
				queue, bodies = q, 0
			}
			bodies++
			m.Run.Add(c.ran)
			if c.waited >= 0 {
				m.Wait.Add(c.waited)
			}
		}
	}
	m.bodies(queue, bodies)
}

// bodies counts n that have ended, of a queue as lanes name it.
func (m *meter) bodies(lane string, n int64) {
	if n > 0 {
		queue, _ := pipeline.SplitQueue(lane)
		m.queue[queue] += n
	}
}

// looked counts a task run that asked the cache.
func (m *meter) looked(c *change) {
	t := c.counted
	n := m.cache[t.call.Name]
	if c.hit {
		m.Hits++
		n.Hits++
		n.Saved += t.cached.saved
	} else {
		m.Misses++
		n.Misses++
	}
	m.cache[t.call.Name] = n
}

// CacheTaken gives the counts by task, and since when they are counted.
func (e *Engine) CacheTaken() (byTask map[string]CacheTaken, since time.Time) {
	m := &e.vitals.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.cache), m.since
}

// Now is the engine's time.
func (e *Engine) Now() time.Time { return e.now() }

func (m *meter) runEnded(state api.State) {
	switch state {
	case api.Completed:
		m.RunsCompleted++
	case api.Failed:
		m.RunsFailed++
	case api.Cancelled:
		m.RunsCanceled++
	default:
	}
}

func (m *meter) taskEnded(state api.State) {
	switch state {
	case api.Completed:
		m.TasksCompleted++
	case api.Failed:
		m.TasksFailed++
	case api.Cancelled:
		m.TasksCanceled++
	case api.Skipped:
		m.TasksSkipped++
	default:
	}
}

// committed counts a batch that the store has taken or refused.
func (m *meter) committed(changes int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Commits++
	m.Changes += int64(changes)
	m.Commit.Add(took.Microseconds())
	m.Batch.Add(int64(changes))
}

// Vitals tells how the engine is: with all, by looking at all that it has in memory.
func (e *Engine) Vitals(all bool) *vital.Snapshot {
	s := &vital.Snapshot{At: e.now(), Places: e.offered.Places}
	v := e.vitals
	v.meter.mu.Lock()
	s.Totals, s.Ended = v.meter.Totals, maps.Clone(v.meter.queue)
	v.meter.mu.Unlock()
	v.mu.Lock()
	s.Late, s.Lost, s.Reachable = int64(v.late), int64(v.lost), !v.down()
	v.mu.Unlock()
	e.queue.mu.Lock()
	s.Uncommitted = len(e.queue.small) + len(e.queue.wide)
	e.queue.mu.Unlock()
	if !all {
		s.Busy, s.Flows = e.occupied()
		return s
	}
	f := e.facts()
	s.Busy, s.Flows, s.Queues = f.Busy, f.Flows, make(map[string]vital.Queue, len(f.Queues))
	for name, q := range f.Queues {
		s.Queues[name] = vital.Queue{Ready: q.Ready, Running: q.Running, Oldest: at(q.Oldest)}
	}
	s.Runs = make(map[string]int64)
	for _, r := range e.liveRuns() {
		r.mu.Lock()
		s.Runs[r.state.String()]++
		for i := range r.counts.list {
			n := &r.counts.list[i]
			s.Pending += n.Pending
			s.Running += n.Running
			s.Retrying += n.Retrying
		}
		r.mu.Unlock()
	}
	return s
}

// Vitals tells how the engine that sits here is.
func (s *Seat) Vitals(all bool) *vital.Snapshot { return s.Engine().Vitals(all) }
