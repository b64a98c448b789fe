package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// limited is watched with a global limit.
func limited(t *testing.T, l api.GlobalLimit) (list []*peer, o *together) {
	t.Helper()
	list, o = watched(t, memory.Open())
	if err := list[2].Engine().SetGlobalLimit(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	return list, o
}

func tenOf(task string) string {
	return `[{"value":[0,1,2,3,4,5,6,7,8,9]},{"each":{"steps":[{"task":"` + task + `"}]}},{"task":"sum"}]`
}

// Bodies hold no more slots of a global limit than it has, over all processes,
// whatever becomes of the one that keeps the table.
func TestGlobalLimitHoldsAcrossProcesses(t *testing.T) {
	for _, c := range ends {
		for _, limit := range []int{1, 2, 5} {
			t.Run(fmt.Sprint(c.name, ", limit ", limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					list, o := limited(t, api.GlobalLimit{Name: "g", Limit: limit})
					var runs []*engine.Handle
					for _, p := range list {
						p.takes.Store(int64(time.Second))
						runs = append(runs, p.submit(tenOf("limited")), p.submit(tenOf("limited")))
					}
					begun := time.Now()
					<-time.After(2500 * time.Millisecond)
					gone := c.end(list)
					for _, h := range runs {
						list[2].waits(list[2].handle(h.ID()), "90")
					}
					if o.most > limit || o.most < min(limit, 2) {
						t.Errorf("%d bodies had slots at a time, the limit is %d", o.most, limit)
					}
					if took, most := time.Since(begun), time.Duration(60/limit)*time.Second+c.lost; took > most {
						t.Errorf("it took %s, want at most %s: slots that are free are not given at once", took, most)
					}
					<-time.After(time.Minute)
					for _, p := range list {
						if p == gone && p.stopped() {
							continue
						}
						l, err := p.Engine().GlobalLimit(t.Context(), "g")
						if err != nil || l.ActiveSlots != 0 || l.Waiting != 0 || l.Limit != limit {
							t.Errorf("in the end: %+v, %v", l, err)
						}
					}
				})
			})
		}
	}
}

// rates notes when slots of a rate limit were used.
type rates struct {
	mu   sync.Mutex
	used []time.Time
}

func (r *rates) check(t *testing.T, limit int, decay float64) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.used, time.Time.Compare)
	for i := range r.used {
		for j := i; j < len(r.used); j++ {
			if most := float64(limit) + decay*r.used[j].Sub(r.used[i]).Seconds(); float64(j-i+1) > most+0.5 {
				t.Fatalf("%d slots were used in %s, there were %.1f", j-i+1, r.used[j].Sub(r.used[i]), most)
			}
		}
	}
}

// What is used up of a rate limit counts for all, also once another keeps the table,
// before the one before it has stored anything of it.
func TestRateLimitHoldsAcrossProcesses(t *testing.T) {
	for _, c := range ends {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const limit, decay = 4, 0.05
				list, _ := limited(t, api.GlobalLimit{Name: "r", Limit: limit, Decay: decay})
				var used rates
				take := func(p *peer) {
					for range 8 {
						_, err := p.Engine().Acquire(t.Context(), nil, api.SlotRequest{Names: []string{"r"}, Slots: 1, Rate: true})
						if err != nil {
							return // its process has ended
						}
						used.mu.Lock()
						used.used = append(used.used, time.Now())
						used.mu.Unlock()
					}
				}
				var all sync.WaitGroup
				for _, p := range list[1:] {
					all.Go(func() { take(p) })
				}
				<-time.After(500 * time.Millisecond) // all slots are used up, and nothing is stored yet
				c.end(list)
				all.Wait()
				used.check(t, limit, decay)
				if len(used.used) < 8 {
					t.Errorf("%d slots were used", len(used.used))
				}
				<-time.After(time.Minute)
			})
		})
	}
}

// Two bodies in two processes that would wait for each other for ever: the second is
// refused, the first gets what it waits for.
func TestCircleAcrossProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _ := limited(t, api.GlobalLimit{Name: "x", Limit: 1})
		if err := list[0].Engine().SetGlobalLimit(t.Context(), api.GlobalLimit{Name: "y", Limit: 1}); err != nil {
			t.Fatal(err)
		}
		a := list[1].submit(`[{"task":"cross","args":[0]}]`)
		<-time.After(100 * time.Millisecond)
		b := list[2].submit(`[{"task":"cross","args":[1]}]`)
		list[0].waits(list[0].handle(a.ID()), "0")
		out, err := list[0].Wait(t.Context(), list[0].handle(b.ID()))
		if err != nil || out.State != api.Failed || out.Failure.Code != api.ErrConflict.Code {
			t.Errorf("the one that came later: %s, %+v, %v; want ErrConflict", out.State, out.Failure, err)
		}
	})
}

// What the API of global limits does is the same in every process.
func TestGlobalLimitsFromEveryProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _ := limited(t, api.GlobalLimit{Name: "g", Limit: 2})
		ctx := t.Context()
		for _, p := range list {
			p.hold.Store(true)
		}
		list[1].submit(tenOf("limited"))
		list[2].submit(tenOf("limited"))
		<-time.After(time.Second)
		var first api.GlobalLimit
		for i, p := range list {
			l, err := p.Engine().GlobalLimit(ctx, "g")
			if err != nil || l.ActiveSlots != 2 || len(l.Holders) != 2 || l.Holders[0].TaskRun == "" || l.Waiting == 0 {
				t.Fatalf("process %d: %+v, %v", i, l, err)
			}
			if i == 0 {
				first = l
			}
			if fmt.Sprint(l) != fmt.Sprint(first) {
				t.Errorf("process %d says %+v, another %+v", i, l, first)
			}
			for l, err := range p.Engine().GlobalLimits(ctx) {
				if err != nil || l.Name != "g" {
					t.Errorf("process %d lists %+v, %v", i, l, err)
				}
			}
		}
		w, err := list[0].Engine().Why(ctx, first.Waiters[0].TaskRun)
		if err != nil || w.Kind != api.WaitsForLimit || w.Key != "g" || w.Place < 1 {
			t.Errorf("Why: %+v, %v", w, err)
		}
		active := func(want int) {
			t.Helper()
			<-time.After(time.Second)
			if l, err := list[0].Engine().GlobalLimit(ctx, "g"); err != nil || l.ActiveSlots != want {
				t.Errorf("%d slots are held, %v; want %d", l.ActiveSlots, err, want)
			}
		}
		for _, step := range []struct {
			do   func() error
			want int
		}{
			{func() error { return list[1].Engine().SetGlobalLimit(ctx, api.GlobalLimit{Name: "g", Limit: 3}) }, 3},
			{func() error { return list[0].Engine().SetGlobalLimit(ctx, api.GlobalLimit{Name: "g", Limit: 1}) }, 3},
			{func() error { return list[2].Engine().ResetGlobalLimit(ctx, "g") }, 1},
			{func() error { return list[1].Engine().ActivateGlobalLimit(ctx, "g", false) }, 1},
		} {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			active(step.want)
		}
		if err := list[1].Engine().DeleteGlobalLimit(ctx, "g"); err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			if _, err := p.Engine().GlobalLimit(ctx, "g"); !errors.Is(err, api.ErrNotFound) {
				t.Errorf("a limit that was deleted: %v, want ErrNotFound", err)
			}
		}
	})
}

// What can never be is refused in every process, with the same error, and slots of
// what is no limit are not limited.
func TestSlotsThatAreRefusedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _ := limited(t, api.GlobalLimit{Name: "g", Limit: 2})
		for i, p := range list {
			for _, c := range []struct {
				name    string
				request api.SlotRequest
				want    error
			}{
				{"more than there are", api.SlotRequest{Names: []string{"g"}, Slots: 3}, api.ErrInvalid},
				{"a rate without decay", api.SlotRequest{Names: []string{"g"}, Slots: 1, Rate: true}, api.ErrInvalid},
				{"a name that is none", api.SlotRequest{Names: []string{"h"}, Slots: 1, Strict: true}, api.ErrNotFound},
				{"no limit", api.SlotRequest{Names: []string{"h"}, Slots: 1}, nil},
				{"all", api.SlotRequest{Names: []string{"g", "h"}, Slots: 2}, nil},
			} {
				grant, err := p.Engine().Acquire(t.Context(), nil, c.request)
				if !errors.Is(err, c.want) {
					t.Errorf("process %d, %s: %v, want %v", i, c.name, err, c.want)
				}
				p.Engine().Release(nil, grant)
			}
		}
	})
}
