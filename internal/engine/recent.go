package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
)

// recent is the task runs that ended last by the worker that their bodies began on last,
// as far as their runs were this process's. It is in memory only: what ended before the
// process began is in the lists.
type recent struct {
	mu    sync.Mutex
	turn  int64
	rings map[uint32]*endedRing
}

const (
	// recentKept is how many are kept of each worker, recentWorkers of how many workers.
	recentKept    = 100
	recentWorkers = 256
)

type endedRing struct {
	list []endedTask
	next int
	used int64 // the turn in which it was put to
}

// endedTask is what is shown of one: nothing that keeps its run.
type endedTask struct {
	id, task, name, label string
	failure               []byte
	tags                  []string
	seq, started, ended   int64
	attempt, gen          int32
	index                 int
	state                 api.State
}

// put takes note of a task whose end is durable. Called with run.mu.
func (x *recent) put(t *task, state api.State) {
	if t.cell.Begun == 0 || t.cell.Worker == 0 {
		return
	}
	s := t.cell.Seldom()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.turn++
	ring := x.ring(t.cell.Worker)
	ring.used = x.turn
	if len(ring.list) < recentKept {
		ring.list = append(ring.list, endedTask{})
	}
	ring.list[ring.next] = endedTask{
		id: t.first.ID, task: t.call.Name, name: t.first.Name, label: s.Name, failure: s.Failure, tags: t.first.Tags,
		seq: t.seq, started: t.cell.Started, ended: t.cell.Ended, attempt: t.attempt, gen: t.run.gen, index: t.first.Index, state: state,
	}
	ring.next = (ring.next + 1) % recentKept
}

// ring gives that of a worker, in the place of the one that was put to longest ago if
// there are too many. Called with mu.
func (x *recent) ring(worker uint32) *endedRing {
	if ring := x.rings[worker]; ring != nil {
		return ring
	}
	if len(x.rings) >= recentWorkers {
		oldest, used := uint32(0), x.turn
		for n, ring := range x.rings {
			if ring.used < used {
				oldest, used = n, ring.used
			}
		}
		delete(x.rings, oldest)
	}
	ring := new(endedRing)
	x.rings[worker] = ring
	return ring
}

// of gives those of a worker, the last first.
func (x *recent) of(worker uint32) []endedTask {
	x.mu.Lock()
	defer x.mu.Unlock()
	ring := x.rings[worker]
	if ring == nil {
		return nil
	}
	list := slices.Concat(ring.list[ring.next:], ring.list[:ring.next]) // while it is not full, next is its end
	slices.Reverse(list)
	return list
}

// workerRecent asks a process for what ended last of a worker.
const workerRecent = "process.recent"

func (e *Engine) recentHere(worker string) (list []api.TaskRun) {
	for _, t := range e.vitals.recent.of(e.workers.known(worker)) {
		list = append(list, t.show(worker))
	}
	return list
}

func (t *endedTask) show(worker string) api.TaskRun {
	run, _, _ := strings.Cut(t.id, "/")
	out := api.TaskRun{
		ID: t.id, Run: run, Seq: t.seq, Task: t.task, Name: cmp.Or(t.name, lifecycle.RunName(t.task, t.seq)), Index: t.index, State: t.state,
		Tags: slices.Clone(t.tags), Attempt: int(t.attempt), Generation: int(t.gen), Worker: worker, Started: at(t.started), Finished: at(t.ended),
	}
	var code api.Code
	if t.failure != nil {
		if f, err := decodeFailure(t.failure); err == nil { // it is our own
			out.Failure, code = f, f.Code
		}
	}
	out.StateName = cmp.Or(t.label, lifecycle.Name(t.state, out.Attempt, code))
	return out
}

// Recent gives the task runs that ended last of those whose bodies began last on a
// worker, which is known by its name: the last first, and at most 100. Each process is
// asked for those of its runs, and not waited for longer than a second.
func (e *Engine) Recent(ctx context.Context, worker string) []api.TaskRun {
	list := e.recentHere(worker)
	if e.peers.node != nil {
		var mu sync.Mutex
		var asked sync.WaitGroup
		for _, m := range e.peers.node.Live() {
			if m.Session == e.peers.node.Self() {
				continue
			}
			asked.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, askedBriefly)
				defer cancel()
				var more []api.TaskRun
				if e.peers.node.Call(ctx, m.Session, workerRecent, worker, &more) == nil { // else it is silent
					mu.Lock()
					list = append(list, more...)
					mu.Unlock()
				}
			})
		}
		asked.Wait()
	}
	slices.SortFunc(list, func(a, b api.TaskRun) int {
		return cmp.Or(b.Finished.Compare(a.Finished), cmp.Compare(a.ID, b.ID))
	})
	return list[:min(len(list), recentKept)]
}

// CurrentOf gives the task runs whose bodies a worker that comes over HTTP has, the
// longest first.
func (e *Engine) CurrentOf(worker string) []api.TaskRun {
	return e.running(func(t *task) bool { return e.remotes.have(t.job) && t.worker() == worker })
}
