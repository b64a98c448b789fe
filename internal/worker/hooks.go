package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/runnel-dev/runnel/api"
)

// Hooks are the user's functions around an attempt; nil ones are left out. They
// are called in this order: Received, Started, Retry, Running, Finished, Result.
//
// What a hook returns is logged and otherwise ignored, but an error of Received,
// Started, Retry or Finished that matches ErrAbort fails the task.
type Hooks struct {
	// Received is called when the job has arrived.
	Received func(context.Context) error
	// Started is called when the arguments were decoded, before the body.
	Started func(context.Context) error
	// Retry is called before the body of each attempt but the first, with the
	// number of attempts before it.
	Retry func(ctx context.Context, count int) error
	// Running are called right before the body of each attempt, one after the
	// other.
	Running []func(context.Context) error
	// Finished is called when the body has ended.
	Finished func(context.Context, Ended) error
	// Result is called when the answer was handed over, unless it is pending.
	Result func(context.Context, Ended) error
	// Completed, Failed and Cancelled are called by a [Teller] once it is durable
	// that the task run has ended like that.
	Completed, Failed, Cancelled []func(context.Context) error
}

// Ended is how a body ended: with a result, a pipeline or an error, or with
// neither while it waits for an answer from outside.
type Ended struct {
	Result   json.RawMessage
	Pipeline bool
	Pending  bool
	Err      error
}

var (
	// ErrAbort is what a hook's error must match to fail the task.
	ErrAbort = errors.New("abort the task")
	// ErrPending is what a body returns to leave the task open.
	ErrPending = errors.New("pending: the task waits for an answer from outside")
)

// Final marks an error as one that no further attempt would cure.
func Final(err error) error { return &final{err} }

type final struct{ error }

func (f *final) Unwrap() error { return f.error }

// Received calls the hook of that name for b.
func (h *Hooks) received(b *Body) error {
	if h.Received == nil {
		return nil
	}
	return b.hook("received", true, func() error { return h.Received(b) })
}

func (h *Hooks) started(b *Body, attempt int) error {
	if h.Started != nil {
		if err := b.hook("started", true, func() error { return h.Started(b) }); err != nil {
			return err
		}
	}
	if h.Retry != nil && attempt > 1 {
		if err := b.hook("retry", true, func() error { return h.Retry(b, attempt-1) }); err != nil {
			return err
		}
	}
	for _, hook := range h.Running {
		_ = b.hook("running", false, func() error { return hook(b) }) // it aborts nothing
	}
	return nil
}

func (h *Hooks) finished(b *Body, how Ended) error {
	if h.Finished == nil {
		return nil
	}
	return b.hook("finished", true, func() error { return h.Finished(b, how) })
}

func (h *Hooks) result(b *Body, how Ended) {
	if h.Result != nil && !how.Pending {
		_ = b.hook("result", false, func() error { return h.Result(b, how) }) // nothing can be aborted any more
	}
}

// hook runs a hook and gives back its error only if it may abort and does.
func (b *Body) hook(name string, mayAbort bool, call func() error) error {
	err := caught(call)
	if err == nil || mayAbort && errors.Is(err, ErrAbort) {
		return err
	}
	b.swallowed(name, err)
	return nil
}

// caught calls a function of the user's; a panic is an error.
func caught(call func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return call()
}

// swallowed logs what a hook did wrong, with the run too while the body runs.
func (b *Body) swallowed(hook string, err error) {
	b.registry.swallowed(b, b.job, hook, err)
	if b.told == nil {
		b.log(b.registry.Now(), slog.LevelWarn.String(), "the "+hook+" hook failed: "+err.Error())
	}
}

// Start calls the hooks that go before the body, once the arguments are known.
func (b *Body) Start() error { return b.task.Hooks.started(b, b.job.Attempt) }

// Part runs one part of a combined task: its hooks, and unless it is combined
// itself its line in the record. The value that call gives stays in memory.
func (b *Body) Part(t *Task, combined bool, call func() error) (err error) {
	part := api.Part{Task: t.Name, Started: b.registry.Now(), State: api.Failed}
	defer func() { // also when the part panics
		part.Ended = b.registry.Now()
		if !combined {
			b.mu.Lock()
			b.answer.Parts = append(b.answer.Parts, part)
			b.mu.Unlock()
		}
	}()
	if err := errors.Join(t.Hooks.received(b), t.Hooks.started(b, b.job.Attempt)); err != nil {
		return err
	}
	err = call()
	how := Ended{Err: err}
	if errors.Is(err, ErrPending) {
		how = Ended{Pending: true}
	}
	if abort := t.Hooks.finished(b, how); abort != nil {
		return abort
	}
	if err == nil {
		part.State = api.Completed
	}
	t.Hooks.result(b, how)
	return err
}
