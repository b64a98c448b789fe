package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/flow"
	"github.com/runnel-dev/runnel/internal/worker"
)

// op is one thing that a flow does.
type op struct {
	// Do is what: "call" waits for the end, "submit" does not, "bind" calls with
	// what earlier ones gave, "any" waits for the first of them, "sleep", "now".
	Do   string    `json:"do"`
	Spec *api.Spec `json:"spec,omitempty"` // for bind: one step, which is given a list
	Deps []int     `json:"deps,omitempty"` // places of earlier ops that call
	// Allow takes what failed as a value; Must ends the flow with a failure.
	Allow bool `json:"allow,omitempty"`
	Must  bool `json:"must,omitempty"`
}

func (o *op) calls() bool { return o.Do == "call" || o.Do == "submit" || o.Do == "bind" }

// callKey is the name of the call that the i-th op makes.
func (s *script) callKey(i int) string { return s.Label + "." + strconv.Itoa(i) }

// coroutine is a flow's body, which runs until it waits.
type coroutine struct {
	h     *held
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	ready <-chan struct{} // what it waits for
	ctx   context.Context //nolint:containedctx // or that this ends
	dead  bool            // its engine is gone
}

var errGone = fmt.Errorf("sim: the engine is gone: %w", api.ErrClosed)

// park lets the body wait.
func (co *coroutine) park(ctx context.Context, ready <-chan struct{}) error {
	for {
		select {
		case <-ready:
			return nil
		default:
		}
		if co.dead {
			return errGone
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		co.ready, co.ctx = ready, ctx
		if !co.yield(struct{}{}) {
			co.dead = true
		}
	}
}

// can reports whether there is anything to go on with.
func (co *coroutine) can() bool {
	select {
	case <-co.ready:
		return true
	default:
		return co.ctx.Err() != nil
	}
}

// startFlow runs a flow's body to where it waits first.
func (w *world) startFlow(h *held) {
	co := &coroutine{h: h}
	e := w.e
	co.next, co.stop = iter.Pull(func(yield func(struct{}) bool) {
		co.yield = yield
		w.flowing = co
		w.bodies.Execute(source{w, h, e}, h.job)
	})
	w.flows = append(w.flows, co)
	w.rounds[h.run.id+h.job.IdempotencyKey()] = fmt.Sprintf("@%d.%d", h.job.Generation, h.job.Attempt)
	w.resume(co)
}

// resume goes on with a body, and takes its answer once it has one.
func (w *world) resume(co *coroutine) {
	if _, waits := co.next(); waits {
		return
	}
	for i, other := range w.flows {
		if other == co {
			w.flows = append(w.flows[:i], w.flows[i+1:]...)
			break
		}
	}
	w.returned(co.h)
}

// goOn resumes one of the flows that can go on.
func (w *world) goOn() bool {
	var can []*coroutine
	for _, co := range w.flows {
		if co.can() {
			can = append(can, co)
		}
	}
	if len(can) == 0 {
		return false
	}
	co := can[w.rng.IntN(len(can))]
	w.did("go on with flow %s of run %d", co.h.script.Label, co.h.run.number)
	w.resume(co)
	return true
}

// dropFlows ends the bodies of an engine that is gone.
func (w *world) dropFlows() {
	for _, co := range w.flows {
		co.dead = true
		co.stop()
	}
	w.flows = nil
}

// flowBody does what a flow's script says.
func flowBody(b *worker.Body, e *engine.Engine, w *world) (worker.Result, error) {
	co := w.flowing
	job := b.Job()
	s := scriptOf(job.Bound)
	if err := b.Start(); err != nil {
		return worker.Result{}, err
	}
	run := flow.New(b, e, job, co.park)
	outcomes, err := w.doOps(b, run, s, co)
	interrupted, wrong := run.End()
	if interrupted {
		b.Interrupt()
	}
	if wrong != nil {
		return worker.Result{}, wrong
	}
	if err != nil {
		return worker.Result{}, err
	}
	if s.fails("", job.Attempt, job.Generation) {
		return worker.Result{}, fmt.Errorf("boom %s %d", s.Label, job.Attempt)
	}
	return worker.Result{Value: s.flowValue(outcomes)}, nil
}

// flowValue is what a flow gives.
func (s *script) flowValue(outcomes []string) json.RawMessage {
	return quote(s.Label + ":" + hash(outcomes...))
}

// doOps does them one after the other and gives what became of the calls.
func (w *world) doOps(b *worker.Body, run *flow.Run, s *script, co *coroutine) ([]string, error) {
	keys := flow.NewScope("")
	calls := make([]*flow.Future, len(s.Ops))
	for i := range s.Ops {
		o := &s.Ops[i]
		var err error
		switch o.Do {
		case "any":
			err = w.first(b, run, keys, s, i, calls, co)
		case "sleep":
			err = run.Sleep(b, keys, time.Duration(len(o.Deps)+1)*time.Second, time.Time{})
		case "now":
			err = w.sameTime(b, run, keys, i, co)
		default:
			calls[i] = submitOp(b, run, keys, s, i, calls)
			if o.Do == "call" || o.Must {
				_, err = calls[i].Wait(b)
			}
		}
		if err != nil {
			return nil, err
		}
		if o.Must && calls[i].Ended().State != api.Completed {
			return nil, errors.New("must " + s.callKey(i))
		}
	}
	var outcomes []string
	for _, f := range calls {
		if f == nil {
			continue
		}
		end, err := f.Wait(b)
		if err != nil {
			return nil, err
		}
		value, err := f.Value(b)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, outcomeText(end.State, value, encodeOf(end.Failure)))
	}
	return outcomes, nil
}

func encodeOf(f *api.Failure) json.RawMessage {
	if f == nil {
		return nil
	}
	return encode(f)
}

// outcomeText is what a flow sees of a call.
func outcomeText(state api.State, value, failure []byte) string {
	if state == api.Completed {
		return "V" + canon(value)
	}
	return "F" + canon(failure)
}

func submitOp(b *worker.Body, run *flow.Run, keys *flow.Scope, s *script, i int, calls []*flow.Future) *flow.Future {
	o := &s.Ops[i]
	c := flow.Call{Task: s.callKey(i), Build: o.spec, Shape: o.spec}
	for _, d := range o.Deps {
		c.Deps = append(c.Deps, flow.Dep{Future: calls[d], Allow: o.Allow})
	}
	if o.Do == "bind" {
		c.Build = func() (*api.Spec, error) {
			var given []string
			for _, d := range o.Deps {
				end := calls[d].Ended()
				value, err := calls[d].Value(b)
				if err != nil {
					return nil, err
				}
				given = append(given, givenText(end.State == api.Completed, value, encodeOf(end.Failure), o.Allow))
			}
			return o.bound("[" + strings.Join(given, ",") + "]"), nil
		}
	}
	return run.Submit(b, keys, c)
}

// givenText is how a call that was waited for is given to another.
func givenText(ok bool, value, failure []byte, allow bool) string {
	if len(value) == 0 {
		value = []byte("null")
	}
	switch {
	case !ok:
		return `{"failure":` + string(failure) + `}`
	case allow:
		return `{"value":` + string(value) + `}`
	}
	return string(value)
}

// bound is the spec of a bind with the list in place.
func (o *op) bound(list string) *api.Spec {
	call := *o.Spec.Steps[0].Call
	call.Args = api.Args{json.RawMessage(list), call.Args[0]}
	return &api.Spec{Steps: []api.Step{{Call: &call}}}
}

// first waits for the first of some calls, which must be the same one each time;
// now and then for a while only, and then it must be too late each time.
func (w *world) first(b *worker.Body, run *flow.Run, keys *flow.Scope, s *script, i int, calls []*flow.Future, co *coroutine) error {
	var among []*flow.Future
	for _, d := range s.Ops[i].Deps {
		among = append(among, calls[d])
	}
	var until time.Time
	if i%2 == 1 {
		var err error
		if until, err = run.Deadline(b, keys, time.Second); err != nil {
			return err
		}
	}
	place, err := run.Race(keys, until, among).Next(b)
	switch {
	case err == nil:
		w.same(co, "any"+strconv.Itoa(i), strconv.Itoa(place))
	case errors.Is(err, api.ErrTimeout):
		w.same(co, "any"+strconv.Itoa(i), "late")
		err = nil
	}
	return err
}

func (w *world) sameTime(b *worker.Body, run *flow.Run, keys *flow.Scope, i int, co *coroutine) error {
	at, err := run.Now(b, keys)
	if err == nil {
		w.same(co, "now"+strconv.Itoa(i), at.String())
	}
	return err
}

// same: what a flow saw in an attempt it sees again when that is repeated.
func (w *world) same(co *coroutine, what, saw string) {
	key := co.h.run.id + co.h.job.IdempotencyKey() + fmt.Sprintf("@%d.%d ", co.h.job.Generation, co.h.job.Attempt) + what
	if was, known := w.saw[key]; known && was != saw {
		w.broken("flow %s saw %s %s, and now %s", co.h.script.Label, what, was, saw)
	}
	w.saw[key] = saw
}

// flow foretells a flow: its attempts, and in each the calls that did not
// complete before.
func (n *naive) flow(me *node, s *script, policy *api.RetryPolicy, old *node) {
	done := map[int]*node{}
	if old != nil {
		done = old.steps
	}
	me.steps = map[int]*node{}
	for {
		outcomes, must := n.ops(me, s, done)
		fail := must
		if fail == "" && s.fails("", me.attempt, n.gen) {
			fail = fmt.Sprintf("boom %s %d", s.Label, me.attempt)
		}
		if fail == "" {
			me.res = result{value: canon(s.flowValue(outcomes))}
			return
		}
		me.res = result{fail: &failure{Message: fail, Attempt: me.attempt}}
		if me.attempt > policy.Max {
			return
		}
		done = me.steps
		me.attempt++
	}
}

func (n *naive) ops(me *node, s *script, done map[int]*node) (outcomes []string, must string) {
	steps := maps.Clone(done)
	me.steps = steps
	for i := range s.Ops {
		o := &s.Ops[i]
		if !o.calls() {
			continue
		}
		k := done[i]
		if k == nil || k.res.fail != nil {
			k = n.op(s, i, steps)
			steps[i] = k
		} else if o.Allow {
			// It is made anew if what it is given differs, if only by who failed.
			for _, d := range o.Deps {
				n.fuzzy = n.fuzzy || steps[d].res.fail != nil || steps[d] != done[d]
			}
		}
		n.fuzzy = n.fuzzy || k.res.fail.vague()
		if o.Must && k.res.fail != nil {
			return nil, "must " + s.callKey(i)
		}
		outcomes = append(outcomes, k.outcome())
	}
	return outcomes, ""
}

func (k *node) outcome() string {
	if k.res.fail != nil {
		return outcomeText(api.Failed, nil, encode(k.res.fail))
	}
	return outcomeText(api.Completed, []byte(k.res.value), nil)
}

// op foretells one call.
func (n *naive) op(s *script, i int, steps map[int]*node) *node {
	o := &s.Ops[i]
	spec := o.Spec
	if o.Do == "bind" {
		var given []string
		for _, d := range o.Deps {
			k := steps[d]
			if k.res.fail != nil && !o.Allow {
				state := "FAILED"
				if k.skipped {
					state = "SKIPPED"
				}
				return &node{skipped: true, res: result{fail: &failure{
					Message: fmt.Sprintf("upstream %s-0 is %s, not COMPLETED", s.callKey(d), state),
				}}}
			}
			value, failure := []byte(k.res.value), []byte(nil)
			if k.res.fail != nil {
				value, failure = nil, encode(k.res.fail)
			}
			given = append(given, givenText(k.res.fail == nil, value, failure, o.Allow))
		}
		spec = o.bound("[" + strings.Join(given, ",") + "]")
	}
	return n.chain(spec, "", first(spec, kept{}), nil, nil)
}
