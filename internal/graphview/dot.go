package graphview

import (
	"slices"
	"strconv"
	"strings"
)

// DOT writes a graph for Graphviz. Nodes that others stand in are clusters; edges
// to and from them end at their borders.
func DOT(g *Graph) (string, error) {
	x, err := indexOf(g)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("digraph " + quoted(g.Name) + " {\n  rankdir=LR\n  compound=true\n  node [fontname=\"sans-serif\"]\n")
	nested(x, func(i int32, depth int, open, end bool) {
		n := &g.Nodes[i]
		b.WriteString(strings.Repeat("  ", min(depth, 20)+1))
		color := ", color=\"" + colours[n.shown()] + "\""
		switch {
		case end:
			b.WriteString("}\n")
		case open:
			b.WriteString("subgraph cluster_" + strconv.Itoa(int(i)) + " { label=" + quoted(caption(n)) + "; color=\"" + colours[n.shown()] + "\"\n")
		default:
			b.WriteString("n" + strconv.Itoa(int(i)) + " [label=" + quoted(caption(n)) + color + dotShape(n) + "]\n")
		}
	})
	inner := innermost(x)
	edge := func(from, to int32, how string) {
		var attrs []string
		if inner[from] != from {
			attrs = append(attrs, "ltail=cluster_"+strconv.Itoa(int(from)))
		}
		if inner[to] != to {
			attrs = append(attrs, "lhead=cluster_"+strconv.Itoa(int(to)))
		}
		if how != "" {
			attrs = append(attrs, how)
		}
		b.WriteString("  n" + strconv.Itoa(int(inner[from])) + " -> n" + strconv.Itoa(int(inner[to])))
		if len(attrs) > 0 {
			b.WriteString(" [" + strings.Join(attrs, ", ") + "]")
		}
		b.WriteByte('\n')
	}
	for i := range g.Nodes {
		how := ""
		if g.Nodes[i].Kind == Handler {
			how = "style=dashed"
		}
		for _, from := range x.prev.of(int32(i)) {
			edge(from, int32(i), how)
		}
		for _, id := range g.Nodes[i].Repeats {
			if from, ok := x.at[id]; ok {
				edge(from, int32(i), "style=dotted, constraint=false")
			}
		}
	}
	b.WriteString("}\n")
	return b.String(), nil
}

func dotShape(n *Node) string {
	switch n.Kind {
	case Handler:
		return ", shape=box, style=dashed"
	case Finally:
		return ", shape=box, peripheries=2"
	case Conditional:
		return ", shape=diamond"
	case Value:
		return ", shape=plaintext"
	case Group, Each, Bucket:
		return ", shape=box3d"
	}
	return ", shape=box, style=rounded"
}

// innermost gives for each node one that nothing stands in: itself, or the first
// such in it. Edges of Graphviz can't end at clusters, only be cut off there.
func innermost(x *index) []int32 {
	in := make([]int32, len(x.g.Nodes))
	for _, i := range slices.Backward(x.deep) {
		in[i] = i
		if kids := x.kids.of(i); len(kids) > 0 {
			in[i] = in[kids[0]]
		}
	}
	return in
}

// quoted writes a DOT string. A backslash is written as two, and & as an entity:
// Graphviz reads escapes and entities in labels.
func quoted(text string) string {
	return "\"" + dotEscapes.Replace(plain(text)) + "\""
}

var dotEscapes = strings.NewReplacer("\\", "\\\\", "\"", "\\\"", "&", "&amp;")
