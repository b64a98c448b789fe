package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// alone checks that each task run is by its id what the list of all says, and gives
// how many there are in each state.
func (r *running) alone() map[api.State]int {
	r.t.Helper()
	states := make(map[api.State]int)
	for want, err := range r.TaskRuns(r.t.Context(), api.TaskRunFilter{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		states[want.State]++
		got, err := r.TaskRun(r.t.Context(), want.ID)
		if err != nil || asJSON(r.t, got) != asJSON(r.t, want) {
			r.t.Errorf("alone %s (%v)\nin the list %s", asJSON(r.t, got), err, asJSON(r.t, want))
		}
	}
	return states
}

func TestTaskRun(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		r.works()
		var last string
		for _, w := range work {
			h := r.submit(w.spec)
			last = h.ID()
			r.completes(h)
		}
		if _, err := r.submit(`[{"task":"boom","args":[1]}]`).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.submit(`[{"task":"ask","options":{"tags":["b","a"]}}]`)
		r.rests()
		paused := r.submit(`[{"task":"dbl","args":[1]}]`)
		if err := r.Pause(t.Context(), paused.ID()); err != nil {
			t.Fatal(err)
		}
		r.submit(`[{"task":"dbl","args":[1],"options":{"start_after":"1h"}}]`)
		r.submit(wide)
		states := r.alone()
		for state, n := range map[api.State]int{api.Completed: 100, api.Failed: 2, api.Scheduled: 1, api.Pending: 2} {
			if states[state] < n {
				t.Errorf("%d task runs are %s, want %d and more", states[state], state, n)
			}
		}
		for _, id := range []string{"", "x", last, last + "/", last + "/x", last + "/-1", last + "/99999", "00000000-0000-7000-8000-000000000001/0"} {
			_, err := r.TaskRun(t.Context(), id)
			like(t, id, err, api.ErrNotFound)
		}
	})
}

// The engine that has the run says how its task runs are that have no record.
func TestTaskRunElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", askSignature, queues())
		b := join(t, s, "b", askSignature)
		<-time.After(time.Minute)
		b.hold.Store(true)
		h := b.submit(`[{"children":[{"steps":[{"task":"dbl","args":[1]}]},{"steps":[{"task":"dbl","args":[2]}]}]}]`)
		<-time.After(time.Millisecond)
		here, there := map[string]string{}, map[string]string{}
		for to, p := range map[*map[string]string]*peer{&here: b, &there: a} {
			for list, err := range p.Engine().TaskRuns(t.Context(), api.TaskRunFilter{Run: h.ID()}) {
				if err != nil {
					t.Fatal(err)
				}
				one, err := p.Engine().TaskRun(t.Context(), list.ID)
				if err != nil || asJSON(t, one) != asJSON(t, list) {
					t.Errorf("alone %s (%v)\nin the list %s", asJSON(t, one), err, asJSON(t, list))
				}
				(*to)[list.ID] = asJSON(t, one)
			}
		}
		if len(here) != 2 || len(there) != 2 {
			t.Errorf("%d and %d task runs, want 2", len(here), len(there))
		}
		b.hold.Store(false)
		b.waits(h, "[2,4]")
	})
}

// Who did the last attempt is known after the process has gone, too.
func TestWorkerIsKept(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		r.works()
		r.completes(r.submit(wide))
		if _, err := r.submit(`[{"task":"boom","args":[1]}]`).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		later := r.submit(`[{"task":"dbl","args":[1],"options":{"start_after":"1h"}}]`)
		r.close()
		for range 2 {
			r = start(t, open())
			seen := 0
			for run, err := range r.TaskRuns(t.Context(), api.TaskRunFilter{}) {
				if err != nil {
					t.Fatal(err)
				}
				want := store.ProcessName()
				if run.Run == later.ID() {
					want = ""
				}
				if seen++; run.Worker != want {
					t.Errorf("%s, %s, ran on %q, want %q", run.ID, run.State, run.Worker, want)
				}
			}
			if r.alone(); seen < 20 {
				t.Errorf("%d task runs, want 20 and more", seen)
			}
			records := 0
			err := r.db.Records(t.Context(), "worker", "", func(string, []byte) error { records++; return nil })
			if err != nil || records != 1 {
				t.Errorf("%d records of workers, %v; want 1", records, err)
			}
			r.works()
			r.completes(r.submit(wide))
			r.close()
		}
	})
}
