package engine_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

func queuesOf(t *testing.T, e *engine.Engine) map[string]api.Queue {
	t.Helper()
	list, err := e.Queues(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]api.Queue)
	last := ""
	for _, q := range list {
		if q.Name <= last {
			t.Errorf("queue %q after %q", q.Name, last)
		}
		last = q.Name
		all[q.Name] = q
	}
	return all
}

func workersOf(t *testing.T, e *engine.Engine) []api.Worker {
	t.Helper()
	list, err := e.Workers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestQueuesOfOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, memory.Open(), func(c *engine.Config) { c.Queues = []string{"default", "x"} })
		check := func(what, name string, want api.Queue) {
			t.Helper()
			synctest.Wait()
			want.Name = name
			if got := queuesOf(t, r.Engine)[name]; got != want {
				t.Errorf("%s: %+v, want %+v", what, got, want)
			}
		}
		check("nothing to do", "default", api.Queue{Workers: 1})
		check("nothing to do", "x", api.Queue{Workers: 1})
		wait(time.Minute)
		then := time.Now().UTC()
		r.submit(`[{"task":"dbl","args":[1]}]`)
		wait(time.Minute)
		r.submit(`[{"task":"dbl","args":[1]}]`)
		r.submit(`[{"children":[` + strings.Repeat(`{"steps":[{"task":"dbl","args":[1]}]},`, 6) + `{"steps":[{"value":1}]}]}]`)
		check("two task runs, and six children", "default", api.Queue{Ready: 8, Oldest: then, Workers: 1})
		bounded := r.submit(`[{"children":[` + strings.Repeat(`{"steps":[{"task":"dbl","args":[1]}]},`, 6) + `{"steps":[{"value":1}]}],"max_parallelism":2}]`)
		check("of which two may run", "default", api.Queue{Ready: 10, Oldest: then, Workers: 1})
		if err := r.Pause(t.Context(), bounded.ID()); err != nil {
			t.Fatal(err)
		}
		check("paused", "default", api.Queue{Ready: 8, Oldest: then, Workers: 1})
		later := time.Now().UTC()
		r.submit(`[{"task":"dbl","args":[1],"options":{"queue":"y"}}]`)
		check("nobody serves it", "y", api.Queue{Ready: 1, Oldest: later})
		r.submit(`[{"task":"dbl","args":[1],"options":{"start_after":"1h","queue":"x"}}]`)
		check("it waits for its time", "x", api.Queue{Workers: 1})
		wait(2 * time.Hour)
		check("its time has come", "x", api.Queue{Ready: 1, Oldest: later.Add(time.Hour), Workers: 1})
		if err := r.SetLimit(t.Context(), "a", 1); err != nil {
			t.Fatal(err)
		}
		tagged := `[{"task":"dbl","args":[1],"options":{"queue":"x","tags":["a"],"priority":9}}]`
		r.submit(tagged)
		r.submit(tagged)
		for range 3 {
			if job, err := r.TryClaim(t.Context()); err != nil || job == nil {
				t.Fatal(job, err)
			}
		}
		check("one waits for the slot that another has", "x", api.Queue{Ready: 1, Oldest: later.Add(time.Hour), Running: 1, Workers: 1})
		check("two run", "default", api.Queue{Ready: 6, Oldest: then.Add(time.Minute), Running: 2, Workers: 1})
		w := workersOf(t, r.Engine)
		if len(w) != 1 || !w[0].Here || w[0].Busy != 3 || w[0].Concurrency != 2 || w[0].All || len(w[0].Queues) != 2 || len(w[0].Tasks) != len(peerTasks) {
			t.Errorf("worker %+v", w)
		}
		ctx, cancel := cancelled(t)
		defer cancel()
		_ = r.Close(ctx) // the bodies do not end
	})
}

func TestWorkersOfProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", signature)
		<-time.After(time.Millisecond)
		b := join(t, s, "b", signature, queues("x"))
		<-time.After(time.Millisecond)
		c := join(t, s, "c", signature, queues())
		wait(time.Minute)
		for _, p := range []*peer{a, b} {
			p.hold.Store(true)
		}
		h := c.submit(`[{"children":[` + strings.Repeat(`{"steps":[{"task":"dbl","args":[1]}]},`, 9) +
			strings.Repeat(`{"steps":[{"task":"dbl","args":[1],"options":{"queue":"x"}}]},`, 3) + `{"steps":[{"value":1}]}]}]`)
		wait(time.Second)
		for i, p := range []*peer{a, b, c} {
			list := workersOf(t, p.Engine())
			if len(list) != 3 {
				t.Fatalf("%d processes, want 3", len(list))
			}
			for j, w := range list {
				want := []int{4, 3, 0}[j]
				if w.Name != []string{"a", "b", "c"}[j] || w.Here != (i == j) || w.Busy != want || w.Silent || w.All != (j == 0) || w.Concurrency != []int{4, 4, 0}[j] {
					t.Errorf("asked %d, process %d: %+v", i, j, w)
				}
			}
			q := queuesOf(t, p.Engine())
			if x := q["x"]; x.Workers != 2 || x.Ready != 0 || x.Running != 3 || !x.Oldest.IsZero() {
				t.Errorf("asked %d: %+v", i, x)
			}
			if d := q["default"]; d.Workers != 1 || d.Ready != 5 || d.Running != 4 || d.Oldest.IsZero() {
				t.Errorf("asked %d: %+v", i, d)
			}
		}
		// One that does not answer is told of, and not waited for.
		b.store.deaf.Store(true)
		begun := time.Now()
		if list := workersOf(t, a.Engine()); len(list) != 3 || !list[1].Silent || list[1].Busy != 0 || list[0].Busy != 4 {
			t.Errorf("one is silent: %+v", list)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %s", took)
		}
		// What was offered is known without asking, also of that one.
		begun = time.Now()
		offered, names, err := a.Engine().Offered(t.Context())
		if err != nil || len(offered) != 3 || offered[1].Name != "b" || !slices.Equal(offered[1].Queues, []string{"x"}) || !offered[0].Here {
			t.Errorf("offered: %+v, %v", offered, err)
		}
		if want := []string{"default", "x"}; !slices.Equal(names, want) || time.Since(begun) != 0 {
			t.Errorf("queues %v after %s, want %v at once", names, time.Since(begun), want)
		}
		b.store.deaf.Store(false)
		a.hold.Store(false)
		b.hold.Store(false)
		c.waits(h, "["+strings.Repeat("2,", 12)+"1]")
		wait(time.Second)
		for _, w := range workersOf(t, c.Engine()) {
			if w.Busy != 0 || w.Flows != 0 {
				t.Errorf("at the end %+v", w)
			}
		}
	})
}

// A flow takes no place, whichever process has it.
func TestWorkersWithFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, memory.Open(), func(c *engine.Config) { c.Registry = flowing })
		r.submit(`[{"task":"flow","args":[{}]}]`)
		synctest.Wait()
		if job, err := r.TryClaim(t.Context()); err != nil || job == nil {
			t.Fatal(job, err)
		}
		if w := workersOf(t, r.Engine)[0]; w.Busy != 0 || w.Flows != 1 {
			t.Errorf("%+v, want one flow", w)
		}
		if q := queuesOf(t, r.Engine)["default"]; q.Running != 1 || q.Ready != 0 {
			t.Errorf("%+v, want one that runs", q)
		}
		ctx, cancel := cancelled(t)
		defer cancel()
		_ = r.Close(ctx)
	})
}
