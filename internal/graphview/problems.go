package graphview

import "slices"

// problems leaves out of a graph what has completed, unless it is between two
// nodes that stay: the picture still says what comes after what.
func problems(g *Graph) (*Graph, error) {
	x, err := indexOf(g)
	if err != nil {
		return nil, err
	}
	sums := totals(x)
	stays := make([]bool, len(g.Nodes))
	for i := range g.Nodes {
		stays[i] = !sums[i].good() || !g.Nodes[i].State.Good() && g.Nodes[i].State != Unknown
	}
	for _, i := range slices.Backward(x.deep) { // what something stands in that stays
		if stays[i] && x.in[i] >= 0 {
			stays[x.in[i]] = true
		}
	}
	below, above := slices.Clone(stays), slices.Clone(stays)
	for _, i := range x.topo {
		for _, to := range x.next.of(i) {
			below[to] = below[to] || below[i]
		}
	}
	for _, i := range slices.Backward(x.topo) {
		for _, from := range x.prev.of(i) {
			above[from] = above[from] || above[i]
		}
	}
	out := &Graph{Name: g.Name, State: g.State, Hidden: g.Hidden}
	kept := make([]bool, len(g.Nodes))
	for _, i := range x.deep {
		kept[i] = (stays[i] || below[i] && above[i]) && (x.in[i] < 0 || kept[x.in[i]])
	}
	gone := func(id string) bool { return !kept[x.at[id]] }
	for i := range g.Nodes {
		if !kept[i] {
			out.Hidden++
			continue
		}
		n := g.Nodes[i]
		n.After = slices.DeleteFunc(slices.Clone(n.After), gone)
		n.Repeats = slices.DeleteFunc(slices.Clone(n.Repeats), gone)
		out.Nodes = append(out.Nodes, n)
	}
	return out, nil
}
