package cli

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// table says how a list of things is shown.
type table[T any] struct {
	columns []column[T]
	id      func(*T) string // for -o name
	empty   string          // said of a list without items
	footer  func() string   // said below the last line
}

type column[T any] struct {
	name  string
	wide  bool // with -o wide, csv or --columns only
	right bool // numbers
	value func(*printer, *T) string
	color func(*T) string // of an ANSI colour; "" for none
}

// batch is how many lines are looked at for the widths of columns; those that come
// after may only widen them, so that a list of any length is written as it comes.
const batch = 500

// chosen gives the columns that are to be shown.
func (t *table[T]) chosen(p *printer, all bool) ([]column[T], error) {
	if len(p.env.flags.columns) == 0 {
		var out []column[T]
		for _, c := range t.columns {
			if all || !c.wide || p.format == "wide" {
				out = append(out, c)
			}
		}
		return out, nil
	}
	var out []column[T]
	for _, want := range p.env.flags.columns {
		at := -1
		for i := range t.columns {
			if strings.EqualFold(spaced(want), t.columns[i].name) {
				at = i
			}
		}
		if at < 0 {
			names := make([]string, len(t.columns))
			for i := range t.columns {
				names[i] = strings.ReplaceAll(strings.ToLower(t.columns[i].name), " ", "_")
			}
			return nil, usagef("there is no column %q: want %s", want, strings.Join(names, ", "))
		}
		out = append(out, t.columns[at])
	}
	return out, nil
}

func spaced(name string) string { return strings.NewReplacer("_", " ", "-", " ").Replace(name) }

func (t *table[T]) write(p *printer, list iter.Seq2[json.RawMessage, error]) error {
	columns, err := t.chosen(p, false)
	if err != nil {
		return err
	}
	g := grid{p: p, right: make([]bool, len(columns)), widths: make([]int, len(columns))}
	header := make([]cell, len(columns))
	for i := range columns {
		g.right[i] = columns[i].right
		header[i].text = columns[i].name
	}
	if !p.env.flags.noHeaders {
		g.add(header)
	}
	n := 0
	for raw, err := range list {
		if err != nil {
			if n > 0 {
				_ = g.flush() // what came before
			}
			return err
		}
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		row := make([]cell, len(columns))
		for i := range columns {
			row[i].text = columns[i].value(p, &v)
			if columns[i].color != nil {
				row[i].color = columns[i].color(&v)
			}
		}
		g.add(row)
		if n++; n%batch == 0 {
			if err := g.flush(); err != nil {
				return err
			}
		}
	}
	if n == 0 {
		p.env.note("%s", t.empty)
		return nil
	}
	if err := g.flush(); err != nil {
		return err
	}
	if t.footer != nil {
		if text := t.footer(); text != "" {
			p.env.note("%s", text)
		}
	}
	return nil
}

type cell struct{ text, color string }

// grid aligns cells.
type grid struct {
	p      *printer
	indent string
	right  []bool
	widths []int
	rows   [][]cell
}

func (g *grid) add(row []cell) {
	for i := range row {
		row[i].text = oneLine(row[i].text)
		g.widths[i] = max(g.widths[i], utf8.RuneCountInString(row[i].text))
	}
	g.rows = append(g.rows, row)
}

func (g *grid) flush() error {
	var b strings.Builder
	for _, row := range g.rows {
		used := len(g.indent)
		b.WriteString(g.indent)
		for i := range row {
			last := i == len(row)-1
			text := row[i].text
			if last && g.p.width > 0 {
				text = cut(text, max(g.p.width-used, 8))
			}
			pad := strings.Repeat(" ", max(g.widths[i]-utf8.RuneCountInString(text), 0))
			switch {
			case g.right[i]:
				b.WriteString(pad + g.p.paint(text, row[i].color))
			case last:
				b.WriteString(g.p.paint(text, row[i].color))
			default:
				b.WriteString(g.p.paint(text, row[i].color) + pad)
			}
			if !last {
				b.WriteString("  ")
			}
			used += g.widths[i] + 2
		}
		b.WriteByte('\n')
	}
	g.rows = g.rows[:0]
	_, err := fmt.Fprint(g.p.out, trimLines(b.String()))
	return err
}

// trimLines takes away spaces at the ends of lines, where last cells are empty.
func trimLines(text string) string {
	if !strings.Contains(text, " \n") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func (p *printer) paint(text, color string) string {
	if !p.color || color == "" || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// oneLine makes text fit a line of a terminal that it can't play tricks on.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		if r < ' ' || r == 0x7f {
			return utf8.RuneError
		}
		return r
	}, text)
}

// cut shortens text to so many columns.
func cut(text string, to int) string {
	if utf8.RuneCountInString(text) <= to {
		return text
	}
	return string([]rune(text)[:to-1]) + "…"
}

// facts are names and values, and small tables under headings.
type facts struct {
	p     *printer
	lines grid
	parts []func() error
}

// line adds a fact, unless it is empty.
func (f *facts) line(name, value string) { f.painted(name, value, "") }

func (f *facts) painted(name, value, color string) {
	if value == "" {
		return
	}
	if f.lines.widths == nil {
		f.lines = grid{p: f.p, right: make([]bool, 2), widths: make([]int, 2)}
	}
	f.lines.add([]cell{{text: name}, {text: value, color: color}})
}

// part adds a table under a heading.
func (f *facts) part(heading string, headers []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	f.parts = append(f.parts, func() error {
		if _, err := fmt.Fprintln(f.p.out, heading); err != nil {
			return err
		}
		g := grid{p: f.p, indent: "  ", right: make([]bool, len(rows[0])), widths: make([]int, len(rows[0]))}
		for _, row := range append([][]string{headers}, rows...) {
			if row == nil {
				continue
			}
			cells := make([]cell, len(row))
			for i := range row {
				cells[i].text = row[i]
			}
			g.add(cells)
		}
		return g.flush()
	})
}

// text adds lines as they are under a heading.
func (f *facts) text(heading, text string) {
	if text == "" {
		return
	}
	f.parts = append(f.parts, func() error {
		_, err := fmt.Fprintf(f.p.out, "%s\n%s\n", heading, strings.TrimRight(text, "\n"))
		return err
	})
}

func (f *facts) write() error {
	if len(f.lines.rows) > 0 {
		if err := f.lines.flush(); err != nil {
			return err
		}
	}
	for _, part := range f.parts {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}
