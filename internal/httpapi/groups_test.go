package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/internal/httpapi"
	"github.com/runnel-dev/runnel/internal/store"
)

func TestTaskGroups(t *testing.T) {
	s := serve(t)
	var last string
	for _, arg := range []string{"1", "2", "3"} {
		last, _ = s.ran(t, task("double", arg))
	}
	s.ran(t, task("fails"))
	for _, c := range []struct {
		by, q, run string
		want       map[string]int
	}{
		{"task", "", "", map[string]int{"double": 3, "fails": 1}},
		{"state", "", "", map[string]int{"completed": 3, "failed": 1}},
		{"state", "task:double", "", map[string]int{"completed": 3}},
		{"task", "", last, map[string]int{"double": 1}},
		{"why", "", "", map[string]int{"": 4}},
		{"run", "state:failed", "", nil},
	} {
		status, _, text := s.get(t, "/api/v1/groups/tasks?"+url.Values{"by": {c.by}, "q": {c.q}, "run": {c.run}}.Encode())
		var got httpapi.TaskGroups
		if err := json.Unmarshal([]byte(text), &got); status != http.StatusOK || err != nil {
			t.Fatalf("%+v: %d %s %v", c, status, text, err)
		}
		if c.want == nil {
			if len(got.Groups) != 1 || got.Groups[0].States["FAILED"] != 1 || got.Groups[0].Newest == "" {
				t.Errorf("%+v: %s", c, text)
			}
			continue
		}
		if len(got.Groups) != len(c.want) || got.More || got.Others > 0 {
			t.Errorf("%+v: %s", c, text)
		}
		for _, g := range got.Groups {
			if g.Count != c.want[g.Key] {
				t.Errorf("%+v: %s", c, text)
			}
		}
	}
	for _, wrong := range []string{"by=colour", "", "by=task&q=nonsense:1"} {
		if status, _, text := s.get(t, "/api/v1/groups/tasks?"+wrong); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", wrong, status, text)
		}
	}
}

// Task runs are counted, chosen and drawn by the worker that had their bodies last,
// whether it is this process or comes over HTTP.
func TestTaskRunsByWorker(t *testing.T) {
	s := serveStored(t)
	attempt, far := s.farAttempt(t)
	near, _ := s.ran(t, task("double", "1"))
	worker, _, _ := strings.Cut(attempt, "/attempts/")
	if _, _, text := s.get(t, worker); !strings.Contains(text, `"current":[{"id":"`+far+`/0"`) || strings.Contains(text, `"recent"`) {
		t.Errorf("the worker is %s, want it to have %s", text, far)
	}
	s.asks(t, attempt+"/finish", `{"result":1}`, nil)
	if _, err := s.Wait(t.Context(), far); err != nil {
		t.Fatal(err)
	}
	of := func(run string) string {
		t.Helper()
		one, err := s.TaskRun(t.Context(), run+"/0")
		if err != nil || !one.State.Final() {
			t.Fatalf("%+v %v", one, err)
		}
		return one.Worker
	}
	if of(far) != "gpu-7" || of(near) != store.ProcessName() {
		t.Errorf("the bodies ran on %q and %q, want gpu-7 and %q", of(far), of(near), store.ProcessName())
	}
	if _, _, text := s.get(t, worker); !strings.Contains(text, `"recent":[{"id":"`+far+`/0"`) || strings.Contains(text, near) || strings.Contains(text, `"current"`) {
		t.Errorf("the worker is %s, want it to have done %s", text, far)
	}
	for run, worker := range map[string]string{far: "gpu-7", near: store.ProcessName()} {
		if got := s.listed(t, "/tasks", url.Values{"q": {`worker:"` + worker + `"`}}); !slices.Equal(got, []string{run + "/0"}) {
			t.Errorf("of %s: %v, want that of %s", worker, got, run)
		}
		l := s.timeline(t, run+"/timeline")
		if !slices.Equal(l.Workers, []string{"", worker}) || !slices.Equal(l.Worker, []int{1}) {
			t.Errorf("the timeline of %s has the workers %q, %v", run, l.Workers, l.Worker)
		}
	}
	var got httpapi.TaskGroups
	_, _, text := s.get(t, "/api/v1/groups/tasks?by=worker")
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got.Groups) != 2 || got.Groups[0].Count != 1 || got.Groups[1].Count != 1 {
		t.Errorf("by worker: %s %v", text, err)
	}
}
