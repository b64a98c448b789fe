package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// What a run and its task runs do and wait for is told by each process alike.
func TestWhyAndTaskRunsFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", askSignature), join(t, s, "b", askSignature)
		h := a.submit(`[{"children":[{"steps":[{"task":"ask"}]},{"steps":[{"task":"ask"}]}]}]`)
		<-time.After(4 * time.Second) // the token is asked for, and each knows of the other
		for _, p := range []*peer{a, b} {
			why, err := p.Engine().Why(t.Context(), h.ID())
			if err != nil || why.Counts[api.WaitsForAnswer] != 2 {
				t.Errorf("%v says the run waits for %+v, %v; want two answers", p == a, why, err)
			}
			run, err := p.Engine().Status(t.Context(), h.ID())
			if err != nil || run.Tasks["ask"] != (api.TaskCounts{Running: 2}) {
				t.Errorf("%v counts %+v, %v; want two that run", p == a, run.Tasks, err)
			}
			n := 0
			for run, err := range p.Engine().TaskRuns(t.Context(), api.TaskRunFilter{Run: h.ID()}) {
				if err != nil {
					t.Fatal(err)
				}
				n++
				of, err := p.Engine().Why(t.Context(), run.ID)
				if err != nil || run.Waiting == nil || of.Kind != run.Waiting.Kind {
					t.Errorf("%s waits for %+v, %v; the list says %+v", run.ID, of, err, run.Waiting)
				}
			}
			if n != 2 {
				t.Errorf("%d task runs are listed, want 2", n)
			}
		}
		if err := b.Engine().Cancel(t.Context(), h.ID()); err != nil {
			t.Fatal(err)
		}
		if out, err := b.Wait(t.Context(), b.handle(h.ID())); err != nil || out.State != api.Cancelled {
			t.Errorf("the run is %s, %v", out.State, err)
		}
		if _, err := b.Engine().Why(t.Context(), h.ID()); !errors.Is(err, api.ErrConflict) {
			t.Errorf("why of a run that has ended: %v, want ErrConflict", err)
		}
	})
}

// A list does not hang on a process that stands still.
func TestStatusOfAProcessThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", signature), join(t, s, "b", signature)
		a.hold.Store(true)
		h := a.submit(wide)
		<-time.After(4 * time.Second)
		a.store.freeze()
		began := time.Now()
		run, err := b.Engine().Status(t.Context(), h.ID())
		if err != nil || run.State != api.Running || time.Since(began) > 2*time.Second {
			t.Errorf("%s, %v, after %s", run.State, err, time.Since(began))
		}
		a.hold.Store(false)
		a.store.thaw()
		b.waits(b.handle(h.ID()), "380")
	})
}

// Who waits for a run that another process had, and that this one has taken over,
// does not keep this one from closing.
func TestCloseWhileAdoptedRunIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", askSignature), join(t, s, "b", askSignature)
		h := a.submit(`[{"task":"ask"}]`)
		other := b.handle(h.ID())
		told := make(chan error, 1)
		go func() {
			_, err := b.Wait(t.Context(), other)
			told <- err
		}()
		<-time.After(time.Second)
		a.stop()
		<-time.After(time.Minute)
		b.stop()
		if err := <-told; !errors.Is(err, api.ErrClosed) {
			t.Errorf("who waits hears %v, want ErrClosed", err)
		}
	})
}
