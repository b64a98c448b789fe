package graphview

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// someGraph draws a graph: nodes that come after older ones, some of which stand
// in others.
func someGraph(most int) *rapid.Generator[*Graph] {
	return rapid.Custom(func(t *rapid.T) *Graph {
		g := &Graph{Name: "some"}
		n := rapid.IntRange(1, most).Draw(t, "n")
		var hosts []int
		for i := range n {
			v := node(fmt.Sprint("n", i), int64(i), State(rapid.IntRange(0, states-1).Draw(t, "state")))
			v.Kind = Kind(rapid.IntRange(0, kinds-1).Draw(t, "kind"))
			v.Name = rapid.SampledFrom([]string{"", "load", "a rather long name that has to be cut", "\u65e5\u672c\u8a9e", v.ID}).Draw(t, "name")
			if len(hosts) > 0 && rapid.IntRange(0, 2).Draw(t, "nested") == 0 {
				v.In = g.Nodes[rapid.SampledFrom(hosts).Draw(t, "in")].ID
			}
			if rapid.IntRange(0, 4).Draw(t, "host") == 0 {
				hosts = append(hosts, i)
			}
			if rapid.IntRange(0, 3).Draw(t, "many") == 0 {
				v.Counts[rapid.IntRange(0, states-1).Draw(t, "of")] = int64(rapid.IntRange(2, 50).Draw(t, "count"))
			}
			g.Nodes = append(g.Nodes, v)
			for range rapid.IntRange(0, 3).Draw(t, "edges") {
				if i == 0 {
					break
				}
				from := g.Nodes[rapid.IntRange(0, i-1).Draw(t, "from")].ID
				g.Nodes[i].After = append(g.Nodes[i].After, from)
				if g.Check() != nil { // one stands in the other
					g.Nodes[i].After = g.Nodes[i].After[:len(g.Nodes[i].After)-1]
				}
			}
		}
		return g
	})
}

// checkDrawing says what is wrong with a drawing of a graph.
func checkDrawing(g *Graph, d *Drawing) error {
	if len(d.Nodes) != len(g.Nodes) {
		return fmt.Errorf("%d nodes of %d are placed", len(d.Nodes), len(g.Nodes))
	}
	at := make(map[string]*Box)
	for i := range d.Nodes {
		n := &d.Nodes[i]
		if at[n.ID] != nil {
			return fmt.Errorf("%s is placed twice", n.ID)
		}
		at[n.ID] = n
		if n.W <= 0 || n.H <= 0 || n.X < 0 || n.Y < 0 || n.X+n.W > d.Width || n.Y+n.H > d.Height {
			return fmt.Errorf("%s is outside, or nothing: %d %d %d %d", n.ID, n.X, n.Y, n.W, n.H)
		}
		if n.In == "" {
			continue
		}
		if in := at[n.In]; in == nil || n.X < in.X+pad || n.Y < in.Y+head || n.X+n.W > in.X+in.W-pad || n.Y+n.H > in.Y+in.H-pad {
			return fmt.Errorf("%s is not within %s, or before it", n.ID, n.In)
		}
	}
	for i := range d.Nodes {
		for k := range i {
			a, b := &d.Nodes[i], &d.Nodes[k]
			if a.In == b.In && a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				return fmt.Errorf("%s and %s overlap", a.ID, b.ID)
			}
		}
	}
	for i := range d.Edges {
		if err := checkLine(&d.Edges[i], d, at); err != nil {
			return err
		}
	}
	return nil
}

// checkLine wants an edge to lead from border to border, and through no sibling.
func checkLine(e *Line, d *Drawing, at map[string]*Box) error {
	from, to, p := at[e.From], at[e.To], e.Points
	if from == nil || to == nil || len(p) < 4 || len(p)%2 != 0 || from.In != to.In {
		return fmt.Errorf("edge %s to %s ends nowhere", e.From, e.To)
	}
	if e.Repeat {
		return nil
	}
	if p[0] != from.X+from.W || p[len(p)-2] != to.X || from.X+from.W > to.X {
		return fmt.Errorf("edge %s to %s: from %d to %d, boxes end at %d, begin at %d", e.From, e.To, p[0], p[len(p)-2], from.X+from.W, to.X)
	}
	for k := 2; k < len(p); k += 2 {
		x0, y0, x1, y1 := p[k-2], p[k-1], p[k], p[k+1]
		if x1 < x0 {
			return fmt.Errorf("edge %s to %s leads back", e.From, e.To)
		}
		for i := range d.Nodes {
			b := &d.Nodes[i]
			apart := x1 <= b.X || x0 >= b.X+b.W || max(y0, y1) < b.Y || min(y0, y1) > b.Y+b.H
			if b.In == from.In && b != from && b != to && !apart {
				return fmt.Errorf("edge %s to %s passes through %s", e.From, e.To, b.ID)
			}
		}
	}
	return nil
}

func TestDrawingsHaveAllNodesAndNoOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := someGraph(40).Draw(t, "graph")
		d, err := Lay(g)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkDrawing(g, d); err != nil {
			t.Error(err)
		}
		again, err := Lay(g)
		if err != nil || !reflect.DeepEqual(d, again) {
			t.Errorf("the same graph is drawn in another way: %v", err)
		}
	})
}

// TestGrowthMovesNothing adds nodes at the end of a graph whose edges don't cross:
// what was there stays where it was.
func TestGrowthMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &Graph{Nodes: []Node{node("n0", 0, Running)}}
		for i := 1; i < rapid.IntRange(2, 60).Draw(t, "n"); i++ {
			// A tree that grows at its right edge: each node is after one of the path
			// from the root to the newest.
			at := i - 1
			for range rapid.IntRange(0, 3).Draw(t, "up") {
				if at > 0 {
					fmt.Sscanf(g.Nodes[at].After[0], "n%d", &at)
				}
			}
			before, err := Lay(g)
			if err != nil {
				t.Fatal(err)
			}
			g.Nodes = append(g.Nodes, node(fmt.Sprint("n", i), int64(i), Pending, fmt.Sprint("n", at)))
			after, err := Lay(g)
			if err != nil {
				t.Fatal(err)
			}
			for k, b := range before.Nodes {
				if a := after.Nodes[k]; a.ID != b.ID || a.Y != b.Y || a.X != b.X {
					t.Fatalf("%s moved from %d,%d to %d,%d when n%d came", b.ID, b.X, b.Y, a.X, a.Y, i)
				}
			}
		}
	})
}

func TestFanOutKeepsItsOrderAndChainIsStraight(t *testing.T) {
	g := &Graph{Nodes: []Node{node("a", 0, Completed)}}
	var all []string
	for i := range 5 {
		id := fmt.Sprint("b", i)
		all = append(all, id)
		g.Nodes = append(g.Nodes, node(id, int64(5-i), Running, "a"))
	}
	g.Nodes = append(g.Nodes, node("c", 9, Pending, all...), node("d", 10, Pending, "c"))
	d, err := Lay(g)
	if err != nil {
		t.Fatal(err)
	}
	y := make(map[string]int32)
	for _, n := range d.Nodes {
		y[n.ID] = n.Y
	}
	if y["b4"] >= y["b3"] || y["b3"] >= y["b2"] || y["b2"] >= y["b1"] || y["b1"] >= y["b0"] {
		t.Errorf("children are not in the order of their numbers: %v", y)
	}
	if y["a"] != y["c"] || y["c"] != y["d"] {
		t.Errorf("a, c and d are not in a line: %v", y)
	}
}

func TestCrossingsGoWhereTheyCan(t *testing.T) {
	// Numbers say a0, a1 above b0, b1, and the edges cross: a0 to b1, a1 to b0.
	g := &Graph{Nodes: []Node{
		node("a0", 0, Completed), node("a1", 1, Completed), node("b0", 2, Pending, "a1"), node("b1", 3, Pending, "a0"),
	}}
	d, err := Lay(g)
	if err != nil {
		t.Fatal(err)
	}
	y := make(map[string]int32)
	for _, n := range d.Nodes {
		y[n.ID] = n.Y
	}
	if y["b1"] > y["b0"] {
		t.Errorf("edges cross: %v", y)
	}
}

func TestEdgesPastTheLanesAreStraight(t *testing.T) {
	g := &Graph{}
	var all []string
	for i := range 400 { // each after all others: 80,000 edges, 10 million ways
		g.Nodes = append(g.Nodes, node(fmt.Sprint("n", i), int64(i), Pending, slices.Clone(all)...))
		all = append(all, fmt.Sprint("n", i))
	}
	d, err := Lay(g)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Nodes) != 400 || len(d.Edges) != 400*399/2 {
		t.Errorf("%d nodes and %d edges", len(d.Nodes), len(d.Edges))
	}
}

func TestDrawingIsReadBackFromJSON(t *testing.T) {
	d, err := Lay(typical())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back Drawing
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(*d, back) {
		t.Errorf("not the same after JSON: %v", err)
	}
}

func hundredThousand(shape string) *Graph {
	g := &Graph{Name: shape}
	const n = 100_000
	for i := range n {
		v := node(fmt.Sprint("n", i), int64(i), Completed)
		v.Name = "load"
		switch {
		case i == 0:
		case shape == "chain":
			v.After = []string{fmt.Sprint("n", i-1)}
		case shape == "fan" && i < n-1:
			v.After = []string{"n0"}
		case shape == "fan":
			for k := 1; k < n-1; k++ {
				v.After = append(v.After, fmt.Sprint("n", k))
			}
		default: // layers of 1,000, each node after three of the layer before
			for k := range 3 {
				if i >= 1000 {
					v.After = append(v.After, fmt.Sprint("n", (i/1000-1)*1000+(i*7+k*331)%1000))
				}
			}
		}
		g.Nodes = append(g.Nodes, v)
	}
	return g
}

func BenchmarkLay(b *testing.B) {
	for _, shape := range []string{"chain", "fan", "layers"} {
		g := hundredThousand(shape)
		b.Run(shape, func(b *testing.B) {
			for b.Loop() {
				if _, err := Lay(g); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCollapse(b *testing.B) {
	for _, shape := range []string{"chain", "fan", "layers"} {
		g := hundredThousand(shape)
		b.Run(shape, func(b *testing.B) {
			for b.Loop() {
				if _, err := Collapse(g, Fold{Open: []string{"load"}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
