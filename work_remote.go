package runnel

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/httpapi"
	"github.com/runnel-dev/runnel/internal/remote"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/worker"
)

// This file has both ends of work over HTTP: what this process does for a server, and
// what its engine has others do.

// workFor has this process work for a server.
func (e *Engine) workFor(ctx context.Context, c *httpapi.Client, cfg *opening) error {
	r := remote.Registration{
		Name: store.ProcessName(), Version: httpapi.Version(), Queues: cfg.queues, Slots: cfg.concurrency, Protocol: remote.Version,
	}
	if r.Slots == 0 {
		r.Slots = worker.DefaultConcurrency
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.declared)) {
		d := cfg.declared[name]
		switch {
		case d.trips != nil:
		case d.work.Flow:
			cfg.work.Log.Warn("runnel: a flow does not run on a worker that comes over HTTP; register it where the database is", "flow", name)
		default:
			r.Tasks = append(r.Tasks, d.remote())
		}
	}
	if len(r.Tasks) == 0 {
		return api.Errorf(ErrInvalid, "", "there is nothing to work on: no task is registered that a worker of a server can run (flows can't, they want a database)")
	}
	teller := worker.NewTeller(cfg.work, cfg.concurrency)
	hand, err := remote.NewHand(ctx, c, r, cfg.work.Log, teller.Tell)
	if err != nil {
		return err
	}
	e.hand = hand
	e.pool = worker.Start(cfg.work, hand, r.Slots, teller) //nolint:contextcheck // it outlives the call
	return nil
}

// remote is the task as a server is told of it.
func (d *declaration) remote() remote.Task {
	i := d.info()
	return remote.Task{
		Name: i.Name, Version: d.version, Kind: i.Kind, Package: i.Package, Description: i.Description,
		Params: i.Params, Result: i.Result, Options: i.Options, Cached: d.work.CacheKey != nil, Hooks: d.work.HasOutcomes(),
	}
}

// closeRemote waits for the bodies that run here, and says good-bye.
func (e *Engine) closeRemote(ctx context.Context) error {
	if e.hand == nil {
		return nil
	}
	e.hand.StopClaiming()
	late := e.pool.Stop(ctx)
	return errors.Join(late, e.hand.Close(ctx))
}

// transport is one that keeps as many connections as a worker has in use.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	t.MaxIdleConnsPerHost = 16
	return t
}

// lending is the engine as the hub sees it.
type lending struct{ *Engine }

// Learn takes note of what a worker knows.
func (l lending) Learn(ctx context.Context, tasks []remote.Task) error {
	list := make([]engine.RemoteTask, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		list[i] = engine.RemoteTask{
			TaskInfo: api.TaskInfo{
				Name: t.Name, Package: t.Package, Description: t.Description, Kind: t.Kind, Params: t.Params, Result: t.Result,
				Options: t.Options, Key: taskKey(t.Name, t.Package, t.Options.Tags),
			},
			Version: t.Version, Cached: t.Cached, Told: t.Hooks,
		}
	}
	return l.inner().Learn(ctx, list)
}

// Join says that a worker is there.
func (l lending) Join(id, name string, queues, tasks []string) {
	l.inner().Join(id, engine.Reach{Name: name, Queues: queues, Tasks: tasks})
}

// Leave says that it has gone.
func (l lending) Leave(id string) { l.inner().Leave(id) }

// ClaimFor gives it the next job.
func (l lending) ClaimFor(ctx context.Context, id string, places int) (*api.Job, worker.Lender, error) {
	return l.seat.ClaimFor(ctx, id, places)
}

// tell has the hooks called that go by outcome: here, or by the worker that alone has
// them.
func (e *Engine) tell(here *worker.Teller) func(*api.Job, api.TaskRun) {
	return func(job *api.Job, run api.TaskRun) {
		if e.declared[job.Task] != nil {
			here.Tell(job, run)
			return
		}
		e.hub.Told(job, run)
	}
}

// workers is the hub as a part of the service.
type workers struct{ *remote.Hub }

// Heartbeat is the hub's, and not that of bodies.
func (s *service) Heartbeat(ctx context.Context, worker string, h remote.Heartbeat) (remote.Beaten, error) {
	return s.of.hub.Heartbeat(ctx, worker, h)
}

// Workers lists the processes of the store, and then those that come over HTTP.
func (s *service) Workers(ctx context.Context) ([]api.Worker, error) {
	list, err := s.Engine.Workers(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range s.of.hub.Workers() {
		list = append(list, described(&w))
	}
	return list, nil
}

// Offered lists the same, and asks none.
func (s *service) Offered(ctx context.Context) ([]api.Worker, []string, error) {
	list, queues, err := s.Engine.Offered(ctx)
	for _, w := range s.of.hub.Workers() {
		list = append(list, described(&w))
	}
	return list, queues, err
}

func described(w *remote.Worker) api.Worker {
	one := api.Worker{
		ID: w.ID, Name: w.Name, Version: w.Version, Since: w.Since.UTC(), Seen: w.Heard.UTC(), Concurrency: w.Slots, Busy: w.Busy,
		Queues: w.Queues, All: w.Queues == nil, Remote: true, Draining: w.Drain, CPU: w.CPU, Memory: w.Memory,
	}
	for i := range w.Tasks {
		one.Tasks = append(one.Tasks, w.Tasks[i].Name)
	}
	return one
}

// Worker gives a process of the store, or a worker that comes over HTTP.
func (s *service) Worker(ctx context.Context, id string) (api.Worker, error) {
	for _, w := range s.of.hub.Workers() {
		if w.ID == id {
			one := described(&w)
			one.Current, one.Recent = s.CurrentOf(w.Name), s.Recent(ctx, w.Name)
			return one, nil
		}
	}
	return s.Engine.Worker(ctx, id)
}

// DrainWorker is for either, as Worker is.
func (s *service) DrainWorker(ctx context.Context, id string, drain bool) error {
	if err := s.of.hub.Drain(id, drain); !errors.Is(err, api.ErrNotFound) {
		return err
	}
	return s.Engine.DrainWorker(ctx, id, drain)
}
