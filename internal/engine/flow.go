package engine

import (
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// flow is what a flow's body has called and observed, beside its task. Guarded
// by the run's mu.
//
// A call is known by its key, which the body gives it anew each time it runs.
// The keys of rows come out of blocks that belong to the flow; which row is
// which call's is in the rows. A call may begin before it has a row: its
// idempotency key is made of the call's key, not of the row's.
type flow struct {
	t     *task
	round int64           // of the attempt
	frame *pipeline.Frame // above the chains that this attempt calls
	// Those in progress, and of those that have ended the ones that an earlier
	// attempt made: what this one has been told it does not ask for again.
	calls  map[string]*call
	notes  map[string]json.RawMessage // of earlier attempts
	unread []store.Block              // of keys that may have records of either
	// next to end are keys to give out, with their numbers from seq on.
	next, end, seq int64
	size           int64                // of the next block
	sure           int64                // keys below it are of blocks that are durable
	waits          map[string]*awaiting // calls that will be made
	places         int32
	order          int64            // of the last call that ended
	seen           int64            // the highest order, of first ends, that this attempt was told
	firsts         map[string]int64 // of ends that a retry has the flow forget, by key
	open           int              // calls that have not durably ended
	held           *heldAnswer
	unsure         int  // blocks of keys that are not durable yet
	closing        bool // the engine is
}

// heldAnswer is what a flow's body gave, until all its calls have ended.
type heldAnswer struct {
	answer api.Answer
	result pipeline.Value
}

// call is one call of a flow.
type call struct {
	fl     *flow
	key    string
	id     int64 // of its row, or of its chain's frame
	seq    int64
	frame  *pipeline.Frame // while it is in progress
	single bool            // one task: its row is the call's
	one    bool            // one task
	inputs string
	round  int64           // generation and attempt of the flow that made it
	after  int64           // see store.Call
	first  int64           // order of the first end under its key, in an earlier attempt; 0: none
	told   []func(flowEnd) // who waits for the end
	state  api.State       // once it has ended, durably
	order  int64
	out    pipeline.Outcome // until it is told
	stale  bool             // a row says that it is in progress, but it was not brought back yet
	stored bool             // the end is in the task's row
	plan   []byte           // of one of several steps: what its frame's row keeps of it
}

// blocks of a flow's keys grow with the number of its calls.
const (
	firstFlowBlock = 16
	lastFlowBlock  = 1024
)

// openFlow prepares an attempt of a flow. Called with r.mu.
func (t *task) openFlow() error {
	fl, again := t.flow, t.flow != nil
	if !again {
		fl = &flow{
			t: t, calls: make(map[string]*call), notes: make(map[string]json.RawMessage), size: firstFlowBlock,
		}
	}
	if err := fl.load(again); err != nil {
		return err
	}
	t.flow, fl.seen = fl, 0
	if round := t.round(); fl.round != round {
		fl.round, fl.frame = round, pipeline.FlowFrame(t.frame, int(t.place))
		fl.frame.ID = t.key
		return nil
	}
	// The body was elsewhere, and is gone. What it called goes on.
	for _, cl := range fl.calls {
		cl.told = nil
	}
	return nil
}

// round numbers the attempts of a flow over all generations of the run.
func (t *task) round() int64 { return int64(t.run.gen)<<32 | int64(t.attempt) }

// key gives the next key and its number.
func (fl *flow) key(c *change) (key, seq int64, err error) {
	if fl.next == fl.end {
		b, err := fl.t.run.newBlock(c, fl.size, -fl.t.key)
		if err != nil {
			return 0, 0, err
		}
		n := fl.size
		fl.next, fl.end, fl.seq = b.first, b.first+n, b.seq
		fl.size = min(2*fl.size, lastFlowBlock)
		fl.unsure++
		c.then(func() {
			fl.t.run.mu.Lock()
			fl.unsure--
			fl.sure = max(fl.sure, b.first+n)
			fl.t.run.mu.Unlock()
		})
	}
	key, seq = fl.next, fl.seq
	fl.next++
	fl.seq++
	fl.t.run.wide = fl.t.run.wide || fl.places > wideCount
	return key, seq, nil
}

// FlowCall makes a call of a flow, or finds the one that was made under its key
// before. Told is called once, when the end is durable: without locks, perhaps
// before FlowCall returns, and not if that fails. It gives the call's task run
// id, "" for a pipeline's.
func (e *Engine) FlowCall(job *api.Job, fc *api.FlowCall, told func(api.FlowEnd)) (string, error) {
	return e.flowCall(job, fc, func(end flowEnd) { told(end.FlowEnd) })
}

func (e *Engine) flowCall(job *api.Job, fc *api.FlowCall, told func(flowEnd)) (string, error) {
	plan, inputs, err := e.compileCall(fc)
	if err != nil {
		return "", err
	}
	t := job.Key.(*task)
	r := t.run
	r.mu.Lock()
	if err := t.flowing(job); err != nil {
		r.mu.Unlock()
		return "", err
	}
	fl := t.flow
	cl, err := fl.find(fc.Key)
	if err != nil {
		r.mu.Unlock()
		return "", err
	}
	first := fl.firsts[fc.Key]
	if cl != nil {
		first = cl.since()
	}
	if cl != nil && cl.superseded(inputs) {
		cl = nil // this attempt of the flow makes it anew
	}
	if cl != nil && cl.inputs != inputs {
		r.mu.Unlock()
		return "", changed(cl, inputs)
	}
	if cl != nil && cl.final() {
		id := cl.taskRun()
		delete(fl.calls, cl.key)
		fl.sees(cl)
		r.mu.Unlock()
		told(e.recorded(cl))
		return id, nil
	}
	defer r.mu.Unlock()
	switch {
	case cl != nil && cl.stale:
		cl.told = append(cl.told, told)
		fl.open++
		return cl.taskRun(), fl.revive(cl, plan.Root)
	case cl != nil && !cl.final() && cl.frame.Parent != fl.frame:
		// An attempt before this one made it, and it is being cancelled.
		cl.told = append(cl.told, func(flowEnd) { e.callAgain(job, fc, told) })
		return cl.taskRun(), nil
	case cl != nil && !cl.final():
		cl.told = append(cl.told, told)
		return cl.taskRun(), nil
	}
	cl = &call{
		fl: fl, key: fc.Key, inputs: inputs, round: t.round(), after: fl.seen + 1, first: first,
		told: []func(flowEnd){told},
	}
	fl.calls[fc.Key] = cl
	fl.open++
	c := r.newChange()
	w := fl.due(fc.Key)
	if err := cl.place(c, w); err != nil {
		return "", err
	}
	if plan == nil {
		cl.skip(c, fc)
	} else {
		err = cl.start(c, fc, plan.Root, w)
	}
	return cl.taskRun(), err
}

// compileCall gives the plan of a call, nil if it can't run, and what it is.
func (e *Engine) compileCall(fc *api.FlowCall) (*pipeline.Plan, string, error) {
	if fc.NotReady != "" {
		return nil, fc.Task + " that is not ready", nil
	}
	plan, err := pipeline.Compile(fc.Spec, e.registry)
	if err != nil {
		return nil, "", err
	}
	inputs, err := describe(fc)
	return plan, inputs, err
}

func (e *Engine) callAgain(job *api.Job, fc *api.FlowCall, told func(flowEnd)) {
	if _, err := e.flowCall(job, fc, told); err != nil {
		told(flowEnd{FlowEnd: api.FlowEnd{Err: err}})
	}
}

// flowing reports why the flow of a job can call nothing.
func (t *task) flowing(job *api.Job) error {
	switch {
	case t.flow == nil:
		return api.Errorf(api.ErrInvalid, job.ID, "task %q is not a flow", job.Task)
	case t.flow.closing:
		return api.ErrClosed
	case t.phase != claimed || job != t.job:
		return api.Errorf(api.ErrConflict, job.ID, "the flow is not running any more")
	case t.cause != nil:
		return t.cause
	}
	return nil
}

// since gives the order of the first end under the call's key, 0 for none.
func (cl *call) since() int64 {
	return earlier(cl.fl.firsts[cl.key], earlier(cl.first, cl.order))
}

// earlier gives the lower of two orders, of which 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// sees notes that the body is told how a call ended. Called with r.mu.
func (fl *flow) sees(cl *call) { fl.seen = max(fl.seen, cl.since()) }

func (cl *call) final() bool { return cl.state.Final() }

func (cl *call) taskRun() string {
	if !cl.one {
		return ""
	}
	return cl.fl.t.run.taskID(cl.seq)
}

// start begins a call, as change c. Called with r.mu.
func (cl *call) start(c *change, fc *api.FlowCall, chain *pipeline.Chain, w *awaiting) error {
	fl := cl.fl
	r := fl.t.run
	// The records of a flow are found by its key, which must not be another one
	// after a crash: so a flow's call is like a longer chain's.
	cl.one = chain.Single()
	cl.single = cl.one && !chain.Steps[0].Task.Flow
	fl.places++
	f := pipeline.CallFrame(fl.frame, int(fl.places), chain)
	f.ID, f.Origin, cl.frame = cl.id, cl, f
	f.Data = newSpace(cl.id, cl.seq)
	if !cl.single {
		b, err := w.block(c, chain.Width())
		if err != nil {
			return err
		}
		f.Data, cl.seq = newSpace(b.first, b.seq), b.seq
		if err := cl.keepPlan(fc); err != nil {
			return err
		}
		c.Frames = append(c.Frames, store.FrameWrite{FrameRow: cl.row(store.FrameOpen, store.FrameCell{})})
	}
	if fc.Upstream != nil {
		c.rare().upstream = fc.Upstream
	}
	r.apply(c, pipeline.BeginCall(c.effects, f))
	if cl.single && fl.unsure == 0 && len(c.starts) == 1 {
		// All that it reads is durable, and its identity follows from the key.
		c.starts[0].bear()
		r.forgetWait(w)
		r.e.enqueue(r, c.starts)
		c.free()
		return nil
	}
	r.e.queue.push(c)
	return nil
}

// keepPlan has the call's frame say what its pipeline is, for those who ask where in
// it a task run stands.
func (cl *call) keepPlan(fc *api.FlowCall) error {
	if cl.one {
		return nil
	}
	text, err := fc.Spec.AppendJSON(nil)
	if err != nil {
		return err
	}
	kept, err := cl.fl.t.run.keep(text)
	cl.plan = store.EncodeRef(payload(kept))
	return err
}

// skip records a call that can't run, as change c. Called with r.mu.
func (cl *call) skip(c *change, fc *api.FlowCall) {
	fl := cl.fl
	r := fl.t.run
	cl.single, cl.one = true, true
	fl.order++
	cl.order = fl.order
	failure := &api.Failure{
		Task: fc.Task, TaskRun: cl.taskRun(), Type: "*api.Error", Code: api.ErrNotReady.Code, Message: fc.NotReady,
	}
	now := r.e.micros()
	call := cl.cell()
	cell := store.TaskCell{
		Ended: now, Call: &call, Upstream: encodeUpstream(cl.seq, fc.Upstream),
	}
	cell.Put().Failure, cell.Put().Name = encodeFailure(failure), notReady
	w := c.AddTask()
	w.TaskRow = store.TaskRow{
		ID: cl.id, Run: r.id, Frame: cl.id, Task: failure.Task, State: api.Skipped, Gen: r.gen, Cell: cell.Append(nil),
	}
	cl.out = failed(failure)
	c.rare().skipped = failure.Task
	c.callOver(callEnd{cl, api.Skipped})
	r.e.queue.push(c)
}

// cell is what a row keeps of the call.
func (cl *call) cell() store.Call {
	return store.Call{Key: cl.key, Inputs: []byte(cl.inputs), Order: cl.order, One: cl.one && !cl.single, Seq: cl.seq, Round: cl.round, After: cl.after}
}

// row is the frame's row of a call that is more than one task.
func (cl *call) row(state store.FrameState, cell store.FrameCell) store.FrameRow {
	cell.Call, cell.Plan = cl.cell(), cl.plan
	return store.FrameRow{
		Run: cl.fl.t.run.id, ID: cl.id, Parent: cl.fl.t.key, Place: int32(cl.frame.Place),
		Kind: store.ChainFrame, State: state, Base: spaceOf(cl.frame).base(), Cell: cell.Append(nil),
	}
}

// endsHere has the row of the call's one task say that the call has ended.
func (cl *call) endsHere(cell *store.TaskCell) {
	cl.fl.order++
	cl.order, cl.stored = cl.fl.order, true
	call := cl.cell()
	cell.Call = &call
}
