package engine

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// Queues that are paused are records. Whoever pauses one has the other processes read
// them; one that was just joining sees it when it reads them again.
const (
	queueKind    = "queue"
	queuesChange = "queues.changed" // to all: read them again
	drainWorker  = "process.drain"
	workerTasks  = "process.tasks"
)

// queuesEvery is how often the records of queues are read by those that share a store.
const queuesEvery = 10 * time.Second

// queueRecord is that of a queue that is paused.
type queueRecord struct {
	Paused time.Time `json:"paused"`
}

func (e *Engine) initStops() {
	answer(e, queuesChange, func(ctx context.Context, _ struct{}) (any, error) { return nil, e.readQueues(ctx) })
	answer(e, drainWorker, func(_ context.Context, drain bool) (any, error) {
		e.drain(drain)
		return nil, nil
	})
	answer(e, workerTasks, func(context.Context, struct{}) (any, error) { return e.current(), nil })
	answer(e, workerRecent, func(ctx context.Context, worker string) (any, error) { return e.recentHere(ctx, worker), nil })
}

// PauseQueue has nothing more of a queue begin, in no process, until ResumeQueue.
// What has begun goes on. A queue need not be known yet.
func (e *Engine) PauseQueue(ctx context.Context, name string) error {
	paused, err := e.pausedQueues(ctx)
	if _, already := paused[name]; err != nil || already {
		return err
	}
	value, err := json.Marshal(queueRecord{Paused: e.now().UTC()})
	if err != nil {
		return err
	}
	return e.writeQueue(ctx, name, value)
}

// ResumeQueue lets a queue go on.
func (e *Engine) ResumeQueue(ctx context.Context, name string) error {
	return e.writeQueue(ctx, name, nil)
}

func (e *Engine) writeQueue(ctx context.Context, name string, value []byte) error {
	if name == "" {
		return api.Errorf(api.ErrInvalid, "name", "a queue has a name: that of tasks without one is %q", pipeline.DefaultQueue)
	}
	if err := e.checkStore(); err != nil {
		return err
	}
	if err := e.store.PutRecords(ctx, store.RecordWrite{Kind: queueKind, Key: name, Value: value}); err != nil {
		return err
	}
	if err := e.readQueues(ctx); err != nil {
		return err
	}
	e.tellOfQueues(ctx)
	return nil
}

// tellOfQueues has the other processes read which queues are paused. Who does not answer
// within a second does so later.
func (e *Engine) tellOfQueues(ctx context.Context) {
	if e.peers.node == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askedBriefly)
	defer cancel()
	var told sync.WaitGroup
	for _, m := range e.peers.node.Live() {
		if m.Session != e.peers.node.Self() {
			told.Go(func() {
				if err := e.peers.node.Call(ctx, m.Session, queuesChange, struct{}{}, nil); err != nil {
					e.log.Warn("a process has not heard yet which queues are paused", "session", m.Session, "error", err)
				}
			})
		}
	}
	told.Wait()
}

// pausedQueues reads since when queues are paused.
func (e *Engine) pausedQueues(ctx context.Context) (map[string]time.Time, error) {
	paused := make(map[string]time.Time)
	err := e.store.Records(ctx, queueKind, "", func(name string, value []byte) error {
		var rec queueRecord
		if err := json.Unmarshal(value, &rec); err != nil {
			return api.Errorf(api.ErrStore, "", "stored queue %q: %w", name, err)
		}
		paused[name] = rec.Paused
		return nil
	})
	return paused, err
}

// readQueues takes over which queues are paused.
func (e *Engine) readQueues(ctx context.Context) error {
	e.stops.mu.Lock()
	defer e.stops.mu.Unlock()
	paused, err := e.pausedQueues(ctx)
	if err != nil {
		return err
	}
	e.stops.read = e.now()
	var now map[string]bool
	for name := range paused {
		if now == nil {
			now = make(map[string]bool, len(paused))
		}
		now[pipeline.QueueOf(name)] = true
	}
	e.dispatch.stop(now, e.liveRuns())
	return nil
}

// rereadQueues is for who shares its store, and may not have heard of a change.
func (e *Engine) rereadQueues(ctx context.Context) {
	e.stops.mu.Lock()
	late := e.now().Sub(e.stops.read) >= queuesEvery
	e.stops.mu.Unlock()
	if late {
		if err := e.readQueues(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("which queues are paused can't be read", "error", err)
		}
	}
}

// stops reports whether the lane's queue is paused. Called with mu held.
func (d *dispatcher) stops(l *lane) bool {
	return len(d.paused) > 0 && !l.key.all && d.paused[l.key.Queue]
}

// stopped is stops for a queue, without mu.
func (d *dispatcher) stopped(queue string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.paused[queue]
}

// stop says which queues are paused from now on. Those of the runs that are not any
// more go on.
func (d *dispatcher) stop(queues map[string]bool, runs []*run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if maps.Equal(d.paused, queues) {
		return
	}
	d.paused = queues
	for _, r := range runs {
		d.listAll(r)
	}
}

// drains reports whether nothing begins here.
func (d *dispatcher) drains() bool { return d.drained.Load() }

func (d *dispatcher) drain(drained bool) {
	d.mu.Lock()
	d.drained.Store(drained)
	d.wake.Broadcast()
	d.mu.Unlock()
}

// drain has nothing more begin here, or something again. Others are told with the next
// beat, and lent what is to do in the runs of this process.
func (e *Engine) drain(drain bool) {
	e.dispatch.drain(drain)
	if e.peers.node == nil {
		return
	}
	e.offerAnew()
	e.lendSoon()
	e.wantJobs()
}

// offerAnew tells the others what this process offers now.
func (e *Engine) offerAnew() {
	e.peers.mu.Lock()
	text, _ := json.Marshal(e.offering()) //nolint:errchkjson // words and numbers
	e.peers.offer.Store(&text)
	e.peers.mu.Unlock()
	e.peers.node.Hurry()
}

// offering is what this process offers now.
func (e *Engine) offering() offer {
	o := e.offered
	o.Far = e.remotes.reaches()
	if e.dispatch.drains() {
		o.Drains, o.Full, o.Places = true, o.Places, 0
	}
	return o
}

// session reads the id of a worker, which lives.
func (e *Engine) session(id string) (session int64, self bool, err error) {
	session, err = strconv.ParseInt(id, 10, 64)
	if err == nil && e.peers.node == nil && session == 1 {
		return session, true, nil
	}
	if err == nil && e.peers.node != nil {
		for _, m := range e.peers.node.Live() {
			if m.Session == session {
				return session, session == e.peers.node.Self(), nil
			}
		}
	}
	return 0, false, api.Errorf(api.ErrNotFound, "", "no worker %q works on the store", id)
}

// DrainWorker has a process take no new work, or take some again. It finishes what it
// has, and what waits in its runs others do. Of that nothing is kept: a process that is
// started anew takes work.
func (e *Engine) DrainWorker(ctx context.Context, id string, drain bool) error {
	session, self, err := e.session(id)
	switch {
	case err != nil:
		return err
	case self:
		e.drain(drain)
		return nil
	}
	return e.peers.node.Call(ctx, session, drainWorker, drain, nil)
}

// Worker gives one process, with what it does.
func (e *Engine) Worker(ctx context.Context, id string) (api.Worker, error) {
	session, self, err := e.session(id)
	if err != nil {
		return api.Worker{}, err
	}
	all, err := e.Workers(ctx)
	if err != nil {
		return api.Worker{}, err
	}
	i := slices.IndexFunc(all, func(w api.Worker) bool { return w.ID == id })
	switch {
	case i < 0:
		return api.Worker{}, api.Errorf(api.ErrNotFound, "", "worker %s has just gone", id)
	case self:
		all[i].Current = e.current()
	case !all[i].Silent:
		err = e.peers.node.Call(ctx, session, workerTasks, struct{}{}, &all[i].Current)
	}
	all[i].Recent = e.Recent(ctx, all[i].Name)
	return all[i], err
}

// shownTasks is how many of its task runs a worker is asked for at most.
const shownTasks = 1000

// current gives the task runs whose bodies run here, the longest first.
func (e *Engine) current() []api.TaskRun {
	away := e.away()
	list := e.running(func(t *task) bool { return !away(t.job) })
	e.borrowing.mu.Lock()
	for _, x := range e.borrowing.have {
		list = append(list, api.TaskRun{
			ID: x.job.ID, Run: x.job.Run, Seq: seqOf(x.job.ID), Task: x.job.Task, Name: x.job.Name, Index: x.job.Index, State: api.Running,
			Attempt: x.job.Attempt, Generation: x.job.Generation, Tags: x.job.Tags, Worker: e.workerName(e.ownWorker()),
		})
	}
	e.borrowing.mu.Unlock()
	return longest(list)
}

// running gives those of the task runs here that have been given out and that which
// chooses.
func (e *Engine) running(which func(*task) bool) (list []api.TaskRun) {
	for _, r := range e.liveRuns() {
		r.mu.Lock()
		for t := range r.live.all() {
			if t.born && t.phase == claimed && which(t) {
				list = append(list, t.show())
			}
		}
		r.mu.Unlock()
	}
	return longest(list)
}

// longest gives as many as are shown, the longest first.
func longest(list []api.TaskRun) []api.TaskRun {
	slices.SortStableFunc(list, func(a, b api.TaskRun) int { return a.Started.Compare(b.Started) })
	return list[:min(len(list), shownTasks)]
}
