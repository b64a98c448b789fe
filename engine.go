package runnel

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/httpapi"
	"github.com/runnel-dev/runnel/internal/place"
	"github.com/runnel-dev/runnel/internal/remote"
	"github.com/runnel-dev/runnel/internal/spans"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/store/postgres"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Engine runs pipelines and keeps them. Its methods may be called from several
// goroutines.
type Engine struct {
	seat  *engine.Seat
	pool  *worker.Pool
	store store.Store
	where string // the store is, without a password
	work  *worker.Registry
	named map[string]error

	declared map[string]*declaration
	handlers handlers
	hub      *remote.Hub // of the workers that come to this engine's handler

	// remote is a server, and hand what works for that, if it does: then there is
	// nothing of the above but work, named and declared, and pool with hand.
	remote *httpapi.Client
	hand   *remote.Hand
}

// Open opens a database and goes on with every run in it that has not ended.
//
// The dsn is "memory:" for a database that ends with the engine, or
// "sqlite:FILE" for a file, made if there is none. A file can be open in one
// process at a time. "sqlite:FILE?sync=normal" is faster, but what was
// acknowledged within the last seconds may be lost when the machine, not only
// the process, fails.
//
// "postgres://USER@HOST/DATABASE" is a schema of a PostgreSQL database, made if
// there is none, which any number of processes may have open: each of them is
// engine and worker, knows the runs of all, and goes on with those of processes
// that have gone. [Concurrency] and [Queues] say what runs here; with Queues() it
// is nothing, for processes that submit and look. The file docs/postgres.md has
// the parameters, such as "?schema=NAME".
//
// "http://HOST:PORT" or "https://HOST" is a server, which has the engine: what
// [Engine.Handler] serves, or the program runnel does. Pipelines are submitted to
// it, and run where it has them run. [BearerToken] is what a server may ask for.
// With [Concurrency], or [Queues] with names, this process is a worker of that
// server as well: it claims runs of the tasks that are registered here, whether or not
// the server knows these itself, and runs their bodies, without a database. Flows are
// left to processes that have one, and a log line says so. The file
// docs/worker-protocol.md tells what such a worker can count on. [Retention] is the
// server's own.
func Open(ctx context.Context, dsn string, opts ...OpenOption) (*Engine, error) {
	cfg := opening{
		work: worker.NewRegistry(), declared: map[string]*declaration{}, retention: defaultRetention,
		concurrency: worker.DefaultConcurrency, spans: spans.New(nil),
	}
	var problems []error
	for _, o := range opts {
		if o != nil {
			problems = append(problems, o.open(&cfg))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	cfg.work.Tracer = cfg.spans
	at, err := place.Read(dsn)
	if err != nil {
		return nil, err
	}
	if at.Kind == place.Server {
		return openRemote(ctx, dsn, &cfg)
	}
	if cfg.token != "" {
		return nil, api.Errorf(ErrInvalid, "", "BearerToken is for a server, at http:// or https://")
	}
	db, err := openStore(ctx, at, cfg.work.Log)
	if err != nil {
		return nil, err
	}
	var beat time.Duration
	if shared, ok := db.(*postgres.Store); ok {
		beat = shared.Lease() / 4
	}
	teller := worker.NewTeller(cfg.work, cfg.concurrency)
	e := &Engine{store: db, where: whereOf(at.Kind, db), work: cfg.work, named: cfg.work.Errors(), declared: cfg.declared}
	e.hub = remote.NewHub(lending{e}, cfg.work.Log)
	conf := engine.Config{
		Store: db, Beat: beat, Registry: cfg.registry(), Logger: cfg.work.Log, Retention: cfg.retention, Told: e.tell(teller),
		Queues: cfg.queues, Places: cfg.concurrency, Tasks: slices.Collect(maps.Keys(cfg.declared)), Remotes: engine.NewRemotes(), Trace: cfg.spans.Submit,
		Version: httpapi.Version(),
	}
	if cfg.spans.Makes() {
		conf.Spans = cfg.spans
	}
	e.seat, err = engine.Sit(ctx, conf)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e.pool = worker.Start(cfg.work, e.seat, cfg.concurrency, teller) //nolint:contextcheck // it outlives the call
	return e, nil
}

// inner gives the engine that sits now.
func (e *Engine) inner() *engine.Engine { return e.seat.Engine() }

func openStore(ctx context.Context, at place.Place, log *slog.Logger) (store.Store, error) {
	switch at.Kind {
	case place.SQLite:
		return sqlite.Open(ctx, at.Path, sqlite.Options{Sync: at.Sync})
	case place.Postgres:
		return postgres.Open(ctx, at.DSN, postgres.Options{Log: log})
	}
	return memory.Open(), nil
}

// whereOf gives the dsn of a store, as far as anybody may see it.
func whereOf(kind place.Kind, db store.Store) string {
	switch kind {
	case place.SQLite:
		return "sqlite:" + db.Location()
	case place.Memory:
		return "memory:"
	}
	return db.Location()
}

// Close starts no more bodies, waits for those in progress until ctx ends, and
// closes the database. What has not ended goes on when it is opened again, or in
// the other processes that have it open; a body that was not waited for has its context cancelled, and runs again then.
// What workers have that came over HTTP they lose at once. Of a server that this process works
// for it is the same: bodies are waited for, what is left goes to others.
func (e *Engine) Close(ctx context.Context) error {
	if e.remote != nil {
		e.handlers.close()
		return e.closeRemote(ctx)
	}
	e.handlers.close()
	e.hub.Close()
	err := e.seat.Close(ctx)
	if stopped := e.pool.Stop(ctx); stopped != nil && err == nil {
		err = stopped
	}
	return errors.Join(err, e.store.Close())
}

// Run submits a pipeline and waits for its result. When ctx ends it stops
// waiting; the run goes on.
func (e *Engine) Run[R any](ctx context.Context, p Runnable[R], opts ...SubmitOption) (R, error) {
	run, err := e.Submit(ctx, p, opts...)
	if err != nil {
		var zero R
		return zero, err
	}
	return run.Wait(ctx)
}

// Submit hands over a pipeline and returns once it is durable.
func (e *Engine) Submit[R any](ctx context.Context, p Runnable[R], opts ...SubmitOption) (*Run[R], error) {
	plan := runnablePlan(p)
	if err := plan.problem(); err != nil {
		return nil, err
	}
	s := submitted(opts)
	if err := s.outside(); err != nil {
		return nil, err
	}
	if e.remote != nil {
		return submitRemote[R](ctx, e, plan.spec(), &s)
	}
	var h *engine.Handle
	var err error
	if s.key == nil {
		h, err = e.inner().Submit(ctx, plan.spec(), s.name)
	} else {
		h, err = e.submitKeyed(ctx, plan.spec(), &s)
	}
	if err != nil {
		return nil, err
	}
	return newRun[R](e, h), nil
}

func (e *Engine) submitKeyed(ctx context.Context, spec *api.Spec, s *submission) (*engine.Handle, error) {
	inner := e.inner()
	id, _, err := inner.SubmitKeyed(ctx, spec, s.name, *s.key)
	if err != nil {
		return nil, err
	}
	return inner.Find(ctx, id)
}

// SubmitAll hands over many pipelines, far faster than one by one, and returns
// once all are durable. On an error it gives the runs that were submitted
// before it as well.
func (e *Engine) SubmitAll[R any](ctx context.Context, pipelines iter.Seq[Runnable[R]], opts ...SubmitOption) ([]*Run[R], error) {
	specs := func(yield func(*api.Spec, error) bool) {
		for p := range pipelines {
			plan := runnablePlan(p)
			if err := plan.problem(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(plan.spec(), nil) {
				return
			}
		}
	}
	var runs []*Run[R]
	s := submitted(opts)
	if err := s.outside(); err != nil {
		return nil, err
	}
	if err := s.unkeyed(); err != nil {
		return nil, err
	}
	if e.remote != nil {
		return submitAllRemote[R](ctx, e, specs, &s)
	}
	err := e.inner().SubmitAll(ctx, specs, s.name, func(h *engine.Handle) error {
		runs = append(runs, newRun[R](e, h))
		return nil
	})
	return runs, err
}

func submitted(opts []SubmitOption) submission {
	if len(opts) == 0 {
		return submission{} // nothing on the heap
	}
	s := new(submission)
	for _, o := range opts {
		if o != nil {
			o.submit(s)
		}
	}
	return *s
}

// outside refuses options that only calls of flows can have.
func (s *submission) outside() error {
	if s.calls {
		return api.Errorf(ErrInvalid, "", "the only options here are Name and SubmitKey; those of tasks go to Set or WithOptions, WaitFor to the calls of a flow")
	}
	return s.err
}

// unkeyed refuses a key where it would mean nothing.
func (s *submission) unkeyed() error {
	if s.key != nil {
		return api.Errorf(ErrInvalid, "", "SubmitKey is for Submit and Run, which submit one run at a time")
	}
	return nil
}

// Attach gives a run by its id, also one submitted by another process. R is
// what its result is decoded to; json.RawMessage fits any.
func (e *Engine) Attach[R any](ctx context.Context, id string) (*Run[R], error) {
	if e.remote != nil {
		if _, err := e.remote.Status(ctx, id); err != nil {
			return nil, err
		}
		return newRun[R](e, engine.Elsewhere(id)), nil
	}
	h, err := e.inner().Find(ctx, id)
	if err != nil {
		return nil, err
	}
	return newRun[R](e, h), nil
}

// Pause starts nothing new of a run, its child pipelines included, until it is
// resumed. Bodies in progress go on to their end.
func (e *Engine) Pause(ctx context.Context, run string) error { return e.service().Pause(ctx, run) }

// Resume goes on with a paused run.
func (e *Engine) Resume(ctx context.Context, run string) error { return e.service().Resume(ctx, run) }

// Cancel stops a run: the contexts of its bodies are cancelled, nothing new is
// started but what FinallyDo asks for.
func (e *Engine) Cancel(ctx context.Context, run string) error { return e.service().Cancel(ctx, run) }

// Retry goes on with a run that failed or was cancelled: what has completed stays, what
// has failed, was cancelled or never ran runs. It is an [ErrConflict] while the run
// goes on, and if it has completed.
func (e *Engine) Retry(ctx context.Context, run string) error { return e.service().Retry(ctx, run) }

// RetryAll runs all of a run that has ended again, with the same inputs, whatever came
// of it. It is an [ErrConflict] while the run goes on.
func (e *Engine) RetryAll(ctx context.Context, run string) error {
	return e.service().RetryAll(ctx, run)
}

// RetryFrom runs one task run of a run that has ended again, and all that comes after
// it. How the others ended stays, be it with a failure; what was cancelled or never ran
// runs. See docs/states.md for what comes after a task run that a flow called.
//
// It is an [ErrConflict] while the run goes on, for a task run that others have
// replaced, and for one inside a pipeline that a flow called, since a flow makes a call
// again whole.
func (e *Engine) RetryFrom(ctx context.Context, taskRun string) error {
	return e.service().RetryFrom(ctx, taskRun)
}

// Delete removes a run that has ended, with its task runs, results and log lines: now,
// and not when [Retention] comes to it. It is an [ErrConflict] while the run is live.
// The id is not found any more. What is kept under task ids and in the cache stays.
func (e *Engine) Delete(ctx context.Context, run string) error { return e.service().Delete(ctx, run) }

// Complete answers a task that waits, or will, with [Pending].
func (e *Engine) Complete[R any](ctx context.Context, token string, result R) error {
	data, err := encode(result)
	if err != nil {
		return err
	}
	return e.service().Complete(ctx, token, data)
}

// Fail fails a task that waits, or will, with [Pending]. Its retries follow.
func (e *Engine) Fail(ctx context.Context, token string, cause error) error {
	if cause == nil {
		return api.Errorf(ErrInvalid, "", "Fail without an error")
	}
	return e.service().Fail(ctx, token, e.work.Failure(cause))
}

// Health tells how the engine is, for probes and for who is called at night: whether
// the database can be reached, what waits for it, who else lives. It asks nobody, so
// it answers at once, also while the database is away.
func (e *Engine) Health() api.Health {
	if e.remote != nil {
		return e.remoteHealth()
	}
	h := e.seat.Health()
	h.Store = e.where
	return h
}

// Runs lists runs, newest first.
func (e *Engine) Runs(ctx context.Context, filter api.RunFilter) iter.Seq2[api.Run, error] {
	return func(yield func(api.Run, error) bool) {
		for run, err := range e.service().Runs(ctx, filter) {
			run.Failure.Resolve(e.named)
			if !yield(run, err) {
				return
			}
		}
	}
}

// Why says what a task run or a run waits for, given its id, and is cheap to ask.
// It is zero if a body runs, and [ErrConflict] for what has ended. A child of a
// group has no id before it begins: a run tells how many wait, and for what.
func (e *Engine) Why(ctx context.Context, id string) (api.Waiting, error) {
	return e.service().Why(ctx, id)
}

// TaskRuns lists task runs, those of one run in the order of their creation, and
// those that wait to begin among them: all but the children of groups that have
// not begun.
func (e *Engine) TaskRuns(ctx context.Context, filter api.TaskRunFilter) iter.Seq2[api.TaskRun, error] {
	return func(yield func(api.TaskRun, error) bool) {
		for task, err := range e.service().TaskRuns(ctx, filter) {
			task.Failure.Resolve(e.named)
			if !yield(task, err) {
				return
			}
		}
	}
}
