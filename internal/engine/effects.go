package engine

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// apply turns effects into what change c writes and what follows it. Called
// with r.mu.
func (r *run) apply(c *change, effects []pipeline.Effect) {
	for i := 0; i < len(effects); i++ {
		eff := &effects[i]
		var err error
		switch eff.Kind {
		case pipeline.Start:
			var t *task
			if t, err = r.newTask(c, eff); err == nil && !t.postpone(c) {
				c.start(t)
			}
		case pipeline.Open:
			effects, err = r.open(c, effects, eff.Frame)
		case pipeline.Tail:
			eff.Frame.Data = newSpace(c.base, c.baseSeq)
		case pipeline.Close:
			r.close(c, eff)
		case pipeline.Join:
			r.join(c, eff)
		case pipeline.Pause:
			r.pause(c)
		case pipeline.Finish:
			r.end(c, eff)
		case pipeline.Answer:
			r.answer(c, eff)
		case pipeline.TryAgain:
			effects = r.tryAgain(c, effects, *eff)
		}
		if err != nil {
			r.stand(err)
		}
	}
	clear(effects)
	c.effects = effects[:0]
}

// stand leaves the run alone, of which this engine does not know any more what follows.
// That of a session that was given up goes on elsewhere. Called with r.mu.
func (r *run) stand(err error) {
	r.broken = true
	if errors.Is(err, store.ErrLost) {
		r.e.peers.node.GivenUp()
		return
	}
	r.e.log.Error("run stands still", "run", r.text, "error", err)
}

// open makes a frame exist: a group durably, with the keys of its children; a
// chain in memory only, since all there is to know of it follows from its rows.
func (r *run) open(c *change, effects []pipeline.Effect, f *pipeline.Frame) ([]pipeline.Effect, error) {
	if f.Group != nil {
		return r.openGroup(c, effects, f)
	}
	r.chainKeys(c, f)
	return effects, nil
}

// chainKeys gives the chain frame f its keys and its id.
func (r *run) chainKeys(c *change, f *pipeline.Frame) {
	up := f.Parent
	switch {
	case up.Group == nil && up.Chain.Step(f.Place).Kind == pipeline.ChainStep:
		s := spaceOf(up)
		f.Data = s
		slot := up.Chain.Step(f.Place).Slot
		if err := r.reach(c, s, slot); err != nil {
			r.broken = true
			return
		}
		f.ID, _, _ = s.at(slot)
	case up.Group == nil: // returned by a task
		f.ID, f.Data = c.base, newSpace(c.base, c.baseSeq)
	default:
		g := up.Data.(*group)
		off := up.Group.Offset(f.Place)
		f.ID = g.base + off
		if c.base != 0 { // returned by a child that is a task
			f.Data = newSpace(c.base, c.baseSeq)
			return
		}
		f.Data = newSpace(g.base+off, g.seq+off)
	}
}

func (r *run) openGroup(c *change, effects []pipeline.Effect, f *pipeline.Frame) ([]pipeline.Effect, error) {
	end, ended, err := r.instant(c.ctx(), f)
	if err != nil {
		return effects, err
	}
	if ended {
		spaceOf(f.Parent).last = 0
		return pipeline.Ended(effects, f.Parent, f.Place, end), nil
	}
	var list *elements
	if f.Group.Each != nil {
		if list, err = r.e.openList(c.ctx(), f.In); err != nil {
			return pipeline.Ended(effects, f.Parent, f.Place, pipeline.End{Outcome: failed(systemFailure(err))}), nil
		}
	}
	b, err := r.newBlock(c, 1+f.Group.Keys(f.Count), 0)
	if err != nil {
		return effects, err
	}
	f.ID = b.first
	g := newGroup(r, f, b, f.Count)
	g.list, g.since = list, r.e.micros()
	f.Data = g
	if r.groups == nil {
		r.groups = make(map[int64]*group)
	}
	r.groups[f.ID] = g
	c.Frames = append(c.Frames, store.FrameWrite{FrameRow: g.frameRow(f.Parent)})
	c.open(g)
	if f.Group.HasSwitch() {
		g.over = g.immediates()
	}
	r.wide = r.wide || f.Count > wideCount
	return effects, nil
}

// instant gives the end of a group that needs no task: one without children, one
// whose children are known already, an each of something that is no list. It
// leaves no record, and recovery asks again. It fills in the count of an each.
func (r *run) instant(ctx context.Context, f *pipeline.Frame) (end pipeline.End, ok bool, err error) {
	if f.Group.Each != nil {
		if f.Count, err = r.e.count(ctx, f.In); err != nil {
			return pipeline.End{Outcome: failed(systemFailure(err))}, true, nil
		}
	}
	if f.Count == 0 {
		return pipeline.End{Outcome: pipeline.Outcome{Value: pipeline.Value{Data: []byte("[]")}}}, true, nil
	}
	g := &group{run: r, frame: f, count: f.Count}
	if g.immediates() < g.count {
		return pipeline.End{}, false, nil
	}
	g = newGroup(r, f, block{}, f.Count)
	out, state, err := r.e.gather(ctx, g, g.kept)
	return pipeline.End{Outcome: out, State: state, SetState: true}, true, err
}

// tryAgain has the task run again whose pipeline failed, if its policy wants that.
func (r *run) tryAgain(c *change, effects []pipeline.Effect, try pipeline.Effect) []pipeline.Effect {
	t := try.Frame.Origin.(*task)
	t.cell.Child, t.cell.Next = nil, 0
	if !t.retry(c, try.Outcome.Failure, false) {
		return pipeline.GiveUp(effects, try)
	}
	pipeline.Restore(t.frame, pipeline.State{Data: t.first.State, Merge: t.merges, Set: t.stated})
	r.live.add(t)
	c.then(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		n := r.counts.of(t.call.Name)
		n.Completed--
		n.Retries++
		n.Retrying++
	})
	return effects
}

// close records how a frame ended.
func (r *run) close(c *change, eff *pipeline.Effect) {
	f := eff.Frame
	cell := store.FrameCell{
		Result: payload(eff.Outcome.Value), State: eff.State.Data, Merge: eff.State.Merge,
		Cancelled: eff.Outcome.Status == pipeline.Cancelled,
	}
	if eff.Outcome.Status == pipeline.Failed {
		cell.Failure = encodeFailure(eff.Outcome.Failure)
	}
	if f.Kept && eff.Outcome.Status == pipeline.Done {
		f.Origin.(*task).keepResult(c, eff.Outcome.Value)
	}
	w := store.FrameWrite{FrameRow: store.FrameRow{
		Run: r.id, ID: f.ID, Parent: frameID(f.Parent), Place: int32(f.Place),
		Kind: store.ChainFrame, State: store.FrameDone, Cell: cell.Append(nil),
	}}
	if f.Group != nil {
		w.Kind, w.Op = store.GroupFrame, store.UpdateFrame
		spaceOf(f.Parent).last = 0 // what follows is given the results of many
		delete(r.groups, f.ID)
	} else {
		w.Base = spaceOf(f).base()
		if r.reopened[f.ID] {
			w.Op = store.UpdateFrame
		}
	}
	c.Frames = append(c.Frames, w)
}

// join takes an ended child off its group.
func (r *run) join(c *change, eff *pipeline.Effect) {
	g := eff.Frame.Data.(*group)
	j := store.Join{Frame: eff.Frame.ID, Ended: 1, Low: int64(g.low)}
	if eff.Outcome.Status == pipeline.Failed {
		j.Failed = 1
	}
	c.AddJoin(j)
	c.join(joined{group: g, index: eff.Place, out: eff.Outcome, state: eff.State})
	if j.Failed > 0 && g.frame.Group.FailFast && !g.tripped {
		g.stop(c)
	}
	if g.frame.Group.HasSwitch() {
		g.consult(c, eff.Outcome.Status)
	}
}

// joinUnstarted takes n children off a group that will never start.
func (r *run) joinUnstarted(c *change, g *group, n int) {
	c.AddJoin(store.Join{Frame: g.frame.ID, Ended: int64(n), Low: int64(g.low)})
}

// pause pauses the run as part of change c.
func (r *run) pause(c *change) {
	if r.state != api.Running {
		return
	}
	r.state = api.Paused
	r.e.park(r, true)
	r.setRun(c)
}

// setRun writes the run's row as it is now.
func (r *run) setRun(c *change) {
	if c.SetRun == nil {
		c.SetRun = setRuns.Get().(*store.RunSet)
	}
	*c.SetRun = store.RunSet{State: r.state, Gen: r.gen, Epoch: r.epoch, Cell: r.made.cell()}
}

// end ends the run, unless it is paused: then when it is resumed.
func (r *run) end(c *change, eff *pipeline.Effect) {
	if r.state == api.Paused {
		held := *eff
		r.finish = &held
		return
	}
	cell := store.RunCell{Result: payload(eff.Outcome.Value), State: eff.State.Data, Schedule: r.made.data(), Trace: r.made.traceOf()}
	switch eff.Outcome.Status {
	case pipeline.Done:
		r.state = api.Completed
	case pipeline.Failed:
		r.state = api.Failed
		cell.Failure = encodeFailure(eff.Outcome.Failure)
	case pipeline.Cancelled:
		r.state = api.Cancelled
		cell.Failure = encodeFailure(&api.Failure{
			TaskRun: r.text, Type: "*api.Error", Code: api.ErrCancelled.Code, Message: "run " + r.text + " was cancelled",
		})
	}
	cell.Counts = r.settleCounts(c)
	r.setRun(c)
	c.SetRun.Finished = r.e.micros()
	c.SetRun.Cell = cell.Append(nil)
	c.Records = append(c.Records, r.liveWrites(false)...)
	c.end = endOf(r.state, &cell)
	r.tellSpans(c)
}

// settleCounts gives the counters for the run's cell, with what change c adds.
func (r *run) settleCounts(c *change) []byte {
	if c.counted != nil {
		r.tally(c)
		c.tallied = true
	}
	return r.counts.encode()
}

// failed is the outcome of a failure.
func failed(f *api.Failure) pipeline.Outcome {
	return pipeline.Outcome{Status: pipeline.Failed, Failure: f}
}

// encodeFailure gives a failure as JSON.
func encodeFailure(f *api.Failure) []byte {
	data, err := json.Marshal(f)
	if err != nil { // strings, integers and more of the same always encode
		panic(err)
	}
	return data
}

// systemFailure is that of something other than a body: the store, a value.
func systemFailure(err error) *api.Failure {
	f := &api.Failure{Type: "*api.Error", Message: err.Error()}
	if e, ok := errors.AsType[*api.Error](err); ok {
		f.Code = e.Code
	}
	return f
}
