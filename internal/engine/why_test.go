package engine

import (
	"errors"
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
