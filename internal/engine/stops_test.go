package engine_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

const sleepy = `[{"task":"dbl","args":[1],"options":{"queue":"x"}}]`

func (r *running) why(id string) api.Waiting {
	r.t.Helper()
	w, err := r.Why(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

func (r *running) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// A queue stays paused over restarts, says so, and goes on when it is resumed.
func TestPausedQueue(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		r.must(r.PauseQueue(t.Context(), "x"))
		r.must(r.PauseQueue(t.Context(), "x"))
		r.works()
		h := r.submit(sleepy)
		r.completes(r.submit(`[{"task":"dbl","args":[1]}]`))
		wide := r.submit(`[{"children":[` + strings.Repeat(`{"steps":[{"task":"dbl","args":[1],"options":{"queue":"x"}}]},`, 3) + `{"steps":[{"task":"dbl","args":[1]}]}]}]`)
		id := h.ID() + "/0"
		if w := r.why(id); w.Kind != api.WaitsForQueueResume || w.Queue != "x" || w.String() != `waits for queue "x" to be resumed` {
			t.Errorf("it %s", w)
		}
		if q := queuesOf(t, r.Engine)["x"]; q.Paused.IsZero() || q.Running != 0 || q.Ready < 1 {
			t.Errorf("%+v", q)
		}
		r.close()
		r = start(t, open())
		r.works()
		if w := r.why(id); w.Kind != api.WaitsForQueueResume {
			t.Errorf("opened again, it %s", w)
		}
		r.must(r.ResumeQueue(t.Context(), "x"))
		r.must(r.ResumeQueue(t.Context(), "x"))
		r.completes(r.found(h.ID()))
		r.completes(r.found(wide.ID()))
		if q, known := queuesOf(t, r.Engine)["x"]; known {
			t.Errorf("%+v", q)
		}
		like(t, "no name", r.PauseQueue(t.Context(), ""), api.ErrInvalid)
	})
}

// found gives a run that an engine before has made.
func (r *running) found(id string) *engine.Handle {
	r.t.Helper()
	h, err := r.Find(r.t.Context(), id)
	r.must(err)
	return h
}

// What waits in a paused queue holds no slot of a tag that others could have.
func TestPausedQueueHoldsNoSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, memory.Open())
		r.must(r.SetLimit(t.Context(), "db", 1))
		const tagged = `[{"task":"ask","options":{"tags":["db"]}}]`
		first := r.submit(tagged)
		r.works()
		<-time.After(time.Second)
		paused := r.submit(`[{"task":"dbl","args":[1],"options":{"tags":["db"],"queue":"x"}}]`)
		<-time.After(time.Second)
		r.must(r.PauseQueue(t.Context(), "x"))
		other := r.submit(`[{"task":"dbl","args":[1],"options":{"tags":["db"]}}]`)
		<-time.After(time.Second)
		r.must(r.Cancel(t.Context(), first.ID()))
		r.completes(other)
		if w := r.why(paused.ID() + "/0"); w.Kind != api.WaitsForQueueResume {
			t.Errorf("it %s", w)
		}
		r.must(r.ResumeQueue(t.Context(), "x"))
		r.completes(paused)
	})
}

// All processes hear that a queue is paused, also one that joins later.
func TestPausedQueueEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", signature, queues())
		b := join(t, s, "b", signature, queues("x"))
		wait(time.Minute)
		if err := a.Engine().PauseQueue(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		h := a.submit(sleepy)
		wait(time.Minute)
		c := join(t, s, "c", signature, queues("x"))
		wait(time.Minute)
		for _, p := range []*peer{a, b, c} {
			if q := queuesOf(t, p.Engine())["x"]; q.Running != 0 || q.Ready != 1 || q.Paused.IsZero() {
				t.Errorf("%+v", q)
			}
		}
		if err := c.Engine().ResumeQueue(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		a.waits(h, "2")
	})
}

// A process that is drained finishes what it has; what waits there, others do.
func TestDrainedWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", signature)
		<-time.After(time.Millisecond)
		b := join(t, s, "b", signature)
		wait(time.Minute)
		a.hold.Store(true)
		first := a.submit(`[{"task":"dbl","args":[1]}]`)
		wait(time.Second)
		drain := func(on bool) {
			id := workersOf(t, b.Engine())[0].ID
			if err := b.Engine().DrainWorker(t.Context(), id, on); err != nil {
				t.Fatal(err)
			}
			wait(10 * time.Second)
			for _, p := range []*peer{a, b} {
				w, err := p.Engine().Worker(t.Context(), id)
				if err != nil || w.Draining != on || w.Concurrency != 4 || w.Busy != 1 || len(w.Current) != 1 || w.Current[0].Task != "dbl" || w.Seen.IsZero() {
					t.Errorf("drained %v: %+v (%v)", on, w, err)
				}
			}
		}
		drain(true)
		a.waits(a.submit(`[{"task":"dbl","args":[2]},{"task":"dbl"}]`), "8") // by b
		b.waits(b.submit(`[{"children":[`+strings.TrimSuffix(strings.Repeat(`{"steps":[{"task":"dbl","args":[1]}]},`, 20), ",")+`]}]`), "["+strings.TrimSuffix(strings.Repeat("2,", 20), ",")+"]")
		drain(false)
		a.hold.Store(false)
		a.waits(first, "2")
		like(t, "nobody", a.Engine().DrainWorker(t.Context(), "99", true), api.ErrNotFound)
		if _, err := a.Engine().Worker(t.Context(), "x"); err == nil {
			t.Error("a worker x")
		}
	})
}

// One that is alone does nothing until it is told to work again.
func TestDrainedAlone(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		r.works()
		id := workersOf(t, r.Engine)[0].ID
		r.must(r.DrainWorker(t.Context(), id, true))
		h := r.submit(`[{"task":"dbl","args":[1]}]`)
		if w := r.why(h.ID() + "/0"); w.Kind != api.WaitsForQueue {
			t.Errorf("it %s", w)
		}
		r.must(r.DrainWorker(t.Context(), id, false))
		r.completes(h)
	})
}
