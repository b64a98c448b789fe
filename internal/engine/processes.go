package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// askFacts asks a process what is to do there.
const askFacts = "process.facts"

// facts is what is to do in the runs of one process, and what it does itself.
type facts struct {
	Busy   int                    `json:"busy"`
	Flows  int                    `json:"flows"`
	CPU    float64                `json:"cpu,omitempty"`
	Memory int64                  `json:"memory,omitempty"`
	Queues map[string]*queueFacts `json:"queues"`
}

type queueFacts struct {
	Ready   int   `json:"ready"`
	Running int   `json:"running"`
	Oldest  int64 `json:"oldest"` // microseconds since 1970; 0: none
}

// initOffer notes what this process can do.
func (e *Engine) initOffer(cfg *Config) {
	e.since = e.now()
	e.dispatch.since = e.since.UnixMicro()
	e.dispatch.at.Store(e.dispatch.since)
	e.offered = offer{
		Places: cfg.Places, Queues: cfg.Queues, Tasks: slices.Sorted(slices.Values(cfg.Tasks)), Version: cfg.Version, Keep: e.retention.keep,
	}
}

func (e *Engine) initFacts() {
	if e.peers.node != nil {
		answer(e, askFacts, func(context.Context, struct{}) (any, error) { return e.facts(), nil })
	}
}

// Workers lists the processes that work on the store, those that only look too, with
// the longest there first. Each is asked how busy it is, and not waited for longer than
// a second.
func (e *Engine) Workers(ctx context.Context) ([]api.Worker, error) {
	known, err := e.processes(ctx)
	list := make([]api.Worker, len(known))
	for i := range known {
		list[i] = known[i].worker
	}
	return list, err
}

// Queues lists the queues that are served by name, and those in which something waits or
// runs, by name. It goes through the task runs in memory, as Why does; runs whose process
// has gone are not counted before another one has them.
func (e *Engine) Queues(ctx context.Context) ([]api.Queue, error) {
	known, err := e.processes(ctx)
	if err != nil {
		return nil, err
	}
	queues := make(map[string]*api.Queue)
	of := func(name string) *api.Queue {
		if queues[name] == nil {
			queues[name] = &api.Queue{Name: name}
		}
		return queues[name]
	}
	of(pipeline.DefaultQueue)
	e.remotes.any(func(o *offer) bool {
		for _, name := range o.Queues {
			of(name)
		}
		return false
	})
	for i := range known {
		for _, name := range known[i].worker.Queues {
			of(name)
		}
		for name, f := range known[i].facts.Queues {
			q := of(name)
			q.Ready += f.Ready
			q.Running += f.Running
			if since := at(f.Oldest); !since.IsZero() && (q.Oldest.IsZero() || since.Before(q.Oldest)) {
				q.Oldest = since
			}
		}
	}
	paused, err := e.pausedQueues(ctx)
	if err != nil {
		return nil, err
	}
	for name, since := range paused {
		of(name).Paused = since
	}
	list := make([]api.Queue, 0, len(queues))
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		q := queues[name]
		for i := range known {
			if w := &known[i].worker; w.Concurrency > 0 && !w.Draining && (w.All || slices.Contains(w.Queues, name)) {
				q.Workers++
			}
		}
		q.Workers += e.remotes.serving(name)
		list = append(list, *q)
	}
	return list, nil
}

// process is one that works on the store.
type process struct {
	session int64 // 0 if no other process can be on the store
	worker  api.Worker
	facts   facts
}

func (o *offer) worker(id int64, name string, since time.Time) api.Worker {
	return api.Worker{
		ID: strconv.FormatInt(id, 10), Name: name, Since: since.UTC(), Concurrency: max(o.Places, o.Full),
		Queues: o.Queues, All: o.Queues == nil, Tasks: o.Tasks, Draining: o.Drains, Version: o.Version,
	}
}

// offers gives the processes that work on the store, as their offers say, the longest
// there first: it asks none of them, and looks at no run.
func (e *Engine) offers() ([]process, error) {
	if e.isClosed() {
		return nil, api.ErrClosed
	}
	offered, now := e.offering(), e.now().UTC()
	if e.peers.node == nil {
		own := process{worker: offered.worker(1, store.ProcessName(), e.since)}
		own.worker.Here, own.worker.Seen = true, now
		return []process{own}, nil
	}
	live := e.peers.node.Live()
	list := make([]process, len(live))
	for i := range live {
		m, p := &live[i], &list[i]
		o, _ := readOffer(m.Offer)
		p.session, p.worker = m.Session, o.worker(m.Session, m.Name, at(m.Started))
		if m.Session == e.peers.node.Self() {
			p.worker.Here, p.worker.Draining, p.worker.Seen = true, offered.Drains, now
		}
	}
	slices.SortStableFunc(list, func(a, b process) int {
		return cmp.Or(a.worker.Since.Compare(b.worker.Since), cmp.Compare(a.worker.ID, b.worker.ID))
	})
	return list, nil
}

// processes gives those that work on the store, and asks them.
func (e *Engine) processes(ctx context.Context) ([]process, error) {
	list, err := e.offers()
	if err != nil {
		return nil, err
	}
	var asked sync.WaitGroup
	for i := range list {
		p := &list[i]
		if p.worker.Here {
			p.facts = e.facts()
			p.tells()
			continue
		}
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askedBriefly)
			defer cancel()
			err := e.peers.node.Call(ctx, p.session, askFacts, struct{}{}, &p.facts)
			if p.worker.Silent = err != nil; err == nil {
				p.worker.Seen = e.now().UTC()
			}
			p.tells()
		})
	}
	asked.Wait()
	return list, context.Cause(ctx)
}

// tells has the worker be as the facts say.
func (p *process) tells() {
	p.worker.Busy, p.worker.Flows = p.facts.Busy, p.facts.Flows
	p.worker.CPU, p.worker.Memory = p.facts.CPU, p.facts.Memory
}

// usage is how much of the machine the process uses: since about the last beat, or since
// somebody looked.
func (e *Engine) usage() (cores float64, memory int64) {
	if e.manual { // who drives the steps compares what he sees
		return 0, 0
	}
	return e.vitals.usage.Look(e.now())
}

// Offered lists the processes that work on the store, with what they said that they can
// do, and the names of queues that are served by name or are paused. Unlike Workers and
// Queues it asks nobody and looks at no run, so it costs little, whatever there is to do.
func (e *Engine) Offered(ctx context.Context) (workers []api.Worker, queues []string, err error) {
	known, err := e.offers()
	if err != nil {
		return nil, nil, err
	}
	names := map[string]bool{pipeline.DefaultQueue: true}
	for i := range known {
		workers = append(workers, known[i].worker)
		for _, name := range known[i].worker.Queues {
			names[name] = true
		}
	}
	e.remotes.any(func(o *offer) bool {
		for _, name := range o.Queues {
			names[name] = true
		}
		return false
	})
	paused, err := e.pausedQueues(ctx)
	for name := range paused {
		names[name] = true
	}
	return workers, slices.Sorted(maps.Keys(names)), err
}

// facts tells of this process.
func (e *Engine) facts() facts {
	f := facts{Queues: make(map[string]*queueFacts)}
	f.Busy, f.Flows = e.occupied()
	f.CPU, f.Memory = e.usage()
	for _, r := range e.liveRuns() {
		f.add(r)
	}
	return f
}

// occupied counts the bodies that run in this process. What it has lent it has claimed,
// too.
func (e *Engine) occupied() (busy, flows int) {
	flows = int(e.lending.flowing.Load())
	busy = int(e.claimed.Load()-e.remotes.given()) - flows
	e.lending.mu.Lock()
	busy -= len(e.lending.out) - e.lending.flows
	flows -= e.lending.flows
	e.lending.mu.Unlock()
	e.borrowing.mu.Lock()
	defer e.borrowing.mu.Unlock()
	for _, x := range e.borrowing.have {
		if x.flow != nil {
			flows++
		}
	}
	return max(busy+e.borrowing.taken, 0), flows
}

func (f *facts) queue(name string) *queueFacts {
	if f.Queues[name] == nil {
		f.Queues[name] = new(queueFacts)
	}
	return f.Queues[name]
}

func (q *queueFacts) wait(n int, since int64) {
	q.Ready += n
	if q.Oldest == 0 || since < q.Oldest {
		q.Oldest = since
	}
}

// add counts what is to do in a run.
func (f *facts) add(r *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range r.live.all() {
		switch {
		case !t.born:
		case t.phase == claimed:
			f.queue(t.call.Lane.Name()).Running++
		case t.phase == ready && forWorker(t.turn()):
			f.queue(t.call.Lane.Name()).wait(1, r.e.dispatch.readySince(t))
		}
	}
	for _, g := range r.groups {
		if name, n := r.e.dispatch.readyOf(g, r.state == api.Paused); n > 0 {
			f.queue(name).wait(n, g.since)
		}
	}
}

func forWorker(w api.Waiting) bool {
	return w.Kind == api.WaitsForWorker || w.Kind == api.WaitsForQueue || w.Kind == api.WaitsForQueueResume
}

// readySince is about when t became ready.
func (d *dispatcher) readySince(t *task) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.at.Load()
	return now - d.sinceReady(t.readied, now)
}

// ticks gives a time in milliseconds since the engine began, from 1 on. After 49 days
// they begin anew: what waits longer is taken for younger.
func (d *dispatcher) ticks(at int64) uint32 { return max(uint32((at-d.since)/1000)+1, 1) }

// sinceReady gives how many microseconds have passed at a time since one in ticks.
func (d *dispatcher) sinceReady(ticks uint32, at int64) int64 {
	passed := d.ticks(at) - ticks
	if passed > 1<<31 { // the clock was set back, or rounds
		return 0
	}
	return int64(passed) * 1000
}

// readyOf gives how many children of g have not begun and wait for a worker only, and
// the queue in which they do.
func (d *dispatcher) readyOf(g *group, paused bool) (queue string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case paused || g.lane == nil || !forWorker(d.held(g, paused)):
		return "", 0
	case g.frame.Group.MaxParallelism > 0:
		return g.lane.key.Name(), min(g.owed, g.frame.Group.MaxParallelism-g.active)
	}
	return g.lane.key.Name(), g.owed
}
