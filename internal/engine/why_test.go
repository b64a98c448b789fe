package engine

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// What follows a step is shown once the step's end is durable, and not before:
// that it is there tells that the step has ended.
func TestWhatFollowsIsShownOnceDurable(t *testing.T) {
	r := newSlotRig(t, memory.Open(), time.Unix(1e9, 0))
	call := api.Step{Call: &api.Call{Task: "t"}}
	id, err := r.Enqueue(t.Context(), &api.Spec{Steps: []api.Step{call, call}}, "")
	if err != nil {
		t.Fatal(err)
	}
	r.steps()
	job, err := r.TryClaim(t.Context())
	if err != nil || job == nil {
		t.Fatalf("no job: %v", err)
	}
	r.Begin(job, func(error) {})
	shown := func(what string, want int) {
		t.Helper()
		n := 0
		for task, err := range r.TaskRuns(t.Context(), api.TaskRunFilter{Run: id}) {
			if err != nil {
				t.Fatal(err)
			}
			if task.Seq == 1 {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: the second task run is listed %d times, want %d", what, n, want)
		}
		if _, err := r.Why(t.Context(), id+"/1"); errors.Is(err, api.ErrNotFound) != (want == 0) {
			t.Errorf("%s: asked why the second one waits: %v", what, err)
		}
	}
	r.Finish(job, api.Answer{})
	shown("before the commit", 0)
	r.CommitStep()
	shown("before who waits is told", 0)
	r.AdvanceStep()
	shown("after it", 1)
}

// A task run whose end is not durable yet has not ended, so it is listed.
func TestWhatHasEndedIsListedUntilThatIsStored(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(r *slotRig, id string)
		before api.State
		after  api.State
	}{
		{"a body", func(r *slotRig, _ string) {
			job, err := r.TryClaim(r.t.Context())
			if err != nil || job == nil {
				r.t.Fatalf("no job: %v", err)
			}
			r.Begin(job, func(error) {})
			r.Finish(job, api.Answer{})
		}, api.Running, api.Completed},
		{"cancelled before it began", func(r *slotRig, id string) {
			if err := r.Cancel(r.t.Context(), id); err != nil {
				r.t.Fatal(err)
			}
		}, api.Pending, api.Cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newSlotRig(t, memory.Open(), time.Unix(1e9, 0))
			id, err := r.Enqueue(t.Context(), &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "t"}}}}, "")
			if err != nil {
				t.Fatal(err)
			}
			r.steps()
			c.end(r, id)
			list := r.list(id)
			if len(list) != 1 || list[0].State != c.before || list[0].Waiting == nil || list[0].Waiting.Kind != api.WaitsForStore {
				t.Errorf("before the commit the task runs are %+v, want one that is %s and waits for the store", list, c.before)
			}
			if w, err := r.Why(t.Context(), id+"/0"); err != nil || w.Kind != api.WaitsForStore {
				t.Errorf("before the commit it %v (%v)", w, err)
			}
			r.CommitStep()
			if list = r.list(id); len(list) != 1 || list[0].State != c.after || list[0].Waiting != nil {
				t.Errorf("after it the task runs are %+v, want one that is %s", list, c.after)
			}
			r.steps()
			if list = r.list(id); len(list) != 1 || list[0].State != c.after {
				t.Errorf("at the end the task runs are %+v, want one that is %s", list, c.after)
			}
		})
	}
}

// list gives the task runs of a run.
func (r *slotRig) list(id string) (list []api.TaskRun) {
	r.t.Helper()
	for task, err := range r.TaskRuns(r.t.Context(), api.TaskRunFilter{Run: id}) {
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, task)
	}
	return list
}

// busy makes a run with so many bodies that run, and one child that waits for
// them. It gives the ids of the run and of one body.
func busy(t testing.TB, n int) (r *slotRig, id, body string) {
	t.Helper()
	r = newSlotRig(t, memory.Open(), time.Unix(1e9, 0))
	id, err := r.Enqueue(t.Context(), &api.Spec{Steps: []api.Step{{Group: &api.Group{
		Children: slices.Repeat([]api.Spec{{Steps: []api.Step{{Call: &api.Call{Task: "t"}}}}}, n+1), MaxParallelism: n,
	}}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	r.steps()
	for i := range n {
		job, err := r.TryClaim(t.Context())
		if err != nil || job == nil {
			t.Fatalf("no job %d: %v", i, err)
		}
		r.Begin(job, func(error) {})
		r.steps()
		body = job.ID
	}
	return r, id, body
}

// Of a run with much in progress a part is looked at, and it says so.
func TestWhyOfABusyRun(t *testing.T) {
	for _, c := range []struct {
		n, running, seen, of int
	}{
		{10, 10, 0, 0},
		{summed, summed, 0, 0},
		{2 * summed, summed, summed + 1, 2*summed + 1},
	} {
		r, id, _ := busy(t, c.n)
		w, err := r.Why(t.Context(), id)
		if err != nil || w.Running != c.running || w.Seen != c.seen || w.Of != c.of || w.Counts[api.WaitsForParallelism] != 1 {
			t.Errorf("with %d bodies: %+v (%v), want %d running, %d seen of %d", c.n, w, err, c.running, c.seen, c.of)
		}
	}
}

// It costs no more of a run with much in progress, nor of one of its task runs.
func BenchmarkWhy(b *testing.B) {
	for _, n := range []int{10, 10_000, 100_000} {
		r, id, body := busy(b, n)
		for _, of := range []struct{ what, id string }{{"run", id}, {"task run", body}} {
			b.Run(fmt.Sprintf("%s/%d", of.what, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := r.Why(b.Context(), of.id); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
