package graphview

import (
	"cmp"
	"slices"
)

func sortByLayer(items, layer []int32) {
	slices.SortStableFunc(items, func(a, b int32) int { return cmp.Compare(layer[a], layer[b]) })
}

// Tree writes what stands in what: groups, and what tasks have called, each with
// what is in it below. With Fold, what has completed is not gone into, and
// several such next to each other are one line.
func Tree(g *Graph, o TextOptions) (string, error) {
	x, err := indexOf(g)
	if err != nil {
		return "", err
	}
	t := &treeLines{index: x, fold: o.Fold, sums: totals(x)}
	t.all((&layout{index: x}).roots())
	return written(g, t.rows, o), nil
}

type treeLines struct {
	*index
	fold bool
	sums []Counts
	rows []row
}

// branch is a line that is still to be written: a node, or several that are
// folded.
type branch struct {
	node   int32
	folded int
	lead   string // of the line
	below  string // of what stands in it
}

func (t *treeLines) all(top []int32) {
	stack := t.branches(nil, top, "", true)
	for len(stack) > 0 {
		b := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if b.folded > 1 {
			t.rows = append(t.rows, row{lead: b.lead, state: Completed, label: "… " + grouped(int64(b.folded)) + " more"})
			continue
		}
		n := t.node(b.node)
		kids := t.kids.of(b.node)
		t.rows = append(t.rows, row{lead: b.lead, state: n.shown(), label: label(&n), facts: facts(&n)})
		if len(kids) > 0 && (!t.fold || !t.done(b.node)) {
			stack = t.branches(stack, kids, b.below, false)
		}
	}
}

// node is a node with the counts of what stands in it.
func (t *treeLines) node(i int32) Node {
	n := t.g.Nodes[i]
	if len(t.kids.of(i)) > 0 {
		n.Counts = t.sums[i]
	}
	return n
}

func (t *treeLines) done(i int32) bool {
	s := t.g.Nodes[i].State
	return t.sums[i].good() && (s.Good() || s == Unknown && t.sums[i].Total() > 0)
}

// branches pushes siblings, the first last.
func (t *treeLines) branches(stack []branch, items []int32, lead string, top bool) []branch {
	var row []branch
	for _, i := range items {
		last := len(row) - 1
		if t.fold && t.done(i) && last >= 0 && row[last].folded > 0 {
			row[last].folded++
			continue
		}
		b := branch{node: i}
		if t.fold && t.done(i) {
			b.folded = 1
		}
		row = append(row, b)
	}
	for k, b := range slices.Backward(row) {
		switch {
		case top:
		case k == len(row)-1:
			b.lead, b.below = lead+"└─ ", lead+"   "
		default:
			b.lead, b.below = lead+"├─ ", lead+"│  "
		}
		stack = append(stack, b)
	}
	return stack
}
