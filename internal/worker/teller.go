package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/runnel-dev/runnel/api"
)

// tellCap is with how many ended task runs waiting for their hooks a pool claims
// nothing more: hooks that are slower than bodies must not pile up.
const tellCap = 1024

// Teller calls the hooks by outcome: those of task runs that have ended, once
// that is durable. They run on goroutines of its own, those of one task run one
// after the other. What a crash leaves uncalled is lost.
type Teller struct {
	registry *Registry
	limit    int

	mu      sync.Mutex
	some    *sync.Cond // something was taken from the list, or has ended
	list    []*ending
	backlog atomic.Int64 // len(list), to look at without mu
	running map[*Body]bool
	workers int
	stopped bool // the contexts of what is called have ended
}

// ending is a task run that ended, with the hooks to call.
type ending struct {
	job   *api.Job
	calls []calling
}

// calling is one hook, and what it is told.
type calling struct {
	name string
	hook func(context.Context) error
	task *Task
	run  *api.TaskRun
}

// NewTeller makes a teller that calls at most limit hooks at the same time (0:
// DefaultConcurrency).
func NewTeller(r *Registry, limit int) *Teller {
	if limit <= 0 {
		limit = DefaultConcurrency
	}
	t := &Teller{registry: r, limit: limit, running: make(map[*Body]bool)}
	t.some = sync.NewCond(&t.mu)
	return t
}

// Tell calls the hooks of a task run that has ended durably. It does not wait for
// them.
func (t *Teller) Tell(job *api.Job, run api.TaskRun) {
	task := t.registry.tasks[job.Task]
	if task == nil {
		return
	}
	run.Failure.Resolve(t.registry.Errors())
	end := &ending{job: job}
	end.add(task, &run)
	end.parts(task, &run)
	if len(end.calls) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, end)
	t.backlog.Add(1)
	if t.workers < t.limit {
		t.workers++
		go t.loop()
	}
}

// add adds the hooks of a task that are about how the run ended.
func (e *ending) add(task *Task, run *api.TaskRun) {
	var name string
	var hooks []func(context.Context) error
	switch run.State {
	case api.Completed:
		name, hooks = "completion", task.Hooks.Completed
	case api.Failed:
		name, hooks = "failure", task.Hooks.Failed
	case api.Cancelled:
		name, hooks = "cancellation", task.Hooks.Cancelled
	default:
	}
	for _, hook := range hooks {
		e.calls = append(e.calls, calling{name, hook, task, run})
	}
}

// parts adds the hooks of a combined task's parts. A part that did not complete
// ended as the whole did.
func (e *ending) parts(task *Task, run *api.TaskRun) {
	for i := range task.Parts {
		if i >= len(run.Parts) {
			return
		}
		part := *run
		part.Task, part.Parts, part.Result = task.Parts[i].Name, nil, nil
		part.Started, part.Finished = run.Parts[i].Started, run.Parts[i].Ended
		if run.Parts[i].State == api.Completed {
			part.State, part.StateName, part.Failure = api.Completed, "Completed", nil
		}
		e.add(task.Parts[i], &part)
	}
}

// HasOutcomes reports whether somebody wants to know how runs of the task end.
func (t *Task) HasOutcomes() bool {
	if len(t.Hooks.Completed)+len(t.Hooks.Failed)+len(t.Hooks.Cancelled) > 0 {
		return true
	}
	for _, part := range t.Parts {
		if part.HasOutcomes() {
			return true
		}
	}
	return false
}

// loop calls what there is to call.
func (t *Teller) loop() {
	var end *ending
	defer func() { // in case a hook called runtime.Goexit, the rest goes on
		t.mu.Lock()
		defer t.mu.Unlock()
		if end != nil && len(end.calls) > 0 {
			t.list = append(t.list, end)
			t.backlog.Add(1)
		}
		if len(t.list) > 0 {
			go t.loop()
			return
		}
		t.workers--
		t.some.Broadcast()
	}()
	for {
		end = t.take()
		if end == nil {
			return
		}
		for len(end.calls) > 0 {
			next := end.calls[0]
			end.calls = end.calls[1:]
			t.call(end.job, &next)
		}
	}
}

func (t *Teller) take() *ending {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) == 0 {
		return nil
	}
	end := t.list[0]
	t.list[0] = nil
	t.list = t.list[1:]
	if t.backlog.Add(-1) == tellCap {
		t.some.Broadcast()
	}
	return end
}

// call calls one hook, with a context that is about the ended task run.
func (t *Teller) call(job *api.Job, c *calling) {
	run := *c.run
	b := &Body{job: job, task: c.task, registry: t.registry, told: &run, ended: true}
	t.mu.Lock()
	t.running[b] = true
	stopped := t.stopped
	t.mu.Unlock()
	if stopped {
		b.stop(api.ErrClosed)
	}
	defer func() {
		t.mu.Lock()
		delete(t.running, b)
		t.mu.Unlock()
		b.close()
	}()
	_ = b.hook(c.name, false, func() error { return c.hook(b) }) // the run's state stays
}

// throttle waits while too much waits to be called, or until ctx ends.
func (t *Teller) throttle(ctx context.Context) {
	if t == nil || t.backlog.Load() <= tellCap {
		return
	}
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		t.some.Broadcast()
		t.mu.Unlock()
	})
	defer stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.list) > tellCap && ctx.Err() == nil {
		t.some.Wait()
	}
}

// stop waits until all is called. If ctx ends before, so do the contexts of what
// is called, and what is not yet called finds an ended one.
func (t *Teller) stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	wake := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		t.some.Broadcast()
		t.mu.Unlock()
	})
	defer wake()
	t.mu.Lock()
	for t.workers > 0 && ctx.Err() == nil {
		t.some.Wait()
	}
	if t.workers == 0 {
		t.mu.Unlock()
		return nil
	}
	t.stopped = true
	late := slices.Collect(maps.Keys(t.running))
	t.mu.Unlock()
	for _, b := range late {
		b.stop(api.ErrClosed)
	}
	return context.Cause(ctx)
}

// Told gives how the task run ended, in a hook that is called after that; nil
// else.
func (b *Body) Told() *api.TaskRun { return b.told }
