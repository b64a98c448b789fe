package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// failure is why something failed, as far as it can be foretold.
type failure struct {
	Message string     `json:"message"`
	Attempt int        `json:"attempt,omitempty"`
	Causes  []*failure `json:"causes,omitempty"`
	Count   int        `json:"count,omitempty"`
	// Killed is set if a kill switch is bound to have stopped the group so.
	Killed *api.Killed `json:"killed,omitempty"`
	// kill is set if one may have stopped it, who knows when; the rest is what comes
	// out if none did.
	kill *kill
}

// result is a value ("" for none) or a failure.
type result struct {
	value string
	fail  *failure
}

func (r result) given() string {
	if r.fail != nil {
		return canon(encode(r.fail))
	}
	return r.value
}

// kept is a pipeline's state.
type kept struct {
	set, merge bool
	data       string
	vague      bool // it depends on the order of things
}

// node is what became of a chain, step, group or task, kept so that a retry of
// the run can go on from it.
type node struct {
	res   result
	state kept
	after []string      // calls that must have ended for what follows
	core  result        // of a chain: before its finally
	steps map[int]*node // of a chain, those that ran
	kids  []*node       // of a group
	child *node         // of a task that returned a pipeline
	// attempt is the last one of a task.
	attempt int
	skipped bool   // a call of a flow that depends on what failed
	sig     string // of a call
}

// call is one logical call that must happen.
type call struct {
	count    int      // how often, with the same body, input and state
	attempts int      // how many attempts it takes
	before   []string // calls that must have ended
	groups   []member // the groups that it is in
	maybe    bool     // a kill switch may come before
	called   bool     // by a flow, or below such a call
}

// member says which child of which group something belongs to.
type member struct{ group, child int }

// bounds are those of a group met on the way.
type bounds struct {
	limit    int
	failFast bool
	calls    map[int][]string // by child
	failed   map[int]bool
}

// naive interprets a pipeline from the specification.
type naive struct {
	gen    int
	calls  map[string]*call
	groups []*bounds
	within []member
	// fuzzy: what comes out depends on the order of things, since a FailFast
	// group failed.
	fuzzy bool
	// loose: a kill switch may trip, and who knows when.
	loose bool
	flows int // that what is interpreted is called by, one by the other
	again again
}

// interpret foretells a run; old is what became of its previous generation, of which
// again says what runs again.
func interpret(spec *api.Spec, gen int, old *node, again again) (*naive, *node) {
	n := &naive{gen: gen, calls: map[string]*call{}, again: again}
	if again.all {
		old = nil
	}
	return n, n.chain(spec, "", first(spec, kept{}), nil, old)
}

// first is the state that a pipeline starts with.
func first(spec *api.Spec, outer kept) kept {
	switch {
	case spec.State != nil:
		return kept{set: true, merge: spec.State.Merge, data: canon(spec.State.Value)}
	case spec.Inline:
		return outer
	}
	return kept{}
}

// chain runs steps one after the other, and finally. With old it goes on from
// the step whose failure nothing mended.
func (n *naive) chain(spec *api.Spec, in string, state kept, before []string, old *node) *node {
	me := &node{steps: map[int]*node{}, state: state, after: before}
	cur, again := result{value: in}, -1
	switch {
	case old == nil:
	case n.on(old):
		for again = 0; old.steps[again] == nil || !n.on(old.steps[again]); {
			again++
		}
	case old.core.fail != nil:
		again = len(spec.Steps) - 1
		for old.steps[again] == nil || spec.Steps[again].OnError {
			again--
		}
	}
	for i := range spec.Steps {
		s := &spec.Steps[i]
		if s.OnError != (cur.fail != nil) {
			continue
		}
		n.fuzzy = n.fuzzy || cur.fail.vague() && !s.Ignore // it is given the failure
		var k *node
		switch {
		case old != nil && (again < 0 || i < again):
			k = old.steps[i]
		case old != nil && i == again:
			k = n.step(s, cur.given(), me.state, me.after, old.steps[i])
		default:
			k = n.step(s, cur.given(), me.state, me.after, nil)
		}
		me.steps[i], cur, me.state, me.after = k, k.res, k.state, k.after
	}
	me.core, me.res = cur, cur
	if spec.Finally == nil {
		return me
	}
	var last *node
	if old != nil && (again < 0 || again == len(spec.Steps)) {
		last = old.steps[len(spec.Steps)]
	}
	k := n.step(spec.Finally, "", me.state, me.after, last)
	me.steps[len(spec.Steps)], me.after = k, k.after
	if f := k.res.fail; f != nil {
		both := *f
		if cur.fail != nil {
			both.Causes = append(slices.Clone(f.Causes), cur.fail)
			both.Count++
			both.kill = f.kill.beside(cur.fail)
		}
		me.res = result{fail: &both}
	}
	return me
}

func (n *naive) step(s *api.Step, in string, state kept, before []string, old *node) *node {
	if s.Ignore {
		in = ""
	}
	switch {
	case s.Call != nil:
		return n.call(s.Call, in, state, before, old)
	case s.Chain != nil:
		return n.chain(s.Chain, in, state, before, old)
	case s.Group != nil:
		if empty(s.Group) {
			return &node{res: result{value: "[]"}, state: state, after: before}
		}
		given := slices.Repeat([]string{in}, len(s.Group.Children))
		return n.group(&s.Group.GroupOptions, given, func(i int) *api.Spec { return &s.Group.Children[i] }, state, before, old)
	case s.Each != nil:
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(in), &list); err != nil {
			panic(fmt.Sprintf("the generator gave an each %q", in))
		}
		given := make([]string, len(list))
		for i := range list {
			given[i] = canon(list[i])
		}
		return n.group(&s.Each.GroupOptions, given, func(int) *api.Spec { return &s.Each.Do }, state, before, old)
	}
	return &node{res: result{value: canon(s.Value)}, state: state, after: before}
}

// call runs a task with its attempts, and the pipeline that it returns.
func (n *naive) call(c *api.Call, in string, state kept, before []string, old *node) *node {
	s := scriptOf(c.Args)
	if in == "" && len(c.Args) == 2 { // a flow bound it
		in = canon(c.Args[0])
	}
	if old != nil && (old == n.again.from || old.child == nil && c.Task != "flow") {
		old = nil // it failed itself, or is to run again
	}
	if s.Cache != "" { // its body may have run for another call
		return &node{state: state, after: before, res: result{value: canon(s.act("", "", s.Fail+1, 0).value)}}
	}
	n.fuzzy = n.fuzzy || state.vague
	sig := s.signature(in, state.data)
	me := &node{state: state, after: []string{sig}, attempt: 1, sig: sig}
	var policy api.RetryPolicy
	if c.Options != nil && c.Options.Retry != nil {
		policy = *c.Options.Retry
	}
	if old != nil { // it returned a pipeline in an earlier generation
		me.attempt = old.attempt
	}
	if c.Task == "flow" {
		me.attempt = 1
		if old != nil && old.res.fail == nil {
			panic("a flow that completed is not tried again")
		}
		n.flows++
		n.flow(me, s, &policy, old)
		n.flows--
		n.note(sig, me.attempt, before)
		return me
	}
	ran := false
	for {
		var was *node
		if old != nil {
			was = old.child
		}
		ran = ran || old == nil
		n.attempt(me, s, in, state, &policy, was)
		if me.child == nil || me.res.fail == nil || !policy.Child || me.attempt > policy.Max {
			break
		}
		old = nil
		me.attempt++
	}
	if ran {
		n.note(sig, me.attempt, before)
	}
	if strings.HasSuffix(c.Task, "N") {
		me.res.value = ""
	}
	return me
}

// attempt runs the body from me.attempt on, until the policy is spent, and the
// pipeline that it returns. With was, the body is over and was is what became of
// the pipeline.
func (n *naive) attempt(me *node, s *script, in string, state kept, policy *api.RetryPolicy, was *node) {
	m := s.act(in, state.data, me.attempt, n.gen)
	for was == nil && m.fail != "" && me.attempt <= policy.Max {
		me.attempt++
		m = s.act(in, state.data, me.attempt, n.gen)
	}
	me.state, me.child, me.res = state, nil, result{value: canon(m.value)}
	if m.fail != "" {
		me.res.fail = &failure{Message: m.fail, Attempt: me.attempt}
		return
	}
	if m.setState {
		me.state = kept{set: true, merge: m.merge, data: canon(m.state)}
	}
	if m.child == nil {
		return
	}
	me.child = n.chain(m.child, "", first(m.child, me.state), me.after[:1], was)
	me.res, me.after = me.child.res, me.child.after
	if m.child.Inline {
		me.state = me.child.state
	}
}

func (n *naive) note(sig string, attempts int, before []string) {
	c := n.calls[sig]
	if c == nil {
		c = &call{attempts: attempts, before: before, groups: slices.Clone(n.within), called: n.flows > 0}
		n.calls[sig] = c
	}
	c.count++
	for _, m := range n.within {
		b := n.groups[m.group]
		b.calls[m.child] = append(b.calls[m.child], sig)
	}
}

func scriptOf(args api.Args) *script {
	s := new(script)
	if err := json.Unmarshal(args[len(args)-1], s); err != nil {
		panic(err)
	}
	return s
}
