package graphview

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Box is a node in its place.
type Box struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	Label    string  `json:"label"`
	Task     string  `json:"task,omitempty"`
	TaskRun  string  `json:"task_run,omitempty"` // the id of the one that it is
	Kind     Kind    `json:"kind"`
	State    State   `json:"state"`
	Counts   []Count `json:"counts,omitempty"`
	In       string  `json:"in,omitempty"`
	Open     bool    `json:"open,omitempty"` // others stand in it
	Seq      int64   `json:"seq"`
	Index    int     `json:"index"` // -1 outside groups
	Stage    int     `json:"stage,omitempty"`
	WaitedMS int64   `json:"waited_ms,omitempty"`
	RanMS    int64   `json:"ran_ms,omitempty"`
	UsualMS  int64   `json:"usual_ms,omitempty"` // the median of its task in this run
	Note     string  `json:"note,omitempty"`
	Detail   string  `json:"detail,omitempty"` // a second, shorter line
	X        int32   `json:"x"`
	Y        int32   `json:"y"`
	W        int32   `json:"w"`
	H        int32   `json:"h"`
}

// Line is an edge on its way.
type Line struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Repeat says that it leads back, to something that came before.
	Repeat bool `json:"repeat,omitempty"`
	// Points are x and y of each point in turn.
	Points []int32 `json:"points"`
}

// Drawing is a graph with coordinates. What stands in a box comes after the box.
type Drawing struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Width  int32  `json:"width"`
	Height int32  `json:"height"`
	Hidden int    `json:"hidden,omitempty"`
	Nodes  []Box  `json:"nodes"`
	Edges  []Line `json:"edges"`
	// Critical is the chain that takes longest, if somebody has asked for it.
	Critical   []string `json:"critical,omitempty"`
	CriticalMS int64    `json:"critical_ms,omitempty"`
}

const (
	pad  = 14 // within a box that others stand in
	head = 40 // above them, for its name
)

// layout is a drawing in the making.
type layout struct {
	*index
	local  []int32 // the number of a node in its level
	levels []*level
	of     []int32 // of each node that others stand in, and last the top: which level
	edges  [][]edge
}

// edge is one within a level, between the nodes that it is lifted to.
type edge struct {
	pair
	repeat bool
}

// Lay gives places to the nodes of a graph and ways to its edges. An edge
// between nodes that stand in different ones is drawn between those.
func Lay(g *Graph) (*Drawing, error) {
	x, err := indexOf(g)
	if err != nil {
		return nil, err
	}
	n := len(g.Nodes)
	lay := &layout{index: x, local: make([]int32, n), of: make([]int32, n+1), edges: make([][]edge, n+1)}
	lay.lifted()
	top := lay.roots()
	w, h := make([]int32, n), make([]int32, n)
	for k := n - 1; k >= 0; k-- {
		i := x.deep[k]
		w[i], h[i] = size(&g.Nodes[i])
		if kids := lay.kids.of(i); len(kids) > 0 {
			l := lay.level(i, kids, w, h)
			w[i], h[i] = max(w[i], l.width+2*pad), head+l.height+pad
		}
	}
	lay.level(int32(n), top, w, h)
	return lay.drawing(top, w, h), nil
}

// roots sorts all siblings, and gives those at the top.
func (y *layout) roots() (top []int32) {
	bySeq := func(a, b int32) int {
		return cmp.Or(cmp.Compare(y.g.Nodes[a].Seq, y.g.Nodes[b].Seq), cmp.Compare(a, b))
	}
	for i := range y.in {
		if y.in[i] < 0 {
			top = append(top, int32(i))
		}
		slices.SortFunc(y.kids.of(int32(i)), bySeq)
	}
	slices.SortFunc(top, bySeq)
	return top
}

// lifted gathers the edges of each level, each once.
func (y *layout) lifted() {
	n := int32(len(y.g.Nodes))
	type key struct {
		pair
		repeat bool
	}
	seen := make(map[key]bool)
	put := func(from, to int32, repeat bool) {
		a, b := y.lift(from, to)
		k := key{pair{a, b}, repeat}
		if a == b || seen[k] {
			return
		}
		if a != from || b != to || len(y.g.Nodes[to].After) > 1 { // else it can't be there twice
			seen[k] = true
		}
		in := y.in[a]
		if in < 0 {
			in = n
		}
		y.edges[in] = append(y.edges[in], edge{k.pair, repeat})
	}
	for i := range y.g.Nodes {
		for _, from := range y.prev.of(int32(i)) {
			put(from, int32(i), false)
		}
		for _, id := range y.g.Nodes[i].Repeats {
			if from, ok := y.at[id]; ok {
				put(from, int32(i), true)
			}
		}
	}
}

// level arranges what stands in a node.
func (y *layout) level(in int32, items, w, h []int32) *level {
	l := &level{n: len(items), w: make([]int32, len(items)), h: make([]int32, len(items))}
	for k, i := range items {
		y.local[i], l.w[k], l.h[k] = int32(k), w[i], h[i]
	}
	for _, e := range y.edges[in] {
		l.edges = append(l.edges, pair{y.local[e.from], y.local[e.to]})
	}
	for k, e := range y.edges[in] {
		if e.repeat { // it must not count: turned round it agrees with the others
			l.edges[k] = pair{l.edges[k].to, l.edges[k].from}
		}
	}
	l.arrange()
	y.of[in] = int32(len(y.levels))
	y.levels = append(y.levels, l)
	return l
}

// drawing puts the levels into each other.
func (y *layout) drawing(top, w, h []int32) *Drawing {
	n := len(y.g.Nodes)
	root := y.levels[y.of[n]]
	d := &Drawing{
		Name: y.g.Name, State: y.g.State, Hidden: y.g.Hidden, Width: root.width + 2*pad, Height: root.height + 2*pad,
		Nodes: make([]Box, 0, n), Edges: make([]Line, 0, n),
	}
	left, upper := make([]int32, n), make([]int32, n)
	put := func(l *level, items []int32, dx, dy int32) {
		for k, i := range items {
			left[i], upper[i] = dx+l.x[k], dy+l.y[k]
		}
	}
	put(root, top, pad, pad)
	y.lines(d, int32(n), pad, pad)
	for queue := top; len(queue) > 0; {
		var below []int32
		for _, i := range queue {
			b := box(&y.g.Nodes[i])
			b.X, b.Y, b.W, b.H = left[i], upper[i], w[i], h[i]
			kids := y.kids.of(i)
			if b.Open = len(kids) > 0; b.Open {
				put(y.levels[y.of[i]], kids, left[i]+pad, upper[i]+head)
				y.lines(d, i, left[i]+pad, upper[i]+head)
				below = append(below, kids...)
			}
			d.Nodes = append(d.Nodes, b)
		}
		queue = below
	}
	return d
}

func (y *layout) lines(d *Drawing, in, dx, dy int32) {
	l := y.levels[y.of[in]]
	for k, e := range y.edges[in] {
		points := l.way(k)
		if e.repeat {
			points = turned(points)
		}
		for p := range points {
			if p%2 == 0 {
				points[p] += dx
			} else {
				points[p] += dy
			}
		}
		d.Edges = append(d.Edges, Line{
			From: y.g.Nodes[e.from].ID, To: y.g.Nodes[e.to].ID, Repeat: e.repeat || !l.keep[k], Points: points,
		})
	}
}

// turned gives the points from the last to the first.
func turned(points []int32) []int32 {
	out := make([]int32, 0, len(points))
	for k := len(points) - 2; k >= 0; k -= 2 {
		out = append(out, points[k], points[k+1])
	}
	return out
}

func box(n *Node) Box {
	return Box{
		ID: n.ID, Name: n.Name, Label: n.Label(), Task: n.Task, Kind: n.Kind, State: n.shown(), Counts: n.Counts.List(), In: n.In,
		Seq: n.Seq, Index: n.Index, Stage: n.Stage, WaitedMS: n.Waited.Milliseconds(), RanMS: n.Ran.Milliseconds(), Note: n.Note,
		UsualMS: n.Usual.Milliseconds(), Detail: n.detail(), TaskRun: n.TaskRun,
	}
}

// size is that of a node that nothing stands in: it has room for a second line,
// whether there is one by now or not, so that nothing moves when there is.
func size(n *Node) (w, h int32) {
	switch n.Kind {
	case Conditional:
		return 2 * port, 2 * port
	case Value:
		return labelled(n), 2 * port
	}
	h = 2*port + 12
	if n.Counts.Total() > 1 {
		h += 12
	}
	return max(labelled(n), 136), h
}

func labelled(n *Node) int32 { return min(max(44+8*int32(cells(n.Label())), 96), 268) }

// detail is what is said of a node below its name: why it stands as it does, or how
// long it takes.
func (n *Node) detail() string {
	s := n.shown()
	switch {
	case n.Kind == Conditional || n.Kind == Value:
		return ""
	case n.Note != "" && (s.Problem() || s.Open()):
		return n.Note
	case n.Counts.Total() > 1:
		return n.several()
	case s.Open() && n.Ran > 0:
		return "for " + took(n.Ran)
	case n.Ran > 0:
		return took(n.Ran)
	}
	return s.String()
}

// several says of many how many are in the states that somebody may look for, and how
// long they take.
func (n *Node) several() string {
	var parts []string
	for _, c := range n.Counts.List() {
		if sought(c.State) && n.Kind != Bucket {
			parts = append(parts, grouped(c.N)+" "+c.State.String())
		}
	}
	if n.Usual > 0 {
		parts = append(parts, "∅ "+took(n.Usual))
	}
	return strings.Join(parts, " · ")
}

// took writes a duration with two digits or so.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return num64(d.Round(time.Millisecond).Milliseconds()) + " ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) + " s"
	}
	return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
}
