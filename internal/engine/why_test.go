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
