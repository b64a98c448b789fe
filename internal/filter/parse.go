package filter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Target is what is chosen from.
type Target int

// The targets.
const (
	Runs Target = iota
	TaskRuns
)

// Query is a filter that was read. Its terms hold all together.
type Query struct{ terms []term }

// term is one field with its values, of which one must hold.
type term struct {
	field  *field
	not    bool
	values []value
}

// value is one thing that a field is compared with.
type value struct {
	wrote string // the operator as it was written, "" for none
	op    string // "" for is, else a comparison, or ".." for a range
	text  string // as it was written, without the operator
	// What the text stands for, by the field's kind.
	states []api.State
	name   string // of a sub-state
	from   int64  // of numbers and durations, and offsets of times
	to     int64
	at, by time.Time
	ago    bool // from is before now
}

// Parse reads a filter. What is wrong is an [api.ErrInvalid] that says where. A text
// without a field is part of a name, or the beginning of an id.
func Parse(text string, target Target) (*Query, error) {
	p := parser{text: text, target: target}
	q := &Query{}
	for {
		p.spaces()
		if p.at == len(p.text) {
			return q, nil
		}
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		q.terms = append(q.terms, t)
	}
}

type parser struct {
	text   string
	at     int
	target Target
}

func (p *parser) spaces() {
	for p.at < len(p.text) && isSpace(p.text[p.at]) {
		p.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// fail is an error about what begins at a place.
func fail(at int, format string, args ...any) error {
	return api.Errorf(api.ErrInvalid, "filter, character "+strconv.Itoa(at+1), format, args...)
}

func (p *parser) term() (term, error) {
	var t term
	if p.text[p.at] == '-' {
		t.not = true
		p.at++
	}
	start := p.at
	name, ok := p.fieldName()
	if !ok {
		t.field = textField
	} else if t.field = find(name, p.target); t.field == nil {
		return t, fail(start, "%s; there are %s", missing(name, p.target), strings.Join(Fields(p.target), ", "))
	}
	for {
		at := p.at
		v, err := p.value()
		if err != nil {
			return t, err
		}
		if err := t.field.read(&v); err != nil {
			return t, fail(at, "%s: %s", cmpOr(t.field.name, "text"), err)
		}
		t.values = append(t.values, v)
		if p.at == len(p.text) || p.text[p.at] != ',' {
			return t, nil
		}
		p.at++
	}
}

// missing says why there is no such field.
func missing(name string, target Target) string {
	name = strings.ToLower(name)
	switch other := find(name, 1-target); {
	case other != nil && target == Runs:
		return fmt.Sprintf("the field %q is of task runs, and these are runs", name)
	case other != nil:
		return fmt.Sprintf("the field %q is of runs, and these are task runs", name)
	case name == "meta" || strings.HasPrefix(name, "meta."):
		return "runs and task runs have no metadata: what they are chosen by is their names and, of task runs, tags"
	}
	return fmt.Sprintf("there is no field %q (did you mean %q?)", name, nearest(name, target))
}

// With gives the query with one more term: one of the values must hold. They are as
// they would stand in quotes; the field must be one of the target's, and of texts.
func (q *Query) With(name string, target Target, values []string) *Query {
	if len(values) == 0 {
		return q
	}
	t := term{field: find(name, target)}
	for _, text := range values {
		t.values = append(t.values, value{text: text})
	}
	return &Query{terms: append(slices.Clone(q.terms), t)}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// fieldName reads a name and its colon, or nothing.
func (p *parser) fieldName() (string, bool) {
	end := p.at
	for end < len(p.text) && isNameByte(p.text[end]) {
		end++
	}
	if end == p.at || end == len(p.text) || p.text[end] != ':' {
		return "", false
	}
	name := p.text[p.at:end]
	p.at = end + 1
	return name, true
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

var operators = []string{">=", "<=", ">", "<"}

// value reads a value up to a comma, a space or the end.
func (p *parser) value() (value, error) {
	var v value
	start := p.at
	for _, op := range operators {
		if strings.HasPrefix(p.text[p.at:], op) {
			v.op, v.wrote = op, op
			p.at += len(op)
			break
		}
	}
	if p.at < len(p.text) && p.text[p.at] == '"' {
		text, err := p.quoted()
		v.text = text
		return v, err
	}
	end := p.at
	for end < len(p.text) && !isSpace(p.text[end]) && p.text[end] != ',' {
		end++
	}
	v.text = p.text[p.at:end]
	p.at = end
	if v.text == "" {
		return v, fail(start, "a value is missing")
	}
	return v, nil
}

func (p *parser) quoted() (string, error) {
	start := p.at
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			b.WriteByte(p.text[p.at])
		case c == '"':
			p.at++
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", fail(start, `a quoted text has no end: want "`)
}

// String gives the filter as it is written best. Parse reads it as the same.
func (q *Query) String() string {
	var b strings.Builder
	for i, t := range q.terms {
		if i > 0 {
			b.WriteByte(' ')
		}
		if t.not {
			b.WriteByte('-')
		}
		if t.field.name != "" {
			b.WriteString(t.field.name + ":")
		}
		for i, v := range t.values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(v.wrote)
			b.WriteString(Quote(v.text))
		}
	}
	return b.String()
}

// Quote writes a text so that it is read as one value.
func Quote(text string) string {
	plain := text != "" && text[0] != '-' && text[0] != '>' && text[0] != '<' && !strings.ContainsAny(text, " \t\n\r,\"\\:")
	if plain {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// Fields gives the names of the fields of a target, in order.
func Fields(target Target) []string {
	var names []string
	for i := range fields {
		if slices.Contains(fields[i].of, target) {
			names = append(names, fields[i].name)
		}
	}
	return names
}

func find(name string, target Target) *field {
	for i := range fields {
		if fields[i].name == strings.ToLower(name) && slices.Contains(fields[i].of, target) {
			return &fields[i]
		}
	}
	return nil
}

// nearest gives the field whose name is most like another.
func nearest(name string, target Target) string {
	best, least := "", len(name)+100
	for _, f := range Fields(target) {
		if d := Distance(strings.ToLower(name), f); d < least {
			best, least = f, d
		}
	}
	return best
}

// Distance counts how many letters are to be put in, taken away or changed, as
// Levenshtein has it.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, before+cost)
		}
	}
	return row[len(b)]
}
