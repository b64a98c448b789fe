package graphview

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// node makes one for tests.
func node(id string, seq int64, state State, after ...string) Node {
	return Node{ID: id, Name: id, Seq: seq, State: state, After: after, Index: -1}
}

func within(in string, n Node) Node {
	n.In = in
	return n
}

func TestGraphsThatCantBeAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, want string
		nodes      []Node
	}{
		{"cycle", "cycle: a → c → b → a", []Node{node("a", 0, Pending, "b"), node("b", 1, Pending, "c"), node("c", 2, Pending, "a")}},
		{"after itself", "cycle: a → a", []Node{node("a", 0, Pending, "a")}},
		{"behind a cycle", "cycle: b → c → b", []Node{
			node("a", 0, Pending), node("b", 1, Pending, "a", "c"), node("c", 2, Pending, "b"), node("d", 3, Pending, "c"),
		}},
		{"twice", `id "a" is empty or there twice`, []Node{node("a", 0, Pending), node("a", 1, Pending)}},
		{"no id", `id "" is empty`, []Node{node("", 0, Pending)}},
		{"unknown before", `"a" comes after "x", which is not in the graph`, []Node{node("a", 0, Pending, "x")}},
		{"unknown host", `"a" stands in "x", which is not in the graph`, []Node{within("x", node("a", 0, Pending))}},
		{"in itself", "stands in itself", []Node{within("b", node("a", 0, Pending)), within("a", node("b", 0, Pending))}},
		{"after its host", "one stands in the other", []Node{node("a", 0, Pending), within("a", node("b", 0, Pending, "a"))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &Graph{Nodes: c.nodes}
			err := g.Check()
			if !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check = %v, want one that says %q", err, c.want)
			}
			if _, err := Lay(g); err == nil {
				t.Error("Lay took it")
			}
			if _, err := Collapse(g, Fold{}); err == nil {
				t.Error("Collapse took it")
			}
		})
	}
}

func TestLongCycleIsNamedInBrief(t *testing.T) {
	g := &Graph{}
	for i := range 1000 {
		g.Nodes = append(g.Nodes, node(fmt.Sprint("n", i), int64(i), Pending, fmt.Sprint("n", (i+999)%1000)))
	}
	if err := g.Check(); err == nil || len(err.Error()) > 400 || !strings.Contains(err.Error(), "…") {
		t.Errorf("Check = %v, want a brief one", err)
	}
}

func TestStateOfGroupSaysWhatGoesOn(t *testing.T) {
	for _, c := range []struct {
		counts Counts
		want   State
	}{
		{Counts{}, Unknown},
		{Counts{Completed: 5}, Completed},
		{Counts{Completed: 5, Failed: 1}, Failed},
		{Counts{Completed: 5, Failed: 1, Running: 1}, Running},
		{Counts{Completed: 5, Pending: 2}, Running},
		{Counts{Pending: 2, Planned: 9}, Pending},
		{Counts{Scheduled: 2, Planned: 9}, Scheduled},
		{Counts{Planned: 9}, Planned},
		{Counts{Retrying: 1, Pending: 1}, Retrying},
		{Counts{Skipped: 1, Completed: 1}, Completed},
		{Counts{Skipped: 1}, Skipped},
		{Counts{Cancelled: 1, Skipped: 3}, Cancelled},
	} {
		if got := c.counts.state(); got != c.want {
			t.Errorf("state of %v = %v, want %v", c.counts.List(), got, c.want)
		}
	}
}

func TestWordsOfStatesAndKindsAreReadBack(t *testing.T) {
	for i := range State(states) {
		text, _ := i.MarshalText()
		var back State
		if err := back.UnmarshalText(text); err != nil || back != i {
			t.Errorf("%s is read as %v, %v", text, back, err)
		}
		if cells(i.Glyph()) != 1 {
			t.Errorf("glyph of %v takes %d cells, want 1", i, cells(i.Glyph()))
		}
		if !slices.Contains(urgency[:], i) {
			t.Errorf("%v is listed nowhere", i)
		}
	}
	for k := range Kind(kinds) {
		text, _ := k.MarshalText()
		var back Kind
		if err := back.UnmarshalText(text); err != nil || back != k {
			t.Errorf("%s is read as %v, %v", text, back, err)
		}
	}
	var s State
	var k Kind
	if s.UnmarshalText([]byte("nonsense")) == nil || k.UnmarshalText([]byte("nonsense")) == nil {
		t.Error("nonsense is read")
	}
}

func TestEveryStateOfTheEngineIsShown(t *testing.T) {
	for s := api.Pending; s <= api.Skipped; s++ {
		got := StateOf(s, "")
		if got == Unknown || !strings.EqualFold(got.String(), s.String()) {
			t.Errorf("StateOf(%v) = %v", s, got)
		}
		if s.Final() == got.Open() {
			t.Errorf("%v is final: %v, and open: %v", s, s.Final(), got.Open())
		}
	}
	if got := StateOf(api.Scheduled, "AwaitingRetry"); got != Retrying {
		t.Errorf("awaiting retry is %v", got)
	}
	if got := StateOf(api.Completed, "Cached"); got != Cached {
		t.Errorf("cached is %v", got)
	}
}

func timed(n Node, ran time.Duration) Node {
	n.Ran = ran
	return n
}

func TestCriticalPathIsTheHeaviestChain(t *testing.T) {
	g := &Graph{Nodes: []Node{
		timed(node("a", 0, Completed), time.Second),
		timed(node("b", 1, Completed, "a"), 5*time.Second),
		timed(node("c", 2, Completed, "a"), time.Second),
		timed(node("d", 3, Completed, "c"), 2*time.Second),
		{ID: "g", Seq: 4, Kind: Group, After: []string{"b", "d"}},
		within("g", timed(node("g1", 5, Completed), time.Second)),
		within("g", timed(node("g2", 6, Completed, "g1"), 3*time.Second)),
		within("g", timed(node("g3", 7, Completed), 2*time.Second)),
		timed(node("e", 8, Completed, "g"), time.Second),
		timed(node("alone", 9, Completed), 9*time.Second),
	}}
	way, total, err := CriticalPath(g)
	if want := []string{"a", "b", "g", "g1", "g2", "e"}; err != nil || !slices.Equal(way, want) || total != 11*time.Second {
		t.Errorf("CriticalPath = %v, %v, %v; want %v, 11s", way, total, err, want)
	}
	if way, total, err = CriticalPath(&Graph{}); way != nil || total != 0 || err != nil {
		t.Errorf("of nothing: %v, %v, %v", way, total, err)
	}
}

func TestAncestorsAndDescendants(t *testing.T) {
	g := &Graph{Nodes: []Node{
		node("a", 0, Pending), node("b", 1, Pending, "a"), node("c", 2, Pending, "a"), node("d", 3, Pending, "b", "c"), node("e", 4, Pending, "c"),
	}}
	if got, err := Ancestors(g, "d"); err != nil || !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("Ancestors(d) = %v, %v", got, err)
	}
	if got, err := Descendants(g, "c"); err != nil || !slices.Equal(got, []string{"d", "e"}) {
		t.Errorf("Descendants(c) = %v, %v", got, err)
	}
	if _, err := Descendants(g, "x"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("Descendants(x) = %v, want not found", err)
	}
}
