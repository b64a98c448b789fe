package engine

import (
	"context"
	"iter"
	"maps"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flight"
	"github.com/runnel-dev/runnel/internal/limit"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// Why says what a task run, or a run, waits for. It goes by what is in memory:
// a task run is found by its number, and those that hold it up are asked. Of a run
// that has much in progress it looks at a part, so it costs the same for all.
func (e *Engine) Why(ctx context.Context, id string) (w api.Waiting, err error) {
	of := id
	if strings.Contains(id, "/") {
		if of, _, err = cutID(id); err != nil {
			return w, err
		}
	}
	err = e.wherever(ctx, of, askWhy, id, &w, func(r *run, row *store.RunRow) (err error) {
		if r == nil {
			return api.Errorf(api.ErrConflict, "", "run %s has ended, as %s: it waits for nothing", of, row.State)
		}
		w, err = e.whyHere(ctx, r, id)
		return err
	})
	return w, err
}

// whyHere is Why for a run that is live here, or a task run of it.
func (e *Engine) whyHere(ctx context.Context, r *run, id string) (api.Waiting, error) {
	if !strings.Contains(id, "/") {
		return r.waits(), nil
	}
	_, seq, err := cutID(id)
	if err != nil {
		return api.Waiting{}, err
	}
	if w, live := r.taskWaits(seq); live {
		return w, nil
	}
	return e.whyStored(ctx, r, id, seq)
}

// taskWaits says what the task run of a number waits for, if it is in memory.
func (r *run) taskWaits(seq int64) (w api.Waiting, live bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.live.find(seq); t != nil && t.born {
		return t.waits(), true
	}
	if call := r.pending[seq]; call != nil {
		return call.waitsFor()
	}
	return api.Waiting{}, false
}

// whyStored is for a task run that is not in memory: it has ended, is about to
// have, or its flow has not come to it again since a crash.
func (e *Engine) whyStored(ctx context.Context, r *run, id string, seq int64) (api.Waiting, error) {
	row, err := e.store.Run(ctx, r.id)
	if err != nil {
		return api.Waiting{}, err
	}
	found, key, err := e.storedTask(ctx, &row, seq)
	if err != nil {
		return api.Waiting{}, err
	}
	switch {
	case found.ID == "":
		return api.Waiting{}, api.Errorf(api.ErrNotFound, "", "no task run %s: what has not begun has none; ask for the run", id)
	case found.State.Final():
		return api.Waiting{}, api.Errorf(api.ErrConflict, "", "task run %s has ended, as %s: it waits for nothing", id, found.State)
	}
	return r.storedWaits(&found, key), nil
}

// storedWaits says what a task run waits for that has not ended and is not in
// memory. After a retry of the run, or a crash, it may be that the run or its
// flow has yet to come to it.
func (r *run) storedWaits(out *api.TaskRun, key int64) api.Waiting {
	r.mu.Lock()
	defer r.mu.Unlock()
	was, reopened := r.rows[key]
	switch {
	case was.child != nil && !was.child.begun:
		return r.e.dispatch.child(was.child.group, was.child.index, r.state == api.Paused)
	case reopened, r.rec != nil && !r.rec.known[key]:
		return api.Waiting{Kind: api.WaitsForOthers}
	case out.Waiting != nil:
		return *out.Waiting
	}
	return api.Waiting{Kind: api.WaitsForStore}
}

// waits says what the task waits for. Called with run.mu.
func (t *task) waits() api.Waiting {
	switch t.phase {
	case waiting:
		w := api.Waiting{Kind: api.WaitsForAnswer}
		if left := t.timeLeft(); left > 0 {
			w.Until = t.run.e.now().Add(left).UTC()
		}
		return w
	case scheduled:
		return untilDue(at(t.cell.Seldom().Due), t.attempt)
	case claimed:
		return t.busy()
	case over:
		return api.Waiting{Kind: api.WaitsForStore}
	case ready:
	}
	return t.turn()
}

// untilDue is for a task run that waits for the time of an attempt.
func untilDue(due time.Time, attempt int32) api.Waiting {
	if attempt == 1 {
		return api.Waiting{Kind: api.WaitsForTime, Until: due}
	}
	return api.Waiting{Kind: api.WaitsForBackoff, Until: due, Attempt: int(attempt)}
}

// busy is for a task that a worker has, whose body may wait for something.
func (t *task) busy() api.Waiting {
	switch {
	case t.flow != nil && t.flow.held != nil && t.flow.open > 0: // its body has returned
		return api.Waiting{Kind: api.WaitsForOthers, Count: t.flow.open}
	case t.cause != nil:
		return api.Waiting{Kind: api.WaitsForCancel}
	case t.flow != nil && t.flow.lacks() > 0:
		return api.Waiting{Kind: api.WaitsForOthers, Count: t.flow.lacks()}
	case t.flow != nil && t.flow.held != nil:
		return api.Waiting{Kind: api.WaitsForStore}
	}
	if names, place, waits := t.run.e.slotWait(t); waits {
		return api.Waiting{Kind: api.WaitsForLimit, Key: strings.Join(names, ", "), Place: place}
	}
	return api.Waiting{}
}

// turn is for a task that could begin: it asks those that it has to pass, in
// their order.
func (t *task) turn() api.Waiting {
	e := t.run.e
	switch {
	case t.run.broken:
		return api.Waiting{Kind: api.WaitsForStore}
	case t.run.state == api.Paused:
		return api.Waiting{Kind: api.WaitsForResume}
	case !e.dispatch.served(t.call.Lane.Queue):
		return forQueue(t.call.Lane)
	case e.dispatch.stopped(t.call.Lane.Queue):
		return api.Waiting{Kind: api.WaitsForQueueResume, Queue: t.call.Lane.Name()}
	}
	if w, waits := e.keyed.waits(t); waits {
		return w
	}
	if w, waits := e.cache.waits(t); waits {
		return w
	}
	if slots := e.tagWaits(t); len(slots) > 0 {
		return api.Waiting{Kind: api.WaitsForSlots, Slots: slots}
	}
	return api.Waiting{Kind: api.WaitsForWorker}
}

// forQueue is for what nobody comes for.
func forQueue(lane pipeline.Lane) api.Waiting {
	queue, task := pipeline.SplitQueue(lane.Queue)
	return api.Waiting{Kind: api.WaitsForQueue, Queue: queue, Task: task}
}

// waits says whose turn it is under the task id of t, if t waits for its own.
func (k *keyedState) waits(t *task) (w api.Waiting, waits bool) {
	if t.first.TaskID == "" {
		return w, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.idTurn == nil {
		return w, false
	}
	holder, place := k.before(t.idTurn)
	return api.Waiting{Kind: api.WaitsForTaskID, TaskID: t.first.TaskID, TaskRun: holder}, place > 0
}

// before gives the task run that has the turn which c waits for, as far as is known,
// and its place in this process's line; 0 if it does not wait.
func (x *turns) before(c *flight.Claim) (holder string, place int) {
	has, place := x.table.Waits(c)
	if has != nil {
		return has.ID, place
	}
	return x.table.Elsewhere(c), place
}

func (s *cacheState) waits(t *task) (w api.Waiting, waits bool) {
	if !t.call.Alone {
		return w, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.claims[t]
	if c == nil {
		return w, false
	}
	holder, place := s.before(c)
	return api.Waiting{Kind: api.WaitsForCache, Key: c.Key, TaskRun: holder, Place: place}, place > 0
}

// shownHolders is how many of those who have a slot are named to each who waits.
const shownHolders = 10

func (e *Engine) tagWaits(t *task) (slots []api.WaitingSlot) {
	if !t.tagged {
		return nil
	}
	l := &e.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.on {
		return e.waitsKept(t)
	}
	c := l.asked[t]
	if c == nil || !c.Waits() {
		return nil
	}
	for _, w := range l.table.Wants(c) {
		slots = append(slots, wantedSlot(&w))
	}
	return slots
}

func wantedSlot(w *limit.Want) api.WaitingSlot {
	return api.WaitingSlot{
		Tag: w.Tag, Limit: w.Limit, Taken: len(w.Holders), Place: w.Place, Waiting: w.Waiting, MedianHold: held(w.Held),
		Holders: ids(w.Holders[:min(len(w.Holders), shownHolders)]),
	}
}

// summed is how many task runs, calls that wait for others, and groups a run's
// sum is made of. It is above what groups alone keep in memory, and makes asking a
// run cost a millisecond or two at most.
const summed = 4 * waitingCap

// waits sums up what the run waits for.
func (r *run) waits() api.Waiting {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := api.Waiting{Kind: api.WaitsForTaskRuns, Counts: make(map[api.WaitingKind]int)}
	for t := range r.live.some(summed) {
		if !t.born {
			continue
		}
		one := t.waits()
		if one.Kind == "" {
			w.Running++
			continue
		}
		w.Counts[one.Kind]++
	}
	for call := range few(maps.Values(r.pending)) {
		if one, listed := call.waitsFor(); listed {
			w.Counts[one.Kind]++
		}
	}
	for g := range few(maps.Values(r.groups)) {
		r.e.dispatch.children(g, r.state == api.Paused, &w)
	}
	for _, n := range []int{r.live.n, len(r.pending), len(r.groups)} {
		w.Seen += min(n, summed)
		w.Of += n
	}
	if w.Seen == w.Of {
		w.Seen, w.Of = 0, 0
	}
	switch {
	case r.state == api.Paused:
		w.Kind = api.WaitsForResume
	case w.Running == 0 && len(w.Counts) == 0:
		w.Kind = api.WaitsForStore
	}
	return w
}

// few gives as many as a sum is made of.
func few[T any](all iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		n := 0
		for x := range all {
			if n++; n > summed || !yield(x) {
				return
			}
		}
	}
}

// children adds to w what the children of g that have not begun wait for.
func (d *dispatcher) children(g *group, paused bool, w *api.Waiting) {
	d.mu.Lock()
	defer d.mu.Unlock()
	add := func(one api.Waiting, n int) {
		if n > 0 {
			w.Counts[one.Kind] += n
			w.Limit += one.Limit
			w.Taken += one.Taken
		}
	}
	n := g.owed
	if paused || g.lane == nil {
		add(d.held(g, paused), n)
		return
	}
	add(api.Waiting{Kind: api.WaitsForQueue}, g.stuck)
	add(d.held(g, false), n-g.stuck)
}

// child says what child i of g waits for, which has not begun.
func (d *dispatcher) child(g *group, i int, paused bool) api.Waiting {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !paused && g.unserved.n > 0 && g.unserved.has(i) {
		return forQueue(g.frame.Group.Child(i).Lane())
	}
	return d.held(g, paused)
}

// held says what the children of g wait for that could begin here. Called with
// mu held.
func (d *dispatcher) held(g *group, paused bool) api.Waiting {
	limit := g.frame.Group.MaxParallelism
	switch {
	case paused:
		return api.Waiting{Kind: api.WaitsForResume}
	case g.lane == nil: // its frame is not stored yet
		return api.Waiting{Kind: api.WaitsForStore}
	case !g.lane.key.all && !d.served(g.lane.key.Queue):
		return forQueue(g.lane.key.Lane)
	case d.stops(g.lane):
		return api.Waiting{Kind: api.WaitsForQueueResume, Queue: g.lane.key.Name()}
	case limit > 0 && g.active >= limit:
		return api.Waiting{Kind: api.WaitsForParallelism, Limit: limit, Taken: g.active}
	case g.run.lanes.waiting >= waitingCap || g.aside >= waitingCap:
		return api.Waiting{Kind: api.WaitsForRoom}
	}
	return api.Waiting{Kind: api.WaitsForWorker}
}
