package engine

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// Finish takes what became of a job. See worker.Source.
func (e *Engine) Finish(job *api.Job, a api.Answer) { e.Settle(job, a) }

// Settle is Finish that reports whether somebody waited for the answer. See
// worker.Lender.
func (e *Engine) Settle(job *api.Job, a api.Answer) (counts bool) {
	t := job.Key.(*task)
	result, err := t.run.keep(a.Result)
	if err != nil {
		a.Failure = systemFailure(err)
	}
	t.run.mu.Lock()
	if counts = t.phase == claimed && job == t.job; counts {
		t.endSlots()
		if interrupted := a.Interrupted || a.Failure != nil && t.run.e.stopping.Load(); !interrupted {
			t.cancel = nil
			t.ended(t.override(a), result)
		}
	}
	t.run.mu.Unlock()
	e.returned(t)
	return counts
}

// returned counts a job that a worker is done with.
func (e *Engine) returned(t *task) {
	if t.call.Flow {
		e.lending.flowing.Add(-1)
	}
	if e.claimed.Add(-1) == 0 && e.isClosed() {
		e.mu.Lock()
		e.idle.Broadcast()
		e.mu.Unlock()
	}
	e.wantJobs()
}

// override replaces the answer of a body that was told to end by why it was.
func (t *task) override(a api.Answer) api.Answer {
	if t.cause == errStopped {
		t.cell.Put().Name = lifecycle.Stopped
		a.Failure, a.NoRetry, a.Pending = stopped(), true, false
		a.Result, a.Pipeline, a.Pause, a.SetState = nil, nil, false, false
		return a
	}
	if t.cause == nil || errors.Is(t.cause, api.ErrCancelled) {
		return a
	}
	return api.Answer{
		Failure: &api.Failure{Type: "*api.Error", Code: api.ErrTimeout.Code, Message: t.cause.Error()},
		Started: a.Started, Ended: a.Ended, Parts: a.Parts, Keyed: a.Keyed, SetKeyed: a.SetKeyed,
	}
}

// ended decides what follows an answer and queues it. Called with run.mu, in
// phase claimed or waiting.
func (t *task) ended(a api.Answer, result pipeline.Value) {
	if c := t.ending(a, result); c != nil {
		t.run.e.queue.push(c)
	}
}

// ending is ended whose change is left to be queued; nil if the answer is held back.
func (t *task) ending(a api.Answer, result pipeline.Value) *change {
	t.stopTimers()
	t.stepForward()
	if t.phase == ready && !t.run.e.dispatch.serves(t.call.Lane.Queue) {
		t.run.e.dispatch.leave(t)
	}
	if t.flow != nil {
		t.flow.forgetWaits()
	}
	if t.holds(a, result) {
		return nil
	}
	r := t.run
	c := r.newChange()
	t.flushLogs(c)
	if a.SetKeyed {
		c.Keyed = append(c.Keyed, store.KeyedWrite{TaskID: t.job.TaskID, Value: a.Keyed})
	}
	if len(a.Parts) > 0 {
		t.cell.Put().Parts, _ = json.Marshal(a.Parts) //nolint:errchkjson // times and words always encode
	}
	if a.Pending && t.cause == nil { // what the body left counts once it is answered
		t.cell.State, t.cell.SetState, t.cell.Merge, t.cell.Pause = a.State, a.SetState, a.Merge, a.Pause
	}
	switch {
	case a.Pending && t.cause == nil && t.cell.Seldom().Answer == nil:
		t.park(c)
	case a.Pending && t.cause == nil:
		t.answered(c)
	case a.Failure != nil && t.again(c, &a):
	default:
		t.complete(c, &a, result)
	}
	t.freeSlots(c)
	t.freeTurn(c)
	if t.keyed {
		last := a // a itself is not to be kept
		c.first(func() { r.e.leaveKeyed(t, &last) })
	}
	return c
}

// again schedules another attempt if the policy wants one.
func (t *task) again(c *change, a *api.Answer) bool {
	if !t.shielded() {
		return false
	}
	t.identify(a.Failure)
	if !t.retry(c, a.Failure, a.NoRetry) {
		return false
	}
	c.counted, c.retried = t, true
	t.measure(c, claimed, t.run.e.micros())
	return true
}

// retry schedules the next attempt if the policy wants one after the failure.
func (t *task) retry(c *change, failure *api.Failure, refused bool) bool {
	r := t.run
	now := r.e.now()
	delay, again := lifecycle.Retry(lifecycle.Failed{
		Policy: t.call.Options.Retry, Attempt: int(t.attempt), Names: failure.Names, NoRetry: refused,
		Since:  now.Sub(time.UnixMicro(t.cell.Started)),
		Random: float64(r.e.random()>>11) / (1 << 53),
	})
	if !again {
		return false
	}
	due := now.Add(delay)
	if !t.shown && t.cell.Begun != 0 {
		t.note(api.Running, t.cell.Begun, "")
	}
	t.note(api.Failed, now.UnixMicro(), failure.Message)
	t.attempt++
	t.phase = scheduled
	t.cell.Settled()
	t.cell.Put().Due, t.cell.Put().Failure = due.UnixMicro(), encodeFailure(failure)
	t.cell.Ended = 0 // it had, if it is its pipeline that failed
	t.cell.State, t.cell.SetState, t.cell.Merge, t.cell.Pause = nil, false, false, false
	t.cell.Result = store.Payload{}
	t.write(c, api.Scheduled, &t.cell)
	c.then(func() { t.wait(due) })
	return true
}

// wait makes the task claimable when it is due.
func (t *task) wait(due time.Time) {
	e := t.run.e
	if !due.After(e.now()) {
		t.rise()
		return
	}
	t.run.mu.Lock()
	if t.phase == scheduled {
		t.deadline = e.timers.after(due, t.rise)
	}
	t.run.mu.Unlock()
}

// rise makes a scheduled task claimable.
func (t *task) rise() {
	t.run.mu.Lock()
	up, foreseen := t.phase == scheduled, false
	if up {
		t.phase = ready
		t.stepForward()
		g, _ := t.opens()
		foreseen = g != nil && t.attempt == 1
	}
	t.run.mu.Unlock()
	if up {
		if !foreseen {
			t.run.e.vitals.meter.rose(t)
		}
		t.run.e.dispatch.at.Store(t.run.e.micros())
		t.run.e.enqueue(t.run, []*task{t})
	}
}

// complete ends the task with an answer, as part of change c.
func (t *task) complete(c *change, a *api.Answer, result pipeline.Value) {
	r := t.run
	t.last, t.phase = t.phase, over
	end := pipeline.End{Pause: a.Pause}
	state := api.Completed
	switch {
	case !t.shielded():
		state, end.Status, end.Pause = api.Cancelled, pipeline.Cancelled, false
	case a.Failure != nil:
		if name := t.cell.Seldom().Name; name == lifecycle.Aborted || name == lifecycle.Stopped {
			state = api.Cancelled // of the row; what follows is as after a failure
		} else {
			state = api.Failed
		}
		t.identify(a.Failure)
		end.Outcome = failed(a.Failure)
	default:
		end.Value = result
		if a.SetState {
			end.SetState, end.State = true, pipeline.State{Data: a.State, Merge: a.Merge, Set: true}
		}
		if a.Pipeline != nil {
			if failure := t.child(c, &end, a.Pipeline); failure != nil {
				t.identify(failure)
				state, end = api.Failed, pipeline.End{Outcome: failed(failure)}
			}
		}
	}
	t.remember(state)
	effects := pipeline.Ended(c.effects, t.frame, int(t.place), end)
	c.counted, c.last, c.from = t, state, t.last
	t.record(c, state, &end, effects)
	t.measure(c, c.from, t.cell.Ended)
	t.tellWorker(c, state)
	r.apply(c, effects)
}

// remember tells the steps that follow in the chain what they depend on.
func (t *task) remember(state api.State) {
	if t.frame.Group == nil {
		s := spaceOf(t.frame)
		_, seq, _ := s.at(t.frame.Chain.Step(int(t.place)).Slot)
		s.last, s.lastOK, s.lastID = seq+1, state == api.Completed, t.job.ID
	}
}

// record writes the row of the ended task.
func (t *task) record(c *change, state api.State, end *pipeline.End, effects []pipeline.Effect) {
	cell := &t.cell
	cell.Settled()
	cell.Ended = t.run.e.micros()
	switch end.Status {
	case pipeline.Failed:
		cell.Put().Failure = encodeFailure(end.Failure)
	case pipeline.Done:
		cell.Result = payload(end.Value)
	}
	cell.SetState, cell.State, cell.Merge = end.SetState, nil, false
	if end.SetState {
		cell.State, cell.Merge = end.State.Data, end.State.Merge
	}
	cell.Pause = end.Pause
	cell.Next = c.base
	cell.Tail = false
	for i := range effects {
		switch effects[i].Kind {
		case pipeline.Tail:
			cell.Tail = true
		case pipeline.Open:
			if f := effects[i].Frame; (f.Again || f.Kept) && f.Origin == nil {
				f.Origin = t
			}
		case pipeline.Answer:
			if t.of != nil && end.Child == nil && effects[i].Frame == t.frame {
				t.of.endsHere(cell)
			}
		}
	}
	if state == api.Completed && end.Child == nil {
		t.keepResult(c, end.Value)
	}
	t.write(c, state, cell)
}

// child compiles the pipeline that the body returned and gives it keys.
func (t *task) child(c *change, end *pipeline.End, spec *api.Spec) *api.Failure {
	plan, err := pipeline.Compile(spec, t.run.e.registry)
	if err != nil {
		f := systemFailure(err)
		f.Message = "returned pipeline: " + f.Message
		return f
	}
	text, err := spec.AppendJSON(nil)
	if err != nil {
		return systemFailure(err)
	}
	kept, err := t.run.keep(text)
	if err != nil {
		return systemFailure(err)
	}
	b, err := t.run.newBlock(c, plan.Root.Width(), 0)
	if err != nil {
		return systemFailure(err)
	}
	t.cell.Child = store.EncodeRef(payload(kept))
	c.base, c.baseSeq = b.first, b.seq
	end.Child = plan.Root
	return nil
}

// identify fills in whose failure it is.
func (t *task) identify(f *api.Failure) {
	f.Task, f.TaskRun, f.Attempt = t.job.Task, t.job.ID, int(t.attempt)
}
