package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

// TestBulkOfTasks: task runs are ticked, or chosen by the filter of their list.
func TestBulkOfTasks(t *testing.T) {
	s := serve(t, "/x")
	s.run(t, "a", call("fails"))
	s.run(t, "b", call("fails"))
	group := &api.Group{}
	for range 5 {
		group.Children = append(group.Children, *call("held"))
	}
	s.submit(t, "live", &api.Spec{Steps: []api.Step{{Group: group}}})
	a, live := s.runs["a"], s.runs["live"]
	s.until(t, "/runs/"+live+"?tab=tasks&q=state:running", "5 task runs")
	s.get(t, "/tasks?q=state:failed").says(t, `name="id" value="`+a+`/0"`, `name="q" value="state:failed"`, "all that match the filter")
	s.get(t, "/runs/"+live+"?tab=tasks").says(t, `name="q" value="run:`+live+`"`, "all of this run</label>")
	s.get(t, "/runs/"+live+"?tab=tasks&q=task:held&state=running").says(t, `name="q" value="run:`+live+` task:held state:running"`, "all of this run that match the filter")
	if page := s.get(t, "/runs/"+live+"?tab=timeline"); strings.Contains(page.text, `id="bulk"`) {
		t.Error("task runs can be ticked beside the timeline")
	}
	if page := s.get(t, "/tasks"); strings.Contains(page.text, `name="all"`) {
		t.Error("without a filter all task runs can be chosen")
	}
	for _, c := range []struct{ query, want string }{
		{"action=retry&id=" + a + "/0&id=" + s.runs["b"] + "/0", "Retry from 2 task runs?"},
		{"action=cancel&all=1&q=run:" + live, "Cancel 5 task runs?"},
		{"action=cancel&q=run:" + live + "&id=" + live + "/0&back=runs/" + live + "%3Ftab=tasks", `href="../runs/` + live + `?tab=tasks"`},
	} {
		s.get(t, "/tasks/bulk?"+c.query).says(t, c.want, `name="reason"`)
	}
	for _, query := range []string{"action=pause&id=" + a + "/0", "action=cancel"} {
		if r := s.get(t, "/tasks/bulk?"+query); r.status != http.StatusUnprocessableEntity {
			t.Errorf("asking for %q answers %d", query, r.status)
		}
	}
	if to := s.post(t, "/tasks/bulk", "action", "cancel", "all", "1", "q", "run:"+live, "back", "//elsewhere", "reason", "tidying").to(t); to.Path != "/x/tasks" {
		t.Errorf("it leads to %s", to)
	}
	s.until(t, "/runs/"+live+"?tab=tasks&q=state:cancelled", "5 task runs")
	s.get(t, "/operations").says(t, "Cancel 5 task runs")
}
