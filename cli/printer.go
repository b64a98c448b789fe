package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// printer writes what a command found, to standard output.
type printer struct {
	env    *Env
	out    io.Writer
	format string // without what follows "template="
	layout *template.Template
	color  bool
	width  int // of the terminal; 0: it is none
}

func newPrinter(env *Env) (printer, error) {
	p := printer{env: env, out: env.Out, format: env.flags.output, width: width(env.Out)}
	_, tty := terminal(env.Out)
	switch env.flags.color {
	case "always":
		p.color = true
	case "auto":
		p.color = tty && env.Getenv("NO_COLOR") == "" && env.Getenv("TERM") != "dumb"
	}
	if text, ok := strings.CutPrefix(p.format, "template="); ok {
		t, err := template.New("").Option("missingkey=zero").Parse(text)
		if err != nil {
			return p, usagef("-o template: %w", err)
		}
		p.format, p.layout = "template", t
	}
	if !oneOf(p.format, "table wide json jsonl yaml csv name template") {
		return p, usagef("-o %s: want table, wide, json, jsonl, yaml, csv, name or template=TEXT", p.format)
	}
	return p, nil
}

// people reports whether the output is for people, not for programs.
func (p *printer) people() bool { return p.format == "table" || p.format == "wide" }

// say tells people what was done; programs see it by the exit code.
func (env *Env) say(format string, args ...any) {
	if !env.flags.quiet && env.printer.people() {
		fmt.Fprintf(env.Out, format+"\n", args...)
	}
}

// note is a remark beside the output.
func (env *Env) note(format string, args ...any) {
	if !env.flags.quiet {
		fmt.Fprintf(env.Err, format+"\n", args...)
	}
}

// one writes one thing: as the API gave it, or in facts for people.
func (p *printer) one(raw json.RawMessage, name string, show func(*facts)) error {
	switch p.format {
	case "name":
		_, err := fmt.Fprintln(p.out, name)
		return err
	case "json", "jsonl", "csv":
		return p.json(raw, p.format == "json" && p.width > 0)
	case "yaml":
		return p.yaml(raw)
	case "template":
		return p.template(raw)
	}
	f := &facts{p: p}
	show(f)
	return f.write()
}

func (p *printer) json(raw json.RawMessage, indent bool) error {
	var b bytes.Buffer
	var err error
	if indent {
		err = json.Indent(&b, raw, "", "  ")
	} else {
		err = json.Compact(&b, raw)
	}
	if err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = p.out.Write(b.Bytes())
	return err
}

// yaml writes JSON as YAML, in the same order and with the same numbers.
func (p *printer) yaml(raw json.RawMessage) error {
	var n yaml.Node
	if err := yaml.Unmarshal(raw, &n); err != nil {
		return err
	}
	plain(&n)
	enc := yaml.NewEncoder(p.out)
	enc.SetIndent(2)
	if err := enc.Encode(&n); err != nil {
		return err
	}
	return enc.Close()
}

// plain takes JSON's brackets and quotes away, where YAML can do without.
func plain(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		n.Style = 0
	} else if n.Tag == "!!str" {
		n.Style = 0 // the encoder quotes what would be read as something else
	}
	for _, c := range n.Content {
		plain(c)
	}
}

func (p *printer) template(raw json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return err
	}
	if err := p.layout.Execute(p.out, v); err != nil {
		return usagef("-o template: %w", err)
	}
	_, err := fmt.Fprintln(p.out)
	return err
}

// printRows writes a list of things that are no API objects.
func printRows[T any](env *Env, t table[T], rows []T) error {
	return printList(env, t, func(yield func(json.RawMessage, error) bool) {
		for i := range rows {
			raw, err := json.Marshal(&rows[i])
			if !yield(raw, err) {
				return
			}
		}
	})
}

// printList writes a list as it comes: API objects unchanged, or as a table.
func printList[T any](env *Env, t table[T], list iter.Seq2[json.RawMessage, error]) error {
	p := &env.printer
	switch p.format {
	case "table", "wide":
		return t.write(p, list)
	case "csv":
		return t.csv(p, list)
	case "json":
		return p.array(list)
	}
	for raw, err := range list {
		if err != nil {
			return err
		}
		switch p.format {
		case "jsonl":
			err = p.json(raw, false)
		case "yaml":
			if _, err = fmt.Fprintln(p.out, "---"); err == nil {
				err = p.yaml(raw)
			}
		case "template":
			err = p.template(raw)
		case "name":
			var v T
			if err = json.Unmarshal(raw, &v); err == nil {
				_, err = fmt.Fprintln(p.out, t.id(&v))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// array writes a JSON array, one item a line.
func (p *printer) array(list iter.Seq2[json.RawMessage, error]) error {
	var b bytes.Buffer
	before := "["
	for raw, err := range list {
		if err != nil {
			return err
		}
		b.Reset()
		b.WriteString(before)
		before = ",\n "
		if err := json.Compact(&b, raw); err != nil {
			return err
		}
		if _, err := p.out.Write(b.Bytes()); err != nil {
			return err
		}
	}
	end := "]\n"
	if before == "[" {
		end = "[]\n"
	}
	_, err := io.WriteString(p.out, end)
	return err
}

func (t *table[T]) csv(p *printer, list iter.Seq2[json.RawMessage, error]) error {
	columns, err := t.chosen(p, true)
	if err != nil {
		return err
	}
	w := csv.NewWriter(p.out)
	line := make([]string, len(columns))
	if !p.env.flags.noHeaders {
		for i := range columns {
			line[i] = strings.ReplaceAll(strings.ToLower(columns[i].name), " ", "_")
		}
		_ = w.Write(line) // Error tells
	}
	for raw, err := range list {
		if err != nil {
			return err
		}
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		for i := range columns {
			line[i] = columns[i].value(p, &v)
		}
		_ = w.Write(line) // Error tells
	}
	w.Flush()
	return w.Error()
}
