package graphview

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// fan is a flow whose calls of load follow one of list.
func fan(n int, state func(i int) State) *Graph {
	g := &Graph{Nodes: []Node{node("list", 0, Completed)}}
	var all []string
	for i := range n {
		v := node(fmt.Sprint("load-", i), int64(i+1), state(i), "list")
		v.Name, v.Place = v.ID, "load"
		v.Index = i
		g.Nodes = append(g.Nodes, v)
		all = append(all, v.ID)
	}
	g.Nodes = append(g.Nodes, node("sum", int64(n+1), Planned, all...))
	return g
}

func brief(g *Graph) string {
	lines := make([]string, 0, len(g.Nodes))
	for i := range g.Nodes {
		n := &g.Nodes[i]
		line := n.ID
		if n.In != "" {
			line += " in " + n.In
		}
		line += ":"
		for _, c := range n.Counts.List() {
			line += fmt.Sprintf(" %d %v", c.N, c.State)
		}
		if n.Counts.Total() == 0 {
			line += " " + n.State.String()
		}
		if len(n.After) > 0 {
			line += " after " + strings.Join(n.After, " ")
		}
		if len(n.Repeats) > 0 {
			line += " again after " + strings.Join(n.Repeats, " ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func collapsed(t *testing.T, g *Graph, f Fold) *Graph {
	t.Helper()
	out, err := Collapse(g, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Check(); err != nil {
		t.Fatal(err)
	}
	return out
}

func wantBrief(t *testing.T, g *Graph, lines ...string) {
	t.Helper()
	if got, want := brief(g), strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func mixed(i int) State {
	switch {
	case i < 9:
		return Failed
	case i < 19:
		return Running
	}
	return Completed
}

func TestTasksOfOneNameAreOneNode(t *testing.T) {
	wantBrief(t, collapsed(t, fan(10_019, mixed), Fold{}),
		"list: completed", "/load: 9 failed 10 running 10000 completed after list", "sum: planned after /load")
}

func TestOpenNodeShowsItsChildren(t *testing.T) {
	out := collapsed(t, fan(300, mixed), Fold{Open: []string{"/load"}})
	if len(out.Nodes) != 303 {
		t.Fatalf("%d nodes, want 303", len(out.Nodes))
	}
	n := out.Nodes[2]
	if n.ID != "load-0" || n.In != "/load" || !slices.Equal(n.After, []string{"list"}) {
		t.Errorf("the first child is %+v", n)
	}
}

func TestOpenNodeOfManyShowsBuckets(t *testing.T) {
	out := collapsed(t, fan(10_000, mixed), Fold{Open: []string{"/load"}})
	if len(out.Nodes) != 3+2+100 {
		t.Fatalf("%d nodes, want list, load, sum, failed, running and 100 parts", len(out.Nodes))
	}
	lines := strings.Split(brief(out), "\n")
	for k, want := range map[int]string{
		2: "/load#failed in /load: 9 failed after list", 3: "/load#running in /load: 10 running after list",
		4: "/load#0–99 in /load: 81 completed after list", 5: "/load#100–199 in /load: 100 completed after list",
		103: "/load#9900–9999 in /load: 100 completed after list",
	} {
		if lines[k] != want {
			t.Errorf("line %d is %q, want %q", k, lines[k], want)
		}
	}
	if got := out.Nodes[2].Label(); got != "failed 9" {
		t.Errorf("label of the first is %q", got)
	}
}

func TestBucketsKeepTheirBordersAsStatesChange(t *testing.T) {
	names := func(state func(int) State) (list []string) {
		for _, n := range collapsed(t, fan(5000, state), Fold{Open: []string{"/load"}}).Nodes {
			if n.Kind == Bucket && strings.Contains(n.Name, "–") {
				list = append(list, n.Name)
			}
		}
		return list
	}
	a, b := names(func(int) State { return Pending }), names(mixed)
	if !slices.Equal(a, b) || len(a) != 50 {
		t.Errorf("parts were %v and are %v", a, b)
	}
}

func TestBucketsAreAtMostAHundred(t *testing.T) {
	for _, n := range []int{301, 9_999, 10_001, 20_000, 50_001, 100_000} {
		parts, counted := 0, int64(0)
		for _, v := range collapsed(t, fan(n, func(int) State { return Pending }), Fold{Open: []string{"/load"}}).Nodes {
			if v.Kind == Bucket {
				parts++
				counted += v.Counts.Total()
			}
		}
		if parts > 100 || counted != int64(n) {
			t.Errorf("%d children are %d parts with %d", n, parts, counted)
		}
	}
}

func TestCountsNeedNoRows(t *testing.T) {
	g := &Graph{Nodes: []Node{node("a", 0, Completed), {
		ID: "g", Name: "load", Kind: Each, Seq: 1, Counts: Counts{Completed: 99_000, Failed: 2, Planned: 998}, After: []string{"a"}, Index: -1,
	}, within("g", node("f1", 2, Failed)), within("g", node("f2", 3, Failed))}}
	wantBrief(t, collapsed(t, g, Fold{}), "a: completed", "g: 2 failed 998 planned 99000 completed after a")
	wantBrief(t, collapsed(t, g, Fold{Open: []string{"load"}}),
		"a: completed", "g: 2 failed 998 planned 99000 completed after a", "f1 in g: failed", "f2 in g: failed",
		"g#planned… in g: 998 planned", "g#completed… in g: 99000 completed")
}

func TestNameThatComesAgainIsDrawnBack(t *testing.T) {
	g := &Graph{}
	for i := range 6 {
		v := node(fmt.Sprint(i), int64(i), Completed)
		v.Name = []string{"ask", "answer"}[i%2]
		if i > 0 {
			v.After = []string{fmt.Sprint(i - 1)}
		}
		g.Nodes = append(g.Nodes, v)
	}
	out := collapsed(t, g, Fold{})
	wantBrief(t, out, "/ask: 3 completed again after /answer", "/answer: 3 completed after /ask")
	d, err := Lay(out)
	if err != nil || len(d.Edges) != 2 || !slices.ContainsFunc(d.Edges, func(e Line) bool { return e.Repeat && e.From == "/answer" }) {
		t.Errorf("edges %+v, %v", d.Edges, err)
	}
}

func TestSubRunsAreClosedUnlessTheyStandAlone(t *testing.T) {
	g := typical()
	wantBrief(t, collapsed(t, &Graph{Nodes: g.Nodes[:5]}, Fold{}),
		"extract: completed", "plan: 1 failed 1 skipped 1 cached after extract")
	if n := len(collapsed(t, g, Fold{Open: []string{"plan"}}).Nodes); n != len(g.Nodes) {
		t.Errorf("with plan open there are %d nodes, want all %d", n, len(g.Nodes))
	}
	alone := &Graph{Nodes: []Node{
		{ID: "0", Name: "flow", Kind: SubRun, State: Running, Index: -1}, within("0", node("a", 1, Completed)), within("0", node("b", 2, Running)),
	}}
	wantBrief(t, collapsed(t, alone, Fold{}), "0: 1 running 1 completed", "a in 0: completed", "b in 0: running")
}

func TestProblemsOnlyHidesCompletedBranches(t *testing.T) {
	g := &Graph{Nodes: []Node{
		node("a", 0, Completed), node("b", 1, Failed, "a"), node("c", 2, Completed, "b"), node("d", 3, Running, "c"), node("e", 4, Completed, "a"),
		node("f", 5, Skipped, "e"),
		{ID: "g", Name: "g", Kind: Chain, Seq: 6, Index: -1},
		within("g", node("g1", 7, Completed)), within("g", node("g2", 8, Crashed, "g1")),
	}}
	out := collapsed(t, g, Fold{Problems: true})
	wantBrief(t, out, "b: failed", "c: completed after b", "d: running after c", "g: 1 crashed 1 completed", "g2 in g: crashed")
	if out.Hidden != 4 {
		t.Errorf("%d are hidden, want 4", out.Hidden)
	}
}

func TestCollapsedCountsAreThoseOfTheGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := someGraph(60).Draw(t, "graph")
		var open []string
		for i := range g.Nodes {
			if rapid.Bool().Draw(t, "open") {
				open = append(open, g.Nodes[i].ID)
			}
		}
		x, err := indexOf(g)
		if err != nil {
			t.Fatal(err)
		}
		var want, got Counts
		for i, sum := range totals(x) {
			if x.in[i] < 0 {
				want.add(&sum)
			}
		}
		out, err := Collapse(g, Fold{Open: open})
		if err != nil {
			t.Fatal(err)
		}
		y, err := indexOf(out)
		if err != nil {
			t.Fatal(err)
		}
		for i, sum := range totals(y) {
			if y.in[i] < 0 {
				got.add(&sum)
			}
		}
		if got != want {
			t.Errorf("counts %v, want %v", got.List(), want.List())
		}
		d, err := Lay(out)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkDrawing(out, d); err != nil {
			t.Error(err)
		}
		if hidden, err := Collapse(g, Fold{Open: open, Problems: true}); err != nil || hidden.Check() != nil {
			t.Errorf("problems only: %v, %v", err, hidden.Check())
		}
	})
}

// TestGrowthKeepsCollapsedNodes adds calls to a flow: what is shown keeps its id
// and its order.
func TestGrowthKeepsCollapsedNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &Graph{}
		var before []string
		for i := range rapid.IntRange(1, 40).Draw(t, "n") {
			v := node(fmt.Sprint("n", i), int64(i), Running)
			v.Name = rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name")
			v.Place = "at " + v.Name
			g.Nodes = append(g.Nodes, v)
			out, err := Collapse(g, Fold{})
			if err != nil {
				t.Fatal(err)
			}
			var now []string
			for k := range out.Nodes {
				now = append(now, out.Nodes[k].Name)
			}
			if len(now) < len(before) || !slices.Equal(now[:len(before)], before) {
				t.Fatalf("shown were %v and are %v", before, now)
			}
			before = now
		}
	})
}
