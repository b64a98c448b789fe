package graphview

import (
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Kind is what a node is, and so how it looks.
type Kind uint8

// The kinds. Others may stand in all of them: in a task what it called, or
// its task runs if it stands for several.
const (
	Task        Kind = iota
	Value            // a value in a pipeline
	Group            // children at the same time
	Each             // children at the same time, as many as a list has elements
	Chain            // steps one after the other
	SubRun           // a run or pipeline that a task made
	Handler          // runs only if the step before it failed
	Finally          // runs last, in any case
	Conditional      // chooses what follows
	Bucket           // stands for a part of too many
	kinds       = iota
)

var kindNames = [kinds]string{
	Task: "task", Value: "value", Group: "group", Each: "each", Chain: "chain", SubRun: "sub-run",
	Handler: "exceptionally", Finally: "finally", Conditional: "conditional", Bucket: "bucket",
}

// String gives its name.
func (k Kind) String() string { return kindNames[min(k, kinds-1)] }

// MarshalText gives its name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads its name.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return api.Errorf(api.ErrInvalid, "", "unknown kind %q of a node", text)
}

// parallel reports whether what stands in it is a set of children rather than
// something with an order of its own.
func (k Kind) parallel() bool { return k == Group || k == Each || k == Task || k == Bucket }

// Node is one entry of a graph.
type Node struct {
	// ID is unique in the graph.
	ID string
	// Name is what people call it: any text.
	Name string
	// Task is the name that the task is registered under; "" for none.
	Task string
	// TaskRun is the id of the task run that it is; "" if it is none, or stands for several.
	TaskRun string
	Kind    Kind
	// Seq orders nodes, and the pictures of them: those that come later have
	// higher ones. Those with the same are ordered as in the graph.
	Seq int64
	// In is the node that it stands in; "" for none.
	In string
	// Place is what it has in common with others that stand in the same node, and
	// that are one in the collapsed view; "" for its name.
	Place string
	// Index is its place in its group, from 0; -1 outside. Stage counts from 0.
	Index, Stage int
	// After are the nodes that it comes after.
	After []string
	// Repeats are nodes that it comes after too, drawn against the direction:
	// only collapsing makes them, where the same name comes again.
	Repeats []string
	State   State
	// Counts, if there are any, say that it stands for several, of which not all
	// need to be in the graph.
	Counts Counts
	// Times is how often it is there, if that is not how many Counts has: children
	// of a group, each of several tasks. 0: as many.
	Times int64
	// Waited and Ran are how long, so far.
	Waited, Ran time.Duration
	// Usual is how long its task runs as a rule.
	Usual time.Duration
	// Note is a line on it, such as why it failed.
	Note string
}

// Graph is what there is to draw.
type Graph struct {
	Name  string
	State State
	Nodes []Node
	// Hidden is how many nodes were left out as completed.
	Hidden int
}

// Label is the name of a node, with how many it stands for.
func (n *Node) Label() string {
	name := n.Name
	if name == "" {
		name = n.Kind.String()
	}
	k := n.Counts.Total()
	switch {
	case n.Kind == Bucket:
	case n.Times > 1:
		return name + " ×" + grouped(n.Times)
	case k < 2:
	case n.Kind == SubRun || n.Kind == Chain || n.Times == severalEach:
		return name + " (" + grouped(k) + " tasks)"
	default:
		return name + " ×" + grouped(k)
	}
	return name
}

// severalEach is Times of what is there nobody knows how often, with several
// tasks each time.
const severalEach = -1

// shown is the state that it is drawn in.
func (n *Node) shown() State {
	if n.State != Unknown {
		return n.State
	}
	return n.Counts.state()
}

// Check reports what is wrong with a graph: ids that are there twice or not at
// all, nodes that stand in themselves or come after themselves.
func (g *Graph) Check() error {
	_, err := indexOf(g)
	return err
}

// index is a graph with numbers in place of ids.
type index struct {
	g     *Graph
	at    map[string]int32
	in    []int32 // what a node stands in; -1 for none
	depth []int32
	// deep has all nodes, each before those that stand in it.
	deep []int32
	kids lists // what stands in it
	next lists // what comes after it
	prev lists // what it comes after
	topo []int32
}

func indexOf(g *Graph) (*index, error) {
	x := &index{g: g, at: make(map[string]int32, len(g.Nodes)), in: make([]int32, len(g.Nodes))}
	for i := range g.Nodes {
		id := g.Nodes[i].ID
		if _, twice := x.at[id]; twice || id == "" {
			return nil, api.Errorf(api.ErrInvalid, "", "node %d: id %q is empty or there twice; want an id of its own", i, id)
		}
		x.at[id] = int32(i)
	}
	if err := x.nest(); err != nil {
		return nil, err
	}
	if err := x.link(); err != nil {
		return nil, err
	}
	topo, rest := sorted(x.next, x.prev)
	if rest >= 0 {
		return nil, api.Errorf(api.ErrInvalid, "", "the graph has a cycle: %s; a node can't come after itself", x.cycle(topo, rest))
	}
	x.topo = topo
	return x, nil
}

// nest finds what stands in what.
func (x *index) nest() error {
	n := len(x.g.Nodes)
	var pairs []pair
	for i := range x.g.Nodes {
		x.in[i] = -1
		if id := x.g.Nodes[i].In; id != "" {
			in, ok := x.at[id]
			if !ok {
				return api.Errorf(api.ErrInvalid, "", "node %q stands in %q, which is not in the graph", x.g.Nodes[i].ID, id)
			}
			x.in[i] = in
			pairs = append(pairs, pair{in, int32(i)})
		}
	}
	x.kids = listsOf(n, pairs)
	x.depth = make([]int32, n)
	for i := range x.in {
		if x.in[i] < 0 {
			x.deep = append(x.deep, int32(i))
		}
	}
	for k := 0; k < len(x.deep); k++ {
		for _, kid := range x.kids.of(x.deep[k]) {
			x.depth[kid] = x.depth[x.deep[k]] + 1
			x.deep = append(x.deep, kid)
		}
	}
	if len(x.deep) < n {
		for i := range x.in {
			if x.in[i] >= 0 && x.depth[i] == 0 {
				return api.Errorf(api.ErrInvalid, "", "node %q stands in itself, at last", x.g.Nodes[i].ID)
			}
		}
	}
	return nil
}

// link finds what comes after what.
func (x *index) link() error {
	var pairs []pair
	for i := range x.g.Nodes {
		for _, id := range x.g.Nodes[i].After {
			from, ok := x.at[id]
			if !ok {
				return api.Errorf(api.ErrInvalid, "", "node %q comes after %q, which is not in the graph", x.g.Nodes[i].ID, id)
			}
			if a, b := x.lift(from, int32(i)); a == b && from != int32(i) {
				return api.Errorf(api.ErrInvalid, "", "node %q comes after %q, and one stands in the other", x.g.Nodes[i].ID, id)
			}
			pairs = append(pairs, pair{from, int32(i)})
		}
	}
	x.next = listsOf(len(x.g.Nodes), pairs)
	for i := range pairs {
		pairs[i] = pair{pairs[i].to, pairs[i].from}
	}
	x.prev = listsOf(len(x.g.Nodes), pairs)
	return nil
}

// lift gives of two nodes what they stand in at the innermost place that both
// stand in: equal if one stands in the other.
func (x *index) lift(a, b int32) (int32, int32) {
	for x.depth[a] > x.depth[b] {
		a = x.in[a]
	}
	for x.depth[b] > x.depth[a] {
		b = x.in[b]
	}
	for a != b && x.in[a] != x.in[b] {
		a, b = x.in[a], x.in[b]
	}
	return a, b
}

// cycle names the nodes of one, of a graph in which all of topo stand before all
// cycles, and one ends at or passes through what is left.
func (x *index) cycle(topo []int32, rest int32) string {
	left := make([]bool, len(x.g.Nodes))
	for i := range left {
		left[i] = true
	}
	for _, i := range topo {
		left[i] = false
	}
	seen := map[int32]int{}
	var way []int32
	for at := rest; ; {
		if start, again := seen[at]; again {
			way = append(way[start:], at)
			break
		}
		seen[at] = len(way)
		way = append(way, at)
		for _, p := range x.prev.of(at) {
			if left[p] {
				at = p
				break
			}
		}
	}
	var b strings.Builder
	for k, i := range slices.Backward(way) {
		if b.Len() > 200 && k > 0 {
			b.WriteString(" → …")
			break
		}
		if b.Len() > 0 {
			b.WriteString(" → ")
		}
		b.WriteString(x.g.Nodes[i].ID)
	}
	return b.String()
}
