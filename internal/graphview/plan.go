package graphview

import (
	"slices"
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// FromPlan gives the graph of a pipeline that has not run: all of it is planned.
// The id of a node is the place of its step in the JSON form, as in
// "steps[0].children[2].steps[1]". Of a group with more than [MaxChildren]
// children, those that look the same are one node with a count.
func FromPlan(name string, spec *api.Spec) *Graph {
	return plan(name, spec, MaxChildren)
}

// plan is FromPlan with another bound of how many children are shown each.
func plan(name string, spec *api.Spec, most int) *Graph { return planOf(name, spec, most).g }

func planOf(name string, spec *api.Spec, most int) *planned {
	p := &planned{g: &Graph{Name: name, State: Planned}, times: 1, most: most, firsts: make(map[string][]int)}
	p.chain(spec, "", "", -1, 0)
	return p
}

// planned is the graph of a pipeline in the making.
type planned struct {
	g     *Graph
	times int64 // how often what is added now is in the pipeline
	most  int   // children that are shown each
	// firsts has for the children of groups that are not which of them each is shown as.
	firsts map[string][]int
}

// put adds a node, with the next number.
func (p *planned) put(n Node) string {
	n.Seq, n.State = int64(len(p.g.Nodes)), Planned
	if p.times > 1 && n.Task != "" {
		n.Counts[Planned] = p.times
	}
	p.g.Nodes = append(p.g.Nodes, n)
	return n.ID
}

// chain adds the steps of a pipeline. A step comes after the one before it; after
// a handler also after what the handler is for, since either may lead on.
func (p *planned) chain(spec *api.Spec, path, in string, index, stage int) {
	var before []string
	for i := range spec.Steps {
		step := &spec.Steps[i]
		id := p.step(step, path+"steps["+strconv.Itoa(i)+"]", in, index, stage, before)
		if step.OnError {
			before = append(slices.Clone(before), id)
		} else {
			before = []string{id}
		}
	}
	if spec.Finally == nil {
		return
	}
	at := len(p.g.Nodes)
	p.step(spec.Finally, path+"finally", in, index, stage, before)
	p.g.Nodes[at].Kind = Finally
}

// step adds a step and what stands in it.
func (p *planned) step(s *api.Step, id, in string, index, stage int, after []string) string {
	n := Node{ID: id, In: in, Place: id, Index: index, Stage: stage, After: after}
	if s.Wait {
		n.Note = "pauses the run when it has ended"
	}
	kind := func(k Kind, name string) Node {
		n.Kind, n.Name = k, name
		if s.OnError {
			n.Kind = Handler
		}
		return n
	}
	switch {
	case s.Call != nil:
		n.Task = s.Call.Task
		return p.put(kind(Task, callName(s.Call)))
	case s.Group != nil:
		n.Times = int64(len(s.Group.Children))
		p.put(kind(Group, groupName(s.Group)))
		p.children(s.Group, id)
	case s.Each != nil:
		if len(s.Each.Do.Steps) != 1 || s.Each.Do.Steps[0].Call == nil || s.Each.Do.Finally != nil {
			n.Times = severalEach
		}
		p.put(kind(Each, chainName(&s.Each.Do)))
		p.chain(&s.Each.Do, id+".each.", id, 0, 0)
	case s.Chain != nil:
		p.put(kind(Chain, chainName(s.Chain)))
		p.chain(s.Chain, id+".chain.", id, index, stage)
	default:
		return p.put(kind(Value, "value"))
	}
	return id
}

// children adds those of a group, or of many one of each shape.
func (p *planned) children(g *api.Group, in string) {
	n := len(g.Children)
	if n <= p.most {
		for i := range g.Children {
			p.child(&g.Children[i], in, i, i, stageOf(i, n, g.NumStages))
		}
		return
	}
	type shape struct {
		first int
		times int64
	}
	alike := make(map[string]*shape)
	var order []*shape
	firsts := make([]int, len(g.Children))
	for i := range g.Children {
		key := shapeOf(&g.Children[i])
		if alike[key] == nil {
			alike[key] = &shape{first: i}
			order = append(order, alike[key])
		}
		alike[key].times++
		firsts[i] = alike[key].first
	}
	p.firsts[in] = firsts
	before := p.times
	for _, s := range order {
		p.times = before * s.times
		p.child(&g.Children[s.first], in, s.first, -1, 0)
	}
	p.times = before
}

// shown gives the id of the node that stands for what is at a place.
func (p *planned) shown(place string) string {
	const child = ".children["
	out := ""
	for {
		group, rest, found := strings.Cut(place, child)
		out += group
		if !found {
			return out
		}
		index, rest, _ := strings.Cut(rest, "]")
		if i, err := strconv.Atoi(index); err == nil && i < len(p.firsts[out]) {
			index = strconv.Itoa(p.firsts[out][i])
		}
		out, place = out+child+index+"]", rest
	}
}

// child adds one child: if it has but one step, that is the child, else a chain.
func (p *planned) child(child *api.Spec, in string, i, index, stage int) {
	path := in + ".children[" + strconv.Itoa(i) + "]"
	if len(child.Steps) == 1 && child.Finally == nil {
		at := len(p.g.Nodes)
		p.step(&child.Steps[0], path+".steps[0]", in, index, stage, nil)
		p.g.Nodes[at].Place = ""
		return
	}
	name := chainName(child)
	n := Node{ID: path, Name: name, Kind: Chain, In: in, Place: name, Index: index, Stage: stage}
	if index < 0 {
		n.Times = p.times
	} else {
		n.Name = "[" + strconv.Itoa(i) + "] " + name
	}
	p.put(n)
	p.chain(child, path+".", path, index, stage)
}

// stageOf is the stage of a child if n are cut into so many of about the same size.
func stageOf(i, n, stages int) int {
	if stages < 2 {
		return 0
	}
	return i * stages / n
}

func callName(c *api.Call) string {
	if c.Options != nil && c.Options.Name != "" {
		return c.Options.Name
	}
	return c.Task
}

// groupName is the name of what is in a group, if that is the same everywhere.
func groupName(g *api.Group) string {
	if len(g.Children) == 0 {
		return "nothing"
	}
	name := chainName(&g.Children[0])
	for i := 1; i < len(g.Children); i++ {
		if chainName(&g.Children[i]) != name {
			return "group"
		}
	}
	return name
}

// chainName names a pipeline by its first task, and says if there is more.
func chainName(s *api.Spec) string {
	if len(s.Steps) == 0 {
		return "nothing"
	}
	var name, more string
	if len(s.Steps) > 1 {
		more = " → …"
	}
	switch step := &s.Steps[0]; {
	case step.Call != nil:
		name = callName(step.Call)
	case step.Group != nil:
		name = "group"
	case step.Each != nil:
		name = "each"
	case step.Chain != nil:
		name = "chain"
	default:
		name = "value"
	}
	return name + more
}

// shapeOf is the same for pipelines of the same tasks in the same places.
func shapeOf(s *api.Spec) string {
	var b strings.Builder
	eachCall(s, func(depth int, c *api.Call) {
		b.WriteString(strconv.Itoa(depth) + strconv.Quote(callName(c)) + " ")
	})
	return b.String()
}

// eachCall calls a function for each call of a pipeline, in order. The depth of
// pipelines is bounded, so this may call itself.
func eachCall(s *api.Spec, do func(depth int, c *api.Call)) { callsAt(s, 0, do) }

func callsAt(s *api.Spec, depth int, do func(depth int, c *api.Call)) {
	one := func(step *api.Step) {
		switch {
		case step.Call != nil:
			do(depth, step.Call)
		case step.Group != nil:
			for i := range step.Group.Children {
				callsAt(&step.Group.Children[i], depth+1, do)
			}
		case step.Each != nil:
			callsAt(&step.Each.Do, depth+1, do)
		case step.Chain != nil:
			callsAt(step.Chain, depth+1, do)
		}
	}
	for i := range s.Steps {
		one(&s.Steps[i])
	}
	if s.Finally != nil {
		one(s.Finally)
	}
}
