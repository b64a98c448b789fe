package engine

import (
	"encoding/json"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flight"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// phase is where a task in flight stands.
type phase uint8

const (
	ready     phase = iota + 1 // may be claimed
	claimed                    // given to a worker
	scheduled                  // waits for the time of an attempt
	waiting                    // waits for an answer from outside
	over                       // ended; later answers are ignored
)

// task is a task run that has started, or is about to. Guarded by its run's mu.
//
// There are many, most of them out of the processor's cache: what each transition
// looks at stands first, and what one attempt needs once last. With the eight bytes
// that the allocator adds it fits 768.
type task struct {
	run   *run
	frame *pipeline.Frame
	call  *pipeline.Task
	group *group   // that it is a child of, nil outside
	job   *api.Job // what the worker sees; a new one for each attempt
	key   int64

	phase  phase
	row    bool  // a row was queued or stored
	final  bool  // and says that the task has ended
	shown  bool  // and says that the attempt is running
	born   bool  // what lets it start is durable: it may be shown
	listed bool  // among the run's live tasks
	last   phase // before it was over
	merges bool  // the pipeline's state is a map
	inside bool  // it, or the chain it stands in, is of a group: see among
	keyed  bool  // it has a task id
	tagged bool  // it may need slots; a flow does not: most of its time it waits for its calls, which may have the same tags

	stated   bool // the pipeline has a state
	acquires bool // its body has asked for slots of global limits
	aside    bool // counted for its group while it waits for its first attempt

	// Guarded by dispatcher.mu.
	held    bool   // counted as standing aside
	gone    bool   // ended, and nobody serves its queue
	readied uint32 // when it became ready, about, in milliseconds: see dispatcher.ticks

	attempt int32
	place   int32
	was     stand // what the row says

	// See taskList.
	seq              int64
	prev, next, peer *task

	cached    *cachedTask   // nil if it is not
	idTurn    *flight.Claim // of its task id, if it has asked; guarded by keyed.mu
	flow      *flow         // what it has called, if it is a flow
	of        *call         // of a flow, whose row this task's is; nil for all else
	lines     *lines        // nil if it has written none
	deadline  *timer
	heartbeat *timer
	cancel    func(cause error)
	cause     *api.Error // why it was told to end: nil, or a cancellation or a time-out

	input pipeline.Value
	first api.Job        // that of the first attempt
	up    [4]byte        // room for cell.Upstream of a step
	cell  store.TaskCell // what its row says, but for result and outcome
}

// cachedTask is what a cached task has beside.
type cachedTask struct {
	key   string         // "" for none
	kept  bool           // what it completed with goes into the cache by the change itself
	large pipeline.Value // or beside the change
	saved time.Duration  // how long the body took whose result it takes
}

// slotKey gives key and number of the task step at place of frame f, making its
// block of keys exist.
func (r *run) slotKey(c *change, f *pipeline.Frame, place int) (key, seq int64, err error) {
	if g, ok := f.Data.(*group); ok {
		off := f.Group.Offset(place)
		return g.base + off, g.seq + off, nil
	}
	s := spaceOf(f)
	slot := f.Chain.Step(place).Slot
	if err := r.reach(c, s, slot); err != nil {
		return 0, 0, err
	}
	key, seq, _ = s.at(slot)
	return key, seq, nil
}

// newTask makes the task that an effect starts. It is dispatched by who commits
// what lets it start.
func (r *run) newTask(c *change, eff *pipeline.Effect) (*task, error) {
	key, seq, err := r.slotKey(c, eff.Frame, eff.Place)
	if err != nil {
		return nil, err
	}
	t := &task{
		run: r, frame: eff.Frame, place: int32(eff.Place), call: eff.Task, key: key, seq: seq,
		input: eff.Input, merges: eff.Frame.State.Merge, stated: eff.Frame.State.Set, phase: ready, attempt: 1,
	}
	t.job = &t.first
	t.first = api.Job{
		Run: r.text, Task: eff.Task.Name, ID: r.taskID(seq),
		Attempt: 1, Generation: int(r.gen), Index: -1,
		Spread: int8(eff.Task.Spread), Bound: eff.Task.Args, State: eff.Frame.State.Data,
		TaskID:           eff.Task.Options.TaskID,
		Timeout:          time.Duration(eff.Task.Options.Timeout),
		HeartbeatTimeout: time.Duration(eff.Task.Options.HeartbeatTimeout),
		Tags:             eff.Task.Options.Tags,
		Schedule:         r.made.time(),
	}
	t.keyed, t.tagged = t.first.TaskID != "", len(t.first.Tags) > 0 && !t.call.Flow
	if t.call.Cached {
		t.cached = new(cachedTask)
	}
	if len(t.first.Tags) > 0 {
		t.cell.Put().Tags, _ = json.Marshal(t.first.Tags) //nolint:errchkjson // strings always encode
	}
	if name := eff.Task.Options.Name; name != "" {
		t.named(name)
	}
	t.locate(seq)
	if cl, ok := t.frame.Origin.(*call); ok && cl.one && seq == cl.seq {
		t.adopt(cl)
	}
	if r.rec != nil {
		r.rec.known[key] = true
	}
	if was, ok := r.rows[key]; ok {
		delete(r.rows, key)
		t.row, t.was, t.cell.History = true, was.stand, was.history
		if was.anew|was.start != 0 {
			t.cell.Put().Anew, t.cell.Put().Start = was.anew, was.start
		}
	}
	if c.more != nil && c.more.upstream != nil {
		t.dependsOn(c.more.upstream)
	}
	r.live.add(t)
	return t, nil
}

// locate says which child of a group the task is, or is part of, and what
// it depends on.
func (t *task) locate(seq int64) {
	if g, ok := t.frame.Data.(*group); ok {
		t.group, t.inside, t.job.Index = g, true, int(t.place)
		return
	}
	if up := t.frame.Parent; up != nil && up.Group != nil {
		t.inside = true
	}
	top := t.frame
	for top.Parent != nil && top.Parent.Chain != nil && top.Data == top.Parent.Data {
		top = top.Parent // a chain that is a step: it shares its keys with what it stands in
	}
	if up := top.Parent; up != nil && up.Group != nil {
		t.job.Index = top.Place
	}
	if s := spaceOf(t.frame); s.last != 0 && int(t.place) < len(t.frame.Chain.Steps) {
		state := api.Completed
		if !s.lastOK {
			state = api.Failed
		}
		id := s.lastID
		if id == "" {
			id = t.run.taskID(s.last - 1)
		}
		t.job.Upstream = []api.Upstream{{TaskRun: id, State: state}}
		t.cell.Upstream = store.AppendUpstream(t.up[:0], seq-(s.last-1), state)
	}
}

// shielded reports whether the task stands where a cancellation does not reach:
// at Finally, or below it.
func (t *task) shielded() bool {
	if t.frame.Chain != nil && int(t.place) == len(t.frame.Chain.Steps) {
		return true
	}
	return !t.frame.Cancelled
}

// write adds the task's row to change c, as it is to be now.
func (t *task) write(c *change, state api.State, cell *store.TaskCell) {
	w := c.AddTask()
	w.TaskRow = store.TaskRow{
		ID: t.key, Run: t.run.id, Frame: frameID(t.frame), Place: t.place, Task: t.call.Name,
		State: state, Attempt: t.attempt, Gen: t.run.gen, Cell: cell.Append(make([]byte, 0, 64+len(cell.Result.Data)+len(cell.History))),
	}
	w.Op = store.InsertTask
	if t.row {
		w.Op, w.WasAttempt, w.WasGen = store.UpdateTask, t.was.attempt, t.was.gen
	}
	if t.final { // its pipeline failed, and it runs again
		w.Op = store.ReopenTask
	}
	t.row, t.final, t.was = true, state.Final(), stand{attempt: t.attempt, gen: t.run.gen}
}

// note adds a line to the task's history.
func (t *task) note(state api.State, at int64, message string) {
	t.cell.History = store.AppendHistory(t.cell.History, &store.Line{State: state, Attempt: t.attempt, At: at, Message: message})
}

// stopTimers ends what could still happen to the attempt by time.
func (t *task) stopTimers() {
	t.deadline.stop()
	t.heartbeat.stop()
	t.deadline, t.heartbeat = nil, nil
}

func frameID(f *pipeline.Frame) int64 {
	if f.Parent == nil {
		return 0
	}
	return f.ID
}

// adopt makes the task that of a flow's call.
func (t *task) adopt(cl *call) {
	if t.first.Name == "" {
		t.first.Name = cl.key
	}
	if !cl.single { // a flow, whose key is durable
		t.cell.Put().Shown = t.first.Name
		return
	}
	t.of = cl
	t.first.Idempotency = cl.fl.t.first.IdempotencyKey() + "/" + cl.key
	call := cl.cell()
	t.cell.Call = &call
}
