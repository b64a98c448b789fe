package httpapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestIfMatch(t *testing.T) {
	s := serve(t)
	if err := s.SetLimit(t.Context(), "db", 10); err != nil {
		t.Fatal(err)
	}
	_, header, _ := s.get(t, "/api/v1/limits/db")
	etag := header.Get("ETag")
	put := func(match string) int {
		status, _, _ := s.request(t, http.MethodPut, "/api/v1/limits/db", `{"limit":3}`, http.Header{"If-Match": {match}})
		return status
	}
	if got := put(etag); got != http.StatusOK {
		t.Errorf("with the ETag it has: %d", got)
	}
	if got := put(etag); got != http.StatusPreconditionFailed {
		t.Errorf("with the one it had: %d, want 412", got)
	}
	if got := put("*"); got != http.StatusOK {
		t.Errorf("with any: %d", got)
	}
	if status, _, _ := s.request(t, http.MethodPut, "/api/v1/limits/none", `{"limit":3}`, http.Header{"If-Match": {"*"}}); status != http.StatusPreconditionFailed {
		t.Errorf("for one that there is not: %d, want 412", status)
	}
}

// What was changed since it was read is not deleted, and no schedule is paused or has
// its next time skipped that is another than was looked at.
func TestIfMatchOfDeletesAndVerbs(t *testing.T) {
	s := serve(t)
	err := errors.Join(s.SetLimit(t.Context(), "db", 10), s.SetGlobalLimit(t.Context(), api.GlobalLimit{Name: "api", Limit: 5}),
		s.CreateSchedule(t.Context(), api.Schedule{Name: "nightly", Timetable: api.Timetable{Cron: "0 2 * * *"}}, task("double", "1")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ thing, method, verb string }{
		{"schedules/nightly", http.MethodPost, "/skip"},
		{"schedules/nightly", http.MethodPost, "/pause"},
		{"schedules/nightly", http.MethodPost, "/resume"},
		{"schedules/nightly", http.MethodPost, "/trigger"},
		{"schedules/nightly", http.MethodDelete, ""},
		{"limits/db", http.MethodPost, "/reset"},
		{"limits/db", http.MethodDelete, ""},
		{"global-limits/api", http.MethodPost, "/reset"},
		{"global-limits/api", http.MethodDelete, ""},
	} {
		path := "/api/v1/" + c.thing
		_, header, before := s.get(t, path)
		if status, _, text := s.request(t, c.method, path+c.verb, "", http.Header{"If-Match": {`"2026-01-01T00:00:00Z"`}}); status != http.StatusPreconditionFailed {
			t.Errorf("%s %s%s with the ETag of another: %d %s", c.method, c.thing, c.verb, status, text)
		}
		if _, _, after := s.get(t, path); after != before {
			t.Errorf("%s %s%s was refused, and yet it is %s, not %s", c.method, c.thing, c.verb, after, before)
		}
		if status, _, text := s.request(t, c.method, path+c.verb, "", http.Header{"If-Match": {header.Get("ETag")}}); status >= http.StatusBadRequest {
			t.Errorf("%s %s%s with the ETag that it has: %d %s", c.method, c.thing, c.verb, status, text)
		}
	}
	if status, _, _ := s.request(t, http.MethodDelete, "/api/v1/limits/db", "", http.Header{"If-Match": {"*"}}); status != http.StatusPreconditionFailed {
		t.Errorf("one that there is not, with any ETag: %d, want 412", status)
	}
}

// POST of a limit changes the one that was read, or makes one that there is not yet, if
// that is asked for.
func TestIfMatchOfNewLimits(t *testing.T) {
	s := serve(t)
	post := func(body string, header http.Header) (int, string, string) {
		status, got, text := s.request(t, http.MethodPost, "/api/v1/limits", body, header)
		return status, got.Get("ETag"), text
	}
	if status, _, text := post(`{"tag":"db","limit":1}`, http.Header{"If-Match": {"*"}}); status != http.StatusPreconditionFailed {
		t.Errorf("If-Match: * makes a limit: %d %s", status, text)
	}
	status, tag, text := post(`{"tag":"db","limit":1}`, http.Header{"If-None-Match": {"*"}})
	if status != http.StatusCreated || tag == "" {
		t.Fatalf("the first one: %d %q %s", status, tag, text)
	}
	status, _, text = post(`{"tag":"db","limit":2}`, http.Header{"If-None-Match": {"*"}})
	if status != http.StatusPreconditionFailed || !strings.Contains(text, `"code":"precondition"`) || !strings.Contains(text, `there is a limit on tag \"db\" already: 1`) {
		t.Errorf("a second one: %d %s", status, text)
	}
	if status, _, text := post(`{"tag":"db","limit":2}`, http.Header{"If-Match": {`"other", ` + tag}}); status != http.StatusOK {
		t.Errorf("with the ETag among others: %d %s", status, text)
	}
	if status, _, text := post(`{"tag":"db","limit":3}`, http.Header{"If-Match": {tag}}); status != http.StatusPreconditionFailed {
		t.Errorf("with the ETag that it had: %d %s", status, text)
	}
	if l, err := s.Limit(t.Context(), "db"); err != nil || l.Limit != 2 {
		t.Errorf("it is %+v (%v), want 2", l, err)
	}
}

// Verbs of runs and task runs are for what was read: not for one that has ended, or was
// retried, meanwhile.
func TestIfMatchOfRunsAndTaskRuns(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, task("fails"))
	for _, c := range []struct{ thing, method, verb string }{
		{"/tasks/0", http.MethodPost, "/retry"},
		{"", http.MethodPost, "/retry"},
		{"", http.MethodDelete, ""},
	} {
		path := "/api/v1/runs/" + id + c.thing
		_, header, before := s.get(t, path)
		was := header.Get("ETag")
		if was == "" {
			t.Fatalf("GET %s gives no ETag", path)
		}
		status, _, text := s.request(t, c.method, path+c.verb, "", http.Header{"If-Match": {`"0.RUNNING.1.0"`}})
		if status != http.StatusPreconditionFailed || !strings.Contains(text, `"code":"precondition"`) {
			t.Errorf("%s %s%s of another state: %d %s", c.method, c.thing, c.verb, status, text)
		}
		if _, _, after := s.get(t, path); after != before {
			t.Errorf("%s %s%s was refused, and yet it is %s, not %s", c.method, c.thing, c.verb, after, before)
		}
		if status, _, text := s.request(t, c.method, path+c.verb, "", http.Header{"If-Match": {was}}); status >= http.StatusBadRequest {
			t.Errorf("%s %s%s of what it is: %d %s", c.method, c.thing, c.verb, status, text)
		}
		if c.method == http.MethodDelete {
			continue
		}
		if _, err := s.Wait(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if status, _, text := s.request(t, c.method, path+c.verb, "", http.Header{"If-Match": {was}}); status != http.StatusPreconditionFailed {
			t.Errorf("%s %s%s of what it was before: %d %s", c.method, c.thing, c.verb, status, text)
		}
	}
}

// A live run can't be paused, or cancelled, as one that it is not; its task runs neither.
func TestIfMatchOfLiveRuns(t *testing.T) {
	s := serve(t)
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("held")})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"/tasks/0/cancel", "/pause", "/resume", "/cancel", "/retry"} {
		status, _, text := s.request(t, http.MethodPost, "/api/v1/runs/"+id+verb, "", http.Header{"If-Match": {`"7.FAILED"`}})
		if status != http.StatusPreconditionFailed {
			t.Errorf("%s of a run that has failed: %d %s", verb, status, text)
		}
	}
	status, header, text := s.request(t, http.MethodPost, "/api/v1/runs/"+id+"/pause", "", http.Header{"If-Match": {`"0.PENDING", "0.RUNNING"`}})
	if status != http.StatusOK || header.Get("ETag") == "" {
		t.Errorf("pause: %d %q %s", status, header.Get("ETag"), text)
	}
}
