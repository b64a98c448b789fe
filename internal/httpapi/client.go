package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Client calls the routes of a server. It is a [Service]: what the handler does with
// an engine can be done with a client as well. Errors are [Problem]s, or of package
// api when the server can't be reached.
type Client struct {
	base   string // without a slash at its end, with Base
	http   *http.Client
	token  string
	reason string
}

// ClientOptions say how to call.
type ClientOptions struct {
	Token string // sent as a bearer token; "" for none
	// Reason is why things are changed, for the audit, where a call does not say it.
	Reason string
	// Transport sends requests; default http.DefaultTransport.
	Transport http.RoundTripper
}

// ErrUnreachable is the kind of error of a server that does not answer.
var ErrUnreachable = &api.Error{Code: "unreachable", Msg: "server unreachable"}

// NewClient makes a client of the server at address, such as
// "http://127.0.0.1:7733" or "https://host/runnel".
func NewClient(address string, opts ClientOptions) (*Client, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, api.Errorf(api.ErrInvalid, "", "address of the server: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, api.Errorf(api.ErrInvalid, "", "address of the server %q: want http://HOST:PORT or https://HOST", address)
	case u.RawQuery != "", u.Fragment != "", u.User != nil:
		return nil, api.Errorf(api.ErrInvalid, "", "address of the server: nothing may follow its path, and no password be in it")
	}
	return &Client{
		base:   strings.TrimRight(u.String(), "/") + Base,
		http:   &http.Client{Transport: opts.Transport},
		token:  opts.Token,
		reason: opts.Reason,
	}, nil
}

// call is one request.
type call struct {
	method string
	path   string // below Base, with its variable parts escaped
	query  url.Values
	header http.Header
	body   any // nil for none
}

// Do sends a request and decodes the answer's body into out, unless that is nil.
// Path is below [Base].
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	_, err := c.do(ctx, call{method: method, path: path, query: query, body: in}, out)
	return err
}

// do gives the status of an answer that is none of an error.
func (c *Client) do(ctx context.Context, q call, out any) (status int, err error) {
	resp, err := c.send(ctx, q)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if raw, ok := out.(*json.RawMessage); ok {
		*raw, err = io.ReadAll(resp.Body)
		return resp.StatusCode, unreadable(err)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, unreadable(json.NewDecoder(resp.Body).Decode(out))
}

func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return api.Errorf(ErrUnreachable, "", "the server's answer can't be read: %w", err)
}

// send gives the response of a request that went well. Its body is to be closed.
func (c *Client) send(ctx context.Context, q call) (*http.Response, error) {
	var body io.Reader
	if q.body != nil {
		data, err := json.Marshal(q.body)
		if err != nil {
			return nil, api.Errorf(api.ErrEncoding, "", "%w", err)
		}
		body = bytes.NewReader(data)
	}
	to := c.base + q.path
	if len(q.query) > 0 {
		to += "?" + q.query.Encode()
	}
	header := maps.Clone(q.header)
	if header == nil {
		header = http.Header{}
	}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	resp, err := c.transmit(ctx, q.method, to, header, body)
	if err == nil && resp.StatusCode >= http.StatusBadRequest {
		return nil, ReadProblem(resp)
	}
	return resp, err
}

// Raw sends a request as it stands, with the client's token, and gives the response
// whatever its status is; [ReadProblem] makes an error of one that is a problem. A
// path that begins with a slash is below the server's address, another one below
// [Base].
func (c *Client) Raw(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	to := c.base + "/" + path
	if strings.HasPrefix(path, "/") {
		to = strings.TrimSuffix(c.base, Base) + path
	}
	return c.transmit(ctx, method, to, header, body)
}

// transmit sends a request with the client's token, and gives the response whatever
// its status is.
func (c *Client) transmit(ctx context.Context, method, to string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, body)
	if err != nil {
		return nil, api.Errorf(api.ErrInvalid, "", "%w", err)
	}
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.reason != "" && writes(method) && req.Header.Get("X-Reason") == "" {
		req.Header.Set("X-Reason", c.reason)
	}
	resp, err := c.http.Do(req)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, api.Errorf(ErrUnreachable, "", "%w", err)
	}
	return resp, nil
}

// ReadProblem gives the problem that a response is, and closes its body.
func ReadProblem(resp *http.Response) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return unreadable(err)
	}
	p := new(Problem)
	if json.Unmarshal(text, p) != nil || p.Code == "" {
		return api.Errorf(ErrUnreachable, "", "what answered is no Runnel server: %s", resp.Status)
	}
	p.header = resp.Header
	return p
}

// stream decodes a response of one JSON object a line. Yield ends it by false.
func stream[T any](ctx context.Context, c *Client, q call, yield func(T, error) bool) {
	var none T
	resp, err := c.send(ctx, q)
	if err != nil {
		yield(none, err)
		return
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		text, err := lines.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(text) == 0:
			return
		case err != nil && ctx.Err() != nil:
			yield(none, context.Cause(ctx))
			return
		case err != nil:
			yield(none, unreadable(err))
			return
		}
		v, err := decodeLine[T](text)
		if !yield(v, err) || err != nil {
			return
		}
	}
}

// decodeLine reads a line, which may be the problem that ended the stream.
func decodeLine[T any](text []byte) (T, error) {
	var v T
	var p Problem
	if json.Unmarshal(text, &p) == nil && p.Code != "" && p.Status >= http.StatusBadRequest {
		return v, &p
	}
	return v, unreadable(json.Unmarshal(text, &v))
}

// pathf makes a path of parts that may have any characters.
func pathf(format string, parts ...string) string {
	escaped := make([]any, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return fmt.Sprintf(format, escaped...)
}

// taskPathOf is the path of a task run, given its id.
func taskPathOf(id string) (string, error) {
	run, seq, ok := strings.Cut(id, "/")
	if !ok {
		return "", api.Errorf(api.ErrNotFound, "", "no task run %s", id)
	}
	return pathf("/runs/%s/tasks/%s", run, seq), nil
}

// query collects parameters, without those that say nothing.
type query url.Values

func (q query) set(name, value string) query {
	if value != "" {
		q[name] = append(q[name], value)
	}
	return q
}

func (q query) time(name string, t time.Time) query {
	if t.IsZero() {
		return q
	}
	return q.set(name, t.UTC().Format(time.RFC3339Nano))
}

func (q query) states(states []api.State) query {
	for _, s := range states {
		q.set("state", s.String())
	}
	return q
}
