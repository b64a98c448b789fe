package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// empty: a group in which there is nothing to do but handlers.
func empty(g *api.Group) bool {
	var runs func(spec *api.Spec) bool
	runs = func(spec *api.Spec) bool {
		return slices.ContainsFunc(spec.Steps, func(s api.Step) bool {
			switch {
			case s.OnError:
				return false
			case s.Group != nil:
				return !empty(s.Group)
			case s.Chain != nil:
				return runs(s.Chain)
			}
			return true
		})
	}
	for i := range g.Children {
		if runs(&g.Children[i]) {
			return false
		}
	}
	return true
}

func (n *naive) group(o *api.GroupOptions, given []string, child func(int) *api.Spec, state kept, before []string, old *node) *node {
	if len(given) == 0 {
		return &node{res: result{value: "[]"}, state: state, after: before}
	}
	me := &node{kids: make([]*node, len(given))}
	b := &bounds{limit: o.MaxParallelism, failFast: o.FailFast, calls: map[int][]string{}, failed: map[int]bool{}}
	n.groups = append(n.groups, b)
	id := len(n.groups) - 1
	at := n.watch(o, given, child, old)
	for i, in := range given {
		var was *node
		if old != nil {
			was = old.kids[i]
		}
		k := was
		switch {
		case at.trip != "" && !at.known[i]:
			continue // it never begins
		case was == nil, n.on(was), was.res.fail != nil && !n.stays(o):
			n.within = append(n.within, member{id, i})
			k = n.chain(child(i), in, state, before, was)
			n.within = n.within[:len(n.within)-1]
			at.ended(i, k)
		}
		me.kids[i], b.failed[i] = k, k.res.fail != nil
		me.after = append(me.after, k.after...)
	}
	me.state = merged(state, me.kids)
	me.state.vague = me.state.vague || slices.ContainsFunc(me.kids, func(k *node) bool { return k != nil && k.state.vague })
	me.res = n.together(o, me.kids)
	n.fuzzy = n.fuzzy || o.FailFast && len(given) > 1 && slices.Contains(slices.Collect(maps.Values(b.failed)), true)
	n.killed(o, me, b, at, state, before)
	return me
}

// together is what a group gives that no kill switch stops.
func (n *naive) together(o *api.GroupOptions, kids []*node) result {
	var values []string
	causes := failures(kids)
	for _, k := range kids {
		if k == nil {
			continue
		}
		value := k.res.value
		if value == "" {
			value = "null"
		}
		switch {
		case !o.Settle:
		case k.res.fail != nil:
			n.fuzzy = n.fuzzy || k.res.fail.vague()
			value = `{"failure":` + k.res.given() + `}`
		default:
			value = `{"value":` + value + `}`
		}
		values = append(values, value)
	}
	if len(causes) > 0 && !o.Settle {
		return result{fail: &failure{
			Message: fmt.Sprintf("%d of %d failed", len(causes), len(kids)), Causes: causes, Count: len(causes),
		}}
	}
	return result{value: canon([]byte("[" + strings.Join(values, ",") + "]"))}
}

// merged is the state after a group: the first that is not a map, or all maps
// with the first one to have a key winning.
func merged(start kept, kids []*node) kept {
	union := map[string]json.RawMessage{}
	some := false
	for _, k := range kids {
		switch {
		case k == nil || !k.state.set:
			continue
		case !k.state.merge:
			return k.state
		}
		some = true
		var keys map[string]json.RawMessage
		if err := json.Unmarshal([]byte(k.state.data), &keys); err != nil {
			panic(err)
		}
		for key, v := range keys {
			if _, have := union[key]; !have {
				union[key] = v
			}
		}
	}
	if !some {
		return start
	}
	return kept{set: true, merge: true, data: canon(encode(union))}
}
