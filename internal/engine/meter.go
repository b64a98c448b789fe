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
	done  byQueue               // bodies that have ended
	came  byQueue               // attempts that something let begin: a worker, a slot or a turn may be wanting yet
}

// byQueue counts by queue. What comes in a row is mostly of one, so the map hears of it
// when it ends.
type byQueue struct {
	all  map[string]int64
	lane string // the queue at hand, as lanes name it
	n    int64  // of it, not in all yet
}

func (q *byQueue) add(lane string, n int64) {
	if lane != q.lane {
		q.settle()
		q.lane = lane
	}
	q.n += n
}

// settle has all say all.
func (q *byQueue) settle() {
	if q.n > 0 {
		queue, _ := pipeline.SplitQueue(q.lane)
		q.all[queue] += q.n
		q.n = 0
	}
}

// group counts the children of g that begin with a task. What others begin with has a
// change of its own.
func (q *byQueue) group(g *group) {
	of := g.frame.Group
	if of.Each != nil {
		if _, t := of.Each.First(); t != nil {
			q.add(t.Lane.Queue, int64(g.count))
		}
		return
	}
	for _, c := range of.Children {
		if _, t := c.First(); t != nil {
			q.add(t.Lane.Queue, 1)
		}
	}
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
	for _, c := range batch {
		m.begin(c)
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
			m.done.add(c.counted.call.Lane.Queue, 1)
			m.Run.Add(c.ran)
			if c.waited >= 0 {
				m.Wait.Add(c.waited)
			}
		}
	}
	m.done.settle()
	m.came.settle()
}

// begin counts what a change lets begin.
func (m *meter) begin(c *change) {
	if !c.foreseen {
		for _, t := range c.starts {
			m.came.add(t.call.Lane.Queue, 1)
		}
	}
	if c.more != nil {
		for _, g := range c.more.opened {
			m.came.group(g)
		}
	}
}

// rose counts a task that no change was about.
func (m *meter) rose(t *task) {
	m.mu.Lock()
	m.came.add(t.call.Lane.Queue, 1)
	m.came.settle()
	m.mu.Unlock()
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
	s.Totals, s.Ended, s.Came = v.meter.Totals, maps.Clone(v.meter.done.all), maps.Clone(v.meter.came.all)
	v.meter.mu.Unlock()
	v.mu.Lock()
	s.Late, s.Lost, s.Reachable = int64(v.late), int64(v.lost), !v.down()
	v.mu.Unlock()
	e.queue.mu.Lock()
	s.Uncommitted = len(e.queue.small) + len(e.queue.wide)
	e.queue.mu.Unlock()
	if !all {
		e.usage() // is measured as often as this is asked for
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
