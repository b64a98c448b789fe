package graphview

import (
	"slices"
	"strconv"
	"strings"
)

// Mermaid writes a graph as a Mermaid flow chart. Names of nodes there are
// numbers, and all text is quoted with its special characters as entities, so
// that no name can end its label or begin something else.
func Mermaid(g *Graph) (string, error) {
	x, err := indexOf(g)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	var used [states]bool
	nested(x, func(i int32, depth int, open, end bool) {
		n := &g.Nodes[i]
		indent := strings.Repeat("  ", min(depth, 20)+1)
		b.WriteString(indent)
		used[n.shown()] = true
		switch {
		case end:
			b.WriteString("end\n")
		case open:
			b.WriteString("subgraph n" + strconv.Itoa(int(i)) + "[\"" + entities(caption(n)) + "\"]\n")
		default:
			left, right := mermaidShape(n.Kind)
			b.WriteString("n" + strconv.Itoa(int(i)) + left + "\"" + entities(caption(n)) + "\"" + right + ":::" + n.shown().String() + "\n")
		}
	})
	for i := range g.Nodes {
		arrow := " --> "
		if g.Nodes[i].Kind == Handler {
			arrow = " -.-> "
		}
		for _, from := range x.prev.of(int32(i)) {
			b.WriteString("  n" + strconv.Itoa(int(from)) + arrow + "n" + strconv.Itoa(i) + "\n")
		}
		for _, id := range g.Nodes[i].Repeats {
			if from, ok := x.at[id]; ok {
				b.WriteString("  n" + strconv.Itoa(int(from)) + " -. again .-> n" + strconv.Itoa(i) + "\n")
			}
		}
	}
	for s, there := range used {
		if there {
			b.WriteString("  classDef " + State(s).String() + " stroke:" + colours[s] + "\n")
		}
	}
	return b.String(), nil
}

func mermaidShape(k Kind) (left, right string) {
	switch k {
	case Handler:
		return "[/", "/]"
	case Finally:
		return "[[", "]]"
	case Conditional:
		return "{", "}"
	case Value:
		return "(", ")"
	case Group, Each, Bucket:
		return "[", "]"
	}
	return "([", "])"
}

// colours are those of states on a light ground, for formats that have no style
// sheet.
var colours = [states]string{
	Unknown: "#57606a", Planned: "#57606a", Scheduled: "#6b4fbb", Pending: "#57606a", Running: "#0b57d0", Retrying: "#9a5b00",
	Paused: "#7a5c00", Cancelling: "#6e5494", Completed: "#116d34", Cached: "#00695c", Failed: "#c01c28", Crashed: "#a3230b",
	Cancelled: "#5c5f66", Skipped: "#63676e",
}

// caption is the whole text of a node, on one line: glyph, name, state, counts.
func caption(n *Node) string {
	words := []string{n.shown().Glyph(), label(n), n.shown().String()}
	if list := n.Counts.List(); len(list) > 1 {
		for _, c := range list {
			words = append(words, c.State.Glyph()+grouped(c.N))
		}
	}
	return strings.Join(words, " ")
}

// entities writes as numbers all that means something to Mermaid, HTML or
// Markdown, in which it shows labels: all that is neither letter nor digit of ASCII
// nor one of a few that mean nothing.
func entities(text string) string {
	var b strings.Builder
	for _, r := range plain(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == ' ', r == ',', r == '.', r == '/', r == ':', r > 0x7f:
			b.WriteRune(r)
		default:
			b.WriteString("#" + strconv.Itoa(int(r)) + ";")
		}
	}
	return b.String()
}

// nested calls a function for each node in the order of nesting: for one that
// others stand in before and, with end, after those.
func nested(x *index, each func(i int32, depth int, open, end bool)) {
	type visit struct {
		node int32
		end  bool
	}
	var stack []visit
	push := func(items []int32) {
		for _, i := range slices.Backward(items) {
			stack = append(stack, visit{node: i})
		}
	}
	push((&layout{index: x}).roots())
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		kids := x.kids.of(v.node)
		each(v.node, int(x.depth[v.node]), len(kids) > 0, v.end)
		if !v.end && len(kids) > 0 {
			stack = append(stack, visit{v.node, true})
			push(kids)
		}
	}
}
