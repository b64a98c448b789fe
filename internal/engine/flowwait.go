package engine

import (
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

// awaiting is a call of a flow that is not made yet, since it waits for others:
// a task run to those who look, with the key that it will have. It is forgotten
// in a crash, after which the flow asks for it again. Guarded by run.mu.
type awaiting struct {
	fl  *flow
	api *api.FlowWait
	// key is the call's, and seq the number of its task run: of a flow one out of
	// a block of its own, which is durable if born.
	key, keySeq, seq int64
	own              *block
	born             bool
	called           bool      // only durability is missing
	call             *api.Call // once somebody looked; nil if it can't be made
	looked           bool
}

// FlowWait has a call of a flow listed that will be made once others have ended,
// unless it is recorded already. It gives its task run id, "" if it is not listed.
func (e *Engine) FlowWait(job *api.Job, wait *api.FlowWait) string {
	t := job.Key.(*task)
	r := t.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.flowing(job) != nil {
		return ""
	}
	fl := t.flow
	cl, err := fl.find(wait.Key)
	if err != nil || cl != nil && !cl.superseded(cl.inputs) {
		return ""
	}
	w := &awaiting{fl: fl, api: wait}
	if fl.waits == nil {
		fl.waits = make(map[string]*awaiting)
	}
	if wait.Shape == nil { // it is only counted
		fl.waits[wait.Key] = w
		return ""
	}
	c := r.newChange()
	if err := w.number(c); err != nil {
		c.free()
		return "" // the call itself will meet the error
	}
	if len(c.Blocks) > 0 {
		r.e.queue.push(c)
	} else {
		c.free()
	}
	if r.pending == nil {
		r.pending = make(map[int64]*awaiting)
	}
	fl.waits[wait.Key], r.pending[w.seq] = w, w
	r.counts.of(wait.Task).Pending++
	return r.taskID(w.seq)
}

// number gives the call its key, and its task run its number.
func (w *awaiting) number(c *change) (err error) {
	r := w.fl.t.run
	if w.key, w.keySeq, err = w.fl.key(c); err != nil {
		return err
	}
	w.seq = w.keySeq
	if s := r.e.registry(w.api.Task); s == nil || !s.Flow {
		return nil
	}
	b, err := r.newBlock(c, 1, 0)
	if err != nil {
		return err
	}
	w.own, w.seq = &b, b.seq
	c.then(func() {
		r.mu.Lock()
		w.born = true
		r.mu.Unlock()
	})
	return nil
}

// due gives the call that waited under a key and is made now, nil if none did.
func (fl *flow) due(key string) *awaiting {
	w := fl.waits[key]
	if w != nil {
		w.called = true
		delete(fl.waits, key)
	}
	return w
}

// place gives a call that is made its key: the one that it waited with, if it
// did. That is listed until c is durable, and so the call itself.
func (cl *call) place(c *change, w *awaiting) (err error) {
	if w == nil || w.key == 0 {
		cl.id, cl.seq, err = cl.fl.key(c)
		return err
	}
	cl.id, cl.seq = w.key, w.keySeq
	c.then(func() {
		r := cl.fl.t.run
		r.mu.Lock()
		r.forgetWait(w)
		r.mu.Unlock()
	})
	return nil
}

// block gives a call that is no single task its keys.
func (w *awaiting) block(c *change, n int64) (block, error) {
	if w != nil && w.own != nil {
		return *w.own, nil
	}
	return c.run.newBlock(c, n, 0)
}

func (r *run) forgetWait(w *awaiting) {
	if w != nil && r.pending[w.seq] == w {
		delete(r.pending, w.seq)
		r.counts.of(w.api.Task).Pending--
	}
}

// forgetWaits is for a flow whose body has returned.
func (fl *flow) forgetWaits() {
	for _, w := range fl.waits {
		fl.t.run.forgetWait(w)
	}
	clear(fl.waits)
}

// lacks counts the flow's calls that have not ended, also those to be made.
func (fl *flow) lacks() int { return fl.open + len(fl.waits) }

// shown reports whether the call may be listed: its number is durable, it is one
// that can be made, and not listed as a task.
func (w *awaiting) shown() bool {
	if w.own == nil && w.key >= w.fl.sure || w.own != nil && !w.born {
		return false
	}
	if t := w.fl.t.run.live.find(w.seq); t != nil && t.born {
		return false
	}
	if !w.looked {
		w.looked, w.call = true, w.look()
	}
	return w.call != nil
}

// look reads off the call what will be called.
func (w *awaiting) look() *api.Call {
	spec, err := w.api.Shape()
	if err != nil {
		return nil
	}
	call, ok := pipeline.CallOf(spec, w.fl.t.run.e.registry)
	if !ok {
		return nil
	}
	return &call
}

// waitsFor says what the call waits for; false if it will not be made any more.
func (w *awaiting) waitsFor() (api.Waiting, bool) {
	if w.called {
		return api.Waiting{Kind: api.WaitsForStore}, w.shown()
	}
	ids, n, waits := w.api.For()
	if n == 0 { // it is just being made
		return api.Waiting{Kind: api.WaitsForStore}, waits && w.shown()
	}
	return api.Waiting{Kind: api.WaitsForOthers, Count: n, TaskRuns: ids}, waits && w.shown()
}

// show gives the call for people, false if it is not to be listed.
func (w *awaiting) show() (out api.TaskRun, listed bool) {
	waits, listed := w.waitsFor()
	if !listed {
		return out, false
	}
	r, o := w.fl.t.run, w.call.Options
	out = api.TaskRun{
		ID: r.taskID(w.seq), Run: r.text, Seq: w.seq, Task: w.call.Task, Name: o.Name, Index: -1,
		State: api.Pending, StateName: lifecycle.Name(api.Pending, 0, ""), Generation: int(r.gen), Tags: slices.Clone(o.Tags),
	}
	if out.Name == "" {
		out.Name = w.api.Key
	}
	explain(&out, waits)
	return out, true
}
