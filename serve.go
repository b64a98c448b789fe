package runnel

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/httpapi"
	"github.com/runnel-dev/runnel/internal/spans"
	"github.com/runnel-dev/runnel/internal/vital"
)

// HandlerOption is an option of [Engine.Handler].
type HandlerOption interface{ handle(*handlerOptions) }

type handlerOptions struct {
	httpapi.Options

	noPages bool
}

type handlerOption func(*handlerOptions)

func (o handlerOption) handle(to *handlerOptions) { o(to) }

// NoPages leaves the pages out: the handler serves the REST API alone. The build tag
// no_ui leaves them out of the program.
func NoPages() HandlerOption {
	return handlerOption(func(o *handlerOptions) { o.noPages = true })
}

// ReadOnly lets the handler refuse whatever would change something.
func ReadOnly() HandlerOption {
	return handlerOption(func(o *handlerOptions) { o.ReadOnly = true })
}

// RequireToken lets in only who shows a token: one that is kept in the database, as
// `runnel token create` and POST /api/v1/tokens make them, or the secret, which is an
// admin's; "" for none.
func RequireToken(secret string) HandlerOption {
	return handlerOption(func(o *handlerOptions) { o.Auth = &httpapi.Auth{Secret: secret} })
}

// Handler serves the engine over HTTP: pages for people, the REST API under /api/v1,
// which /api/v1/openapi.json describes, and /healthz, /readyz and /metrics. It asks nobody who they
// are unless it is told to, see [RequireToken]: then serve it on loopback only, or
// put it behind what does. Under a prefix it is
//
//	mux.Handle("/runnel/", http.StripPrefix("/runnel", eng.Handler()))
//
// Its event streams end when the engine is closed. Clients that send a body or take an
// answer too slowly are dropped; how long they may take for headers, and keep a connection
// that they do not use, is for the http.Server to say (ReadHeaderTimeout, IdleTimeout).
func (e *Engine) Handler(opts ...HandlerOption) http.Handler {
	o := handlerOptions{Options: httpapi.Options{Log: e.work.Log}}
	for _, option := range opts {
		if option != nil {
			option.handle(&o)
		}
	}
	if e.remote == nil {
		o.Notes = notes{e}
	}
	if o.Auth != nil && e.remote == nil {
		o.Auth.Store = tokens{e}
	}
	h := httpapi.NewHandler(e.service, o.Options)
	e.handlers.add(h)
	if o.noPages {
		return httpapi.Patient(spans.Handler(httpapi.Compress(h)))
	}
	return httpapi.Patient(spans.Handler(httpapi.Compress(pages(h, o.Log))))
}

// handlers are those that end with the engine.
type handlers struct {
	mu  sync.Mutex
	all []*httpapi.Handler
}

func (h *handlers) add(one *httpapi.Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, one)
}

func (h *handlers) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.all {
		one.Close()
	}
	h.all = nil
}

// service gives what does what the engine is asked for from outside of bodies: the
// engine that sits now, or the server.
func (e *Engine) service() httpapi.Service {
	if e.remote != nil {
		return e.remote
	}
	return &service{e.inner(), workers{e.hub}, e}
}

// service is the engine that sits now, as the handler wants it.
type service struct {
	*engine.Engine
	workers

	of *Engine
}

func (s *service) Submit(ctx context.Context, sub httpapi.Submission) (string, bool, error) {
	if sub.Key != "" {
		return s.SubmitKeyed(ctx, sub.Spec, sub.Name, sub.Key)
	}
	h, err := s.Engine.Submit(ctx, sub.Spec, sub.Name)
	if err != nil {
		return "", false, err
	}
	return h.ID(), false, nil
}

func (s *service) Result(ctx context.Context, run string) (httpapi.Outcome, error) {
	out, err := s.Engine.Result(ctx, run)
	return outcomeOf(out), err
}

func (s *service) Wait(ctx context.Context, run string) (httpapi.Outcome, error) {
	h, err := s.Find(ctx, run)
	if err != nil {
		return httpapi.Outcome{}, err
	}
	out, err := s.of.seat.Wait(ctx, h)
	return outcomeOf(out), err
}

func outcomeOf(o engine.Outcome) httpapi.Outcome {
	return httpapi.Outcome{State: o.State, Result: o.Result, Failure: o.Failure, FinalState: o.FinalState}
}

func (s *service) Times(_ context.Context, t api.Timetable, after time.Time, n int) ([]time.Time, error) {
	return engine.Times(t, after, n)
}

func (s *service) Registered(context.Context) ([]api.TaskInfo, error) {
	list := append(s.of.Tasks(), s.RemoteTasks()...)
	slices.SortFunc(list, func(a, b api.TaskInfo) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func (s *service) Health(context.Context) api.Health { return s.of.Health() }

func (s *service) Vitals(_ context.Context, all bool) *vital.Snapshot { return s.of.seat.Vitals(all) }
