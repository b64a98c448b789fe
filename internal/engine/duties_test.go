package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// everyMinute creates the schedule "s", whose catching up loses nothing.
func (p *peer) everyMinute(task string, o api.Overlap) {
	p.t.Helper()
	spec := &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: task, Args: api.Args{[]byte("1")}}}}}
	def := api.Schedule{Name: "s", Timetable: api.Timetable{Every: api.Duration(time.Minute)}, Overlap: o, CatchUp: api.CatchUpAll, Window: api.Duration(time.Hour)}
	if err := p.Engine().CreateSchedule(p.t.Context(), def, spec); err != nil {
		p.t.Fatal(err)
	}
}

// minutes gives the times that the runs of "s" stand for, counted from the start of
// the bubble, in the order in which they were made; and the longest that one was late.
func (p *peer) minutes() (list []int, late time.Duration) {
	p.t.Helper()
	for run, err := range p.Engine().Runs(p.t.Context(), api.RunFilter{}) {
		if err != nil {
			p.t.Fatal(err)
		}
		if run.Schedule == nil || run.Schedule.By != "timetable" {
			continue
		}
		list = append(list, int(run.Schedule.At.Sub(bubble)/time.Minute))
		late = max(late, run.Created.Sub(run.Schedule.At))
	}
	slices.Reverse(list)
	return list, late
}

// bubble is when each bubble of synctest begins.
var bubble = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// until waits until so long after the bubble's begin.
func until(d time.Duration) { <-time.After(time.Until(bubble.Add(d))) }

// each checks that there was one run for each minute from the first to the last.
func (p *peer) each(first, last int, late time.Duration) {
	p.t.Helper()
	var want []int
	for i := first; i <= last; i++ {
		want = append(want, i)
	}
	got, by := p.minutes()
	if !slices.Equal(got, want) {
		p.t.Errorf("runs for minutes %v, want %v", got, want)
	}
	if by > late {
		p.t.Errorf("a run was made %s late, want at most %s", by, late)
	}
	if x := p.schedule(); int(x.Made) != len(want) || x.Missed+x.Skipped != 0 {
		p.t.Errorf("made %d, missed %d, skipped %d; want %d, 0 and 0", x.Made, x.Missed, x.Skipped, len(want))
	}
}

func (p *peer) schedule() api.Schedule {
	p.t.Helper()
	x, err := p.Engine().Schedule(p.t.Context(), "s")
	if err != nil {
		p.t.Fatal(err)
	}
	return x
}

// Each time makes one run, wherever the keeper stands still: before any of its writes
// or after it, and be it that it wakes up when another is the keeper.
func TestEachTimeOnceWhoeverIsKeeper(t *testing.T) {
	const handover = peerLease + 6*time.Second
	for writes := range 6 {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, done: %t", writes+1, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					until(7 * time.Second) // so that the keeper does not read all when a time comes
					s := memory.Open()
					a, b := join(t, s, "a", signature), join(t, s, "b", signature)
					c := join(t, s, "c", signature)
					c.everyMinute("dbl", api.OverlapAllow)
					until(2*time.Minute + 30*time.Second)
					b.each(1, 2, time.Second)
					a.store.standAt(writes+1, after)
					until(5*time.Minute + 30*time.Second)
					b.each(1, 5, handover)
					if a.store.beat().After(bubble.Add(5 * time.Minute)) {
						t.Fatal("the keeper has not stood still")
					}
					a.store.thaw()
					until(7*time.Minute + 30*time.Second)
					a.each(1, 7, handover)
					b.store.freeze() // the next keeper
					until(10*time.Minute + 30*time.Second)
					c.each(1, 10, handover)
					b.store.thaw()
					until(11*time.Minute + 30*time.Second)
					b.each(1, 11, handover)
				})
			})
		}
	}
}

// A keeper that is closed is followed by another one within seconds.
func TestKeeperClosesAndSchedulesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		list := []*peer{join(t, s, "a", signature), join(t, s, "b", signature), join(t, s, "c", signature)}
		list[1].everyMinute("dbl", api.OverlapAllow)
		for i, p := range list[:2] {
			until(time.Duration(i+1)*time.Minute - time.Millisecond)
			p.stop()
		}
		until(4 * time.Minute)
		synctest.Wait()
		list[2].each(1, 4, 3*time.Second)
	})
}

// What is done with a schedule in one process holds in all, at once, and whether the
// keeper has heard of it or not.
func TestSchedulesFromEveryProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until(7 * time.Second) // so that the keeper does not read all when a time comes
		s := memory.Open()
		list := []*peer{join(t, s, "a", signature), join(t, s, "b", signature), join(t, s, "c", signature)}
		a, b, c := list[0], list[1], list[2]
		ctx := t.Context()
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		same := func(what string, of func(e *engine.Engine) string) string {
			t.Helper()
			first := of(a.Engine())
			for i, p := range list[1:] {
				if got := of(p.Engine()); got != first {
					t.Errorf("%s: the keeper says %s, process %d %s", what, first, i+1, got)
				}
			}
			return first
		}
		made := func(want ...int) {
			t.Helper()
			if got, _ := b.minutes(); !slices.Equal(got, want) {
				t.Errorf("runs for minutes %v, want %v", got, want)
			}
		}
		b.everyMinute("dbl", api.OverlapAllow)
		until(2*time.Minute + time.Second)
		made(1, 2)
		a.store.deaf.Store(true)
		ok(c.Engine().PauseSchedule(ctx, "s"))
		until(4 * time.Minute)
		made(1, 2)
		if got := same("paused", func(e *engine.Engine) string { x, err := e.Schedule(ctx, "s"); return fmt.Sprint(x, err) }); !strings.Contains(got, "true") {
			t.Error("not paused:", got)
		}
		ok(b.Engine().ResumeSchedule(ctx, "s")) // the keeper finds out by itself
		until(5*time.Minute + time.Second)
		made(1, 2, 5)
		a.store.deaf.Store(false)
		id, err := c.Engine().TriggerSchedule(ctx, "s")
		ok(err)
		n, err := b.Engine().Backfill(ctx, "s", bubble.Add(2*time.Minute), bubble.Add(5*time.Minute))
		ok(err)
		if n != 3 {
			t.Errorf("backfilled %d, want 3", n)
		}
		until(6*time.Minute + time.Second)
		x := a.schedule()
		if made(1, 2, 5, 6); x.Made != 8 || x.Missed != 2 || !slices.ContainsFunc(x.Last, func(r api.ScheduledRun) bool { return r.Run == id }) {
			t.Errorf("the counters of all: %+v", x)
		}
		same("listed", func(e *engine.Engine) string { return fmt.Sprint(listed(e.Schedules(ctx))) })
		same("next", func(e *engine.Engine) string { x, err := e.ScheduleTimes(ctx, "s", 3); return fmt.Sprint(x, err) })
		until(7*time.Minute - time.Millisecond)
		a.store.deaf.Store(true)
		ok(c.Engine().DeleteSchedule(ctx, "s"))
		until(9 * time.Minute)
		made(1, 2, 5, 6)
		for what, of := range map[string]func(e *engine.Engine) error{
			"read":     func(e *engine.Engine) error { _, err := e.Schedule(ctx, "s"); return err },
			"pause":    func(e *engine.Engine) error { return e.PauseSchedule(ctx, "s") },
			"resume":   func(e *engine.Engine) error { return e.ResumeSchedule(ctx, "s") },
			"delete":   func(e *engine.Engine) error { return e.DeleteSchedule(ctx, "s") },
			"next":     func(e *engine.Engine) error { _, err := e.ScheduleTimes(ctx, "s", 1); return err },
			"trigger":  func(e *engine.Engine) error { _, err := e.TriggerSchedule(ctx, "s"); return err },
			"backfill": func(e *engine.Engine) error { _, err := e.Backfill(ctx, "s", bubble, time.Now()); return err },
		} {
			same(what, func(e *engine.Engine) string { return fmt.Sprint(of(e), errors.Is(of(e), api.ErrNotFound)) })
		}
	})
}

func listed(all iter.Seq2[api.Schedule, error]) (list []string) {
	for x, err := range all {
		list = append(list, fmt.Sprint(x, err))
	}
	return list
}

// Changes of many processes at a time all count.
func TestScheduleChangedByManyProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		list := []*peer{join(t, s, "a", signature), join(t, s, "b", signature), join(t, s, "c", signature)}
		list[0].everyMinute("dbl", api.OverlapAllow)
		until(time.Minute - time.Millisecond)
		errs := make(chan error, 30)
		for i := range cap(errs) {
			go func() {
				<-time.After(time.Duration(i%3) * time.Millisecond)
				_, err := list[i%3].Engine().TriggerSchedule(t.Context(), "s")
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		until(2*time.Minute + time.Second)
		if x := list[1].schedule(); x.Made != 32 {
			t.Errorf("made %d, want 30 that were triggered and 2 of the timetable", x.Made)
		}
		if got, _ := list[2].minutes(); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("runs for minutes %v, want 1 and 2", got)
		}
	})
}

// A run of a schedule is live for the next one wherever it is: here it is retried in
// a process that is not the keeper, or its process has gone.
func TestOverlapOfRunsElsewhere(t *testing.T) {
	for _, c := range []struct {
		overlap api.Overlap
		held    string // what the schedule says while the run is live
		let     bool   // the run is let end, by its body
		deaf    bool   // the keeper does not hear of it
		want    []int  // of the timetable, in the end
		late    time.Duration
	}{
		{api.OverlapSkip, "0 1", true, false, []int{1, 3}, time.Second},
		{api.OverlapQueue, "2 0", true, false, []int{1, 2, 3}, 12 * time.Second},
		{api.OverlapQueue, "2 0", true, true, []int{1, 2, 3}, 27 * time.Second},
		{api.OverlapCancel, "0 0", false, false, []int{1, 2, 3}, time.Second},
		{api.OverlapAllow, "0 0", false, false, []int{1, 2, 3}, time.Second},
	} {
		t.Run(fmt.Sprintf("%s, deaf: %t", c.overlap, c.deaf), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.Open()
				a, b := join(t, s, "a", signature), join(t, s, "b", signature)
				b.everyMinute("boom", c.overlap)
				until(time.Minute + 10*time.Second)
				var first api.Run
				for run := range b.Engine().Runs(t.Context(), api.RunFilter{}) {
					first = run
				}
				b.hold.Store(true)
				if err := b.Engine().Retry(t.Context(), first.ID); err != nil {
					t.Fatal(err)
				}
				until(2*time.Minute + 10*time.Second)
				x := a.schedule()
				queued := 0
				if !x.Queued.IsZero() {
					queued = int(x.Queued.Sub(bubble) / time.Minute)
				}
				if got := fmt.Sprint(queued, x.Skipped); got != c.held {
					t.Errorf("queued and skipped while the run is live elsewhere: %s, want %s", got, c.held)
				}
				if live := b.told.Load() == 0; live != (c.overlap != api.OverlapCancel) {
					t.Errorf("the body goes on: %t", live)
				}
				a.store.deaf.Store(c.deaf)
				if b.hold.Store(false); c.let {
					until(2*time.Minute + max(12*time.Second, c.late))
					synctest.Wait()
					if n := a.schedule().Live; n != 0 {
						t.Errorf("%d runs are live, want none", n)
					}
				}
				until(3*time.Minute + time.Second)
				if got, late := a.minutes(); !slices.Equal(got, c.want) || late > c.late {
					t.Errorf("runs for minutes %v, at most %s late; want %v, %s", got, late, c.want, c.late)
				}
			})
		})
	}
}

// What waits for a run's end does so when the keeper has gone, and the run's process.
func TestQueuedOverKeepers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", signature), join(t, s, "b", signature)
		for _, p := range []*peer{a, b} {
			p.takes.Store(int64(150 * time.Second))
		}
		b.everyMinute("dbl", api.OverlapQueue)
		until(2*time.Minute + 30*time.Second)
		a.store.freeze() // it has the run for 1, and 2 waits
		until(3*time.Minute - time.Second)
		if x := b.schedule(); x.Queued.Sub(bubble) != 2*time.Minute || x.Live != 1 {
			t.Errorf("queued %s, %d live", x.Queued, x.Live)
		}
		until(6 * time.Minute) // the run for 1 begins again and ends about 5:12
		if got, _ := b.minutes(); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("runs for minutes %v, want 1 and 2", got)
		}
		a.store.thaw()
	})
}

// strange does not know "dbl".
func strange(task string) *pipeline.Signature {
	if task == "dbl" {
		return nil
	}
	return signature(task)
}

// A keeper that does not know a schedule's tasks has the runs made by a process that
// does.
func TestKeeperThatDoesNotKnowTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		a, b := join(t, s, "a", strange), join(t, s, "b", signature)
		c := join(t, s, "c", strange)
		b.everyMinute("dbl", api.OverlapAllow)
		until(2*time.Minute + time.Second)
		b.each(1, 2, time.Second)
		b.store.standAt(1, false) // it is asked for the run of 3
		d := join(t, s, "d", signature)
		until(4*time.Minute + time.Second)
		d.each(1, 4, peerLease+6*time.Second)
		b.store.thaw()
		until(5*time.Minute + time.Second)
		d.each(1, 5, peerLease+6*time.Second)
		b.stop()
		d.stop()
		until(6*time.Minute + time.Second)
		if x := c.schedule(); x.Made != 5 || x.Missed != 1 || !strings.Contains(x.Error, "dbl") {
			t.Errorf("nobody knows the task: made %d, missed %d, %q", x.Made, x.Missed, x.Error)
		}
		_, err := a.Engine().TriggerSchedule(t.Context(), "s")
		if !errors.Is(err, api.ErrUnknownTask) {
			t.Errorf("triggered where the task is not known: %v", err)
		}
	})
}

// Old runs are removed by one process, and by the next one when that has gone. A run
// that is live again elsewhere stays.
func TestOldRunsAreRemovedByOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		hour := func(c *engine.Config) { c.Retention = time.Hour }
		a, b, c := join(t, s, "a", signature, hour), join(t, s, "b", signature, hour), join(t, s, "c", signature, hour)
		removes := func(d time.Duration) (keeper *peer) {
			t.Helper()
			for _, p := range []*peer{a, b, c} {
				p.store.expired.Store(0)
			}
			<-time.After(d)
			for _, p := range []*peer{a, b, c} {
				switch n := p.store.expired.Load(); {
				case n > 0 && keeper != nil:
					t.Errorf("in %s more than one process looks for what is old", d)
				case n > 0:
					keeper = p
				}
			}
			if keeper == nil {
				t.Fatalf("in %s nobody looks for what is old", d)
			}
			return keeper
		}
		gone := func(h *engine.Handle) bool {
			t.Helper()
			_, err := c.Engine().Status(t.Context(), h.ID())
			if err != nil && !errors.Is(err, api.ErrNotFound) {
				t.Error(err)
			}
			return err != nil
		}
		old, failed := b.submit(wide), b.submit(`[{"task":"boom","args":[1]}]`)
		b.waits(old, "380")
		<-time.After(30 * time.Minute)
		if gone(old) || gone(failed) {
			t.Error("removed before their time")
		}
		if n := b.store.expired.Load() + c.store.expired.Load(); n != 0 || a.store.expired.Load() == 0 {
			t.Errorf("who is not the keeper has looked %d times for what is old", n)
		}
		c.hold.Store(true)
		if err := c.Engine().Retry(context.WithoutCancel(t.Context()), failed.ID()); err != nil {
			t.Fatal(err)
		}
		first := removes(2 * time.Hour)
		if !gone(old) || gone(failed) {
			t.Errorf("gone: %t of the old run, %t of the one that is live again", gone(old), gone(failed))
		}
		if first != a {
			t.Error("the keeper is not the first process")
		}
		a.stop()
		second := removes(3 * time.Second)
		c.hold.Store(false)
		second.store.freeze()
		if removes(15*time.Second) == second {
			t.Error("who stands still looks for what is old")
		}
		second.store.thaw()
		<-time.After(2 * time.Hour)
		if !gone(failed) {
			t.Error("a run that has ended again stays")
		}
	})
}

// Runs are kept for as long as any process that lives wants.
func TestLongestRetentionCounts(t *testing.T) {
	const unit = 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		s := memory.Open()
		var list []*peer
		for i, keep := range []time.Duration{unit, 5 * unit, 0} { // 0: for ever
			list = append(list, join(t, s, fmt.Sprint(i), signature, func(c *engine.Config) { c.Retention = keep }))
		}
		a := list[0]
		a.waits(a.submit(wide), "380")
		for _, c := range []struct {
			end  *peer
			d    time.Duration
			left int
		}{{nil, 10 * unit, 1}, {list[2], unit, 0}, {nil, 0, 0}, {nil, 4 * unit, 1}, {list[1], unit, 0}} {
			if c.d == 0 {
				a.waits(a.submit(wide), "380")
				continue
			}
			if c.end != nil {
				c.end.stop()
			}
			<-time.After(c.d)
			n := 0
			for _, err := range a.Engine().Runs(t.Context(), api.RunFilter{}) {
				if n++; err != nil {
					t.Fatal(err)
				}
			}
			if n != c.left {
				t.Errorf("%d runs are left after %s more, want %d", n, c.d, c.left)
			}
		}
	})
}

// A keeper that is closed and waits for its bodies is followed at once all the same:
// schedules go on, and limits hold, with what it still has.
func TestKeeperThatDrainsIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list, o := three(t, 2)
		a, b, c := list[0], list[1], list[2]
		b.everyMinute("sum", api.OverlapAllow)
		a.hold.Store(true)
		const one = `[{"task":"dbl","args":[1],"options":{"tags":["a"]}}]`
		held := a.submit(one)
		until(time.Minute - time.Millisecond)
		closed := make(chan error, 1)
		go func() { closed <- a.Close(context.WithoutCancel(t.Context())) }()
		for _, p := range []*peer{b, c} {
			p.takes.Store(int64(10 * time.Second))
		}
		var runs []*engine.Handle
		for range 3 {
			runs = append(runs, b.submit(one), c.submit(one))
		}
		until(time.Minute + 5*time.Second)
		if x := c.schedule(); x.Made != 1 || x.Missed != 0 {
			t.Errorf("made %d, missed %d while the first keeper drains, want 1 and 0", x.Made, x.Missed)
		}
		l, err := c.Engine().Limit(t.Context(), "a")
		if err != nil || l.Active != 2 || l.Waiting != 5 || !slices.Contains(l.ActiveSlots, held.ID()+"/0") {
			t.Errorf("the limit while the first keeper drains: %+v, %v", l, err)
		}
		if err := a.Engine().SetLimit(t.Context(), "a", 3); err != nil {
			t.Errorf("asked from who drains: %v", err)
		}
		if err := c.Engine().SetLimit(t.Context(), "a", 2); err != nil {
			t.Error(err)
		}
		select {
		case err := <-closed:
			t.Errorf("closed with a body that runs: %v", err)
		default:
		}
		a.hold.Store(false)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		a.stop()
		for _, h := range runs {
			b.waits(b.handle(h.ID()), "2")
		}
		b.waits(b.handle(held.ID()), "2")
		if o.most > 3 {
			t.Errorf("%d bodies ran at a time, the limit was 3 at most", o.most)
		}
		<-time.After(time.Minute)
		if l, err = b.Engine().Limit(t.Context(), "a"); err != nil || l.Active+l.Waiting != 0 {
			t.Errorf("in the end: %+v, %v", l, err)
		}
	})
}
