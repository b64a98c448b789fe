package engine_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// ear hears changes, one after the other.
type ear struct {
	t    *testing.T
	stop context.CancelFunc

	mu   sync.Mutex
	news []api.Change
	over bool
}

func hears(t *testing.T, changes func(context.Context) iter.Seq[api.Change]) *ear {
	ctx, stop := context.WithCancel(t.Context())
	h := &ear{t: t, stop: stop}
	go func() {
		for c := range changes(ctx) {
			h.mu.Lock()
			h.news = append(h.news, c)
			h.mu.Unlock()
		}
		h.mu.Lock()
		h.over = true
		h.mu.Unlock()
	}()
	return h
}

// since gives what was heard since it was asked last, without the numbers, which must
// rise.
func (h *ear) since() (list []api.Change) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	last := int64(0)
	for _, c := range h.news {
		if c.Number <= last {
			h.t.Errorf("number %d after %d", c.Number, last)
		}
		last = c.Number
		c.Number = 0
		list = append(list, c)
	}
	h.news = nil
	return list
}

// hears checks that it has heard of something since it was asked last.
func (h *ear) hears(what string, want ...api.Change) {
	h.t.Helper()
	synctest.Wait()
	got := h.since()
	for _, c := range want {
		if !slices.Contains(got, c) {
			h.t.Errorf("%s: heard %+v, want %+v", what, got, c)
		}
	}
}

var everything = api.Change{All: true}

func TestChangesOfRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, memory.Open())
		before := time.Now().UnixMicro()
		h := hears(t, r.Changes)
		synctest.Wait()
		if h.news[0].Number <= before {
			t.Errorf("the first number is %d, want one after %d", h.news[0].Number, before)
		}
		h.hears("at first", everything)
		run := r.submit(`[{"task":"list","args":[3]},{"each":{"steps":[{"task":"dbl"}]}}]`)
		synctest.Wait()
		if got := h.since(); !slices.Equal(got, []api.Change{{Run: run.ID(), State: api.Running}}) {
			t.Errorf("a submission: heard %+v", got)
		}
		r.works()
		r.completes(run)
		h.hears("its end", api.Change{Run: run.ID(), State: api.Completed})
		failed := r.submit(`[{"task":"boom","args":[1]}]`)
		h.hears("a failure", api.Change{Run: failed.ID(), State: api.Failed})
		if err := r.Retry(t.Context(), failed.ID()); err != nil {
			t.Fatal(err)
		}
		h.hears("a retry", api.Change{Run: failed.ID(), State: api.Failed})
		waits := r.submit(`[{"task":"ask"}]`)
		h.hears("one that waits", api.Change{Run: waits.ID(), State: api.Running})
		for _, c := range []struct {
			do   func(context.Context, string) error
			want api.State
		}{{r.Pause, api.Paused}, {r.Resume, api.Running}, {r.Cancel, api.Cancelled}} {
			if err := c.do(t.Context(), waits.ID()); err != nil {
				t.Fatal(err)
			}
			h.hears("control", api.Change{Run: waits.ID(), State: c.want})
		}
		h.stop()
		synctest.Wait()
		if !h.over {
			t.Error("it goes on after its context has ended")
		}
	})
}

// What is heard is so: the state can be read, and the counts are those of the state.
func TestChangesAreSoWhenHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, memory.Open())
		r.works()
		go func() {
			for range 50 {
				r.submit(wide)
			}
		}()
		ended := 0
		for c := range r.Changes(t.Context()) {
			if c.Run == "" {
				continue
			}
			got, err := r.Status(t.Context(), c.Run)
			if err != nil || c.State.Final() && (got.State != c.State || got.Tasks["dbl"].Completed != 20) {
				t.Errorf("heard %+v, read %+v (%v)", c, got, err)
			}
			if c.State.Final() {
				if ended++; ended == 50 {
					break
				}
			}
		}
	})
}

// One who does not listen for a while keeps nobody waiting, and learns that it was
// too long.
func TestSlowListener(t *testing.T) {
	for _, c := range []struct {
		runs int
		all  bool
	}{{1000, false}, {5000, true}} {
		t.Run(fmt.Sprint(c.runs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, memory.Open())
				r.works()
				gate := make(chan struct{})
				h := hears(t, func(ctx context.Context) iter.Seq[api.Change] {
					return func(yield func(api.Change) bool) {
						for c := range r.Changes(ctx) {
							<-gate
							if !yield(c) {
								return
							}
						}
					}
				})
				synctest.Wait()
				last := ""
				for range c.runs {
					run := r.submit(`[{"task":"dbl","args":[1]}]`)
					r.completes(run)
					last = run.ID()
				}
				close(gate)
				synctest.Wait()
				h.mu.Lock()
				h.news = h.news[1:] // the first is that all may have changed
				h.mu.Unlock()
				want := api.Change{Run: last, State: api.Completed}
				if got := h.since(); slices.Contains(got, everything) != c.all || len(got) > 4097 || !c.all && !slices.Contains(got, want) {
					t.Errorf("heard %d changes, the first %+v", len(got), got[:1])
				}
			})
		})
	}
}

func TestChangesOfTagsAndSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, memory.Open())
		h := hears(t, r.Changes)
		h.hears("at first", everything)
		if err := r.SetLimit(t.Context(), "db", 1); err != nil {
			t.Fatal(err)
		}
		tagged := `[{"task":"ask","options":{"tags":["db"]}}]`
		first, second := r.submit(tagged), r.submit(tagged)
		h.hears("submissions", api.Change{Run: second.ID(), State: api.Running})
		r.works()
		h.hears("one takes the slot", api.Change{Tag: "db"})
		if err := r.Cancel(t.Context(), first.ID()); err != nil {
			t.Fatal(err)
		}
		h.hears("the slot is given on", api.Change{Tag: "db"}, api.Change{Run: first.ID(), State: api.Cancelled})
		def := api.Schedule{Name: "s", Timetable: api.Timetable{Every: api.Duration(time.Minute)}}
		if err := r.CreateSchedule(t.Context(), def, spec(t, `[{"task":"dbl","args":[1]}]`)); err != nil {
			t.Fatal(err)
		}
		h.hears("a schedule", api.Change{Schedule: "s"})
		wait(time.Minute)
		h.hears("its run", api.Change{Schedule: "s"})
		r.rests()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = r.Close(ctx) // one still waits for its answer
		synctest.Wait()
		if !h.over {
			t.Error("it goes on after the engine was closed")
		}
	})
}

// deaf has a process not hear from the moment it joins, at which a letter may be there.
func deaf(cfg *engine.Config) {
	if f, ok := cfg.Store.(*frozen); ok {
		f.deaf.Store(true)
	}
}

// Who listens in one process hears what happens in all, while it listens.
func TestChangesOfOtherProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", signature)
		b := join(t, s, "b", signature)
		wait(time.Minute) // they know each other
		h := hears(t, a.Changes)
		h.hears("at first", everything)
		run := b.submit(`[{"task":"dbl","args":[1]},{"task":"dbl"}]`)
		b.waits(run, "4")
		wait(time.Second)
		h.hears("a run of the other", api.Change{Run: run.ID(), State: api.Completed})
		for range 3 {
			wait(time.Minute)
			run = b.submit(`[{"task":"dbl","args":[1]}]`)
			b.waits(run, "2")
			wait(time.Second)
			h.hears("a minute later", api.Change{Run: run.ID(), State: api.Completed})
		}
		if got := h.since(); slices.Contains(got, everything) {
			t.Errorf("all may have changed, for no reason")
		}
		c := join(t, s, "c", signature, deaf)
		wait(10 * time.Second)
		h.hears("a third, which does not hear yet", api.Change{Processes: true})
		c.store.deaf.Store(false)
		wait(10 * time.Second)
		h.hears("a third, which does", everything)
		run = c.submit(`[{"task":"dbl","args":[1]}]`)
		c.waits(run, "2")
		wait(time.Second)
		h.hears("a run of it", api.Change{Run: run.ID(), State: api.Completed})
		c.stop()
		wait(10 * time.Second)
		h.hears("it has gone", everything)

		h.stop()
		wait(time.Minute)
		sent := b.store.news.Load()
		for range 10 {
			b.waits(b.submit(`[{"task":"dbl","args":[1]}]`), "2")
			wait(time.Second)
		}
		if n := b.store.news.Load() - sent; n != 0 {
			t.Errorf("%d letters with changes though nobody listens", n)
		}
	})
}

// Of a process whose lease ran out a listener hears on from the engine that comes after.
func TestChangesAfterTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a := join(t, s, "a", signature)
		b := join(t, s, "b", signature)
		h := hears(t, a.Changes)
		wait(time.Minute)
		h.hears("at first", everything)
		o := watch()
		a.watch.Store(o)
		a.stand()
		wait(5 * peerLease)
		h.hears("after the lease", everything)
		run := b.submit(`[{"task":"dbl","args":[1]}]`)
		b.waits(run, "2")
		wait(time.Second)
		h.hears("a run of the other", api.Change{Run: run.ID(), State: api.Completed})
		own := a.submit(`[{"task":"dbl","args":[1]}]`)
		a.waits(own, "2")
		h.hears("a run of its own", api.Change{Run: own.ID(), State: api.Completed})
	})
}
