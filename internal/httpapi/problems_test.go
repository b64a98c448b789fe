package httpapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// TestBadInput: whatever is wrong is a problem with a code, and nothing of the inside
// comes out.
func TestBadInput(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, task("double", "1"))
	two, _ := s.ran(t, &api.Spec{Steps: []api.Step{{Group: &api.Group{Children: []api.Spec{*task("double", "1"), *task("double", "2")}}}}})
	live, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("held")})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"no such path":           {"GET", "/api/v1/nothing", "", 404, "not_found"},
		"no such method":         {"PATCH", "/api/v1/runs", "", 405, "method_not_allowed"},
		"malformed JSON":         {"POST", "/api/v1/runs", `{"task":`, 400, "malformed"},
		"no body":                {"POST", "/api/v1/runs", "", 400, "malformed"},
		"wrong type":             {"POST", "/api/v1/runs", `{"task":7}`, 422, "invalid"},
		"unknown field":          {"POST", "/api/v1/runs", `{"task":"double","arg":[1]}`, 422, "invalid"},
		"unknown parameter":      {"GET", "/api/v1/runs?limits=3", "", 422, "invalid"},
		"nothing to run":         {"POST", "/api/v1/runs", `{}`, 422, "invalid"},
		"two things to run":      {"POST", "/api/v1/runs", `{"task":"double","pipeline":{}}`, 422, "invalid"},
		"unknown task":           {"POST", "/api/v1/runs", `{"task":"nobody"}`, 422, "unknown_task"},
		"argument of a kind":     {"POST", "/api/v1/runs", `{"task":"double","args":["x"]}`, 422, "invalid"},
		"pipeline without steps": {"POST", "/api/v1/runs", `{"pipeline":{"runnel":1,"steps":"x"}}`, 422, "invalid"},
		"giant body":             {"POST", "/api/v1/runs", `{"task":"` + strings.Repeat("x", 9<<20) + `"}`, 413, "too_large"},
		"limit too large":        {"GET", "/api/v1/runs?limit=501", "", 422, "invalid"},
		"limit no number":        {"GET", "/api/v1/runs?limit=many", "", 422, "invalid"},
		"bad cursor":             {"GET", "/api/v1/runs?cursor=%21%21", "", 422, "invalid"},
		"cursor of nothing":      {"GET", "/api/v1/runs?cursor=MTp4", "", 422, "invalid"},
		"bad state":              {"GET", "/api/v1/runs?state=happy", "", 422, "invalid"},
		"bad time":               {"GET", "/api/v1/runs?since=yesterday", "", 422, "invalid"},
		"bad filter":             {"GET", "/api/v1/runs?q=colour%3Ared", "", 422, "invalid"},
		"no such run":            {"GET", "/api/v1/runs/00000000-0000-7000-8000-000000000000", "", 404, "not_found"},
		"no id":                  {"GET", "/api/v1/runs/x", "", 404, "not_found"},
		"no such task run":       {"GET", "/api/v1/runs/" + id + "/tasks/99", "", 404, "not_found"},
		"negative task run":      {"GET", "/api/v1/runs/" + id + "/tasks/-1", "", 422, "invalid"},
		"verb in a wrong state":  {"POST", "/api/v1/runs/" + id + "/pause", "", 409, "run_final"},
		"retry of what is good":  {"POST", "/api/v1/runs/" + id + "/retry", "", 409, "nothing_failed"},
		"cancel what has ended":  {"POST", "/api/v1/runs/" + id + "/tasks/0/cancel", "", 409, "run_final"},
		"delete what is live":    {"DELETE", "/api/v1/runs/" + live, "", 409, "run_live"},
		"retry what is live":     {"POST", "/api/v1/runs/" + live + "/retry", `{"what":"all"}`, 409, "run_live"},
		"retry from the living":  {"POST", "/api/v1/runs/" + live + "/tasks/0/retry", "", 409, "run_live"},
		"retry from one of two":  {"POST", "/api/v1/runs/" + two + "/retry", `{"from":"double"}`, 409, "ambiguous_task"},
		"level that is none":     {"GET", "/api/v1/runs/" + id + "/logs?level=loud", "", 422, "invalid"},
		"tail and follow":        {"GET", "/api/v1/runs/" + id + "/logs?tail=3&follow=true", "", 422, "invalid"},
		"negative limit":         {"PUT", "/api/v1/limits/db", `{"limit":-1}`, 422, "invalid"},
		"limit without a number": {"PUT", "/api/v1/limits/db", `{}`, 422, "invalid"},
		"no such limit":          {"GET", "/api/v1/limits/db", "", 404, "not_found"},
		"no such token":          {"POST", "/api/v1/answers/x/complete", `{"result":1}`, 404, "not_found"},
		"bad cron":               {"GET", "/api/v1/timetable?cron=often", "", 422, "invalid"},
		"bad zone":               {"GET", "/api/v1/timetable?cron=0+0+*+*+*&zone=Mars", "", 422, "invalid"},
		"no such schedule":       {"POST", "/api/v1/schedules/none/trigger", "", 404, "not_found"},
		"whole cache by mistake": {"DELETE", "/api/v1/cache", "", 422, "invalid"},
		"no such topic":          {"GET", "/api/v1/events?topic=weather", "", 422, "invalid"},
		"no topic":               {"GET", "/api/v1/events", "", 422, "invalid"},
		"no such action":         {"POST", "/api/v1/operations", `{"action":"explode","ids":[]}`, 422, "invalid"},
		"operation on nothing":   {"POST", "/api/v1/operations", `{"action":"cancel"}`, 422, "invalid"},
		"no such operation":      {"GET", "/api/v1/operations/x", "", 404, "not_found"},
		"worker without tasks":   {"POST", "/api/v1/workers", `{"name":"w","slots":1,"tasks":[]}`, 422, "invalid"},
		"worker without slots":   {"POST", "/api/v1/workers", `{"name":"w","slots":0,"tasks":[{"name":"x","params":[]}]}`, 422, "invalid"},
		"parameter of no kind":   {"POST", "/api/v1/workers", `{"name":"w","slots":1,"tasks":[{"name":"x","params":["colour"]}]}`, 422, "invalid"},
		"known otherwise":        {"POST", "/api/v1/workers", `{"name":"w","slots":1,"tasks":[{"name":"double","params":["string"]}]}`, 409, "conflict"},
		"claim of no worker":     {"POST", "/api/v1/workers/w/claim", `{"max":1}`, 404, "worker_lost"},
		"claim of less than 0":   {"POST", "/api/v1/workers/w/claim", `{"max":-1}`, 422, "invalid"},
		"heartbeat of no worker": {"POST", "/api/v1/workers/w/heartbeat", `{}`, 404, "worker_lost"},
		"late finish":            {"POST", "/api/v1/workers/w/attempts/w.1/finish", `{"result":1}`, 409, "attempt_lost"},
		"two finishes in one":    {"POST", "/api/v1/workers/w/attempts/w.1/finish", `{"result":1,"returned":true}`, 422, "invalid"},
		"giant result":           {"POST", "/api/v1/workers/w/attempts/w.1/finish", `{"result":"` + strings.Repeat("x", 9<<20) + `"}`, 413, "too_large"},
		"nothing to finish":      {"POST", "/api/v1/workers/w/finish", `{"attempts":[]}`, 422, "invalid"},
		"lines of no worker":     {"POST", "/api/v1/workers/w/logs", `{"lines":[{"attempt":"w.1","text":"x"}]}`, 404, "worker_lost"},
		"not JSON":               {"POST", "/api/v1/runs", "x", 400, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, text := s.request(t, c.method, c.path, c.body, nil)
			var p httpapi.Problem
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				t.Fatalf("%d %.300s: %v", status, text, err)
			}
			if status != c.status || string(p.Code) != c.code || p.Status != status || p.Detail == "" || p.RequestID == "" || p.Type == "" {
				t.Errorf("got %d %.500s, want %d %s", status, text, c.status, c.code)
			}
			if c.status == http.StatusConflict && c.code != "attempt_lost" && !errors.Is(&p, api.ErrConflict) {
				t.Errorf("%s is no ErrConflict", p.Code)
			}
			if got := header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type is %q", got)
			}
			if strings.Contains(text, ".go:") || strings.Contains(text, "goroutine") {
				t.Errorf("the inside comes out: %.300s", text)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	s := serve(t, runnel.ReadOnly())
	if status, _, body := s.request(t, http.MethodPost, "/api/v1/runs", `{"task":"double","args":[1]}`, nil); status != http.StatusForbidden || !strings.Contains(body, "read-only") {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := s.get(t, "/api/v1/runs"); status != http.StatusOK {
		t.Errorf("reading gave %d", status)
	}
}

func TestUnderAPrefix(t *testing.T) {
	s := serve(t)
	mux := http.NewServeMux()
	mux.Handle("/x/", http.StripPrefix("/x", s.eng.Handler()))
	c, err := httpapi.NewClient("http://runnel.test/x/", httpapi.ClientOptions{Transport: inProcess{mux}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Server(t.Context()); err != nil {
		t.Error(err)
	}
}
