package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// together observes how many bodies run at a time in processes whose leases hold.
type together struct {
	mu        sync.Mutex
	most, all int
	bodies    map[*watchedBody]bool
	cut       map[*peer]bool
	// How many had each of what bodies have turns or slots of.
	mostOf, allOf map[string]int
}

// watchedBody is one with the names of what it has.
type watchedBody struct {
	of    *peer
	names []string
}

func watch() *together {
	return &together{
		bodies: make(map[*watchedBody]bool), cut: make(map[*peer]bool),
		mostOf: make(map[string]int), allOf: make(map[string]int),
	}
}

func (o *together) enter(p *peer, names ...string) (leave func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cut[p] {
		return func() {}
	}
	body := &watchedBody{p, names}
	o.bodies[body] = true
	o.all++
	o.most = max(o.most, len(o.bodies))
	for _, name := range names {
		n := 0
		for other := range o.bodies {
			if slices.Contains(other.names, name) {
				n++
			}
		}
		o.allOf[name]++
		o.mostOf[name] = max(o.mostOf[name], n)
	}
	return func() {
		o.mu.Lock()
		delete(o.bodies, body)
		o.mu.Unlock()
	}
}

// cutOff is for a process whose lease ran out, or that has another one.
func (o *together) cutOff(p *peer, cut bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cut[p] = cut
	maps.DeleteFunc(o.bodies, func(body *watchedBody, _ bool) bool { return cut && body.of == p })
}

// watched makes three processes on one store that are watched.
func watched(t *testing.T, s *memory.Store) (list []*peer, o *together) {
	t.Helper()
	o = watch()
	for i := range 3 {
		p := join(t, s, fmt.Sprint("process ", i), kept)
		p.watch.Store(o)
		list = append(list, p)
	}
	<-time.After(3 * time.Second) // by then each knows of the others
	return list, o
}

// ends is what may become of the processes, and how long work may stand still for it.
var ends = []struct {
	name string
	end  func(list []*peer) (gone *peer)
	lost time.Duration
}{
	{"all stay", func([]*peer) *peer { return nil }, time.Second},
	{"the keeper closes", func(list []*peer) *peer { list[0].stop(); return list[0] }, 4 * time.Second},
	{"another closes", func(list []*peer) *peer { list[1].stop(); return list[1] }, 4 * time.Second},
	{"the keeper stands still", func(list []*peer) *peer { list[0].stand(); return list[0] }, peerLease + 4*time.Second},
	{"another stands still", func(list []*peer) *peer { list[1].stand(); return list[1] }, peerLease + 4*time.Second},
}

// three is watched with a limit of tag a.
func three(t *testing.T, limit int) (list []*peer, o *together) {
	t.Helper()
	list, o = watched(t, memory.Open())
	if err := list[2].Engine().SetLimit(t.Context(), "a", limit); err != nil {
		t.Fatal(err)
	}
	return list, o
}

const tagged = `[{"value":[0,1,2,3,4,5,6,7,8,9]},{"each":{"steps":[{"task":"dbl","options":{"tags":["a"]}}]}},{"task":"sum","options":{"tags":["b"]}}]`

// Bodies with a tag run no more than its limit at a time, over all processes,
// whatever becomes of the one that keeps the table.
func TestLimitHoldsAcrossProcesses(t *testing.T) {
	for _, c := range ends {
		for _, limit := range []int{1, 2, 5} {
			t.Run(fmt.Sprint(c.name, ", limit ", limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					list, o := three(t, limit)
					var runs []*engine.Handle
					for _, p := range list {
						p.takes.Store(int64(time.Second))
						runs = append(runs, p.submit(tagged), p.submit(tagged))
					}
					begun := time.Now()
					<-time.After(2500 * time.Millisecond)
					gone := c.end(list)
					seen := list[2]
					for _, h := range runs {
						seen.waits(seen.handle(h.ID()), "90")
					}
					if o.most > limit || o.most < min(limit, 2) {
						t.Errorf("%d bodies ran at a time, the limit is %d", o.most, limit)
					}
					if took, most := time.Since(begun), time.Duration(60/limit)*time.Second+c.lost; took > most {
						t.Errorf("it took %s, want at most %s: slots that are free are not given at once", took, most)
					}
					<-time.After(time.Minute)
					for _, p := range list {
						if p == gone && p.stopped() {
							continue
						}
						l, err := p.Engine().Limit(t.Context(), "a")
						if err != nil || l.Active != 0 || l.Waiting != 0 || l.Limit != limit {
							t.Errorf("in the end: %+v, %v", l, err)
						}
					}
				})
			})
		}
	}
}

// What the limits' API does is the same in every process.
func TestLimitsFromEveryProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _ := three(t, 2)
		for _, p := range list {
			p.hold.Store(true)
		}
		list[1].submit(tagged)
		list[2].submit(tagged)
		<-time.After(time.Second)
		var first api.Limit
		for i, p := range list {
			l, err := p.Engine().Limit(t.Context(), "a")
			if err != nil || l.Active != 2 || len(l.ActiveSlots) != 2 || l.Waiting == 0 {
				t.Fatalf("process %d: %+v, %v", i, l, err)
			}
			if i == 0 {
				first = l
			}
			if fmt.Sprint(l) != fmt.Sprint(first) {
				t.Errorf("process %d says %+v, another %+v", i, l, first)
			}
			n := 0
			for _, err := range p.Engine().Limits(t.Context()) {
				if n++; err != nil {
					t.Error(err)
				}
			}
			if n != 1 {
				t.Errorf("process %d lists %d limits", i, n)
			}
		}
		begun := func() (n int64) {
			for _, p := range list {
				n += p.begun.Load()
			}
			return n
		}
		for i, step := range []struct {
			do   func() error
			want int64
		}{
			{func() error { return list[1].Engine().SetLimit(t.Context(), "a", 3) }, 3},
			{func() error { return list[0].Engine().SetLimit(t.Context(), "a", 1) }, 3},
			{func() error { return list[2].Engine().ResetLimit(t.Context(), "a") }, 4},
			{func() error { return list[1].Engine().DeleteLimit(t.Context(), "a") }, 12},
		} {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			<-time.After(5 * time.Second)
			if got := begun(); got != step.want {
				t.Errorf("after step %d %d bodies have begun, want %d", i, got, step.want)
			}
		}
	})
}

// Why says which limit a task run waits for, in a process that is not the keeper.
func TestWhyOfSlotKeptElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _ := three(t, 1)
		for _, p := range list {
			p.hold.Store(true)
		}
		const one = `[{"task":"dbl","args":[1],"options":{"tags":["a"]}}]`
		holder := list[0].submit(one)
		<-time.After(time.Second)
		h := list[1].submit(one)
		<-time.After(time.Second)
		w, err := list[2].Engine().Why(t.Context(), h.ID()+"/0")
		if err != nil || w.Kind != api.WaitsForSlots || len(w.Slots) != 1 {
			t.Fatalf("Why: %+v, %v", w, err)
		}
		if s := w.Slots[0]; s.Tag != "a" || s.Limit != 1 || s.Taken != 1 || s.Place != 1 || s.Holders[0] != holder.ID()+"/0" {
			t.Errorf("it waits for %+v", s)
		}
		list[0].hold.Store(false)
		list[1].hold.Store(false)
		list[2].hold.Store(false)
		list[2].waits(list[2].handle(h.ID()), "2")
	})
}

// Runs that are paused give their turn to others, and a limit of 0 ends those that
// wait, wherever they are.
func TestPauseAndZeroAcrossProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _ := three(t, 1)
		for _, p := range list {
			p.hold.Store(true)
		}
		const one = `[{"task":"dbl","args":[1],"options":{"tags":["a"]}}]`
		a := list[1].submit(one)
		<-time.After(time.Second)
		b := list[1].submit(one)
		<-time.After(time.Second)
		c := list[2].submit(one)
		if err := list[0].Engine().Pause(t.Context(), b.ID()); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		for _, p := range list {
			p.hold.Store(false)
		}
		list[0].waits(list[0].handle(a.ID()), "2")
		list[0].waits(list[0].handle(c.ID()), "2")
		if err := list[2].Engine().SetLimit(t.Context(), "a", 0); err != nil {
			t.Fatal(err)
		}
		if err := list[0].Engine().Resume(t.Context(), b.ID()); err != nil {
			t.Fatal(err)
		}
		out, err := list[0].Wait(t.Context(), list[0].handle(b.ID()))
		if err != nil || out.State == api.Completed || out.Failure == nil {
			t.Errorf("under a limit of 0: %+v, %v", out, err)
		}
	})
}
