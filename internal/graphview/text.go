package graphview

import (
	"slices"
	"strings"
)

// TextOptions say how text for a terminal looks.
type TextOptions struct {
	// Width is how many cells a line may have; 0 for no limit.
	Width int
	// Color marks states by colour too: by ANSI escapes.
	Color bool
	// Fold leaves out, in [Tree], what stands in nodes of which all have completed,
	// and gathers completed siblings into one line.
	Fold bool
}

// row is a line of text in the making.
type row struct {
	lead  string // what stands before it in the tree
	state State
	label string
	facts string
	after string
}

// kindMark says of a node what its name does not.
var kindMark = [kinds]string{
	Each: "each ", Handler: "on error: ", Finally: "finally: ", Conditional: "◇ ",
}

func label(n *Node) string { return kindMark[n.Kind] + plain(n.Label()) }

// facts are what there is to say of a node after its state.
func facts(n *Node) string {
	var words []string
	if list := n.Counts.List(); len(list) > 1 {
		for _, c := range list {
			words = append(words, c.State.Glyph()+" "+grouped(c.N))
		}
	}
	if ran := lasted(n.Ran); ran != "" {
		words = append(words, ran)
	}
	if n.Note != "" && (n.shown().Problem() || n.State.Open()) {
		words = append(words, cut(plain(n.Note), 60))
	}
	return strings.Join(words, "  ")
}

// Text writes a graph for a terminal: a line for each node, below those next to it
// that it comes after, and what stands in a node indented below it. What a node
// comes after is named, or ↑ if it is the one above.
func Text(g *Graph, o TextOptions) (string, error) {
	x, err := indexOf(g)
	if err != nil {
		return "", err
	}
	y := &layout{index: x}
	top := y.roots()
	lines := textLines{index: x, order: orderOf(x)}
	lines.all(top, "")
	return written(g, lines.rows, o), nil
}

// orderOf ranks nodes so that each comes after those before it, and else by
// their numbers.
func orderOf(x *index) []int32 {
	layer := make([]int32, len(x.g.Nodes))
	for _, i := range x.topo {
		for _, to := range x.next.of(i) {
			layer[to] = max(layer[to], layer[i]+1)
		}
	}
	return layer
}

type textLines struct {
	*index
	order []int32
	rows  []row
}

// all writes siblings, and then goes into them. The stack holds what is left,
// the next one last.
func (t *textLines) all(top []int32, lead string) {
	type item struct {
		node, above int32 // above: the sibling on the line before; -1 for none
		lead        string
	}
	var stack []item
	push := func(items []int32, lead string) {
		sortByLayer(items, t.order)
		for k, i := range slices.Backward(items) {
			above := int32(-1)
			if k > 0 {
				above = items[k-1]
			}
			stack = append(stack, item{i, above, lead})
		}
	}
	push(top, lead)
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := &t.g.Nodes[at.node]
		var names []string
		for _, from := range t.prev.of(at.node) {
			names = append(names, plain(t.g.Nodes[from].Name))
		}
		after := ""
		switch {
		case len(names) == 1 && at.above == t.prev.of(at.node)[0]:
			after = "↑"
		case len(names) > 5:
			after = "← " + strings.Join(names[:4], ", ") + " and " + grouped(int64(len(names)-4)) + " more"
		case len(names) > 0:
			after = "← " + strings.Join(names, ", ")
		}
		t.rows = append(t.rows, row{lead: at.lead, state: n.shown(), label: label(n), facts: facts(n), after: after})
		if kids := t.kids.of(at.node); len(kids) > 0 {
			push(kids, at.lead+"  ")
		}
	}
}

const (
	maxLabel = 48
	maxFacts = 32 // of which what a node comes after is aligned
	maxWord  = 10 // "cancelling"
)

// written aligns lines and cuts them.
func written(g *Graph, rows []row, o TextOptions) string {
	names, said := 0, 0
	for i := range rows {
		names = max(names, cells(rows[i].lead)+2+cells(rows[i].label))
		said = max(said, min(cells(rows[i].facts), maxFacts))
	}
	room := maxLabel
	if o.Width > 0 {
		room = min(room, max(o.Width-maxWord-2, 8))
	}
	names = min(names, room)
	var b strings.Builder
	if g.Name != "" {
		head := row{state: g.State, label: plain(g.Name)}
		if g.State == Unknown {
			b.WriteString(limited(head.label, o.Width))
			b.WriteByte('\n')
		} else {
			head.write(&b, o, 0, 0)
		}
	}
	for i := range rows {
		rows[i].write(&b, o, names, said)
	}
	if g.Hidden > 0 {
		b.WriteString(limited("… "+grouped(int64(g.Hidden))+" more, completed", o.Width))
		b.WriteByte('\n')
	}
	return b.String()
}

func limited(text string, width int) string {
	if width > 0 {
		return cut(text, width)
	}
	return text
}

// write writes a line. Colour surrounds the glyph and the word, and takes no
// cells.
func (r *row) write(b *strings.Builder, o TextOptions, names, said int) {
	name := r.lead + r.state.Glyph() + " " + r.label
	if names > 0 {
		name = padded(name, max(names, cells(r.lead)+3))
	}
	line := name + "  " + padded(r.state.String(), maxWord)
	if r.facts != "" || r.after != "" {
		line += "  " + padded(r.facts, max(said, cells(r.facts)))
	}
	if r.after != "" {
		line += "  " + r.after
	}
	line = strings.TrimRight(limited(line, o.Width), " ")
	if o.Color {
		line = coloured(line, len(r.lead), len(name)+2, r.state)
	}
	b.WriteString(line)
	b.WriteByte('\n')
}

// coloured puts colour around the glyph at one place and the word at another, if
// the line is long enough to have them.
func coloured(line string, glyph, word int, s State) string {
	paint := func(at int, text string) {
		if at >= 0 && at+len(text) <= len(line) && line[at:at+len(text)] == text {
			line = line[:at] + "\x1b[" + looks[s].colour + "m" + text + "\x1b[0m" + line[at+len(text):]
		}
	}
	paint(word, s.String())
	paint(glyph, s.Glyph())
	return line
}
