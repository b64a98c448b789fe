package runnel

import (
	"iter"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/flow"
)

// Future is a call of a flow that may not have ended yet.
type Future[R any] struct {
	inner *flow.Future
	err   error // why nothing was called
}

// AnyFuture is a future of any type.
type AnyFuture interface {
	// ID gives the task run's id, "" as long as there is none.
	ID() string

	future() (*flow.Future, error)
}

func (r *Future[R]) future() (*flow.Future, error) {
	if r == nil {
		return nil, api.Errorf(ErrInvalid, "", "the future is nil")
	}
	return r.inner, r.err
}

// ID gives the id of the call's task run. It is "" as long as the call waits
// for others, and for a pipeline's call; in a flow that runs in another process than
// the one that has its run, until the call has ended.
func (r *Future[R]) ID() string {
	if inner, err := r.future(); err == nil {
		return inner.ID()
	}
	return ""
}

// Result waits for the call to end and gives its result, or its failure: a
// [*Failure] that matches the errors behind it, ErrNotReady if the call never
// ran, ErrCancelled if it was cancelled.
func (r *Future[R]) Result(f Flow) (v R, err error) {
	out, err := r.Outcome(f)
	if err != nil {
		return v, err
	}
	return out.Get()
}

// Outcome is Result that gives a failure of the call as a value. Its error is
// one of waiting: the flow was cancelled, or out of time.
func (r *Future[R]) Outcome(f Flow) (out Outcome[R], err error) {
	inner, err := r.future()
	if err != nil {
		return out, err
	}
	s := f.scope()
	end, err := s.wait(inner)
	if err != nil {
		return out, err
	}
	if end.State != api.Completed {
		out.Failure = s.body.Resolve(failureOf(inner, end))
		return out, nil
	}
	data, err := inner.Value(f)
	if err != nil {
		return out, err
	}
	out.Value, err = decode[R](data)
	return out, err
}

// failureOf gives why a call did not complete.
func failureOf(f *flow.Future, end *api.FlowEnd) *Failure {
	if end.Failure != nil {
		return end.Failure
	}
	return &Failure{TaskRun: f.ID(), Type: "*api.Error", Code: api.ErrCancelled.Code, Message: "call " + f.Key() + " was cancelled"}
}

// Wait waits for the end, at most for d, and says whether it came. State is the
// final one, or RUNNING if it has not ended; [Future.State] tells more. What Wait
// says is the same when the flow runs again.
func (r *Future[R]) Wait(f Flow, d time.Duration) (state api.State, ended bool, err error) {
	inner, err := r.future()
	if err != nil {
		return 0, false, err
	}
	s := f.scope()
	if s.err != nil {
		return 0, false, s.err
	}
	if d < 0 {
		return 0, false, api.Errorf(ErrInvalid, "", "Wait(%s): want 0 or more", d)
	}
	until, err := s.run.Deadline(s, s.keys, d)
	if !s.deadline.IsZero() && s.deadline.Before(until) {
		until = s.deadline
	}
	if err == nil {
		ended, err = s.run.WaitUntil(s, s.keys, inner, until)
	}
	if err != nil || !ended {
		return api.Running, false, err
	}
	return inner.Ended().State, true, nil
}

// State gives where the call stands: PENDING while it waits for others, RUNNING
// once it is made, also if it has not begun, or a final state. It is the same when
// the flow runs again.
func (r *Future[R]) State(f Flow) (api.State, error) {
	inner, err := r.future()
	if err != nil {
		return 0, err
	}
	s := f.scope()
	if s.err != nil {
		return 0, s.err
	}
	return s.run.State(s, s.keys, inner)
}

// OnDone has do called when the call has ended, at once if it has. It runs on a
// goroutine of the engine, must not wait, and happens again when the flow runs
// again. A panic in it is logged and otherwise ignored.
func (r *Future[R]) OnDone(f Flow, do func(state api.State)) {
	inner, err := r.future()
	if err != nil {
		return
	}
	body := f.scope().body
	inner.Then(func() {
		defer func() {
			if v := recover(); v != nil {
				body.Logger().Warn("runnel: a done callback panicked", "call", inner.Key(), "panic", v)
			}
		}()
		do(inner.Ended().State)
	})
}

// Futures are calls of a flow, in the order of what they were made for.
type Futures[R any] struct {
	list []*Future[R]
	err  error
}

// List gives the single futures.
func (r *Futures[R]) List() []*Future[R] { return r.list }

// Results waits for all and gives the results in order, or the failure of the
// first one that fails.
func (r *Futures[R]) Results(f Flow) ([]R, error) {
	if r.err != nil {
		return nil, r.err
	}
	for future, err := range AsCompleted(f, r.list) {
		if err == nil {
			_, err = future.Result(f)
		}
		if err != nil {
			return nil, err
		}
	}
	results := make([]R, len(r.list))
	for i, future := range r.list {
		var err error
		if results[i], err = future.Result(f); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// Outcomes waits for all and gives the outcomes in order.
func (r *Futures[R]) Outcomes(f Flow) ([]Outcome[R], error) {
	if r.err != nil {
		return nil, r.err
	}
	outcomes := make([]Outcome[R], len(r.list))
	for i, future := range r.list {
		var err error
		if outcomes[i], err = future.Outcome(f); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// AsCompleted gives calls as they end. The order is the same when the flow runs
// again.
func AsCompleted[R any](f Flow, futures []*Future[R]) iter.Seq2[*Future[R], error] {
	return func(yield func(*Future[R], error) bool) {
		race, err := newRace(f, futures)
		for range futures {
			var i int
			if err == nil {
				i, err = race.Next(f)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(futures[i], nil) {
				return
			}
		}
	}
}

// WaitAny waits until one of the calls has ended, and gives the one that ended
// first.
func WaitAny[R any](f Flow, futures ...*Future[R]) (*Future[R], error) {
	if len(futures) == 0 {
		return nil, api.Errorf(ErrInvalid, "", "WaitAny of nothing")
	}
	race, err := newRace(f, futures)
	if err != nil {
		return nil, err
	}
	i, err := race.Next(f)
	if err != nil {
		return nil, err
	}
	return futures[i], nil
}

// WaitAll waits until all have ended, however. Its error is one of waiting.
func WaitAll(f Flow, futures ...AnyFuture) error {
	for _, future := range futures {
		inner, err := future.future()
		if err == nil {
			_, err = f.scope().wait(inner)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func newRace[R any](f Flow, futures []*Future[R]) (*flow.Race, error) {
	s := f.scope()
	if s.err != nil {
		return nil, s.err
	}
	all := make([]*flow.Future, len(futures))
	for i, future := range futures {
		var err error
		if all[i], err = future.future(); err != nil {
			return nil, err
		}
	}
	return s.run.Race(s.keys, s.deadline, all), nil
}
