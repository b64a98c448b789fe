package sim

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// chooser makes choices: a seeded generator, or one that shrinks.
type chooser interface {
	IntN(n int) int
}

// generator makes random pipelines.
type generator struct {
	choose chooser
	budget int // calls left
	labels int
	final  bool // under a finally
	faults faults
}

// faults says what may go wrong in bodies.
type faults struct {
	fail, failFast, slow, pend, pause, big, shared, flows, tags, zero, caches, times, slots, queues, late bool
}

func newGenerator(choose chooser, f faults) *generator {
	return &generator{choose: choose, budget: 4 + choose.IntN(24), faults: f}
}

var _ chooser = (*rand.Rand)(nil)

func (g *generator) one(in int) bool { return g.choose.IntN(in) == 0 }

// pipeline makes a whole pipeline.
func (g *generator) pipeline(depth int) *api.Spec {
	spec, _ := g.chain(depth, true)
	if g.one(6) {
		spec.State = g.state()
	}
	if g.one(4) {
		f := g.finally()
		spec.Finally = &f
	}
	return &spec
}

func (g *generator) state() *api.SpecState {
	if g.one(2) {
		return &api.SpecState{Value: encode(map[string]string{"k" + strconv.Itoa(g.choose.IntN(10)): "first"}), Merge: true}
	}
	return &api.SpecState{Value: quote("first")}
}

func (g *generator) finally() api.Step {
	was := g.final
	g.final = true
	defer func() { g.final = was }()
	if g.one(4) {
		chain, _ := g.chain(1, true)
		return api.Step{Chain: &chain}
	}
	step, _ := g.call(1, true)
	return step
}

// chain makes one that is given something or nothing, and says which of them it
// gives.
func (g *generator) chain(depth int, none bool) (api.Spec, bool) {
	var spec api.Spec
	for range 1 + g.choose.IntN(4) {
		spec.Steps, none = g.step(spec.Steps, depth, none)
	}
	return spec, none
}

func (g *generator) step(steps []api.Step, depth int, none bool) ([]api.Step, bool) {
	if len(steps) > 0 && g.one(5) {
		return g.handler(steps, depth, none)
	}
	kind := g.choose.IntN(20)
	var step api.Step
	switch {
	case depth > 0 && g.budget > 0 && kind < 5:
		step, none = g.group(depth-1, none), false
	case depth > 0 && g.budget > 0 && kind < 7:
		return g.each(steps, depth-1, none), false
	case depth > 0 && kind < 8:
		chain, gives := g.chain(depth-1, none)
		step, none = api.Step{Chain: &chain}, gives
	case depth > 0 && g.budget > 0 && g.faults.flows && kind < 11 && kind > 8:
		step, none = g.flow(depth-1, none), false
	case kind == 8:
		step, none = api.Step{Value: quote("v" + strconv.Itoa(g.choose.IntN(3)))}, false
	default:
		step, none = g.call(depth, none)
	}
	step.Wait = g.faults.pause && g.one(30)
	return append(steps, step), none
}

// handler makes a step for errors: mostly a task.
func (g *generator) handler(steps []api.Step, depth int, none bool) ([]api.Step, bool) {
	var step api.Step
	var gives bool
	if depth > 0 && g.one(5) {
		chain, none := g.chain(depth-1, false)
		step, gives = api.Step{Chain: &chain}, none
	} else {
		step, gives = g.call(depth, false)
	}
	step.OnError = true
	return append(steps, step), none && gives
}

func (g *generator) options() api.GroupOptions {
	var o api.GroupOptions
	if g.one(3) {
		o.MaxParallelism = 1 + g.choose.IntN(3)
	}
	if g.one(8) {
		o.NumStages = 1 + g.choose.IntN(3)
	}
	switch g.choose.IntN(8) {
	case 0:
		o.FailFast = g.faults.failFast
	case 1, 2:
		o.Settle = true
	}
	switch kind := g.choose.IntN(12); {
	case o.FailFast: // it goes with no switch
	case kind == 0:
		o.KillSwitches = []api.KillSwitch{{Kind: api.FailedCount, Count: 1 + g.choose.IntN(2)}}
	case kind == 1:
		o.KillSwitches = []api.KillSwitch{{Kind: api.FailureRate, MinSample: 1 + g.choose.IntN(3), Rate: 0.5}}
	}
	return o
}

func (g *generator) group(depth int, none bool) api.Step {
	group := &api.Group{GroupOptions: g.options(), Children: []api.Spec{}}
	for range g.choose.IntN(5) {
		child, _ := g.chain(depth, none)
		group.Children = append(group.Children, child)
	}
	return api.Step{Group: group}
}

// each makes a list and what is done with each of its elements.
func (g *generator) each(steps []api.Step, depth int, none bool) []api.Step {
	if g.one(6) {
		steps = append(steps, api.Step{Value: encode([]string{"a", "b", "c"}[:g.choose.IntN(4)])})
	} else {
		list, _ := g.call(0, none)
		s := scriptOf(list.Call.Args)
		uncached(list.Call, s)
		s.List, s.Child, s.Count = 1+g.choose.IntN(5), nil, 0
		list.Call.Args = api.Args{encode(s)}
		list.Call.Task = list.Call.Task[:len(list.Call.Task)-len(suffix(list.Call.Task))]
		steps = append(steps, list)
	}
	do, _ := g.chain(depth, false)
	return append(steps, api.Step{Each: &api.Each{Do: do, GroupOptions: g.options()}})
}

// suffix of a task without result.
func suffix(task string) string {
	if task[len(task)-1] == 'N' {
		return "N"
	}
	return ""
}

// call makes one task.
func (g *generator) call(depth int, none bool) (api.Step, bool) {
	g.budget--
	g.labels++
	if g.faults.caches && !g.final && g.one(4) {
		return g.cachedCall(none), false
	}
	s := &script{Label: "t" + strconv.Itoa(g.labels), Final: g.final}
	task, ignore := "do", !none && g.one(12)
	if none || ignore {
		task = "start"
	}
	o := g.trouble(s)
	switch g.choose.IntN(10) {
	case 0, 1:
		s.State = "map"
	case 2:
		s.State = "plain"
	}
	o = g.child(s, o, depth)
	if g.faults.pend && !s.Hang && s.Child == nil && s.Count == 0 && g.one(12) {
		s.Pend, s.State = true, ""
	}
	if g.faults.slots && g.one(2) && (o == nil || o.Timeout == 0 || s.Hang) {
		s.Slots = g.slots() // one that has a time-out and must not hang would time out in the line
	}
	s.Pause = g.faults.pause && !s.Pend && g.one(40)
	if g.faults.big && g.one(60) {
		s.Pad = 70_000
	}
	gives := false
	if g.one(10) {
		task, gives = task+"N", true
	}
	step := callStep(task, s, o)
	step.Ignore = ignore
	return step, gives
}

// trouble makes some bodies fail, and some of those try again.
func (g *generator) trouble(s *script) *api.Options {
	o := &api.Options{}
	if g.one(2) {
		o.Retry = &api.RetryPolicy{Max: g.choose.IntN(3), Exponential: g.one(2)}
		if g.one(2) {
			o.Retry.Delays = []api.Duration{api.Duration(time.Duration(1+g.choose.IntN(50)) * 100 * time.Millisecond)}
		}
	}
	if g.faults.fail && g.one(4) {
		s.Fail, s.Heal, s.Part = 1+g.choose.IntN(3), g.one(2), g.one(3)
		s.Hang = g.faults.slow && g.one(4)
	}
	if s.Hang {
		o.Timeout = api.Duration(hangs)
	}
	if g.faults.shared && g.one(4) {
		o.TaskID = "id" + strconv.Itoa(g.choose.IntN(2))
	}
	if g.faults.tags && g.one(2) {
		from := g.choose.IntN(len(tagNames))
		o.Tags = tagNames[from : from+1+g.choose.IntN(len(tagNames)-from)]
	}
	g.queue(s, o)
	g.late(s, o)
	if o.IsZero() {
		return nil
	}
	return o
}

// child makes some tasks return pipelines.
func (g *generator) child(s *script, o *api.Options, depth int) *api.Options {
	switch g.choose.IntN(14) {
	case 0, 1:
		if depth == 0 || g.budget <= 0 {
			return o
		}
		s.Child = g.pipeline(depth - 1)
		s.Child.Inline = g.one(2)
		if g.one(3) {
			return g.retryChild(s, o)
		}
	case 2:
		s.Count, s.Trail, s.Inline = 1+g.choose.IntN(5), g.one(2), g.one(3)
		s.Fail, s.Hang = 0, false
	}
	return o
}

// retryChild lets a task run again whose pipeline failed.
func (g *generator) retryChild(s *script, o *api.Options) *api.Options {
	if o == nil {
		o = &api.Options{}
	}
	if o.Retry == nil {
		o.Retry = &api.RetryPolicy{}
	}
	o.Retry.Child, o.Retry.Max = true, 1+g.choose.IntN(2)
	s.Mend = g.choose.IntN(3)
	return o
}

// flow makes a call of a flow.
func (g *generator) flow(depth int, none bool) api.Step {
	g.budget--
	g.labels++
	s := &script{Label: "f" + strconv.Itoa(g.labels), Final: g.final}
	o := &api.Options{}
	if g.one(2) {
		o.Retry = &api.RetryPolicy{Max: g.choose.IntN(3)}
	}
	if g.faults.fail && g.one(4) {
		s.Fail, s.Heal = 1+g.choose.IntN(3), g.one(2)
	}
	var calls []int // places of ops that call
	for i := range 1 + g.choose.IntN(6) {
		o := g.op(depth, calls)
		s.Ops = append(s.Ops, o)
		if o.calls() {
			calls = append(calls, i)
		}
	}
	step := callStep("flow", s, o)
	step.Ignore = !none
	return step
}

func (g *generator) op(depth int, calls []int) op {
	kind := g.choose.IntN(12)
	some := func() (deps []int) {
		for _, i := range calls {
			if g.one(2) {
				deps = append(deps, i)
			}
		}
		return deps
	}
	switch {
	case kind == 0:
		return op{Do: "now"}
	case kind == 1:
		return op{Do: "sleep"}
	case kind < 4 && len(calls) > 0:
		if deps := some(); len(deps) > 0 {
			return op{Do: "any", Deps: deps}
		}
	case kind < 7 && len(calls) > 0:
		step, _ := g.call(0, false)
		s := scriptOf(step.Call.Args)
		uncached(step.Call, s)
		step.Call.Args = api.Args{encode(s)}
		step.Call.Task, step.Ignore = "do"+suffix(step.Call.Task), false
		return op{Do: "bind", Spec: &api.Spec{Steps: []api.Step{step}}, Deps: some(), Allow: g.one(2), Must: g.one(5)}
	}
	o := op{Do: []string{"call", "submit", "submit"}[g.choose.IntN(3)], Must: g.one(5)}
	if g.one(2) && depth > 0 {
		o.Spec = g.pipeline(depth - 1)
		return o
	}
	var step api.Step
	if depth > 0 && g.budget > 0 && g.one(4) {
		step = g.flow(depth-1, true)
	} else {
		step, _ = g.call(depth, true)
	}
	o.Spec = &api.Spec{Steps: []api.Step{step}}
	return o
}
