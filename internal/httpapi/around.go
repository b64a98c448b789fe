package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"
)

type requestKey struct{}

// request is one that is served.
type request struct {
	id     string
	reason string // what its body says it is for
}

// requestID gives what the response has as X-Request-Id.
func requestID(ctx context.Context) string {
	if r := requestOf(ctx); r != nil {
		return r.id
	}
	return ""
}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// because notes what a request's body says it is for.
func because(ctx context.Context, reason string) {
	if r := requestOf(ctx); r != nil {
		r.reason = reason
	}
}

// around is what all requests have in common.
func (a *routes) around(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		w := &response{ResponseWriter: to, now: a.now, began: a.now()}
		id := rand.Text()
		w.Header().Set("X-Request-ID", id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, &request{id: id}))
		defer a.recovered(w, r)
		if writes(r.Method) {
			a.write(mux, w, r)
			return
		}
		a.serve(mux, w, r)
	})
}

// write is serve for what changes something: it is noted who did it.
func (a *routes) write(mux *http.ServeMux, w *response, r *http.Request) {
	if err := a.crossOrigin.Check(r); err != nil {
		writeProblem(w, r, problem(http.StatusForbidden, CodeForbidden, "a page of another site may not change anything here"))
		a.note(r, w.status)
		return
	}
	r = a.serve(mux, w, r)
	if refused := w.status == http.StatusUnauthorized || w.status == http.StatusForbidden; refused || !often(r) {
		a.note(r, w.status)
	}
}

// serve lets in who may, and gives the request as theirs.
func (a *routes) serve(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) *http.Request {
	if a.guard != nil {
		as, no, err := a.guard.admit(r)
		if err != nil {
			no = a.asProblem(r.Context(), err)
		}
		if as != nil {
			r = as
		}
		if no != nil {
			writeProblem(w, r, no)
			return r
		}
	}
	if a.opts.ReadOnly && writes(r.Method) {
		writeProblem(w, r, problem(http.StatusForbidden, CodeForbidden, "this server is read-only"))
		return r
	}
	h, pattern := mux.Handler(r)
	if pattern == "" {
		a.unknown(w, r, h)
		return r
	}
	mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, peerOf(r))))
	return r
}

func writes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// recovered answers a request whose handler panicked.
func (a *routes) recovered(w *response, r *http.Request) {
	v := recover()
	if v == nil || v == http.ErrAbortHandler { //nolint:errorlint // the panic's value is this very one
		if v != nil {
			panic(v)
		}
		return
	}
	if w.failed != nil { // the client has gone: that is how huma says so
		panic(http.ErrAbortHandler)
	}
	a.log.LogAttrs(r.Context(), slog.LevelError, "http: panic", slog.String("request_id", requestID(r.Context())),
		slog.String("path", r.URL.Path), slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
	if w.status != 0 { // a part of the answer is out: the client is to see that it is not all
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, r, problem(http.StatusInternalServerError, CodeInternal, "something went wrong here; the server's log has it under this request_id"))
}

// unknown answers for a path, or a method on one, that there is not.
func (a *routes) unknown(w http.ResponseWriter, r *http.Request, h http.Handler) {
	said := &statusOnly{header: http.Header{}}
	h.ServeHTTP(said, r)
	switch said.status {
	case http.StatusMethodNotAllowed:
		w.Header()["Allow"] = said.header["Allow"]
		writeProblem(w, r, problem(said.status, CodeMethod, r.Method+" is not for this path; it takes "+strings.Join(said.header["Allow"], ", ")))
	default:
		writeProblem(w, r, problem(http.StatusNotFound, "not_found", "there is no "+r.URL.Path+"; "+"/docs/api has all paths"))
	}
}

// statusOnly takes an answer's status and header, and drops its body.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.Instance, p.RequestID = r.URL.Path, requestID(r.Context())
	w.Header().Set("Content-Type", p.ContentType(""))
	maps.Copy(w.Header(), p.header)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // nobody is left to be told
}
