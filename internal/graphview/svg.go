package graphview

import (
	"strconv"
	"strings"
)

// SVG writes a drawing. Looks are left to a style sheet: what a node is and how it
// stands are classes, as in class="node task failed", and the text of a state is
// in the picture, so that it can be read without colours. Each node is a group with a
// title and data-id. There is neither script nor style in it.
func (d *Drawing) SVG() string {
	var b strings.Builder
	b.Grow(256 + 512*len(d.Nodes) + 128*len(d.Edges))
	w, h := num(d.Width), num(d.Height)
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" class="graph" role="img" width="` + w + `" height="` + h +
		`" viewBox="0 0 ` + w + ` ` + h + `">` + "\n")
	b.WriteString("<title>" + xml(d.title()) + "</title>\n")
	b.WriteString(`<defs><marker id="graph-arrow" class="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">` +
		`<path d="M0 0L8 4L0 8z"/></marker></defs>` + "\n")
	handlers := make(map[string]bool)
	for i := range d.Nodes {
		n := &d.Nodes[i]
		if n.Kind == Handler {
			handlers[n.ID] = true
		}
		if n.Open {
			n.svg(&b)
		}
	}
	for i := range d.Edges {
		e := &d.Edges[i]
		class := "edge"
		if handlers[e.To] {
			class += " exceptionally"
		}
		if e.Repeat {
			class += " repeat"
		}
		b.WriteString(`<path class="` + class + `" fill="none" stroke="currentColor" data-from="` + xml(e.From) + `" data-to="` + xml(e.To) + `" d="`)
		e.path(&b)
		b.WriteString(`" marker-end="url(#graph-arrow)"/>` + "\n")
	}
	for i := range d.Nodes {
		if n := &d.Nodes[i]; !n.Open {
			n.svg(&b)
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (d *Drawing) title() string {
	name := d.Name
	if name == "" {
		name = "graph"
	}
	if d.State != Unknown {
		name += ", " + d.State.String()
	}
	return name + ": " + grouped(int64(len(d.Nodes))) + " nodes, " + grouped(int64(len(d.Edges))) + " edges"
}

// path writes the points of an edge: lines within columns, curves between them.
func (e *Line) path(b *strings.Builder) {
	for k := 0; k+1 < len(e.Points); k += 2 {
		x, y := e.Points[k], e.Points[k+1]
		switch {
		case k == 0:
			b.WriteString("M" + num(x) + " " + num(y))
		case y == e.Points[k-1] || x == e.Points[k-2]:
			b.WriteString("L" + num(x) + " " + num(y))
		default:
			half := num((e.Points[k-2] + x) / 2)
			b.WriteString("C" + half + " " + num(e.Points[k-1]) + " " + half + " " + num(y) + " " + num(x) + " " + num(y))
		}
	}
}

// svg writes a node.
func (n *Box) svg(b *strings.Builder) {
	class := "node " + n.Kind.String() + " " + n.State.String()
	if n.Open {
		class += " open"
	}
	b.WriteString(`<g class="` + class + `" data-id="` + xml(n.ID) + `"><title>` + xml(n.title()) + "</title>")
	x, y, w, h := n.X, n.Y, n.W, n.H
	if n.Kind == Conditional && !n.Open {
		b.WriteString(`<path class="box" fill="none" stroke="currentColor" d="M` + num(x+w/2) + " " + num(y) + "L" + num(x+w) + " " + num(y+h/2) +
			"L" + num(x+w/2) + " " + num(y+h) + "L" + num(x) + " " + num(y+h/2) + `z"/>` + text(x+w/2-5, y+h/2+5, "glyph", n.State.Glyph()) + "</g>\n")
		return
	}
	dash := ""
	if n.Kind == Handler {
		dash = ` stroke-dasharray="5 3"`
	}
	rect(b, "box", x, y, w, h, dash)
	if n.Kind == Finally {
		rect(b, "inner", x+3, y+3, w-6, h-6, "")
	}
	b.WriteString(text(x+10, y+port+5, "glyph", n.State.Glyph()))
	b.WriteString(text(x+28, y+port+5, "name", cut(plain(n.Label), int(w-36)/8)))
	if !n.Open {
		if n.Detail != "" {
			b.WriteString(text(x+28, y+port+22, "detail", cut(plain(n.Detail), int(w-36)/7)))
		}
		n.bar(b)
	}
	b.WriteString("</g>\n")
}

// bar writes how many stand in which state as a bar of parts.
func (n *Box) bar(b *strings.Builder) {
	var total, before int64
	for _, c := range n.Counts {
		total += c.N
	}
	if total < 2 {
		return
	}
	// A part that is there is seen, however small: each has some room of its own.
	const least = 3
	share := int64(n.W-20) - least*int64(len(n.Counts))
	at := n.X + 10
	for _, c := range n.Counts {
		from := before * share / total
		before += c.N
		wide := int32(least + before*share/total - from)
		b.WriteString(`<rect class="part ` + c.State.String() + `" x="` + num(at) + `" y="` + num(n.Y+n.H-14) + `" width="` + num(wide) + `" height="6"/>`)
		at += wide
	}
}

// title is the whole text of a node.
func (n *Box) title() string {
	title := n.Label
	if n.Kind != Task {
		title = n.Kind.String() + " " + title
	}
	title += ", " + n.State.String()
	if len(n.Counts) > 1 {
		for _, c := range n.Counts {
			title += ", " + grouped(c.N) + " " + c.State.String()
		}
	}
	if n.RanMS > 0 {
		title += ", ran " + num64(n.RanMS) + " ms"
	}
	if n.Note != "" {
		title += ": " + n.Note
	}
	return title
}

func rect(b *strings.Builder, class string, x, y, w, h int32, more string) {
	b.WriteString(`<rect class="` + class + `" fill="none" stroke="currentColor"` + more + ` x="` + num(x) + `" y="` + num(y) + `" width="` + num(w) +
		`" height="` + num(h) + `" rx="5"/>`)
}

func text(x, y int32, class, what string) string {
	size := "13"
	if class == "detail" {
		size = "11"
	}
	return `<text class="` + class + `" fill="currentColor" font-size="` + size + `" x="` + num(x) + `" y="` + num(y) + `">` + xml(what) + "</text>"
}

func num(n int32) string   { return strconv.Itoa(int(n)) }
func num64(n int64) string { return strconv.FormatInt(n, 10) }

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// xml gives text as it may stand between tags and in quotes; what XML can't have
// at all is replaced.
func xml(s string) string { return xmlEscapes.Replace(plain(s)) }
