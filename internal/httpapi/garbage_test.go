package httpapi_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// dice makes requests of an operation: some as the contract has them, most of them with
// something that is wrong. The same seed gives the same.
type dice struct {
	*rand.Rand

	c   *contract
	ids []string // of runs that there are
}

// sending is a request that is made up.
type sending struct {
	method, path, query string // path is escaped
	header              http.Header
	body                []byte
}

// said is all that the request says, for what may come back in the answer.
func (s *sending) said() string {
	path, _ := url.PathUnescape(s.path)
	query, _ := url.QueryUnescape(s.query)
	all := []string{s.method, s.path, path, s.query, query, string(s.body)}
	for _, values := range s.header {
		all = append(all, values...)
	}
	return strings.Join(all, " ")
}

func pick[T any](d *dice, from ...T) T { return from[d.IntN(len(from))] }

// one reports true once in n times.
func (d *dice) one(n int) bool { return d.IntN(n) == 0 }

// The texts that are sent where they don't belong.
var strange = []string{
	"", " ", "x", "0", "-1", "1", "9223372036854775807", "9223372036854775808", "1e999", "NaN", "..", "../../etc/passwd", "/", "//", "\x00", "\xff\xfe", "a\xc3",
	"%", "%2e%2e", "'; DROP TABLE runs; --", `"`, "<script>", "null", "true", "[]", "{}", "ünï", "🙂", "\u202e", "a b", "a,b", "a:b", "(", "*", "?", "#", "&x=1", "\r\nX-Evil: 1",
	"00000000-0000-7000-8000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "MTp4", "MTo", "MTowMDAwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAvOTk5OTk5OTk5OTk5OTk5OTk5OTk5", "!!",
	"2026-13-45T99:99:99Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "-0001-01-01T00:00:00Z", "2026-11-27", "state:", "state:failed -", "duration:>1e300s", "duration:>-1s",
	"created:..", "why:slot,", "(((((", "[a-", "a{1001}", "(?P<n", strings.Repeat("(", 400), strings.Repeat("x", 5000), strings.Repeat("-", 300) + "x", strings.Repeat("ä,", 900),
	"60 * * * *", "* * * * * * *", "0 0 30 2 *", "@every 1ns", "1ns", "-1h", "999999999h", "1h1h1h", "Europe/Berlin", "../../../etc/localtime", "Local",
}

// Values that are right in many places.
var right = map[string][]string{
	"name": {"math", "double", "fails", "nightly", "db"}, "tag": {"math", "db"}, "task": {"double", "fails", "nobody"}, "key": {"kept", "a/b"},
	"state": {"completed", "FAILED", "running"}, "format": {"json", "text", "tree", "svg", "dot", "mermaid"}, "topic": {"runs", "limits", "workers", "schedules"},
	"q": {"state:completed", "double since:24h", "-state:failed", "0000"}, "cron": {"0 0 * * *", "*/5 9-17 * * 1-5"}, "every": {"90s", "1h"}, "zone": {"Europe/Berlin", "UTC"},
	"level": {"info", "warn"}, "seq": {"0", "1", "99"}, "token": {"x"}, "role": {"operator", "read-only"}, "expires_in": {"1h"}, "window": {"1h"}, "action": {"cancel", "retry"},
	"overlap": {"skip", "allow"}, "catch_up": {"none", "latest"}, "open": {"double"},
}

// make makes a request of an operation.
func (d *dice) make(o *operation) *sending {
	s := &sending{method: o.method, path: o.path, header: http.Header{}}
	query := url.Values{}
	for _, p := range o.params {
		switch p.In {
		case "path":
			s.path = strings.Replace(s.path, "{"+p.Name+"}", url.PathEscape(d.text(p.Name, p.Schema, 3)), 1)
		case "query":
			if p.Required && !d.one(10) || d.one(4) {
				query.Add(p.Name, d.text(p.Name, p.Schema, 2))
			}
			if d.one(25) {
				query.Add(p.Name, pick(d, strange...))
			}
		case "header", "cookie":
			if d.one(3) {
				s.header.Set(p.Name, strings.Map(printable, d.text(p.Name, p.Schema, 2)))
			}
		}
	}
	if d.one(30) {
		query.Add(pick(d, strange...), "x")
	}
	s.query = query.Encode()
	if d.one(50) {
		s.query = pick(d, "%", "%zz", ";", "a=b;c", "&&&", "=", strings.Repeat("limit=1&", 2000))
	}
	if d.one(60) {
		s.path += pick(d, "/", "//", "/..", "/%2e%2e/tokens", "%00", "/x", "?", "/./.")
	}
	if d.one(60) {
		s.method = pick(d, "PATCH", "DELETE", "PUT", "POST", "HEAD", "OPTIONS", "TRACE", "BREW")
	}
	if d.one(40) {
		s.header.Set("Accept", pick(d, "application/xml", "text/html", "application/cbor", "*/*;q=0", "\x7f", "application/json;q=2"))
	}
	if o.body != nil {
		d.fill(s, o.body)
	}
	return s
}

func printable(r rune) rune {
	if r < ' ' || r == '\x7f' {
		return '?'
	}
	return r
}

// text is a value of a parameter, wrong once in n times.
func (d *dice) text(name string, schema map[string]any, n int) string {
	switch {
	case d.one(n):
		return pick(d, strange...)
	case name == "id" || name == "run":
		return pick(d, d.ids...)
	case right[name] != nil:
		return pick(d, right[name]...)
	}
	text, err := json.Marshal(d.value(name, schema, 0))
	if err != nil {
		return err.Error()
	}
	return strings.Trim(string(text), `"[]`)
}

// fill makes a body.
func (d *dice) fill(s *sending, schema map[string]any) {
	s.header.Set("Content-Type", "application/json")
	if d.one(20) {
		s.header.Set("Content-Type", pick(d, "text/plain", "application/xml", "", "application/json; charset=latin1", "multipart/form-data", "x", "application/cbor", "application/json, text/html", "application/problem+json"))
	}
	v := d.value("", schema, 0)
	if m, ok := v.(map[string]any); ok && d.one(2) {
		d.spoil(m)
	}
	body, err := json.Marshal(v)
	if err != nil {
		body = []byte(err.Error())
	}
	switch d.IntN(24) {
	case 0:
		body = body[:d.IntN(len(body)+1)]
	case 1:
		body = append(body, pick(d, "x", "{}", "\x00", "]", " null", "\xff")...)
	case 2:
		body = []byte(pick(d, "", "null", "[]", `""`, "7", "{", "\xef\xbb\xbf{}", "\xff\xff", `{"a":1,"a":2}`, `{"limit":1e400}`, `{"limit":`+strings.Repeat("9", 4000)+"}",
			strings.Repeat("[", 20_000), strings.Repeat(`{"a":`, 9_000), `{"task":"`+strings.Repeat("x", 200_000)+`"}`, "not JSON", "{'a':1}", `{"task":"\ud800"}`))
	case 3:
		if len(body) > 0 {
			body[d.IntN(len(body))] = byte(d.IntN(256))
		}
	}
	if d.one(150) {
		body = []byte(`{"name":"` + strings.Repeat("x", 9<<20) + `"}`)
	}
	s.body = body
}

// spoil makes one thing of an object wrong.
func (d *dice) spoil(m map[string]any) {
	names := slices.Sorted(maps.Keys(m))
	if len(names) == 0 || d.one(5) {
		m[pick(d, "x", "__proto__", "", "ID", "Task", "\x00")] = 1
		return
	}
	name := pick(d, names...)
	if d.one(4) {
		delete(m, name)
		return
	}
	m[name] = pick[any](d, nil, true, -1, 0, 1<<53, 1e300, -0.5, "", pick(d, strange...), []any{}, []any{nil}, []any{map[string]any{}}, map[string]any{}, map[string]any{"a": []any{1}})
}

// value makes what a schema describes.
func (d *dice) value(name string, schema map[string]any, deep int) any {
	if ref, ok := schema["$ref"].(string); ok {
		schema = d.c.schemas[ref[strings.LastIndexByte(ref, '/')+1:]]
	}
	if all, ok := schema["enum"].([]any); ok {
		return pick(d, all...)
	}
	if name == "pipeline" {
		return pick[any](d, map[string]any{"runnel": 1, "steps": []any{map[string]any{"task": "double", "args": []any{1}}}},
			map[string]any{"runnel": 1, "steps": "x"}, map[string]any{}, 7)
	}
	switch kind := kindOf(schema); kind {
	case "object":
		m := map[string]any{}
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, property := range slices.Sorted(maps.Keys(properties)) {
			s, ok := properties[property].(map[string]any)
			if ok && deep < 6 && (slices.Contains(required, any(property)) || d.one(3)) {
				m[property] = d.value(property, s, deep+1)
			}
		}
		return m
	case "array":
		items, _ := schema["items"].(map[string]any)
		list := []any{}
		for range d.IntN(3) {
			list = append(list, d.value(name, items, deep+1))
		}
		return list
	case "integer", "number":
		return pick(d, 0, 1, 2, 3, 50, 1000)
	case "boolean":
		return d.one(2)
	case "string":
		switch {
		case schema["format"] == "date-time":
			return pick(d, "2026-11-27T10:00:00Z", "2020-01-01T00:00:00+01:00", "2026-11-20T00:00:00Z")
		case name == "ids" || name == "run":
			return pick(d, d.ids...)
		case right[name] != nil:
			return pick(d, right[name]...)
		}
		return pick(d, "a", "b")
	}
	return pick[any](d, 1, "x", nil, []any{1}) // anything
}

// kindOf is a schema's type, without null.
func kindOf(schema map[string]any) string {
	switch kind := schema["type"].(type) {
	case string:
		return kind
	case []any:
		for _, k := range kind {
			if text, ok := k.(string); ok && text != "null" {
				return text
			}
		}
	}
	return ""
}
