package web_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestSummarySaysWhereTimeWent: what took a run's time, and what it took from the cache.
func TestSummarySaysWhereTimeWent(t *testing.T) {
	s := serve(t, "").typical(t)
	s.get(t, "/runs/"+s.runs["done"]).says(t, "; most time in ", " in all.</p>")
	s.get(t, "/runs/"+s.runs["again"]).says(t, "; 1 from the cache.</p>")
	if page := s.get(t, "/runs/"+s.runs["live"]); strings.Contains(page.text, "most time in") {
		t.Error("a run that goes on is summed up")
	}
}

// TestRunTellsItsCommand: the arguments of one call are shown as the command that makes
// the same call.
func TestRunTellsItsCommand(t *testing.T) {
	s := serve(t, "")
	s.run(t, "takes", call("takes", "3", `"a b"`, `{"x":1}`))
	s.get(t, "/runs/"+s.runs["takes"]+"?tab=data").says(t, "runnel run start takes 3 &#39;a b&#39; &#39;{&#34;x&#34;:1}&#39;")
	s.run(t, "many", each(3, "odd"))
	if page := s.get(t, "/runs/"+s.runs["many"]+"?tab=data"); strings.Contains(page.text, "runnel run start") {
		t.Error("a pipeline is shown as a call")
	}
}

// TestTaskLeadsToTheKeptResult: as long as there is one.
func TestTaskLeadsToTheKeptResult(t *testing.T) {
	s := serve(t, "/x")
	s.run(t, "kept", call("kept", "7"))
	path := "/runs/" + s.runs["kept"] + "/tasks/0"
	page := s.get(t, path)
	_, rest, found := strings.Cut(page.text, `href="../../../cache/`)
	key, _, _ := strings.Cut(rest, `"`)
	if !found || !strings.Contains(page.text, "The kept result") {
		t.Fatalf("it does not lead there: %s", mainOf(page.text))
	}
	s.get(t, "/cache/"+key).says(t, "kept")
	s.post(t, "/cache/"+key+"/delete").to(t)
	if strings.Contains(s.get(t, path).text, "The kept result") {
		t.Error("it leads to what was deleted")
	}
}

// TestWhoChangedALimit: a limit's page has what the audit has of it, and of no other.
func TestWhoChangedALimit(t *testing.T) {
	s := serve(t, "")
	set := func(tag, limit, reason string) {
		r := s.do(t, http.MethodPut, "/api/v1/limits/"+tag, `{"limit":`+limit+`}`, "Content-Type", "application/json", "X-Reason", reason)
		if r.status >= http.StatusBadRequest {
			t.Fatal(r.text)
		}
	}
	set("math", "3", "a first guess")
	set("math", "5", "too few")
	set("mathematics", "9", "another one")
	page := s.get(t, "/limits/math")
	page.says(t, "Who changed it", "a first guess", "too few")
	if strings.Contains(page.text, "another one") {
		t.Error("it has the changes of a limit whose name begins so")
	}
	if strings.Index(page.text, "a first guess") > strings.Index(page.text, "too few") {
		t.Error("the newest is not the last")
	}
}

// TestDashboardIsServed: the page of metrics leads to a file for Grafana.
func TestDashboardIsServed(t *testing.T) {
	s := serve(t, "/x")
	s.get(t, "/stats").says(t, `href="./docs/grafana.json"`)
	if r := s.get(t, "/docs/grafana.json"); r.status != http.StatusOK || !strings.Contains(r.header.Get("Content-Type"), "json") || !strings.Contains(r.text, "runnel_") {
		t.Errorf("it is answered %d as %s", r.status, r.header.Get("Content-Type"))
	}
}
