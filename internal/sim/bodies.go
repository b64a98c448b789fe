package sim

import (
	"context"
	"errors"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/worker"
)

// taskNames are the tasks that scripts run as: given something or nothing (their
// script apart), with a result or none.
var taskNames = []string{"do", "start", "doN", "startN", "doC", "startC", "flow"}

// signatures is what the compiler is told of them.
func signatures(name string) *pipeline.Signature {
	s := &pipeline.Signature{Name: name, Params: []string{"object"}, Result: "any", Check: func(int, []byte) error { return nil }}
	switch name {
	case "do", "doN", "doC":
		s.Params = []string{"any", "object"}
	case "start", "startN", "startC":
	case "flow":
		s.Flow = true
	default:
		return nil
	}
	if suffix(name) != "" {
		s.Result = "none"
	}
	s.Cached = name[len(name)-1] == 'C'
	return s
}

// registry makes a worker's registry of the tasks.
func registry(w *world) *worker.Registry {
	r := worker.NewRegistry()
	for _, name := range taskNames {
		task := &worker.Task{Name: name, Run: func(b *worker.Body) (worker.Result, error) {
			if b.Job().Task == "flow" {
				return flowBody(b, b.Source().(source).e, w) //nolint:forcetypeassert // there is no other
			}
			return body(b, w)
		}}
		if signatures(name).Cached {
			task.CacheKey = cacheKey
		}
		if err := r.Add(task); err != nil {
			panic(err)
		}
	}
	return r
}

// body runs a script.
func body(b *worker.Body, w *world) (worker.Result, error) {
	job := b.Job()
	s := scriptOf(job.Bound)
	if err := b.Start(); err != nil {
		return worker.Result{}, err
	}
	w.punctual(s)
	if s.Pend {
		if err := w.takeSlots(b, s); err != nil {
			return worker.Result{}, err
		}
		if _, err := b.Token(w.gone); err != nil {
			return worker.Result{}, err
		}
		return worker.Result{}, worker.ErrPending
	}
	if err := w.takeSlots(b, s); err != nil {
		return worker.Result{}, err
	}
	m := s.act(inputOf(job), canon(job.State), job.Attempt, job.Generation)
	if m.fail != "" && s.State != "" {
		m.state = quote("of an attempt that failed")
	}
	if m.state != nil {
		if err := b.SetState(m.state, m.merge); err != nil {
			return worker.Result{}, err
		}
	}
	if s.Pause {
		if err := b.PauseAfter(); err != nil {
			return worker.Result{}, err
		}
	}
	if m.fail != "" {
		return worker.Result{}, errors.New(m.fail)
	}
	r := worker.Result{Value: m.value, Pipeline: m.child}
	if suffix(job.Task) != "" {
		r.Value = nil
	}
	return r, nil
}

// inputOf is what arrived, or what a flow bound in its place.
func inputOf(job *api.Job) string {
	if job.Input == nil && len(job.Bound) == 2 {
		return canon(job.Bound[0])
	}
	return canon(job.Input)
}

// source is the engine as a worker sees it, with the answers held back.
type source struct {
	w   *world
	job *held
	e   *engine.Engine
}

// Begin goes to the engine.
func (s source) Begin(job *api.Job, cancel func(error)) {
	s.e.Begin(job, func(cause error) {
		s.job.told = s.w.now
		cancel(cause)
	})
}

// Name goes to the engine.
func (s source) Name(job *api.Job, name string) { s.e.Name(job, name) }

// Cached asks the engine, and holds the body that begins against what is known.
func (s source) Cached(job *api.Job, use api.CacheUse) bool {
	run := s.e.Cached(job, use)
	if run {
		s.w.mayBegin(s.job)
	} else {
		s.w.counts["not run"]++
	}
	return run
}

// Finish keeps the answer for later.
func (s source) Finish(_ *api.Job, a api.Answer) { s.job.answer, s.job.ran = a, true }

// Heartbeat goes to the engine.
func (s source) Heartbeat(job *api.Job) error { return s.e.Heartbeat(job) }

// Token asks for the token without waiting for it: the world reads it from the
// store once it is durable.
func (s source) Token(_ context.Context, job *api.Job) (string, error) {
	if _, err := s.e.Token(s.w.gone, job); err != nil && !errors.Is(err, context.Canceled) {
		return "", err
	}
	return "", nil
}

// Log goes to the engine.
func (s source) Log(job *api.Job, line api.LogLine) { s.e.Log(job, line) }
