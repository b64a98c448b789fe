package web

import (
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// funcs are those of the templates.
func funcs() template.FuncMap {
	return template.FuncMap{
		"look": lookOf, "named": named, "stateName": stateName, "icon": icon,
		"number": number[int], "count": number[int64], "plural": plural,
		"iso": iso, "clock": clock, "span": span, "lasted": func(d api.Duration) string { return span(time.Duration(d)) }, "short": short, "dict": dict, "lower": strings.ToLower,
		"firstLine": firstLine, "sentence": sentence, "stripWidth": stripWidth, "release": release, "nav": nav, "glyphOf": glyphOf, "join": strings.Join, "add": func(a, b int) int { return a + b },
		"docs": func(code any) string { return "docs/errors#" + template.URLQueryEscaper(code) },
	}
}

// number groups the digits of one.
func number[T int | int64](n T) string {
	text := strconv.FormatInt(int64(n), 10)
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// plural gives "1 run" and "2 runs".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + one + "s"
}

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// clock is a time as one without JavaScript sees it; live.js writes it anew in the zone
// of who looks, and relative to now.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// span writes how long something took, two units of it at most.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < 10*time.Millisecond:
		return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + " ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(float64(d.Milliseconds()/10)/100, 'f', 2, 64) + " s"
	case d < time.Hour:
		return units(d/time.Minute, "m", d%time.Minute/time.Second, "s")
	case d < 48*time.Hour:
		return units(d/time.Hour, "h", d%time.Hour/time.Minute, "m")
	}
	return units(d/(24*time.Hour), "d", d%(24*time.Hour)/time.Hour, "h")
}

func units(a time.Duration, one string, b time.Duration, other string) string {
	low := strconv.FormatInt(int64(b), 10)
	if len(low) == 1 {
		low = "0" + low
	}
	return strconv.FormatInt(int64(a), 10) + one + " " + low + other
}

// short is the beginning of an id: the millisecond in which a run was made. Whoever types
// it into the search box gets there.
func short(id string) string {
	run, seq, of := strings.Cut(id, "/")
	if len(run) == 36 {
		run = run[:13]
	}
	if of {
		return run + "/" + seq
	}
	return run
}

// firstLine cuts a text to what fits a row.
func firstLine(text string) string {
	line, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	if r := []rune(line); len(r) > 200 {
		line, more = string(r[:200]), true
	}
	if more {
		line += " …"
	}
	return line
}

// sentence begins a text with a capital letter.
func sentence(text string) string {
	for i, c := range text {
		return strings.ToUpper(string(c)) + text[i+len(string(c)):]
	}
	return ""
}

// release is a version without what tells one commit from another.
func release(version string) string {
	if i := strings.Index(version, "-0."); i > 0 {
		version = version[:i]
	}
	if strings.HasPrefix(version, "v0.0.0-") {
		return "(devel)"
	}
	return version
}

// dict makes a map of names and values, to give several to a part.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, ok := pairs[i].(string); ok {
			m[name] = pairs[i+1]
		}
	}
	return m
}

// entry is one of the rail.
type entry struct {
	ID, Name, URL string
	Key           string // pressed after g
	Gap           bool   // it begins the lower part
}

// nav is the rail. An entry's ID is also the name of its picture.
func nav() []entry {
	return []entry{
		{ID: "runs", Name: "Runs", URL: "runs", Key: "r"},
		{ID: "tasks", Name: "Tasks", URL: "tasks", Key: "t"},
		{ID: "flows", Name: "Flows", URL: "flows", Key: "f"},
		{ID: "limits", Name: "Limits", URL: "limits", Key: "l"},
		{ID: "cache", Name: "Cache", URL: "cache", Key: "c"},
		{ID: "workers", Name: "Workers", URL: "workers", Key: "w"},
		{ID: "schedules", Name: "Schedules", URL: "schedules", Key: "s"},
		{ID: "metrics", Name: "Metrics", URL: "stats", Key: "m"},
		{ID: "operations", Name: "Operations", URL: "operations", Key: "o", Gap: true},
		{ID: "docs", Name: "Docs", URL: "docs/", Key: "d"},
		{ID: "settings", Name: "Settings", URL: "settings", Key: "e"},
	}
}

// glyphOf gives that of a state's word.
func glyphOf(word string) string {
	for _, l := range looks {
		if l.Word == word {
			return l.Glyph
		}
	}
	return ""
}
