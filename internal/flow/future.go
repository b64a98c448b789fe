package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/runnel-dev/runnel/api"
)

// Future is a call of a flow, which may not have ended.
type Future struct {
	run *Run
	key string

	mu    sync.Mutex
	made  bool // it waits for no other call
	id    string
	place string       // what it is listed as while it waits, "" for nothing
	end   *api.FlowEnd // nil: it has not ended
	ready chan struct{}
	then  []func()
}

// Dep is a call that another one waits for. With Allow that goes on whatever
// became of it.
type Dep struct {
	Future *Future
	Allow  bool
}

// Call is what to call once its dependencies have ended.
type Call struct {
	Task  string // its name, for the key
	Deps  []Dep
	Build func() (*api.Spec, error)
	// Shape is Build before the dependencies have ended, without arguments; nil
	// if what is called is not one task.
	Shape func() (*api.Spec, error)
}

// Submit calls once all that it depends on has ended, and does not wait for
// that, unless too much is in progress.
func (r *Run) Submit(ctx context.Context, s *Scope, c Call) *Future {
	f := &Future{run: r, key: s.Key(c.Task)}
	err := r.usable()
	if err == nil {
		err = r.below(ctx, maxOpen-1)
	}
	r.begun()
	if err == nil {
		err = r.foreign(c.Deps)
	}
	if err != nil {
		f.settle(api.FlowEnd{Err: err})
		return f
	}
	left := new(atomic.Int64)
	on := distinct(c.Deps)
	left.Store(int64(len(on)) + 1)
	one := func() {
		if left.Add(-1) == 0 {
			f.make(&c)
		}
	}
	if slices.ContainsFunc(on, (*Future).open) {
		w := &waiting{f: f, left: left, on: slices.Clone(on)}
		place := r.engine.FlowWait(r.job, &api.FlowWait{Key: f.key, Task: c.Task, Shape: c.Shape, For: w.still})
		f.mu.Lock()
		f.place = place
		f.mu.Unlock()
	}
	for _, d := range on {
		d.Then(one)
	}
	one()
	return f
}

// distinct gives the calls that another one depends on, each once.
func distinct(deps []Dep) []*Future {
	if len(deps) == 0 {
		return nil
	}
	on := make([]*Future, 0, len(deps))
	seen := make(map[*Future]bool, len(deps))
	for _, d := range deps {
		if !seen[d.Future] {
			seen[d.Future] = true
			on = append(on, d.Future)
		}
	}
	return on
}

// foreign refuses futures of other flows. That one depends on itself can't be:
// a future is there before it can be named.
func (r *Run) foreign(deps []Dep) error {
	for _, d := range deps {
		if d.Future == nil {
			return api.Errorf(api.ErrInvalid, r.job.ID, "a future that a call depends on is nil")
		}
		if d.Future.run != r {
			return api.Errorf(api.ErrInvalid, d.Future.key, "this future belongs to another flow, or to an earlier attempt")
		}
	}
	return nil
}

// make makes the call, now that what it depends on has ended.
func (f *Future) make(c *Call) {
	fc := &api.FlowCall{Key: f.key, Task: c.Task}
	seen := make(map[*Future]bool, len(c.Deps))
	for _, d := range c.Deps {
		end := d.Future.end
		if end.Err != nil {
			f.settle(api.FlowEnd{Err: end.Err})
			return
		}
		if !seen[d.Future] { // once, also in Bind(Gather(a, a))
			seen[d.Future] = true
			fc.Upstream = append(fc.Upstream, api.Upstream{TaskRun: d.Future.ID(), State: end.State})
		}
		if end.State != api.Completed && !d.Allow && fc.NotReady == "" {
			fc.NotReady = fmt.Sprintf("upstream %s is %s, not COMPLETED", d.Future.key, end.State)
		}
	}
	var err error
	if fc.NotReady == "" {
		fc.Spec, err = c.Build()
	}
	var id string
	if err == nil {
		id, err = f.run.engine.FlowCall(f.run.job, fc, f.settle)
	}
	if err != nil {
		f.settle(api.FlowEnd{Err: err})
		return
	}
	f.mu.Lock()
	f.made = true
	if id != "" {
		f.id = id
	}
	f.mu.Unlock()
}

func (f *Future) settle(end api.FlowEnd) {
	f.mu.Lock()
	if f.end != nil {
		f.mu.Unlock()
		return
	}
	f.end = &end
	if f.id == "" {
		f.id = end.TaskRun
	}
	then := f.then
	f.then = nil
	if f.ready != nil {
		close(f.ready)
	}
	f.mu.Unlock()
	_ = f.run.failed(end.Err) // also if nobody waits for it
	for _, do := range then {
		do()
	}
	f.run.ended()
}

// Then calls do once the call has ended; at once if it has.
func (f *Future) Then(do func()) {
	f.mu.Lock()
	if f.end == nil {
		f.then = append(f.then, do)
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	do()
}

// Key gives the call's key.
func (f *Future) Key() string { return f.key }

// ID gives the call's task run id; "" before it is made, and for a pipeline's. Where
// the run is in another process than the flow's body it is "" until the call has
// ended.
func (f *Future) ID() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.id
}

// open reports whether it has not ended.
func (f *Future) open() bool { return f.Ended() == nil }

// Ended gives the end, nil if there is none yet.
func (f *Future) Ended() *api.FlowEnd {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end
}

func (f *Future) state() api.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.end != nil:
		return f.end.State
	case f.made:
		return api.Running
	}
	return api.Pending
}

func (f *Future) channel() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ready == nil {
		f.ready = make(chan struct{})
		if f.end != nil {
			close(f.ready)
		}
	}
	return f.ready
}

// Wait waits for the end. Its error is not the call's: the flow was cancelled,
// or the engine closed.
func (f *Future) Wait(ctx context.Context) (*api.FlowEnd, error) {
	if end := f.Ended(); end != nil {
		return end, f.run.failed(end.Err)
	}
	if err := f.run.wait(ctx, f.channel()); err != nil {
		return nil, err
	}
	end := f.Ended()
	return end, f.run.failed(end.Err)
}

// Value gives the result of a call that has completed.
func (f *Future) Value(ctx context.Context) (json.RawMessage, error) {
	end := f.Ended()
	if end.Load != nil {
		return end.Load(ctx)
	}
	return end.Result, nil
}

// Cancel cancels calls and waits until they have ended. One that has not been
// made yet, since it waits for others, is made and ends as it may.
func (r *Run) Cancel(ctx context.Context, futures []*Future) error {
	keys := make([]string, len(futures))
	for i, f := range futures {
		keys[i] = f.key
	}
	if len(keys) == 0 {
		return nil
	}
	if err := r.engine.FlowCancel(r.job, keys); err != nil {
		return r.failed(err)
	}
	for _, f := range futures {
		if _, err := f.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
