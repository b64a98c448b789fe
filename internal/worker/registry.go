package worker

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Task is a registered function with its types erased.
type Task struct {
	Name string
	// Run decodes the job's arguments, calls [Body.Start], runs the body with b
	// as its context, and encodes what it gave. An error made by [Final] is not
	// retried; ErrPending leaves the task open.
	Run func(b *Body) (Result, error)
	// RetryIf says whether an error is worth another attempt; nil for always.
	RetryIf func(error) bool
	Hooks   Hooks
	// CacheKey gives the key of a job, with the parts that it is made of; "" for
	// none. Nil: the task is not cached.
	CacheKey func(job *api.Job) (key string, parts []api.CachePart, err error)
	// RunName names a task run, before its first body; nil for the default.
	RunName func(b *Body) (string, error)
	// Parts are the tasks that a combined one is made of, in order.
	Parts []*Task
	// Flow: the body waits for tasks that it calls, and takes no place in the pool.
	Flow bool
}

// Result is what a body gave: a value, nil for none, or a pipeline that takes
// the task's place.
type Result struct {
	Value    json.RawMessage
	Pipeline *api.Spec
}

// NamedError is an error of the user's that survives the database by its name.
type NamedError struct {
	Name string
	Err  error
}

// Registry holds what a worker can run. It is filled before the first job and
// not changed after.
type Registry struct {
	Log *slog.Logger     // for what hooks do wrong
	Now func() time.Time // the clock that attempts are timed with
	// Tracer gives the contexts of bodies; nil: they have none but ours.
	Tracer Tracer

	tasks  map[string]*Task
	errors []NamedError
}

// NewRegistry makes an empty registry with the default logger and the real
// clock.
func NewRegistry() *Registry {
	return &Registry{tasks: map[string]*Task{}, Log: slog.Default(), Now: time.Now}
}

// Add registers a task; it fails if the name is taken.
func (r *Registry) Add(t *Task) error {
	if r.tasks[t.Name] != nil {
		return api.Errorf(api.ErrInvalid, "", "task %q is registered twice", t.Name)
	}
	r.tasks[t.Name] = t
	return nil
}

func (r *Registry) flow(task string) bool { return r.tasks[task] != nil && r.tasks[task].Flow }

// Name gives an error a name under which it is kept; it fails if another error
// has the name.
func (r *Registry) Name(name string, err error) error {
	for _, known := range r.errors {
		if known.Name == name {
			return api.Errorf(api.ErrInvalid, "", "two errors are named %q", name)
		}
	}
	r.errors = append(r.errors, NamedError{name, err})
	return nil
}

// Errors gives the named errors, by name.
func (r *Registry) Errors() map[string]error {
	named := make(map[string]error, len(r.errors))
	for _, e := range r.errors {
		named[e.Name] = e.Err
	}
	return named
}

func (r *Registry) swallowed(ctx context.Context, job *api.Job, hook string, err error) {
	r.Log.WarnContext(ctx, "runnel: a hook failed", "hook", hook, "task", job.Task, "task_run", job.ID, "error", err)
}

// Resolve makes a failure match the errors that were named, as [api.Failure.Resolve].
func (b *Body) Resolve(f *api.Failure) *api.Failure { return f.Resolve(b.registry.Errors()) }

// Source gives where the job came from.
func (b *Body) Source() Source { return b.source }

// Interrupt says that the engine was closed before a flow came to its end.
func (b *Body) Interrupt() {
	b.mu.Lock()
	b.answer.Interrupted = true
	b.mu.Unlock()
}
