package engine_test

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// kept is signature with two tasks that are cached: "kept", and "fresh", whose values
// nobody takes, so that all who ask run one after the other.
func kept(task string) *pipeline.Signature {
	s := signature(task)
	switch task {
	case "fresh":
		s.Params, s.Cached, s.Options.CacheExpiration = []string{"integer"}, true, -1
	case "kept":
		s.Params, s.Cached = []string{"integer"}, true
	case "cross", "limited", "rated":
		s.Params = []string{"integer"}
	}
	return s
}

// One body at a time runs under a cache key, over all processes, whatever becomes of
// them: the others take its value.
func TestSingleFlightAcrossProcesses(t *testing.T) {
	for _, c := range ends {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				list, o := watched(t, memory.Open())
				var runs []*engine.Handle
				for _, p := range list {
					p.takes.Store(int64(3 * time.Second))
					for range 2 {
						runs = append(runs, p.submit(`[{"value":[1,2,1,2]},{"each":{"steps":[{"task":"kept"}]}},{"task":"sum"}]`))
					}
				}
				begun := time.Now()
				<-time.After(time.Second)
				c.end(list)
				for _, h := range runs {
					list[2].waits(list[2].handle(h.ID()), "12")
				}
				// Two keys, so two at a time, and two bodies in all but for those whose
				// process has gone.
				if o.most != 2 || o.all > 4 || c.name == "all stay" && o.all != 2 {
					t.Errorf("%d bodies ran, %d at a time, want 2", o.all, o.most)
				}
				if took := time.Since(begun); took > 6*time.Second+c.lost {
					t.Errorf("it took %s", took)
				}
				<-time.After(time.Minute) // who stood still is back
				list[2].waits(list[2].submit(`[{"task":"kept","args":[1]}]`), "2")
				if o.all > 4 {
					t.Error("a value is not found")
				}
			})
		})
	}
}

// Where nobody leaves a value all have their turn, one after the other, and the state
// under a task id is as the one before left it, wherever that was.
func TestTurnsAcrossProcesses(t *testing.T) {
	for _, c := range ends {
		for what, steps := range map[string]string{
			"cache key": `[{"value":[1,1]},{"each":{"steps":[{"task":"fresh"}]}},{"task":"sum"}]`,
			"task id":   `[{"value":[1,1]},{"each":{"steps":[{"task":"dbl","options":{"task_id":"x"}}]}},{"task":"sum"}]`,
		} {
			t.Run(c.name+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := memory.Open()
					list, o := watched(t, s)
					var runs []*engine.Handle
					for _, p := range list {
						p.takes.Store(int64(time.Second))
						runs = append(runs, p.submit(steps), p.submit(steps))
					}
					begun := time.Now()
					<-time.After(2500 * time.Millisecond)
					c.end(list)
					for _, h := range runs {
						list[2].waits(list[2].handle(h.ID()), "4")
					}
					if o.most != 1 || o.all < 12 || o.all > 14 {
						t.Errorf("%d bodies ran, %d at a time; want 12, 1 at a time", o.all, o.most)
					}
					if took := time.Since(begun); took > 14*time.Second+c.lost {
						t.Errorf("it took %s: turns that are free are not given at once", took)
					}
					<-time.After(time.Minute) // who stood still is back
					if what == "cache key" {
						return
					}
					if value, err := s.Keyed(t.Context(), "x"); err != nil || string(value) != "12" {
						t.Errorf("the state under the task id says that %s bodies ran, %v; want 12", value, err)
					}
				})
			})
		}
	}
}

// A task waits first for the turn of its task id, then of its cache key, then for the
// slots of its tags, so a circle of processes that wait for each other can't be.
func TestTurnsAndSlotsDoNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, o := watched(t, memory.Open())
		for _, tag := range []string{"a", "b"} {
			if err := list[1].Engine().SetLimit(t.Context(), tag, 1); err != nil {
				t.Fatal(err)
			}
		}
		var runs []*engine.Handle
		for i := range 24 {
			p := list[i%3]
			p.takes.Store(int64(100 * time.Millisecond))
			runs = append(runs, p.submit(fmt.Sprintf(`[{"task":"fresh","args":[%d],"options":{"task_id":"%c","tags":["%c"]}}]`, i%2, 'x'+i/2%2, 'a'+i/4%2)))
		}
		for i, h := range runs {
			list[0].waits(list[0].handle(h.ID()), strconv.Itoa(2*(i%2)))
		}
		if o.most > 2 {
			t.Errorf("%d bodies ran at a time, there are two of each", o.most)
		}
	})
}

// A run that is paused gives its turn to others, in other processes too, and Why says
// whose turn it is.
func TestTurnOfPausedRunAcrossProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, _ := watched(t, memory.Open())
		for _, p := range list {
			p.hold.Store(true)
		}
		const one = `[{"task":"fresh","args":[1]}]`
		a := list[1].submit(one)
		<-time.After(time.Second)
		b := list[2].submit(one)
		<-time.After(time.Second)
		c := list[0].submit(one)
		<-time.After(time.Second)
		for h, kind := range map[*engine.Handle]api.WaitingKind{b: api.WaitsForCache, c: api.WaitsForCache} {
			w, err := list[1].Engine().Why(t.Context(), h.ID()+"/0")
			if err != nil || w.Kind != kind || w.TaskRun != a.ID()+"/0" {
				t.Errorf("Why: %+v, %v; want that it is the turn of %s", w, err, a.ID())
			}
		}
		if err := list[0].Engine().Pause(t.Context(), b.ID()); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		for _, p := range list {
			p.hold.Store(false)
		}
		list[0].waits(list[0].handle(a.ID()), "2")
		list[0].waits(c, "2")
		if err := list[1].Engine().Resume(t.Context(), b.ID()); err != nil {
			t.Fatal(err)
		}
		list[0].waits(list[0].handle(b.ID()), "2")
	})
}
