package builtin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// Request is what [HTTP] sends.
type Request struct {
	Method  string            `json:"method,omitempty"` // default GET, or POST with a body
	URL     string            `json:"url"`
	Header  map[string]string `json:"header,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`   // a text as it is, all else as JSON
	Expect  []int             `json:"expect,omitempty"` // statuses; default 200 to 299
	Timeout api.Duration      `json:"timeout,omitzero"` // default one minute
}

// Response is what came back.
type Response struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header,omitempty"` // the first value of each
	Body   json.RawMessage   `json:"body,omitempty"`   // JSON as it is, all else as a text
}

const (
	maxResponse    = 4 << 20 // of the body
	defaultTimeout = time.Minute
	shownBody      = 500 // characters of a body in an error
)

// HTTP sends a request. It fails on a status that is not expected. The task run's
// idempotency key goes along as Idempotency-Key, so that a server can tell that an
// attempt is another one of the same.
var HTTP = runnel.NewTask1("http", send, runnel.Description("Sends an HTTP request; fails on a status that is not expected."))

func send(ctx context.Context, r Request) (Response, error) {
	req, err := r.request(ctx)
	if err != nil {
		return Response{}, err
	}
	timeout := time.Duration(r.Timeout)
	if timeout == 0 {
		timeout = defaultTimeout
	}
	client := http.Client{Timeout: timeout}
	resp, err := client.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil:
		return Response{}, err
	case len(text) > maxResponse:
		return Response{}, api.Errorf(api.ErrInvalid, "", "the response has more than %d bytes", maxResponse)
	}
	runnel.Logger(ctx).Info("response", "status", resp.StatusCode, "bytes", len(text))
	if !r.expects(resp.StatusCode) {
		shown := []rune(string(text))
		return Response{}, api.Errorf(api.ErrConflict, "", "%s %s: status %s, not expected: %s", req.Method, req.URL.Redacted(), resp.Status, string(shown[:min(len(shown), shownBody)]))
	}
	out := Response{Status: resp.StatusCode, Header: map[string]string{}, Body: text}
	for name := range resp.Header {
		out.Header[name] = resp.Header.Get(name)
	}
	if !json.Valid(text) {
		out.Body, err = json.Marshal(string(bytes.ToValidUTF8(text, []byte("\uFFFD"))))
	}
	return out, err
}

func (r *Request) request(ctx context.Context) (*http.Request, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, api.Errorf(api.ErrInvalid, "url", "%q: want http://HOST… or https://HOST…", r.URL)
	}
	method, body := r.Method, []byte(r.Body)
	var text string
	plain := json.Unmarshal(body, &text) == nil && len(body) > 0
	if plain {
		body = []byte(text)
	}
	if method == "" {
		method = http.MethodGet
		if len(body) > 0 {
			method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL, bytes.NewReader(body))
	if err != nil {
		return nil, api.Errorf(api.ErrInvalid, "", "%w", err)
	}
	if len(body) > 0 && !plain {
		req.Header.Set("Content-Type", "application/json")
	}
	if key := runnel.IdempotencyKey(ctx); key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	return req, nil
}

func (r *Request) expects(status int) bool {
	if len(r.Expect) == 0 {
		return status >= 200 && status < 300
	}
	return slices.Contains(r.Expect, status)
}
