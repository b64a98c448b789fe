package graphview

import (
	"bytes"
	"encoding/json"
	stdxml "encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func svg(t require, g *Graph) string {
	d, err := Lay(g)
	if err != nil {
		t.Fatal(err)
	}
	return d.SVG()
}

type require interface{ Fatal(...any) }

func TestRenderersWriteTheirGoldenFiles(t *testing.T) {
	g := typical()
	closed := collapsed(t, g, Fold{})
	for _, c := range []struct {
		name  string
		write func(*Graph) (string, error)
		g     *Graph
	}{
		{"typical.txt", func(g *Graph) (string, error) { return Text(g, TextOptions{}) }, g},
		{"closed.txt", func(g *Graph) (string, error) { return Text(g, TextOptions{Width: 60}) }, closed},
		{"colour.txt", func(g *Graph) (string, error) { return Text(g, TextOptions{Width: 80, Color: true}) }, closed},
		{"tree.txt", func(g *Graph) (string, error) { return Tree(g, TextOptions{}) }, g},
		{"folded.txt", func(g *Graph) (string, error) { return Tree(g, TextOptions{Fold: true, Width: 80}) }, family()},
		{"typical.mmd", Mermaid, g},
		{"typical.dot", DOT, g},
		{"typical.svg", func(g *Graph) (string, error) { return svg(t, g), nil }, g},
		{"closed.svg", func(g *Graph) (string, error) { return svg(t, g), nil }, closed},
		{"typical.json", func(g *Graph) (string, error) {
			d, err := Lay(g)
			if err != nil {
				return "", err
			}
			text, err := json.MarshalIndent(d, "", " ")
			return string(text) + "\n", err
		}, g},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.write(c.g)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, c.name, got)
		})
	}
}

// family is a run with sub-runs, most of which have completed.
func family() *Graph {
	sub := func(id, in string, seq int64, s State) Node {
		return Node{ID: id, Name: id, Kind: SubRun, In: in, Seq: seq, State: s, Index: -1}
	}
	return &Graph{Name: "family", State: Running, Nodes: []Node{
		sub("parent", "", 0, Running),
		sub("first", "parent", 1, Completed), within("first", node("a", 2, Completed)), within("first", node("b", 3, Cached)),
		sub("second", "parent", 4, Completed), within("second", node("c", 5, Completed)),
		sub("third", "parent", 6, Running), within("third", node("d", 7, Completed)), within("third", node("e", 8, Completed)),
		within("third", node("f", 9, Running)), within("third", node("g", 10, Completed)),
		sub("fourth", "parent", 11, Failed), within("fourth", node("h", 12, Failed)),
		node("last", 13, Completed),
	}}
}

// hostile are texts that want out of the place that they are given.
var hostile = []string{
	`"] --> evil["x`, "a\nend\nevil", `<script>alert(1)</script>`, `]]>&amp;&#0;`, `"; } evil [label="`, `\`, `\"`, `\N\L`, "x`y`", "#quot;#35;",
	"\x1b[31mred\x1b]0;title\x07", "\x00\x01\ufffe\uffff", "\xff\xfe broken", "a\u202egnp.exe", "\u2066x\u2069", "-->", "<!--", "%%{init: {}}%%",
	"end", "subgraph", "'onload='x", "{{x}}", "javascript:alert(1)", "\u65e5\u672c\u8a9e\u306e\u540d\u524d\u306f\u3068\u3066\u3082\u9577\u3044\u306e\u3067\u5207\u3089\u308c\u307e\u3059\u3001\u304d\u3063\u3068\u305d\u3046\u306a\u308b\u3067\u3057\u3087\u3046", "e\u0301\u0301\u0301", "\r\n", "&lt;b&gt;", "click n0 href \"x\"",
}

func named(text string) *Graph {
	host := Node{ID: text + "1", Name: text, Kind: Group, Index: -1, Note: text}
	return &Graph{Name: text, State: Failed, Nodes: []Node{
		host,
		{ID: text + "2", Name: text, Task: text, In: host.ID, State: Failed, Index: -1, Note: text},
		{ID: text + "3", Name: text, In: host.ID, Kind: Handler, State: Planned, Index: -1, After: []string{text + "2"}},
		{ID: text + "4", Name: text, Kind: Conditional, State: Running, Index: -1, After: []string{host.ID}, Note: text},
		{ID: text + "5", Name: text, Kind: Finally, State: Running, Index: -1, Repeats: []string{text + "4"}},
	}}
}

var (
	mermaidLine = regexp.MustCompile(`^(flowchart LR|end|subgraph n\d+\["[^"<>\[\]{}|` + "`" + `\\]*"\]|` +
		`n\d+(\[/|\[\[|\{|\(\[|\(|\[)"[^"<>\[\]{}|` + "`" + `\\]*"(/\]|\]\]|\}|\]\)|\)|\]):::[a-z]+|n\d+ (-->|-\.->|-\. again \.->) n\d+|classDef [a-z]+ stroke:#[0-9a-f]{6})$`)
	dotString = `"(?:[^"\\]|\\\\|\\")*"`
	dotLine   = regexp.MustCompile(`^(digraph ` + dotString + ` \{|rankdir=LR|compound=true|node \[fontname="sans-serif"\]|\}|` +
		`subgraph cluster_\d+ \{ label=` + dotString + `; color="#[0-9a-f]{6}"|n\d+ \[label=` + dotString + `, color="#[0-9a-f]{6}"[a-z0-9=, ]*\]|` +
		`n\d+ -> n\d+( \[[a-z0-9_=, ]+\])?)$`)
	ansi = regexp.MustCompile("\x1b\\[[0-9]+m")
)

// checkRenderers says what is wrong with how a graph is written.
func checkRenderers(t interface {
	require
	Errorf(string, ...any)
}, g *Graph, width int,
) {
	mermaid, err := Mermaid(g)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(mermaid) {
		if !mermaidLine.MatchString(strings.TrimSpace(line)) {
			t.Errorf("a line of Mermaid that we never write: %q", line)
		}
	}
	dot, err := DOT(g)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(dot) {
		if !dotLine.MatchString(strings.TrimSpace(line)) {
			t.Errorf("a line of DOT that we never write: %q", line)
		}
	}
	checkSVG(t, svg(t, g), len(g.Nodes))
	for _, write := range []func(*Graph, TextOptions) (string, error){Text, Tree} {
		text, err := write(g, TextOptions{Width: width, Color: true})
		if err != nil {
			t.Fatal(err)
		}
		bare := ansi.ReplaceAllString(text, "")
		if !utf8.ValidString(bare) || strings.ContainsFunc(bare, func(r rune) bool { return r != '\n' && plain(string(r)) != string(r) }) {
			t.Errorf("text that can do something to a terminal: %q", text)
		}
		lines := 0
		for line := range strings.Lines(bare) {
			lines++
			if n := cells(strings.TrimSuffix(line, "\n")); width > 0 && n > width {
				t.Errorf("a line has %d cells, %d are allowed: %q", n, width, line)
			}
		}
		if lines > len(g.Nodes)+2 || lines < len(g.Nodes) {
			t.Errorf("%d lines for %d nodes", lines, len(g.Nodes))
		}
	}
}

var svgNames = map[string]string{
	"svg": "xmlns class role width height viewBox", "title": "", "defs": "",
	"marker": "id class viewBox refX refY markerWidth markerHeight orient", "g": "class data-id",
	"path": "class fill stroke data-from data-to d marker-end", "rect": "class fill stroke stroke-dasharray x y width height rx",
	"text": "class fill font-size x y",
}

// checkSVG wants well-formed XML of the elements and attributes that we write, and
// a title for each node.
func checkSVG(t interface {
	require
	Errorf(string, ...any)
}, text string, nodes int,
) {
	dec := stdxml.NewDecoder(bytes.NewReader([]byte(text)))
	titles := 0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err, text)
		}
		el, ok := token.(stdxml.StartElement)
		if !ok {
			continue
		}
		allowed, known := svgNames[el.Name.Local]
		if !known {
			t.Errorf("an element %s", el.Name.Local)
		}
		if el.Name.Local == "title" {
			titles++
		}
		for _, a := range el.Attr {
			if !strings.Contains(" "+allowed+" ", " "+a.Name.Local+" ") {
				t.Errorf("an attribute %s of %s", a.Name.Local, el.Name.Local)
			}
		}
	}
	if titles != nodes+1 {
		t.Errorf("%d titles for %d nodes", titles, nodes)
	}
}

func TestNoTextLeavesItsPlace(t *testing.T) {
	for _, text := range hostile {
		t.Run(text, func(t *testing.T) {
			for _, width := range []int{0, 80, 20} {
				checkRenderers(t, named(text), width)
			}
		})
	}
}

func TestEveryGraphIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkRenderers(t, someGraph(30).Draw(t, "graph"), rapid.IntRange(0, 120).Draw(t, "width"))
	})
}

func FuzzNames(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, 40)
	}
	f.Fuzz(func(t *testing.T, text string, width int) {
		checkRenderers(t, named(text), max(0, width%200))
	})
}

// FuzzGraph reads a graph from bytes: two for each node, what it stands in and
// what it comes after. What is refused is refused by all; what is not is drawn.
func FuzzGraph(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 2, 1, 3})
	f.Add([]byte{2, 0, 1, 0})
	f.Add([]byte{0, 2, 0, 1})
	f.Add(bytes.Repeat([]byte{0, 1, 1, 5}, 30))
	f.Fuzz(func(t *testing.T, data []byte) {
		g := &Graph{}
		for i := 0; i+1 < len(data) && i < 200; i += 2 {
			v := node(string(rune('A'+i/2)), int64(data[i]%7), State(data[i]%states))
			v.Kind = Kind(data[i+1] % kinds)
			if in := int(data[i] % 11); in > 0 {
				v.In = string(rune('A' + in - 1))
			}
			if after := int(data[i+1] % 23); after > 0 {
				v.After = []string{string(rune('A' + after - 1))}
			}
			g.Nodes = append(g.Nodes, v)
		}
		d, err := Lay(g)
		if bad := g.Check(); (bad != nil) != (err != nil) {
			t.Fatalf("Check says %v, Lay %v", bad, err)
		}
		if err != nil {
			return
		}
		if err := checkDrawing(g, d); err != nil {
			t.Error(err)
		}
		checkRenderers(t, g, 50)
		if _, _, err := CriticalPath(g); err != nil {
			t.Error(err)
		}
	})
}

func TestWidthIsThatOfATerminal(t *testing.T) {
	for text, want := range map[string]int{"abc": 3, "\u65e5\u672c": 4, "e\u0301": 1, "…": 1, "\ud55c\uae00": 4, "": 0, "🙂": 2} {
		if got := cells(text); got != want {
			t.Errorf("cells(%q) = %d, want %d", text, got, want)
		}
	}
	for _, c := range []struct {
		text string
		room int
		want string
	}{{"abcdef", 4, "abc…"}, {"\u65e5\u672c\u8a9e", 4, "\u65e5…"}, {"\u65e5\u672c\u8a9e", 6, "\u65e5\u672c\u8a9e"}, {"abc", 0, ""}, {"abc", 1, "…"}} {
		if got := cut(c.text, c.room); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.room, got, c.want)
		}
	}
}
