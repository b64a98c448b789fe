package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// Who waits for a run of another process waits for the store too, while that can't
// be read; and so after its own process has lost its session.
func TestWaitOutlastsStore(t *testing.T) {
	for _, c := range []struct {
		name   string
		frozen time.Duration // how long the process stands still
	}{{"by the same session", 0}, {"by the next session", 3 * peerLease}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.Open()
				a, b := join(t, s, "a", signature), join(t, s, "b", signature)
				a.hold.Store(true)
				h := b.handle(a.submit(`[{"value":3},{"task":"dbl"}]`).ID())
				first, began := b.Engine(), time.Now()
				b.store.away.Store(true)
				b.store.freeze()
				go func() {
					<-time.After(c.frozen)
					b.store.thaw()
					<-time.After(5 * peerLease)
					a.hold.Store(false)
					b.store.away.Store(false)
				}()
				b.waits(h, "6")
				if took := time.Since(began); took < c.frozen+5*peerLease {
					t.Errorf("it took %s, though the store could not be read for longer", took)
				}
				if lost := b.Engine() != first; lost != (c.frozen > 0) {
					t.Errorf("the session was lost: %t", lost)
				}
			})
		})
	}
}

// A process that does not know a run's task waits for it, and controls it, through
// whichever one does; also while nobody has it, if there are others that may know it.
func TestStrangerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		strange := func(task string) *pipeline.Signature {
			if task == "ask" {
				return nil
			}
			return signature(task)
		}
		a, b := join(t, s, "a", askSignature), join(t, s, "b", strange)
		join(t, s, "c", strange)
		h := a.submit(`[{"task":"ask"}]`)
		<-time.After(time.Second)
		a.stop()
		<-time.After(time.Minute)
		state := make(chan api.State, 1)
		seen := b.handle(h.ID())
		go func() {
			out, err := b.Wait(t.Context(), seen)
			if err != nil {
				t.Error(err)
			}
			state <- out.State
		}()
		<-time.After(time.Minute)
		join(t, s, "d", askSignature)
		if err := b.Engine().Cancel(t.Context(), h.ID()); err != nil {
			t.Errorf("Cancel: %v", err)
		}
		if got := <-state; got != api.Cancelled {
			t.Errorf("the run is %s, want CANCELLED", got)
		}
	})
}
