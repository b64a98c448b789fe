package engine

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
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

// endedTask names one. What it came to is in the store.
type endedTask struct {
	run uuid.UUID
	seq int64
}

// put takes note of a task whose end is durable. Called with run.mu.
func (x *recent) put(t *task) {
	if t.cell.Begun == 0 || t.cell.Worker == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.turn++
	ring := x.ring(t.cell.Worker)
	ring.used = x.turn
	if len(ring.list) < recentKept {
		ring.list = append(ring.list, endedTask{})
	}
	ring.list[ring.next] = endedTask{t.run.uid, t.seq}
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

// recentHere leaves out what has gone meanwhile, or was retried; and results, which may
// be large.
func (e *Engine) recentHere(ctx context.Context, worker string) (list []api.TaskRun) {
	var row store.RunRow // what ended in a row is mostly of one run
	for _, t := range e.vitals.recent.of(e.workers.known(worker)) {
		if row.UID != t.run {
			var err error
			if row, err = e.rowOf(ctx, t.run.String()); err != nil {
				row = store.RunRow{}
				continue
			}
		}
		out, _, err := e.storedTask(ctx, &row, t.seq)
		if err == nil && out.State.Final() && out.Worker == worker {
			out.Result = nil
			list = append(list, out)
		}
	}
	return list
}

// Recent gives the task runs that ended last of those whose bodies began last on a
// worker, which is known by its name: the last first, and at most 100. Each process is
// asked for those of its runs, and not waited for longer than a second.
func (e *Engine) Recent(ctx context.Context, worker string) []api.TaskRun {
	list := e.recentHere(ctx, worker)
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
