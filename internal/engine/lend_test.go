package engine_test

import (
	"errors"
	"fmt"
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

// workersOf counts the task runs of a run by their workers: in the list, and each by itself.
func (p *peer) workersOf(run string) map[string]int {
	p.t.Helper()
	on := map[string]int{}
	for listed, err := range p.Engine().TaskRuns(p.t.Context(), api.TaskRunFilter{Run: run}) {
		if err != nil {
			p.t.Fatal(err)
		}
		on[listed.Worker]++
		one, err := p.Engine().TaskRun(p.t.Context(), listed.ID)
		if err != nil || one.Worker != listed.Worker {
			p.t.Errorf("%s is on %q, %v; the list says %q", listed.ID, one.Worker, err, listed.Worker)
		}
	}
	return on
}

func TestJobsAreLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, h := crowd(t)
		for _, p := range []*peer{a, b} {
			on := p.workersOf(h.ID())
			if on["a"] != 4 || on["b"] != 4 {
				t.Errorf("asked %v: bodies run on %v, want 4 on each", p == a, on)
			}
		}
		a.hold.Store(false)
		b.hold.Store(false)
		a.waits(h, "90")
		b.waits(b.handle(h.ID()), "90")
		for _, p := range []*peer{a, b} {
			on := p.workersOf(h.ID())
			if on["a"] < 4 || on["b"] < 4 || on["a"]+on["b"] != 11 {
				t.Errorf("the bodies ran on %v, want 11 on a and b, and 4 at least on each", on)
			}
		}
		for _, p := range []*peer{a, b} { // the runs were a's
			all, seen := 0, map[string]bool{}
			for _, worker := range []string{"a", "b"} {
				list := p.Engine().Recent(t.Context(), worker)
				all += len(list)
				for i := range list {
					if list[i].Worker != worker || list[i].State != api.Completed || list[i].Started.IsZero() || list[i].Result != nil || seen[list[i].ID] {
						t.Errorf("asked %v: %+v ended on %s", p == a, list[i], worker)
					}
					if seen[list[i].ID] = true; i > 0 && list[i].Finished.After(list[i-1].Finished) {
						t.Errorf("asked %v: %s comes after %s, which ended before", p == a, list[i].ID, list[i-1].ID)
					}
				}
			}
			if all < 11 {
				t.Errorf("asked %v: %d task runs ended last, want 11 and more", p == a, all)
			}
		}
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

// A lent job that is over before its body begins, since the cache said so, is lent no
// more: the lender knows how many of its places are taken.
func TestLentJobThatNeverBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", kept), join(t, s, "b", kept)
		<-time.After(3 * time.Second)
		a.waits(a.submit(`[{"task":"kept","args":[2]}]`), "4")
		for range 3 {
			a.hold.Store(true)
			b.hold.Store(true)
			a.begun.Store(0)
			b.begun.Store(0)
			h := a.submit(`[{"value":[0,1,2,3]},{"each":{"steps":[{"task":"dbl"}]}},{"task":"sum"}]`)
			<-time.After(time.Second)
			over := a.submit(`[{"task":"kept","args":[2]}]`)
			a.waits(over, "4")
			more := a.submit(`[{"value":[0,1,2,3]},{"each":{"steps":[{"task":"dbl"}]}},{"task":"sum"}]`)
			<-time.After(time.Second)
			if a.begun.Load() != 4 || b.begun.Load() != 4 {
				t.Errorf("%d and %d bodies have begun, want 4 and 4", a.begun.Load(), b.begun.Load())
			}
			a.hold.Store(false)
			b.hold.Store(false)
			a.waits(h, "12")
			a.waits(more, "12")
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

// What is of a queue that only another process serves is done there, and says so
// while there is none.
func TestQueuesThatOthersServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", signature, queues("default"))
		mixed := a.submit(`[{"children":[{"steps":[{"task":"add","args":[1,2]}]},{"steps":[{"task":"add","args":[3,4],"options":{"queue":"gpu"}}]}]},{"task":"sum"}]`)
		gpus := a.submit(`[{"value":[1,2,3]},{"each":{"steps":[{"task":"dbl","options":{"queue":"gpu"}}]}},{"task":"sum","options":{"queue":"gpu","priority":3}}]`)
		<-time.After(time.Second)
		for _, h := range []*engine.Handle{mixed, gpus} {
			if why, err := a.Engine().Why(t.Context(), h.ID()); err != nil || why.Counts[api.WaitsForQueue] == 0 {
				t.Errorf("while nobody serves the queue: %+v, %v", why, err)
			}
		}
		b := join(t, s, "b", signature, queues("gpu"))
		a.waits(mixed, "10")
		a.waits(gpus, "12")
		if n := b.begun.Load(); n != 5 {
			t.Errorf("%d bodies ran where the queue is served, want 5", n)
		}
		// One that is busy takes more when it has a place.
		b.hold.Store(true)
		h := a.submit(`[{"value":[1,2,3,4,5,6,7,8,9]},{"each":{"steps":[{"task":"dbl","options":{"queue":"gpu"}}]}},{"task":"sum"}]`)
		<-time.After(20 * time.Second)
		if n := b.begun.Load() - 5; n != 4 {
			t.Errorf("%d bodies have begun, want one for each of 4 places", n)
		}
		b.hold.Store(false)
		began := time.Now()
		a.waits(h, "90")
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("it took %s from when there were places", d)
		}
	})
}

// Work of a queue that nobody serves at its engine has its share of a process that
// has enough to do of its own.
func TestOnlyPlaceIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", signature, queues("default")), join(t, s, "b", signature, queues("gpu"))
		<-time.After(3 * time.Second)
		b.takes.Store(int64(time.Second))
		const gpu = `[{"task":"list","args":[%d],"options":{"queue":"gpu"}},{"each":{"steps":[{"task":"dbl","options":{"queue":"gpu"}}]}}]`
		own := b.submit(fmt.Sprintf(gpu, 1000))
		<-time.After(10 * time.Second)
		lent := a.submit(fmt.Sprintf(gpu, 20))
		<-time.After(50 * time.Second)
		if out, err := a.Engine().Status(t.Context(), lent.ID()); err != nil || out.State != api.Completed {
			t.Errorf("20 bodies elsewhere after 50 s of which each takes one: %+v, %v", out, err)
		}
		// 60 s of 4 places, less what was lent.
		out, err := b.Engine().Status(t.Context(), own.ID())
		if n := out.Tasks["dbl"].Completed; err != nil || n < 190 {
			t.Errorf("%d bodies of its own, %v, want at least 190", n, err)
		}
	})
}

// Who serves the default queue says so by its name, and who serves none gets
// nothing.
func TestOfferOfQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", signature, queues("gpu")), join(t, s, "b", signature, queues("default"))
		none := join(t, s, "none", signature, queues())
		h := a.submit(wide)
		a.waits(h, "380")
		a.waits(none.submit(wide), "380")
		if a.begun.Load()+none.begun.Load() != 0 || b.begun.Load() != 44 {
			t.Errorf("%d, %d and %d bodies, want 0, 0 and 44", a.begun.Load(), none.begun.Load(), b.begun.Load())
		}
	})
}

// The tasks of a wide group that wait for a queue of others are bounded.
func TestTasksForOthersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", signature, queues("default"))
		a.takes.Store(int64(time.Millisecond))
		h := a.submit(`[{"task":"list","args":[3000]},{"each":{"steps":[{"task":"dbl"},{"task":"dbl","options":{"queue":"gpu"}}]}},{"task":"sum"}]`)
		<-time.After(10 * time.Second)
		if n := a.begun.Load(); n < 1000 || n > 1100 {
			t.Errorf("%d children have begun, want 1024 and a few", n)
		}
		join(t, s, "b", signature, queues("gpu"))
		a.waits(h, "17994000")
		if n := a.begun.Load(); n != 3002 {
			t.Errorf("%d bodies ran where the default queue is served, want 3002", n)
		}
	})
}
