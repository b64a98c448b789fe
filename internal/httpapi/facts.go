package httpapi

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// Server is what a server says of itself.
type Server struct {
	Version  string `json:"version"`
	ReadOnly bool   `json:"read_only"`
	// Operations is how many have not ended, in whatever process they are done.
	Operations int        `json:"operations" doc:"How many operations run; 0 while the database can't be reached"`
	MaxBody    int64      `json:"max_body" doc:"How many bytes a request may send"`
	Health     api.Health `json:"health"`
}

// Version is that of the module, as the go command noted it in the program.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == "github.com/runnel-dev/runnel" && m.Version != "" {
			return m.Version
		}
	}
	return "(devel)"
}

// List is all of something that is never long.
type List[T any] struct {
	Items []T `json:"items"`
}

func (a *routes) factRoutes(api huma.API) {
	const group = "server"
	do(a, api, op(http.MethodGet, "/server", "get-server", group, "Read what this server is"), a.getServer)
	do(a, api, op(http.MethodGet, "/flows", "list-flows", group, "List registered tasks and flows"), a.listFlows)
	do(a, api, op(http.MethodGet, "/flows/{name}", "get-flow", group, "Read what is known of a task or flow"), a.getFlow)
	do(a, api, op(http.MethodGet, "/workers", "list-workers", group, "List processes that work on the store"), a.listWorkers)
	do(a, api, op(http.MethodGet, "/workers/{id}", "get-worker", group, "Read one process, with what it does"), a.getWorker)
	do(a, api, op(http.MethodPost, "/workers/{id}/drain", "drain-worker", group, "Have a process take no new work: it finishes what it has"), a.drains(true))
	do(a, api, op(http.MethodPost, "/workers/{id}/undrain", "undrain-worker", group, "Have a process take work again"), a.drains(false))
	do(a, api, op(http.MethodGet, "/queues", "list-queues", group, "List queues"), a.listQueues)
	do(a, api, op(http.MethodGet, "/queues/{name}", "get-queue", group, "Read one queue"), a.getQueue)
	do(a, api, op(http.MethodPost, "/queues/{name}/pause", "pause-queue", group, "Have nothing more of a queue begin, in no process"), a.pausesQueue(Service.PauseQueue))
	do(a, api, op(http.MethodPost, "/queues/{name}/resume", "resume-queue", group, "Let a queue go on"), a.pausesQueue(Service.ResumeQueue))
	do(a, api, op(http.MethodGet, "/search", "search", group, "Find runs by the beginning of their id, and all else by a part of its name"), a.search)
}

func (a *routes) getServer(ctx context.Context, _ *empty) (*body[Server], error) {
	s := Server{Version: Version(), ReadOnly: a.opts.ReadOnly, MaxBody: a.opts.MaxBody, Health: a.svc().Health(ctx)}
	if s.Health.Ready() {
		s.Operations, _ = a.ops.running(ctx) // all else is still worth telling
	}
	return answer(s), nil
}

func (a *routes) listFlows(ctx context.Context, _ *empty) (*body[List[api.TaskInfo]], error) {
	t, err := a.svc().Registered(ctx)
	if err != nil {
		return nil, err
	}
	return answer(List[api.TaskInfo]{Items: t}), nil
}

func (a *routes) getFlow(ctx context.Context, in *NamePath) (*body[api.TaskInfo], error) {
	known, err := a.svc().Registered(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range known {
		if t.Name == in.Name {
			return answer(t), nil
		}
	}
	return nil, api.Errorf(api.ErrNotFound, "", "no task or flow %q is registered here", in.Name)
}

func (a *routes) listWorkers(ctx context.Context, _ *empty) (*body[List[api.Worker]], error) {
	w, err := a.svc().Workers(ctx)
	if err != nil {
		return nil, err
	}
	return answer(List[api.Worker]{Items: w}), nil
}

func (a *routes) listQueues(ctx context.Context, _ *empty) (*body[List[api.Queue]], error) {
	q, err := a.svc().Queues(ctx)
	if err != nil {
		return nil, err
	}
	return answer(List[api.Queue]{Items: q}), nil
}

type workerPath struct {
	ID string `path:"id" maxLength:"32" doc:"As the list of workers gives it"`
}

func (a *routes) getWorker(ctx context.Context, in *workerPath) (*body[api.Worker], error) {
	w, err := a.svc().Worker(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(w), nil
}

func (a *routes) drains(drain bool) func(context.Context, *workerPath) (*body[api.Worker], error) {
	return func(ctx context.Context, in *workerPath) (*body[api.Worker], error) {
		if err := a.svc().DrainWorker(ctx, in.ID, drain); err != nil {
			return nil, err
		}
		w, err := a.svc().Worker(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		w.Draining = drain // the lists of others hear of it with its next beat
		return answer(w), nil
	}
}

func (a *routes) getQueue(ctx context.Context, in *NamePath) (*body[api.Queue], error) {
	q, err := a.queue(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return answer(q), nil
}

func (a *routes) queue(ctx context.Context, name string) (api.Queue, error) {
	known, err := a.svc().Queues(ctx)
	if err != nil {
		return api.Queue{}, err
	}
	for _, q := range known {
		if q.Name == name {
			return q, nil
		}
	}
	return api.Queue{}, api.Errorf(api.ErrNotFound, "", "queue %q is not served by name, has nothing to do and is not paused", name)
}

func (a *routes) pausesQueue(act func(Service, context.Context, string) error) func(context.Context, *NamePath) (*body[api.Queue], error) {
	return func(ctx context.Context, in *NamePath) (*body[api.Queue], error) {
		if err := act(a.svc(), ctx, in.Name); err != nil {
			return nil, err
		}
		q, err := a.queue(ctx, in.Name)
		if errors.Is(err, api.ErrNotFound) {
			return answer(api.Queue{Name: in.Name}), nil
		}
		if err != nil {
			return nil, err
		}
		return answer(q), nil
	}
}

// healthz says that the process lives.
func (a *routes) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyz says whether it can do its work.
func (a *routes) readyz(w http.ResponseWriter, r *http.Request) {
	if h := a.svc().Health(r.Context()); !h.Ready() {
		p := problem(http.StatusServiceUnavailable, api.ErrStore.Code, "not ready: "+unready(h))
		p.header = http.Header{"Retry-After": {"1"}}
		writeProblem(w, r, p)
		return
	}
	a.healthz(w, r)
}

func unready(h api.Health) string {
	if h.Closing {
		return "the engine is closing"
	}
	return "the database can't be reached"
}
