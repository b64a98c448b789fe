package graphview

import (
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// CriticalPath gives the chain of nodes that takes longest, from the first to the
// last, and how long it takes. What others stand in takes what it says itself, or,
// if it says nothing, as long as the longest chain in it.
func CriticalPath(g *Graph) ([]string, time.Duration, error) {
	x, err := indexOf(g)
	if err != nil {
		return nil, 0, err
	}
	// The edges of a level are between siblings, so each is solved once all that
	// stand in its nodes are.
	n := len(g.Nodes)
	p := &heaviest{index: x, own: make([]time.Duration, n), reach: make([]time.Duration, n), from: make([]int32, n), last: make([]int32, n+1)}
	p.levels()
	for k := n - 1; k >= 0; k-- {
		i := x.deep[k]
		p.own[i] = g.Nodes[i].Waited + g.Nodes[i].Ran
		p.last[i] = -1
		if kids := x.kids.of(i); len(kids) > 0 {
			p.solve(i)
			if p.own[i] == 0 {
				p.own[i] = p.reach[p.last[i]]
			}
		}
	}
	p.last[n] = -1
	p.solve(int32(n))
	if p.last[n] < 0 {
		return nil, 0, nil
	}
	return p.way(), p.reach[p.last[n]], nil
}

// heaviest is a longest path in the making.
type heaviest struct {
	*index
	own   []time.Duration // what a node takes
	reach []time.Duration // the heaviest chain that ends with it
	from  []int32         // the node before it on that; -1 for none
	last  []int32         // of each level, where its heaviest chain ends
	order [][]int32       // of each level, its nodes before those after them
	ties  lists
}

// levels sorts the nodes of each level.
func (p *heaviest) levels() {
	n := len(p.g.Nodes)
	var pairs, back []pair
	for i := range n {
		for _, from := range p.prev.of(int32(i)) {
			a, b := p.lift(from, int32(i))
			pairs = append(pairs, pair{a, b})
		}
	}
	rank := make([]int32, n)
	for k, i := range p.topo {
		rank[i] = int32(k)
	}
	kept := pairs[:0]
	for k, keep := range forward(n, pairs, rank) {
		if keep {
			kept = append(kept, pairs[k])
			back = append(back, pair{pairs[k].to, pairs[k].from})
		}
	}
	p.ties = listsOf(n, back)
	p.order = make([][]int32, n+1)
	order, _ := sorted(listsOf(n, kept), p.ties)
	for _, i := range order {
		in := p.in[i]
		if in < 0 {
			in = int32(n)
		}
		p.order[in] = append(p.order[in], i)
	}
}

func (p *heaviest) solve(level int32) {
	p.last[level] = -1
	for _, i := range p.order[level] {
		p.from[i] = -1
		var most time.Duration
		for _, from := range p.ties.of(i) {
			if p.from[i] < 0 || p.reach[from] > most {
				p.from[i], most = from, p.reach[from]
			}
		}
		p.reach[i] = most + p.own[i]
		if p.last[level] < 0 || p.reach[i] > p.reach[p.last[level]] {
			p.last[level] = i
		}
	}
}

// way gives the nodes of the heaviest chain, each before those that stand in it.
func (p *heaviest) way() (ids []string) {
	type visit struct {
		node   int32
		inside bool // what stands in it has been written
	}
	stack := []visit{{node: p.last[len(p.g.Nodes)]}}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		switch {
		case v.node < 0:
		case !v.inside && len(p.kids.of(v.node)) > 0:
			stack = append(stack, visit{v.node, true}, visit{node: p.last[v.node]})
		default:
			ids = append(ids, p.g.Nodes[v.node].ID)
			stack = append(stack, visit{node: p.from[v.node]})
		}
	}
	slices.Reverse(ids)
	return ids
}

// Ancestors gives all that a node comes after, and Descendants all that comes
// after it, in the order of the graph.
func Ancestors(g *Graph, id string) ([]string, error) {
	return reachable(g, id, func(x *index) *lists { return &x.prev })
}

// Descendants gives all that comes after a node, in the order of the graph.
func Descendants(g *Graph, id string) ([]string, error) {
	return reachable(g, id, func(x *index) *lists { return &x.next })
}

func reachable(g *Graph, id string, ways func(*index) *lists) ([]string, error) {
	x, err := indexOf(g)
	if err != nil {
		return nil, err
	}
	start, ok := x.at[id]
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "", "node %q is not in the graph", id)
	}
	seen := make([]bool, len(g.Nodes))
	queue := []int32{start}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, to := range ways(x).of(i) {
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	var ids []string
	for i, found := range seen {
		if found {
			ids = append(ids, g.Nodes[i].ID)
		}
	}
	return ids, nil
}
