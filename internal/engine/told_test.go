package engine_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// hear is what workers are told: only what is durable, and each end once, whatever
// crashes.
func (w *world) hear(job *api.Job, run api.TaskRun) {
	if before, twice := w.told[job.ID]; twice {
		w.t.Errorf("%s was told twice: %s, then %s", job.ID, before.State, run.State)
	}
	w.told[job.ID] = run
	for stored, err := range w.e.TaskRuns(w.t.Context(), api.TaskRunFilter{Run: job.Run}) {
		if err != nil {
			w.t.Fatal(err)
		}
		if stored.ID != run.ID {
			continue
		}
		stored.Place, stored.Caller = "", "" // workers are not told
		if told, kept := asJSON(w.t, run), asJSON(w.t, stored); told != kept {
			w.t.Errorf("told %s\nstored %s", told, kept)
		}
		return
	}
	w.t.Errorf("%s was told before it was durable", job.ID)
}

func asJSON(t *testing.T, run api.TaskRun) string {
	t.Helper()
	data, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A worker is told once a commit has been advanced, and an end that a crash took
// is told by whoever repeats the body.
func TestToldOnceDurable(t *testing.T) {
	w := &world{t: t, now: time.Unix(1e9, 0), store: memory.Open(), lives: 1, told: map[string]api.TaskRun{}, ran: map[string]int{}, want: map[string]string{}}
	open := func() {
		e, err := engine.New(t.Context(), engine.Config{
			Store: w.store, Registry: signature, Manual: true, Now: func() time.Time { return w.now }, Told: w.hear,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.e = e
	}
	settle := func() {
		for w.e.CommitStep() || w.e.AdvanceStep() {
		}
	}
	open()
	spec, err := api.ParseSpec([]byte(`{"runnel":1,"steps":[{"task":"add","args":[1,2]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.e.Enqueue(t.Context(), spec, "one")
	if err != nil {
		t.Fatal(err)
	}
	w.want[id] = "3"
	settle()
	for life := range 2 {
		w.claim()
		w.e.Finish(w.held[life], body(w.held[life]))
		if life == 0 { // a crash before the commit
			w.lives++
			open()
			settle()
			continue
		}
		w.e.CommitStep()
		if len(w.told) != 0 {
			t.Fatal("told by the committer: who waits for the run would be behind a hook")
		}
		w.e.AdvanceStep()
	}
	if run := w.told[id+"/0"]; run.State != api.Completed || run.Name != "add-0" || string(run.Result) != "3" {
		t.Errorf("told %+v", run)
	}
	open()
	settle()
	if len(w.told) != 1 {
		t.Errorf("told %d", len(w.told))
	}
}
