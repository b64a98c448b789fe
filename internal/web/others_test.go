package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
	"github.com/runnel-dev/runnel/internal/web"
)

func TestQueueThatNobodyServesStandsOut(t *testing.T) {
	s := serveWith(t, runnel.Queues("default"), "")
	s.get(t, "/workers").says(t, "Processes", "idle")
	_, err := s.eng.Submit(t.Context(), double.Send(1).Set(runnel.Queue("gpu")))
	must(t, err)
	s.get(t, "/workers").says(t, "No worker serves the queue <b>gpu</b>", "runnel.Queues(&#34;gpu&#34;)", "nobody")
}

// The list of runs says why one waits, and nothing of those of which a body runs.
func TestRunsSayWhyTheyWait(t *testing.T) {
	s := serveWith(t, runnel.Queues("default"), "")
	s.submit(t, "live", call("tagged"))
	s.begun(t)
	s.until(t, "/api/v1/runs", `"running":1`)
	if r := s.get(t, "/api/v1/runs?why=true"); strings.Contains(r.text, `"why"`) {
		t.Errorf("a run with a body that runs waits: %s", r.text)
	}
	_, err := s.eng.Submit(t.Context(), double.Send(1).Set(runnel.Queue("gpu")))
	must(t, err)
	s.until(t, "/runs", `waits for its task runs: 0 running, 1 waiting for queue</span>`)
	if r := s.get(t, "/api/v1/runs?why=true"); strings.Count(r.text, `"why"`) != 1 {
		t.Errorf("one run waits: %s", r.text)
	}
	if r := s.get(t, "/api/v1/runs"); strings.Contains(r.text, `"why"`) {
		t.Errorf("who did not ask is told why: %s", r.text)
	}
}

func TestWorkerShowsWhatItRuns(t *testing.T) {
	s := serve(t, "")
	s.run(t, "failed", call("fails"))
	s.submit(t, "live", call("tagged"))
	s.begun(t)
	_, rest, _ := strings.Cut(s.get(t, "/workers").text, `href="./workers/`)
	id, _, _ := strings.Cut(rest, `"`)
	s.get(t, "/workers/"+id).says(t, "active", "tagged-0", s.runs["live"]+"/tasks/0", "flows/double",
		"<dt>Version</dt><dd>", "1 task run, of which <b>1 failed</b>", s.runs["failed"]+"/tasks/0", "no luck", "tasks?q=worker%3A")
	if r := s.get(t, "/workers/nobody"); r.status != http.StatusNotFound {
		t.Errorf("a process that there is not answers %d", r.status)
	}
	s.do(t, http.MethodPost, "/api/v1/workers", `{"name":"gpu-7","version":"far 1.2","slots":1,"tasks":[{"name":"far","params":[]}]}`, "Content-Type", "application/json")
	s.get(t, "/workers").says(t, "gpu-7", "far 1.2")
}

func TestCacheIsListedAndDeleted(t *testing.T) {
	s := serve(t, "")
	for _, n := range []string{"7", "8", "9"} {
		s.run(t, "kept", call("kept", n))
	}
	s.get(t, "/cache").says(t, "3 results", "empty/cache?")
	s.get(t, "/cache?task=nothing").says(t, "No kept result is like this")
	r := s.get(t, "/cache?older=long")
	r.says(t, `value="long"`, "no time span", `aria-invalid="true"`)
	if r.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong filter answers %d", r.status)
	}
	_, rest, _ := strings.Cut(s.get(t, "/cache").text, `href="./cache/`)
	entry, _, _ := strings.Cut(rest, `"`)
	s.get(t, "/cache/"+entry).says(t, "kept", "Result", "never expires")
	s.get(t, "/cache/"+entry+"/delete").says(t, "Delete this kept result")
	s.post(t, "/cache/"+entry+"/delete", "reason", "it is old").to(t)
	if r := s.get(t, "/cache/"+entry); r.status != http.StatusNotFound {
		t.Errorf("an entry that was deleted answers %d", r.status)
	}
	s.get(t, "/empty/cache?task=kept").says(t, "Delete 2 kept results?", `value="kept"`)
	s.get(t, "/empty/cache").says(t, "That is all of them")
	s.post(t, "/empty/cache", "task", "kept", "older", "soon").says(t, `id="flaw-older"`, `value="soon"`, `value="kept"`)
	s.post(t, "/empty/cache", "task", "other").to(t)
	s.get(t, "/cache").says(t, "2 results")
	s.post(t, "/empty/cache", "reason", "all wrong").to(t)
	s.get(t, "/cache").says(t, "Nothing is kept")
	if audit := s.get(t, "/api/v1/audit").text; !strings.Contains(audit, "all wrong") || !strings.Contains(audit, "it is old") {
		t.Errorf("the audit lacks reasons: %s", audit)
	}
}

func TestOperationShowsHowFarItIs(t *testing.T) {
	s := serve(t, "")
	s.get(t, "/operations").says(t, "Nothing is being done to many runs")
	s.run(t, "done", call("double", "1"))
	s.run(t, "failed", call("fails"))
	s.post(t, "/runs/bulk", "action", "retry", "id", s.runs["done"], "id", s.runs["failed"], "reason", "again").to(t)
	s.until(t, "/operations", `s-failed"`)
	_, rest, _ := strings.Cut(s.get(t, "/operations").text, `href="./operations/`)
	id, _, _ := strings.Cut(rest, `"`)
	s.get(t, "/operations/"+id).says(t, "Retry 2 runs", "“again”", "What refused it", s.runs["done"], "nothing_failed")
	s.get(t, "/operations/"+id+"/stop").says(t, "What is done stays")
	s.post(t, "/operations/"+id+"/stop").to(t)
	if r := s.post(t, "/operations/nothing/stop"); r.status != http.StatusNotFound {
		t.Errorf("stopping what there is not answers %d", r.status)
	}
}

// TestRailTellsHowManyOperationsRun gives pages a server that says so many.
func TestRailTellsHowManyOperationsRun(t *testing.T) {
	rest := serve(t, "").eng.Handler(runnel.NoPages())
	for n, want := range map[int]string{0: "Operations</span></a>", 1: "1 running", 1200: "1,200 running"} {
		pages := web.Handler(instead(t, rest, "/api/v1/server", httpapi.Server{Version: "v1", Operations: n, Health: api.Health{Reachable: true}}), web.Options{})
		for _, path := range []string{"/runs", "/settings"} {
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			text := strings.NewReplacer(`<span class="unseen">`, "", `</b>`, "").Replace(w.Body.String())
			if badge := strings.Contains(text, `class="badge"`); !strings.Contains(text, want) || badge != (n > 0) {
				t.Errorf("when %d operations run, %s has a badge: %v, and says %q: %v", n, path, badge, want, strings.Contains(text, want))
			}
		}
	}
}

func TestMetricsHaveSpans(t *testing.T) {
	s := serve(t, "")
	s.get(t, "/stats").says(t, "Task runs a second", "stats?span=168h", "/metrics", "had waited for it", "has ended that called one")
	s.run(t, "sums", call("report", "2"))
	s.get(t, "/stats").says(t, `<ul class="lengths"><li><a href="./flows/report">report</a>`, `width="1000"`, `<th scope="row">report</th><td class="num">1</td>`)
	if r := s.get(t, "/stats?span=ages"); r.status != http.StatusUnprocessableEntity {
		t.Errorf("a span that is none answers %d", r.status)
	}
}

func TestCacheExplainsACall(t *testing.T) {
	s := serve(t, "")
	s.run(t, "kept", call("kept", "7"))
	s.run(t, "again", call("kept", "7"))
	s.get(t, "/cache").says(t, "50 % <small>of 2", "Kept results", `<a class="name" href="./cache?task=kept">kept</a></th><td class="num" data-label="Saved">`, `data-label="Hit">50 %</td>`)
	s.get(t, "/explain/cache").says(t, "Name a task", "<option>kept</option>")
	s.get(t, "/explain/cache?task=kept&args=[7]").says(t, "Its key", `class="why"`)
	for query, want := range map[string]int{"task=kept&args=7": 422, "task=kept&args=[1,2]": 422, "task=nothing": 404} {
		r := s.get(t, "/explain/cache?"+query)
		r.says(t, `id="flaw-explain"`, `aria-invalid="true"`)
		if r.status != want {
			t.Errorf("%s answers %d, want %d", query, r.status, want)
		}
	}
}

func TestQueueIsPausedAndProcessDrained(t *testing.T) {
	s := serve(t, "")
	s.get(t, "/queues/default/pause").says(t, "Pause the queue", `name="reason"`)
	s.post(t, "/queues/default/pause").to(t)
	s.get(t, "/workers").says(t, "paused", "queues/default/resume")
	s.post(t, "/queues/default/resume").to(t)
	_, rest, _ := strings.Cut(s.get(t, "/workers").text, `href="./workers/`)
	id, _, _ := strings.Cut(rest, `"`)
	s.post(t, "/workers/"+id+"/drain").to(t)
	s.get(t, "/workers").says(t, "draining", id+"/undrain")
	s.post(t, "/workers/"+id+"/undrain").to(t)
	s.get(t, "/workers").says(t, "idle")
}
