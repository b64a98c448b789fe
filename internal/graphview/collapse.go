package graphview

import (
	"cmp"
	"slices"
	"strconv"
)

// MaxChildren is how many children are shown one by one.
const MaxChildren = 300

// Fold says what of a graph is shown.
type Fold struct {
	// Open are the ids or names of what is shown with what stands in it.
	Open []string
	// Problems leaves out what has completed, unless it stands between two nodes
	// that are shown.
	Problems bool
}

// Collapse gives the graph that is shown: one node for each task name or group.
// What is open shows its children, or, if there are more than [MaxChildren],
// parts of them: those in each state that somebody may look for, and the others
// by hundreds. What stands alone at the top is open.
func Collapse(g *Graph, fold Fold) (*Graph, error) {
	x, err := indexOf(g)
	if err != nil {
		return nil, err
	}
	c := &collapse{
		index: x, open: make(map[string]bool, len(fold.Open)), used: make(map[string]bool), totals: totals(x),
		stands: make([]int32, len(g.Nodes)), out: &Graph{Name: g.Name, State: g.State},
	}
	for _, word := range fold.Open {
		c.open[word] = true
	}
	var top []int32
	for i := range g.Nodes {
		c.stands[i] = -1
		if x.in[i] < 0 {
			top = append(top, int32(i))
		}
	}
	if len(top) == 1 {
		c.open[g.Nodes[top[0]].ID] = true
	}
	c.inside(top, "", false, nil)
	for len(c.todo) > 0 {
		next := c.todo[0]
		c.todo = c.todo[1:]
		c.inside(next.items, next.id, next.parallel, next.counts)
	}
	c.connect()
	if fold.Problems {
		return problems(c.out)
	}
	return c.out, nil
}

// totals gives for each node how many stand in it, by state.
func totals(x *index) []Counts {
	sums := make([]Counts, len(x.g.Nodes))
	for _, i := range slices.Backward(x.deep) {
		n := &x.g.Nodes[i]
		if n.Counts.Total() > 0 {
			sums[i] = n.Counts
			continue
		}
		for _, kid := range x.kids.of(i) {
			sums[i].add(&sums[kid])
		}
		if n.Kind != Value && sums[i].Total() == 0 {
			sums[i][n.State] = 1
		}
	}
	return sums
}

type collapse struct {
	*index
	open   map[string]bool
	used   map[string]bool // ids of out
	totals []Counts
	stands []int32 // which node of out stands for a node; -1 for what it stands in
	out    *Graph
	todo   []opened
}

// opened is a node of out that is to be filled.
type opened struct {
	id       string
	items    []int32
	parallel bool
	counts   *Counts // all that stand in it, if items may be fewer
}

// inside shows what stands in a node.
func (c *collapse) inside(items []int32, in string, parallel bool, counts *Counts) {
	slices.SortStableFunc(items, func(a, b int32) int { return cmp.Compare(c.g.Nodes[a].Seq, c.g.Nodes[b].Seq) })
	switch {
	case !parallel:
		c.classes(items, in)
	case len(items) > MaxChildren:
		c.buckets(items, in)
	default:
		for _, i := range items {
			c.show(i, in, len(items) == 1 && counts == nil)
		}
	}
	if counts != nil {
		c.unlisted(items, in, *counts)
	}
}

// classes shows siblings, those with the same place as one.
func (c *collapse) classes(items []int32, in string) {
	type class struct {
		kind  Kind
		place string
	}
	members := make(map[class][]int32)
	var order []class
	for _, i := range items {
		n := &c.g.Nodes[i]
		k := class{n.Kind, cmp.Or(n.Place, n.Name)}
		if members[k] == nil {
			order = append(order, k)
		}
		members[k] = append(members[k], i)
	}
	for _, k := range order {
		all := members[k]
		if len(all) == 1 {
			c.show(all[0], in, true)
			continue
		}
		first := &c.g.Nodes[all[0]]
		n := Node{
			ID: c.unused(in + "/" + k.place), Name: first.Name, Task: first.Task, Kind: k.kind, Seq: first.Seq, In: in,
			Place: first.Place, Index: -1, Stage: first.Stage, Usual: first.Usual,
		}
		for _, i := range all {
			if m := &c.g.Nodes[i]; m.Place != "" && m.Name != first.Name {
				n.Name = m.Place
			}
		}
		if n.Kind != Task {
			n.Times = int64(len(all))
		}
		c.put(&n, all)
		if c.open[n.ID] || c.open[n.Name] {
			c.todo = append(c.todo, opened{id: n.ID, items: all, parallel: true})
		}
	}
}

// show shows a node, and what stands in it if it is open. In order, or alone, what
// only holds steps together is open.
func (c *collapse) show(i int32, in string, inOrder bool) {
	n := c.g.Nodes[i]
	n.ID, n.In, n.After, n.Repeats = c.unused(n.ID), in, nil, nil
	c.stands[i] = int32(len(c.out.Nodes))
	kids := c.kids.of(i)
	if c.totals[i].Total() > 1 || len(kids) > 0 {
		n.Counts = c.totals[i]
	}
	c.out.Nodes = append(c.out.Nodes, n)
	known := n.Counts.Total() > 1 && c.g.Nodes[i].Counts.Total() > 0
	brackets := inOrder && (n.Kind == Chain || n.Kind == Handler || n.Kind == Finally || n.Kind == Conditional)
	if len(kids) == 0 && !known || !brackets && !c.open[c.g.Nodes[i].ID] && !c.open[n.Name] {
		return
	}
	o := opened{id: n.ID, items: slices.Clone(kids), parallel: n.Kind.parallel()}
	if known {
		o.counts = &n.Counts
	}
	c.todo = append(c.todo, o)
}

// put adds a node that stands for others.
func (c *collapse) put(n *Node, members []int32) {
	for _, i := range members {
		m := &c.g.Nodes[i]
		n.Counts.add(&c.totals[i])
		n.Waited, n.Ran = max(n.Waited, m.Waited), max(n.Ran, m.Ran)
		if n.Note == "" && m.State.Problem() {
			n.Note = m.Note
		}
		c.stands[i] = int32(len(c.out.Nodes))
	}
	if n.Counts.Total() == 0 {
		n.State = c.g.Nodes[members[0]].State // values, which nobody counts
	}
	c.out.Nodes = append(c.out.Nodes, *n)
}

// buckets shows many children as parts. Those by number have fixed borders, so
// that a child that fails leaves its part and moves no other.
func (c *collapse) buckets(items []int32, in string) {
	special := make(map[State][]int32)
	per := 100
	for step := 0; len(items) > 100*per; step++ {
		per = per * [3]int{2, 5, 2}[step%3] / [3]int{1, 2, 1}[step%3]
	}
	parts := make([][]int32, (len(items)+per-1)/per)
	for k, i := range items {
		if s := c.stateOf(i); sought(s) {
			special[s] = append(special[s], i)
		} else {
			parts[k/per] = append(parts[k/per], i)
		}
	}
	seq := c.g.Nodes[items[0]].Seq
	for _, s := range urgency {
		if all := special[s]; len(all) > 0 {
			c.put(c.bucket(in, s.String(), s.String()+" "+grouped(int64(len(all))), seq), all)
		}
	}
	for k, part := range parts {
		if len(part) > 0 {
			name := strconv.Itoa(k*per) + "–" + strconv.Itoa(min((k+1)*per, len(items))-1)
			c.put(c.bucket(in, name, name, max(seq, c.g.Nodes[part[0]].Seq)), part)
		}
	}
}

// unlisted shows those that are only counted, a part for each state.
func (c *collapse) unlisted(items []int32, in string, counts Counts) {
	for _, i := range items {
		for s, k := range c.totals[i] {
			counts[s] -= min(k, counts[s])
		}
	}
	var seq int64
	for _, i := range items {
		seq = max(seq, c.g.Nodes[i].Seq)
	}
	for _, count := range counts.List() {
		n := c.bucket(in, count.State.String()+"…", count.State.String()+" "+grouped(count.N), seq)
		n.Counts[count.State] = count.N
		c.out.Nodes = append(c.out.Nodes, *n)
	}
}

func (c *collapse) bucket(in, key, name string, seq int64) *Node {
	return &Node{ID: c.unused(in + "#" + key), Name: name, Kind: Bucket, Seq: seq, In: in, Index: -1}
}

func (c *collapse) stateOf(i int32) State {
	if s := c.g.Nodes[i].State; s != Unknown {
		return s
	}
	return c.totals[i].state()
}

// sought reports whether children in this state are shown apart.
func sought(s State) bool {
	return s.Problem() || s == Cancelling || s == Running || s == Retrying || s == Paused
}

// unused gives an id that is not taken.
func (c *collapse) unused(id string) string {
	for c.used[id] {
		id += "~"
	}
	c.used[id] = true
	return id
}

// connect ties what is shown as what it stands for is tied, and sorts it.
func (c *collapse) connect() {
	nodes := c.out.Nodes
	order := make([]int32, len(nodes))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(nodes[a].Seq, nodes[b].Seq) })
	rank := make([]int32, len(nodes))
	for k, i := range order {
		rank[i] = int32(k)
	}
	for _, i := range c.deep {
		if c.stands[i] < 0 && c.in[i] >= 0 {
			c.stands[i] = c.stands[c.in[i]]
		}
	}
	var edges []pair
	seen := make(map[pair]bool)
	for i := range c.g.Nodes {
		to := c.stands[i]
		for _, from := range c.prev.of(int32(i)) {
			if p := (pair{c.stands[from], to}); p.from != to && !seen[p] {
				seen[p] = true
				edges = append(edges, p)
			}
		}
	}
	for k, keep := range forward(len(nodes), edges, rank) {
		from, to := nodes[edges[k].from].ID, &nodes[edges[k].to]
		if keep {
			to.After = append(to.After, from)
		} else {
			to.Repeats = append(to.Repeats, from)
		}
	}
	c.out.Nodes = make([]Node, len(nodes))
	for k, i := range order {
		c.out.Nodes[k] = nodes[i]
	}
}
