package web

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// problem is why something could not be shown or done, as the API says it.
type problem struct {
	Status    int      `json:"status"`
	Code      api.Code `json:"code"`
	Title     string   `json:"title"`
	Detail    string   `json:"detail"`
	RequestID string   `json:"request_id"`
	Errors    []flaw   `json:"errors"`
}

// flaw is what is wrong with a part of what was sent.
type flaw struct {
	Message  string `json:"message"`
	Location string `json:"location"` // as in "body.limit"
}

// Error gives the detail.
func (p *problem) Error() string { return p.Detail }

// passed are the header fields by which the API knows who asks, from where.
var passed = []string{"Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "X-Forwarded-Proto", "X-Forwarded-For", "User-Agent"}

// answer is what the API answered.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// request asks the API in the name of who looks at the page. sent is the body, nil for
// none. What is not a success is a [problem].
func (v *view) request(method, path string, query url.Values, sent any, header http.Header) (*answer, error) {
	target := &url.URL{Path: base + path, RawQuery: query.Encode()}
	if unescaped, err := url.PathUnescape(path); err == nil && unescaped != path {
		target.Path, target.RawPath = base+unescaped, base+path
	}
	body := []byte(nil)
	if sent != nil {
		text, err := json.Marshal(sent)
		if err != nil {
			return nil, err
		}
		body = text
	}
	r, err := http.NewRequestWithContext(v.r.Context(), method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, name := range passed {
		if values := v.r.Header.Values(name); len(values) > 0 {
			r.Header[name] = values
		}
	}
	maps.Copy(r.Header, header)
	if sent != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Host, r.RemoteAddr, r.RequestURI, r.TLS = v.r.Host, v.r.RemoteAddr, target.RequestURI(), v.r.TLS
	a := &answer{header: http.Header{}}
	v.site.api.ServeHTTP(a, r)
	if err := context.Cause(v.r.Context()); err != nil {
		return nil, err
	}
	if a.status >= http.StatusBadRequest {
		return a, a.problem()
	}
	return a, nil
}

// problem reads why a request was refused.
func (a *answer) problem() *problem {
	p := &problem{Status: a.status, Title: http.StatusText(a.status)}
	if json.Unmarshal(a.body.Bytes(), p) != nil || p.Detail == "" {
		p.Detail = strings.TrimSpace(a.body.String())
	}
	return p
}

// get reads what is at a path.
func get[T any](v *view, path string, query url.Values) (T, error) {
	var out T
	a, err := v.request(http.MethodGet, path, query, nil, nil)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(a.body.Bytes(), &out)
}

// change sends what changes something, with the reason that the form gives, which goes
// to the audit log.
func change[T any](v *view, method, path string, sent any) (T, error) {
	return changeWith[T](v, method, path, sent, nil)
}

// changeWith is change with header fields of its own, such as If-Match.
func changeWith[T any](v *view, method, path string, sent any, more http.Header) (T, error) {
	header := v.reason()
	maps.Copy(header, more)
	a, err := v.request(method, path, nil, sent, header)
	if err != nil {
		var none T
		return none, err
	}
	return decoded[T](a)
}

// reason is the header field with the reason that the form gives.
func (v *view) reason() http.Header {
	header := http.Header{}
	if reason := strings.TrimSpace(v.r.PostFormValue("reason")); reason != "" {
		header.Set("X-Reason", strings.Join(strings.Fields(reason), " "))
	}
	return header
}

// decoded reads what was answered, the zero value of nothing.
func decoded[T any](a *answer) (out T, err error) {
	if a.body.Len() == 0 {
		return out, nil
	}
	return out, json.Unmarshal(a.body.Bytes(), &out)
}

// list is a part of a list.
type list[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// at makes a path: each % stands for the next part, escaped.
func at(pattern string, parts ...string) string {
	for _, p := range parts {
		pattern = strings.Replace(pattern, "%", strings.ReplaceAll(url.PathEscape(p), "%", "\x00"), 1)
	}
	return strings.ReplaceAll(pattern, "\x00", "%")
}
