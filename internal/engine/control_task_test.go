package engine_test

import (
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

func TestCancelTask(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		ends := func(what, steps, result string, state api.State) {
			t.Helper()
			h := r.submit(steps)
			id := h.ID() + "/0"
			r.must(r.CancelTask(t.Context(), id))
			if run, err := r.TaskRun(t.Context(), id); err != nil || run.State != api.Cancelled {
				t.Errorf("%s: it is not durable: %+v (%v)", what, run, err)
			}
			r.works()
			out, err := h.Wait(t.Context())
			if err != nil || out.State != state || string(out.Result) != result {
				t.Errorf("%s: %s, %s (%v)", what, out.State, out.Result, err)
			}
			if state == api.Failed && (out.Failure.Code != api.ErrCancelled.Code || out.Failure.TaskRun != id) {
				t.Errorf("%s: %+v", what, out.Failure)
			}
			run, err := r.TaskRun(t.Context(), id)
			if err != nil || run.State != api.Cancelled || run.StateName != "Stopped" || run.Failure == nil || run.Attempt > 1 {
				t.Errorf("%s: %+v (%v)", what, run, err)
			}
			like(t, what+", again", r.CancelTask(t.Context(), id), api.ErrConflict)
			r.rests()
		}
		ends("one that waits for a worker", `[{"task":"dbl","args":[1],"options":{"retry":{"max":3}}}]`, "", api.Failed)
		ends("one with a handler", `[{"task":"dbl","args":[1]},{"task":"mend","on":"error"}]`, "-1", api.Completed)
		ends("one that waits for its time", `[{"task":"dbl","args":[1],"options":{"start_after":"1h"}}]`, "", api.Failed)
		h := r.submit(`[{"task":"dbl","args":[1]}]`)
		like(t, "what has not begun", r.CancelTask(t.Context(), h.ID()+"/7"), api.ErrNotFound)
		like(t, "no id", r.CancelTask(t.Context(), "x"), api.ErrNotFound)
	})
}

// A body that runs is told, and what it returns does not count.
func TestCancelRunningTask(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		h := r.submit(`[{"task":"dbl","args":[1],"options":{"retry":{"max":3}}}]`)
		job, from, err := r.Claim(t.Context())
		r.must(err)
		told := make(chan error, 1)
		from.Begin(job, func(cause error) { told <- cause })
		r.must(r.CancelTask(t.Context(), job.ID))
		like(t, "its body", <-told, api.ErrCancelled)
		from.Finish(job, api.Answer{Result: []byte("2"), Started: time.Now(), Ended: time.Now()})
		out, err := h.Wait(t.Context())
		if err != nil || out.State != api.Failed || out.Failure.Code != api.ErrCancelled.Code {
			t.Errorf("%+v (%v)", out, err)
		}
		r.must(r.Retry(t.Context(), h.ID()))
		r.works()
		r.completes(r.found(h.ID()))
	})
}
