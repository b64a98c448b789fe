package remote_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/remote"
)

const lease = remote.DefaultLease

func wants(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// bubble runs a test on fake time.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestLeases(t *testing.T) {
	bubble(t, "a silent worker loses what it has", func(t *testing.T) {
		f := newFloor()
		f.add(2)
		h, id := registered(t, f, 5)
		has := claimed(t, h, id, 5)
		<-time.After(lease - time.Millisecond)
		wants(t, "within the lease", f.noted())
		<-time.After(2 * time.Millisecond)
		synctest.Wait()
		said := f.noted()
		slices.Sort(said)
		wants(t, "after the lease", said, "r/0 is back", "r/1 is back")
		if f.joined[id] {
			t.Error("the engine still counts on the worker")
		}
		if _, err := h.Heartbeat(t.Context(), id, remote.Heartbeat{}); !errors.Is(err, remote.ErrWorkerLost) {
			t.Errorf("a heartbeat after it gave %v, want ErrWorkerLost", err)
		}
		settled, err := h.FinishTasks(t.Context(), id, []remote.Finish{{Attempt: has[0], Result: []byte("1")}})
		if err != nil || settled[0].Code != "attempt_lost" {
			t.Errorf("a late answer gave %v %v, want attempt_lost", settled, err)
		}
		wants(t, "after the late answer", f.noted())
	})
	bubble(t, "heartbeats keep what they list", func(t *testing.T) {
		f := newFloor()
		f.add(2)
		h, id := registered(t, f, 5)
		has := claimed(t, h, id, 5)
		var lost []string
		for range 10 {
			<-time.After(lease / 3)
			out, err := h.Heartbeat(t.Context(), id, remote.Heartbeat{Attempts: has[:1]})
			if err != nil {
				t.Fatal(err)
			}
			lost = append(lost, out.Lost...)
		}
		synctest.Wait()
		wants(t, "lost", f.noted(), "r/1 is back") // its claim's answer may have been lost
		wants(t, "told as lost", lost)
		out, err := h.Heartbeat(t.Context(), id, remote.Heartbeat{Attempts: has})
		if err != nil {
			t.Fatal(err)
		}
		wants(t, "lost when asked", out.Lost, has[1])
	})
	bubble(t, "of its own length", func(t *testing.T) {
		f := newFloor()
		h, _ := registered(t, f, 1)
		r, err := h.RegisterWorker(t.Context(), remote.Registration{Name: "slow", Slots: 1, LeaseMS: 60_000, Tasks: []remote.Task{{Name: "t"}}})
		if err != nil || r.LeaseMS != 60_000 {
			t.Fatal(r, err)
		}
		<-time.After(59 * time.Second)
		if n := len(h.Workers()); n != 1 {
			t.Errorf("%d workers after 59 s, want that with a lease of 60 s", n)
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if n := len(h.Workers()); n != 0 {
			t.Errorf("%d workers after 61 s", n)
		}
	})
}

func TestClaims(t *testing.T) {
	bubble(t, "waits for the first", func(t *testing.T) {
		f := newFloor()
		h, id := registered(t, f, 5)
		time.AfterFunc(time.Second, func() { f.add(1) })
		began := time.Now()
		out, err := h.ClaimTasks(t.Context(), id, remote.Claim{Max: 5, WaitMS: 5000})
		if err != nil || len(out.Attempts) != 1 || time.Since(began) != time.Second {
			t.Fatalf("%+v %v after %s, want one after 1 s", out, err, time.Since(began))
		}
		a := out.Attempts[0]
		if string(a.Args) != `[{"x": 1},2,"three"]` || a.Task != "t" || a.TaskRun != "r/0" || a.Number != 1 || a.LeaseMS != 10_000 || a.IdempotencyKey != "r/0" {
			t.Errorf("the attempt is %+v", a)
		}
		began = time.Now()
		out, err = h.ClaimTasks(t.Context(), id, remote.Claim{WaitMS: 60_000})
		if err != nil || len(out.Attempts) != 0 || time.Since(began) != lease/2 {
			t.Errorf("nothing to claim: %+v %v after %s, want half the lease", out, err, time.Since(began))
		}
	})
	bubble(t, "no more than slots", func(t *testing.T) {
		f := newFloor()
		f.add(9)
		h, id := registered(t, f, 3)
		has := claimed(t, h, id, 100)
		if len(has) != 3 {
			t.Fatalf("claimed %d, want 3", len(has))
		}
		if _, err := h.ClaimTasks(t.Context(), id, remote.Claim{}); !errors.Is(err, api.ErrConflict) {
			t.Errorf("a claim without a free slot gave %v", err)
		}
		if _, err := h.FinishTasks(t.Context(), id, []remote.Finish{{Attempt: has[0]}, {Attempt: has[1], Returned: true}}); err != nil {
			t.Fatal(err)
		}
		if n := len(claimed(t, h, id, 100)); n != 2 {
			t.Errorf("claimed %d after 2 had ended, want 2", n)
		}
	})
	bubble(t, "a draining worker is given nothing", func(t *testing.T) {
		f := newFloor()
		f.add(1)
		h, id := registered(t, f, 3)
		if err := h.Drain(id, true); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		out, err := h.ClaimTasks(t.Context(), id, remote.Claim{WaitMS: 2000})
		if err != nil || !out.Drain || len(out.Attempts) != 0 || time.Since(began) != 2*time.Second {
			t.Errorf("%+v %v after %s, want drain after 2 s", out, err, time.Since(began))
		}
		beaten, err := h.Heartbeat(t.Context(), id, remote.Heartbeat{WaitMS: 3000})
		if err != nil || !beaten.Drain {
			t.Errorf("%+v %v, want drain", beaten, err)
		}
		time.AfterFunc(time.Second, func() { _ = h.Drain(id, false) })
		if out, err := h.ClaimTasks(t.Context(), id, remote.Claim{WaitMS: 2000}); err != nil || len(out.Attempts) != 1 {
			t.Errorf("after it goes on: %+v %v", out, err)
		}
	})
	bubble(t, "the end of the hub ends them", func(t *testing.T) {
		f := newFloor()
		h, id := registered(t, f, 3)
		time.AfterFunc(time.Second, h.Close)
		if _, err := h.ClaimTasks(t.Context(), id, remote.Claim{WaitMS: 5000}); !errors.Is(err, remote.ErrWorkerLost) {
			t.Errorf("got %v, want ErrWorkerLost", err)
		}
		if _, err := h.RegisterWorker(t.Context(), remote.Registration{Name: "w", Slots: 1, Tasks: []remote.Task{{Name: "t"}}}); !errors.Is(err, api.ErrClosed) {
			t.Errorf("registering after it gave %v", err)
		}
	})
}

func TestFinish(t *testing.T) {
	bubble(t, "repeated", func(t *testing.T) {
		f := newFloor()
		f.add(3)
		f.late["r/2"] = true
		h, id := registered(t, f, 5)
		has := claimed(t, h, id, 5)
		name := "fine"
		all := []remote.Finish{
			{Attempt: has[0], Result: []byte("1"), Name: &name},
			{Attempt: has[1], Failure: &remote.AttemptFailure{Message: "no luck"}},
			{Attempt: has[2], Result: []byte("3")},
			{Attempt: "w.9"},
		}
		for i := range 2 {
			got, err := h.FinishTasks(t.Context(), id, all)
			if err != nil {
				t.Fatal(err)
			}
			for j, code := range []api.Code{"", "", "attempt_lost", "attempt_lost"} {
				if got[j].Code != code || got[j].Attempt != all[j].Attempt {
					t.Errorf("time %d, attempt %d: %+v, want %q", i, j, got[j], code)
				}
			}
		}
		wants(t, "the engine heard", f.noted(), "r/0 is named fine", "r/0 gave 1", "r/1 failed: no luck")
	})
	bubble(t, "nothing counts if something is wrong", func(t *testing.T) {
		f := newFloor()
		f.add(2)
		h, id := registered(t, f, 5)
		has := claimed(t, h, id, 5)
		for _, bad := range []remote.Finish{
			{Attempt: has[1], Result: []byte("1"), Returned: true},
			{Attempt: has[1], Pipeline: []byte(`{"runnel":99}`)},
		} {
			_, err := h.FinishTasks(t.Context(), id, []remote.Finish{{Attempt: has[0]}, bad})
			if !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), has[1]) {
				t.Errorf("%+v gave %v", bad, err)
			}
		}
		wants(t, "the engine heard", f.noted())
	})
	bubble(t, "hooks hear of it", func(t *testing.T) {
		f := newFloor()
		f.add(1)
		job := f.ready[0]
		h, id := registered(t, f, 5)
		has := claimed(t, h, id, 5)
		if _, err := h.FinishTasks(t.Context(), id, []remote.Finish{{Attempt: has[0]}}); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { h.Told(job, api.TaskRun{ID: "r/0", State: api.Completed}) })
		began := time.Now()
		out, err := h.Heartbeat(t.Context(), id, remote.Heartbeat{WaitMS: 3000})
		if err != nil || len(out.Ended) != 1 || out.Ended[0].Attempt != has[0] || out.Ended[0].TaskRun.State != api.Completed || time.Since(began) != time.Second {
			t.Errorf("%+v %v after %s", out, err, time.Since(began))
		}
		if out, err = h.Heartbeat(t.Context(), id, remote.Heartbeat{}); err != nil || len(out.Ended) != 0 {
			t.Errorf("told twice: %+v %v", out, err)
		}
	})
}

func TestStop(t *testing.T) {
	bubble(t, "a heartbeat that waits hears at once", func(t *testing.T) {
		f := newFloor()
		f.add(1)
		h, id := registered(t, f, 5)
		has := claimed(t, h, id, 5)
		time.AfterFunc(time.Second, func() { f.cancel["r/0"](api.ErrCancelled) })
		began := time.Now()
		out, err := h.Heartbeat(t.Context(), id, remote.Heartbeat{Attempts: has, WaitMS: 3000})
		if err != nil || len(out.Stop) != 1 || out.Stop[0].Attempt != has[0] || out.Stop[0].Code != "cancelled" || time.Since(began) != time.Second {
			t.Fatalf("%+v %v after %s", out, err, time.Since(began))
		}
		began = time.Now()
		if out, err = h.Heartbeat(t.Context(), id, remote.Heartbeat{Attempts: has, WaitMS: 3000}); err != nil || len(out.Stop) != 1 || time.Since(began) != 3*time.Second {
			t.Errorf("the next: %+v %v after %s, want it once more after 3 s, in case the first got lost", out, err, time.Since(began))
		}
	})
}

func TestAsks(t *testing.T) {
	bubble(t, "of an attempt", func(t *testing.T) {
		f := newFloor()
		f.add(2)
		h, id := registered(t, f, 5)
		has := claimed(t, h, id, 5)
		ctx := t.Context()
		if token, err := h.AskToken(ctx, id, has[0]); token != "token of r/0" || err != nil {
			t.Errorf("token %q %v", token, err)
		}
		if grant, err := h.AcquireSlots(ctx, id, has[0], api.SlotRequest{}); grant != 7 || err != nil {
			t.Errorf("grant %d %v", grant, err)
		}
		if err := h.ReleaseSlots(ctx, id, has[0], 7); err != nil {
			t.Error(err)
		}
		if _, err := h.Heartbeat(ctx, id, remote.Heartbeat{Progress: has[:1]}); err != nil {
			t.Error(err)
		}
		if err := h.WriteLogs(ctx, id, []remote.AttemptLine{{Attempt: has[0], Text: "hello"}, {Attempt: "gone", Text: "x"}, {Attempt: has[0], Level: "warn", Text: "careful"}}); err != nil {
			t.Error(err)
		}
		if err := h.WriteLogs(ctx, id, []remote.AttemptLine{{Attempt: has[0], Level: "loud"}}); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("a level that is none gave %v", err)
		}
		wants(t, "the engine heard", f.noted(), "r/0 releases 7", "r/0 makes progress", "r/0 says INFO hello", "r/0 says WARN careful")
		for key, want := range map[string]bool{"": true, "there": false} {
			if run, err := h.AskCache(ctx, id, has[1], api.CacheUse{Key: key}); run != want || err != nil {
				t.Errorf("cache of %q: %v %v", key, run, err)
			}
			if !want {
				break
			}
		}
	})
	bubble(t, "of another's, or none", func(t *testing.T) {
		f := newFloor()
		f.add(1)
		h, id := registered(t, f, 5)
		has := claimed(t, h, id, 5)
		other := register(t, h, 5)
		for who, ask := range map[string]func(worker, attempt string) error{
			"token": func(w, a string) error { _, err := h.AskToken(t.Context(), w, a); return err },
			"slots": func(w, a string) error {
				_, err := h.AcquireSlots(t.Context(), w, a, api.SlotRequest{})
				return err
			},
			"release": func(w, a string) error { return h.ReleaseSlots(t.Context(), w, a, 1) },
			"cache":   func(w, a string) error { _, err := h.AskCache(t.Context(), w, a, api.CacheUse{}); return err },
		} {
			if err := ask(other, has[0]); !errors.Is(err, remote.ErrAttemptLost) {
				t.Errorf("%s of another worker's attempt gave %v", who, err)
			}
		}
		ctx := remote.WithOwner(t.Context(), "somebody else")
		if _, err := h.ClaimTasks(ctx, id, remote.Claim{}); !errors.Is(err, remote.ErrWorkerLost) {
			t.Errorf("a worker of another's token gave %v", err)
		}
	})
}

func TestRegistrationIsChecked(t *testing.T) {
	h := remote.NewHub(newFloor(), nil)
	good := remote.Task{Name: "t"}
	for name, r := range map[string]remote.Registration{
		"no name":     {Slots: 1, Tasks: []remote.Task{good}},
		"no tasks":    {Name: "w", Slots: 1},
		"no slots":    {Name: "w", Tasks: []remote.Task{good}},
		"short lease": {Name: "w", Slots: 1, LeaseMS: 10, Tasks: []remote.Task{good}},
		"newer":       {Name: "w", Slots: 1, Protocol: 99, Tasks: []remote.Task{good}},
		"bad queue":   {Name: "w", Slots: 1, Queues: []string{""}, Tasks: []remote.Task{good}},
		"twice":       {Name: "w", Slots: 1, Tasks: []remote.Task{good, good}},
		"a flow":      {Name: "w", Slots: 1, Tasks: []remote.Task{{Name: "t", Kind: "flow"}}},
	} {
		if _, err := h.RegisterWorker(context.Background(), r); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

// What a worker says of the machine is kept until it says something else.
func TestWorkerTellsOfItsMachine(t *testing.T) {
	bubble(t, "load", func(t *testing.T) {
		h, id := registered(t, newFloor(), 1)
		for _, c := range []struct {
			beat   remote.Heartbeat
			cpu    float64
			memory int64
		}{{remote.Heartbeat{}, 0, 0}, {remote.Heartbeat{CPU: 1.5, Memory: 7}, 1.5, 7}, {remote.Heartbeat{}, 1.5, 7}, {remote.Heartbeat{Memory: 8}, 0, 8}} {
			if _, err := h.Heartbeat(t.Context(), id, c.beat); err != nil {
				t.Fatal(err)
			}
			if w := h.Workers()[0]; w.CPU != c.cpu || w.Memory != c.memory {
				t.Errorf("after %+v it uses %g and %d, want %g and %d", c.beat, w.CPU, w.Memory, c.cpu, c.memory)
			}
		}
	})
}
