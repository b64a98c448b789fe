package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// crowd has a process begin with more than it has places for, of which another
// takes some.
func crowd(t *testing.T) (a, b *peer, h *engine.Handle) {
	t.Helper()
	s := memory.Open()
	a, b = join(t, s, "a", signature), join(t, s, "b", signature)
	h = a.submit(wide)
	<-time.After(3 * time.Second) // by then each knows of the other
	a.waits(h, "380")
	a.hold.Store(true)
	b.hold.Store(true)
	a.begun.Store(0)
	b.begun.Store(0)
	h = a.submit(`[{"value":[0,1,2,3,4,5,6,7,8,9]},{"each":{"steps":[{"task":"dbl"}]}},{"task":"sum"}]`)
	<-time.After(time.Second)
	if a.begun.Load() != 4 || b.begun.Load() != 4 {
		t.Fatalf("%d and %d bodies have begun, want 4 and 4", a.begun.Load(), b.begun.Load())
	}
	return a, b, h
}

func TestJobsAreLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, h := crowd(t)
		a.hold.Store(false)
		b.hold.Store(false)
		a.waits(h, "90")
		b.waits(b.handle(h.ID()), "90")
		n := 0
		for _, err := range a.Engine().Logs(t.Context(), api.LogFilter{Run: h.ID()}) {
			if err != nil {
				t.Error(err)
			}
			n++
		}
		if n != 11 {
			t.Errorf("%d lines were kept, want one of each of 11 bodies", n)
		}
	})
}

// Whoever goes, in whichever way, the run comes to its end, with the right result.
func TestLentJobsOutliveProcesses(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(a, b *peer) (gone *peer)
	}{
		{"borrower is closed", func(_, b *peer) *peer { b.stop(); return b }},
		{"borrower stands still", func(_, b *peer) *peer { b.store.freeze(); return b }},
		{"lender is closed", func(a, b *peer) *peer { b.hold.Store(false); a.stop(); return a }},
		{"lender waits no longer", func(a, _ *peer) *peer { a.stopWithin(time.Second); return a }},
		{"lender stands still", func(a, _ *peer) *peer { a.store.freeze(); return a }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, h := crowd(t)
				gone := c.end(a, b)
				<-time.After(3 * peerLease)
				a.hold.Store(false)
				b.hold.Store(false)
				left := a
				if gone == a {
					left = b
				}
				left.waits(left.handle(h.ID()), "90")
				if gone.store.gate != nil {
					gone.store.thaw()
				}
			})
		})
	}
}

func TestLentJobsAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, h := crowd(t)
		if err := a.Engine().Cancel(t.Context(), h.ID()); err != nil {
			t.Fatal(err)
		}
		<-time.After(4 * time.Second)
		if b.told.Load() != 4 {
			t.Errorf("%d borrowed bodies were told to end, want 4", b.told.Load())
		}
		out, err := a.Wait(t.Context(), h)
		if err != nil || out.State != api.Cancelled {
			t.Errorf("the run is %s, %v", out.State, err)
		}
	})
}

// A borrowed body asks the lender for a token, and is answered there.
func TestLentJobAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", askSignature), join(t, s, "b", askSignature)
		<-time.After(3 * time.Second)
		a.hold.Store(true)
		a.submit(`[{"value":[1,2,3,4]},{"each":{"steps":[{"task":"dbl"}]}}]`)
		<-time.After(time.Second)
		h := a.submit(`[{"task":"ask"}]`)
		<-time.After(time.Second)
		if b.begun.Load() != 1 {
			t.Fatalf("%d bodies have begun at the borrower, want 1", b.begun.Load())
		}
		var token string
		for line, err := range b.Engine().Logs(t.Context(), api.LogFilter{Run: h.ID()}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(line.Text) > 6 && line.Text[:6] == "token " {
				token = line.Text[6:]
			}
		}
		if err := b.Engine().Complete(t.Context(), token, []byte("4")); err != nil {
			t.Fatal(err)
		}
		a.waits(h, "4")
		if err := a.Engine().Complete(t.Context(), token, []byte("4")); !errors.Is(err, api.ErrConflict) {
			t.Errorf("a second answer: %v, want ErrConflict", err)
		}
	})
}

// Bodies that are over before a letter has come are not lent; others are done by
// all.
func TestBriefBodiesAreNotLent(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		lent  bool
	}{{time.Millisecond, false}, {20 * time.Millisecond, true}} {
		t.Run(c.takes.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.Open()
				a, b := join(t, s, "a", signature), join(t, s, "b", signature)
				<-time.After(3 * time.Second)
				a.takes.Store(int64(c.takes))
				b.takes.Store(int64(c.takes))
				h := a.submit(`[{"task":"list","args":[4000]},{"each":{"steps":[{"task":"dbl"}]}},{"task":"sum"}]`)
				a.waits(h, "15996000")
				// Until it is known how long they take some are lent.
				if n := b.begun.Load(); c.lent != (n > 1000) {
					t.Errorf("%d of 4000 bodies were lent, want more than 1000: %v", n, c.lent)
				}
			})
		})
	}
}
