package web_test

import (
	"net/http"
	"strings"
	"testing"
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
