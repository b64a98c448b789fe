package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Base is where the routes are.
const Base = "/api/v1"

// Options say how to serve.
type Options struct {
	Log *slog.Logger     // of requests that failed; default slog.Default()
	Now func() time.Time // default time.Now
	// MaxBody bounds what a request may send. Default 8 MiB.
	MaxBody int64
	// Auth says who may come in; nil: everybody, as admin.
	Auth *Auth
	// Notes keeps the audit, operations and saved filters; nil: they end with the handler.
	Notes Notes
	// ReadOnly refuses what changes something.
	ReadOnly bool
	// Heartbeat is how often an event stream without events says that it lives.
	// Default 15 s.
	Heartbeat time.Duration
}

const defaultMaxBody = 8 << 20

// routes are the operations over a service.
type routes struct {
	svc  func() Service
	log  *slog.Logger
	opts Options
	now  func() time.Time

	// writing is held from looking whether a thing is as If-Match says to changing it.
	writing sync.Mutex

	guard *guard // nil: everybody may do everything
	audit *audit
	// crossOrigin refuses what a browser sends for a page of another site.
	crossOrigin http.CrossOriginProtection

	hub     *hub
	counted counted
	timed   timed
	ops     *operations
	history *history
}

// Handler serves the routes. Close ends its event streams and what it does in the
// background; it does not close the service.
type Handler struct {
	http.Handler

	stop  context.CancelFunc
	hub   *hub
	ops   *operations
	notes *audit
	work  sync.WaitGroup
}

// NewHandler serves what svc gives, which it asks anew for each request, under [Base], and /healthz, /readyz
// and /metrics.
func NewHandler(svc func() Service, opts Options) *Handler {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxBody == 0 {
		opts.MaxBody = defaultMaxBody
	}
	if opts.Heartbeat == 0 {
		opts.Heartbeat = 15 * time.Second
	}
	if opts.Notes == nil {
		opts.Notes = new(memory)
	}
	ctx, stop := context.WithCancel(context.Background()) //nolint:forbidigo // until Close
	a := &routes{svc: svc, log: opts.Log, opts: opts, now: opts.Now}
	a.audit = &audit{notes: opts.Notes, log: opts.Log, now: opts.Now, since: auditEvery} // the first one looks for old ones
	if opts.Auth != nil {
		a.guard = &guard{auth: *opts.Auth, now: opts.Now}
	}
	a.hub = newHub(ctx, svc)
	a.ops = newOperations(ctx, a)
	a.history = newHistory()
	mux := http.NewServeMux()
	a.register(mux)
	h := &Handler{stop: stop, hub: a.hub, ops: a.ops, notes: a.audit}
	h.work.Go(func() { a.record(ctx) })
	if !opts.ReadOnly {
		h.work.Go(func() { a.ops.adopt(ctx) })
	}
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /metrics", a.metricsHandler())
	h.Handler = a.around(mux)
	return h
}

// Close ends event streams and operations, and waits for them.
func (h *Handler) Close() {
	h.stop()
	h.hub.wait()
	h.ops.wait()
	h.notes.close()
	h.work.Wait()
}

// register puts all routes on the mux.
func (a *routes) register(mux *http.ServeMux) {
	cfg := huma.DefaultConfig("Runnel", "1")
	cfg.Info.Description = "Durable tasks, flows and pipelines. Times are RFC 3339 in UTC. Lists go on with next_cursor. Errors are problems as of RFC 9457; their code is what to go by."
	cfg.CreateHooks = nil // no $schema field in answers
	cfg.DocsPath = ""     // its pages load from elsewhere
	cfg.OpenAPIPath = Base + "/openapi"
	cfg.SchemasPath = ""
	cfg.RejectUnknownQueryParameters = true
	cfg.Transformers = append(cfg.Transformers, finish)
	api := humago.New(mux, cfg)
	a.runRoutes(api)
	a.summaryRoutes(api)
	a.histogramRoutes(api)
	a.timelineRoutes(api)
	a.historyRoutes(api)
	a.diffRoutes(api)
	a.timesRoutes(api)
	a.groupRoutes(api)
	a.graphRoutes(api)
	a.taskRoutes(api)
	a.logRoutes(api)
	a.limitRoutes(api)
	a.globalLimitRoutes(api)
	a.cacheRoutes(api)
	a.cacheStatsRoutes(api)
	a.scheduleRoutes(api)
	a.factRoutes(api)
	a.suggestRoutes(api)
	a.seriesRoutes(api)
	a.eventRoutes(api)
	a.operationRoutes(api)
	a.savedRoutes(api)
	a.loginRoutes(api)
	a.tokenRoutes(api)
	a.workRoutes(api)
	describeProblems(api.OpenAPI())
	describeStatuses(api.OpenAPI())
	docRoutes(mux, api.OpenAPI())
}

// op describes an operation. Its group and name are the OpenAPI tag and id.
func op(method, path, id, group, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: Base + path, Tags: []string{group}, Summary: summary}
}

// do registers an operation whose errors are those of the service.
func do[I, O any](a *routes, api huma.API, o huma.Operation, f func(context.Context, *I) (*O, error)) {
	o.MaxBodyBytes = a.opts.MaxBody
	if o.BodyReadTimeout == 0 {
		o.BodyReadTimeout = bodyTime
	}
	huma.Register(api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, a.failed(ctx, err)
		}
		return out, nil
	})
}

// empty is a request without parameters, or a response without a body.
type empty struct{}

// body is a response that is one value.
type body[T any] struct{ Body T }

func answer[T any](v T) *body[T] { return &body[T]{Body: v} }
