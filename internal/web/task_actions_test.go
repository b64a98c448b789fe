package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

// What is done to one task run is asked for on its page and in its panel.
func TestTaskActions(t *testing.T) {
	s := serve(t, "")
	s.run(t, "failed", call("fails"))
	s.run(t, "done", call("double", "4"))
	s.submit(t, "live", call("held"))
	failed, live := "/runs/"+s.runs["failed"], "/runs/"+s.runs["live"]

	for page, want := range map[string]string{
		failed + "/tasks/0":       failed[1:] + `/tasks/0/retry" data-modal>Retry from here`,
		failed + "?task=0":        failed[1:] + `/tasks/0/retry?panel=1" data-modal>Retry from here`,
		failed:                    failed[1:] + `/tasks/0/retry" data-modal>Retry from here`,
		"/runs/" + s.runs["done"]: "/retry-all\" data-modal>Rerun",
	} {
		if r := s.get(t, page); !strings.Contains(r.text, want) {
			t.Errorf("%s lacks %s", page, want)
		}
	}
	s.get(t, failed+"/tasks/0/retry").says(t, "Retry from the task run “fails-0”?", "and all that comes after it", `name="reason"`)
	if to := s.post(t, failed+"/tasks/0/retry", "panel", "1", "reason", "disk is back").to(t); to.Path != failed || to.RawQuery != "task=0" {
		t.Errorf("after a retry in the panel comes %s", to)
	}
	s.until(t, failed+"?tab=history", "disk is back")
	s.until(t, "/api/v1"+failed, `"state":"FAILED"`)
	if to := s.post(t, failed+"/tasks/0/retry").to(t); to.Path != failed+"/tasks/0" {
		t.Errorf("after a retry on the page comes %s", to)
	}
	s.post(t, "/runs/"+s.runs["done"]+"/retry-all", "reason", "once more").to(t)

	s.until(t, live+"/tasks/0", live[1:]+`/tasks/0/cancel" data-modal>Cancel`)
	if r := s.post(t, live+"/tasks/0/retry"); r.status != http.StatusConflict || !strings.Contains(r.text, "has not ended") {
		t.Errorf("a retry in a live run answers %d: %s", r.status, r.text)
	}
	s.get(t, live+"/tasks/0/cancel").says(t, "Cancel the task run “held-0”?")
	s.post(t, live+"/tasks/0/cancel", "reason", "not needed").to(t)
	s.until(t, live+"/tasks/0", "cancelled by a request")
}

// A task run leads to what comes before and after it, of a run that is not large.
func TestTaskShowsWhatIsAroundIt(t *testing.T) {
	s := serve(t, "")
	chain := call("double", "4")
	chain.Steps = append(chain.Steps, call("double").Steps...)
	s.run(t, "chain", chain)
	s.run(t, "report", call("report", "60"))
	large := each(201, "odd")
	large.Steps[0].Group.Children = append([]api.Spec{*call("report", "1")}, large.Steps[0].Group.Children...)
	s.run(t, "large", large)
	for _, c := range []struct{ run, task, want string }{
		{"chain", "0", `Its result went to</h3><ul class="given"><li><span class="state s-completed"><i aria-hidden="true">✓</i> completed</span> <a href="../RUN/tasks/1">double-1</a></li></ul>`},
		{"chain", "1", `It was given the results of</h3><ul class="given"><li><span class="state s-completed"><i aria-hidden="true">✓</i> completed</span> <a href="../RUN/tasks/0">double-0</a></li></ul>`},
		{"report", "0", `and 10 more</li></ul>`},
		{"report", "7", `It was called by</h3><ul class="given"><li><span class="state s-completed"><i aria-hidden="true">✓</i> completed</span> <a href="../RUN/tasks/0">report-0</a></li></ul>`},
	} {
		page := s.get(t, "/runs/"+s.runs[c.run]+"/tasks/"+c.task)
		if want := strings.ReplaceAll(c.want, "../RUN", "../../../runs/"+s.runs[c.run]); !strings.Contains(page.text, want) {
			t.Errorf("task run %s of %s lacks %s: %s", c.task, c.run, want, mainOf(page.text))
		}
	}
	_, rest, _ := strings.Cut(s.get(t, "/api/v1/runs/"+s.runs["large"]+"/tasks?task=report").text, `"seq":`)
	seq, _, _ := strings.Cut(rest, ",")
	if page := s.get(t, "/runs/"+s.runs["large"]+"/tasks/"+seq); !strings.Contains(page.text, ">report-"+seq+"<") || strings.Contains(page.text, "It has called") {
		t.Errorf("a large run was looked through: %s", mainOf(page.text))
	}
}
