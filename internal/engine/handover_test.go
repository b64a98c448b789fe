package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// owner gives the session that has the one live run of the store.
func (p *peer) owner() int64 {
	p.t.Helper()
	rows, err := p.store.LiveRuns(p.t.Context(), 0, 2)
	if err != nil || len(rows) != 1 {
		p.t.Fatalf("%d live runs, %v, want 1", len(rows), err)
	}
	session, err := p.store.Owner(p.t.Context(), rows[0].ID)
	if err != nil {
		p.t.Fatal(err)
	}
	return session
}

// A run that is submitted where nothing is served belongs to a process that works,
// one that can begin it if there is one, and goes on when the first is gone.
func TestRunIsHandedOver(t *testing.T) {
	for _, c := range []struct {
		name, steps, want string
		to                int // of those that work
	}{
		{"a task", `[{"task":"dbl","args":[4]}]`, "8", 0},
		{"a group", wide, "380", 0},
		{"children", `[{"children":[{"steps":[{"task":"dbl","args":[4],"options":{"queue":"gpu"}}]},{"steps":[{"task":"dbl","args":[5],"options":{"queue":"gpu"}}]}]}]`, "[8,10]", 1},
		{"a flow", `[{"task":"flow","args":[{"n":3}],"options":{"queue":"gpu"}}]`, "6", 1},
		{"of a queue that nobody else serves", `[{"task":"dbl","args":[4],"options":{"queue":"tpu"}}]`, "", -1},
	} {
		for _, goes := range []bool{false, true} {
			name := c.name
			if goes {
				name += ", who submits goes"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := memory.Open()
					list := []*peer{join(t, s, "a", flowing, queues("default")), join(t, s, "b", flowing, queues("gpu"))}
					none := join(t, s, "none", flowing, queues())
					<-time.After(3 * time.Second)
					for _, p := range list {
						p.takes.Store(int64(10 * time.Second))
					}
					h := none.submit(c.steps)
					if goes {
						began := time.Now()
						none.stop()
						if d := time.Since(began); d > time.Second {
							t.Errorf("Close took %s", d)
						}
					}
					<-time.After(time.Second)
					owner := list[0].owner()
					if owner == none.store.Session() || owner == 0 || c.to >= 0 && owner != list[c.to].store.Session() {
						t.Errorf("session %d has the run, want that of process %d of %d and %d", owner, c.to, list[0].store.Session(), list[1].store.Session())
					}
					want := c.want
					if want == "" {
						list = append(list, join(t, s, "c", flowing, queues("tpu")))
						want = "8"
					}
					at := none
					if goes {
						at = list[0]
						h = at.handle(h.ID())
					}
					at.waits(h, want)
					if none.begun.Load() != 0 {
						t.Errorf("%d bodies ran where nothing is served", none.begun.Load())
					}
				})
			})
		}
	}
}

// While nobody works the run stays where it was submitted, can be cancelled, and is
// done once somebody comes, also after that has gone.
func TestRunWaitsForWorkers(t *testing.T) {
	for _, goes := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := memory.Open()
			none := join(t, s, "none", signature, queues())
			h := none.submit(wide)
			over := none.submit(wide)
			<-time.After(time.Minute)
			if why, err := none.Engine().Why(t.Context(), h.ID()); err != nil || why.Counts[api.WaitsForQueue] != 1 {
				t.Errorf("it waits for %+v, %v", why, err)
			}
			if err := none.Engine().Cancel(t.Context(), over.ID()); err != nil {
				t.Error(err)
			}
			if goes {
				none.stop()
				<-time.After(time.Minute)
			}
			a := join(t, s, "a", signature)
			a.waits(a.handle(h.ID()), "380")
		})
	}
}

// A process that stands still when a run is handed to it has not heard of it: another
// takes it, within the lease.
func TestHeirIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", signature)
		none := join(t, s, "none", signature, queues())
		<-time.After(3 * time.Second)
		a.store.freeze()
		h := none.submit(wide)
		b := join(t, s, "b", signature)
		began := time.Now()
		none.waits(h, "380")
		if d := time.Since(began); d > peerLease+3*time.Second || b.begun.Load() != 22 {
			t.Errorf("%d bodies ran at the other, after %s", b.begun.Load(), d)
		}
		a.store.thaw()
	})
}

// Orphans go to processes that work, if there are any.
func TestWhoServesNothingLeavesOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", signature)
		none, b := join(t, s, "none", signature, queues()), join(t, s, "b", signature)
		<-time.After(3 * time.Second)
		a.hold.Store(true)
		b.hold.Store(true)
		a.submit(wide)
		<-time.After(time.Second)
		a.store.freeze()
		<-time.After(peerLease + 5*time.Second)
		if owner := b.owner(); owner != b.store.Session() {
			t.Errorf("session %d has the run, want %d", owner, b.store.Session())
		}
		b.store.freeze() // now nobody works
		<-time.After(peerLease + 65*time.Second)
		if owner := none.owner(); owner != none.store.Session() {
			t.Errorf("session %d has the run, want %d", owner, none.store.Session())
		}
		a.hold.Store(false)
		b.hold.Store(false)
		a.store.thaw()
		b.store.thaw()
	})
}
