package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func (s *served) request(t *testing.T, method, path, body string, header http.Header) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func TestRunRoundTrip(t *testing.T) {
	s := serve(t)
	id, out := s.ran(t, task("double", "21"))
	if out.State != api.Completed || string(out.Result) != "42" {
		t.Errorf("got %s %s, want COMPLETED 42", out.State, out.Result)
	}
	run, err := s.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if run.ID != id || run.State != api.Completed || run.Tasks["double"].Completed != 1 || run.Waiting != nil {
		t.Errorf("run is %+v", run)
	}
	text, err := s.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if spec, err := api.ParseSpec(text); err != nil || spec.Steps[0].Call.Task != "double" {
		t.Errorf("pipeline %s, %v", text, err)
	}
}

func TestSubmitAnswers(t *testing.T) {
	s := serve(t)
	status, header, body := s.request(t, http.MethodPost, "/api/v1/runs?wait_ms=60000", `{"task":"double","args":[4],"name":"mine"}`, nil)
	var run httpapi.RunDetail
	if err := json.Unmarshal([]byte(body), &run); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s %v", status, body, err)
	}
	if run.State != api.Completed || run.Name != "mine" || header.Get("Location") != "/api/v1/runs/"+run.ID {
		t.Errorf("%s at %q", body, header.Get("Location"))
	}
	if status, _, got := s.get(t, "/api/v1/runs/"+run.ID+"/result"); status != http.StatusOK || !strings.Contains(got, `"result":8`) {
		t.Errorf("result: %d %s", status, got)
	}
}

func TestWaitEndsInTime(t *testing.T) {
	s := serve(t)
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("held")})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, body := s.get(t, "/api/v1/runs/"+id+"/result?wait_ms=1"); status != http.StatusConflict {
		t.Errorf("a run that goes on gave %d %s", status, body)
	}
	if err := s.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	out, err := s.Wait(t.Context(), id)
	if err != nil || out.State != api.Cancelled {
		t.Errorf("got %s %v, want CANCELLED", out.State, err)
	}
}

func TestPagesMakeTheList(t *testing.T) {
	s := serve(t)
	var want []string
	for range 7 {
		id, _ := s.ran(t, task("double", "1"))
		want = append(want, id)
	}
	slices.Reverse(want) // newest first
	for _, size := range []string{"1", "2", "3", "7", "8"} {
		var got []string
		cursor := ""
		for {
			status, _, body := s.get(t, "/api/v1/runs?limit="+size+"&cursor="+cursor)
			var p httpapi.Page[api.Run]
			if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusOK {
				t.Fatalf("%d %s %v", status, body, err)
			}
			for _, r := range p.Items {
				got = append(got, r.ID)
			}
			if p.NextCursor == nil {
				break
			}
			cursor = *p.NextCursor
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %s gave %d runs in another order, want %d", size, len(got), len(want))
		}
	}
}

// A list can be gone through more than once, each time from its beginning.
func TestListBeginsAnew(t *testing.T) {
	s := serve(t)
	for range 3 {
		s.ran(t, task("double", "1"))
	}
	list := httpapi.Pages[api.Run](t.Context(), s.Client, "/runs", nil, 2)
	for range 2 {
		n := 0
		for _, err := range list {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("got %d runs, want 2", n)
		}
	}
}

func TestFailureComesThrough(t *testing.T) {
	s := serve(t)
	id, out := s.ran(t, task("fails"))
	if out.State != api.Failed || out.Failure == nil || !strings.Contains(out.Failure.Error(), "no luck") {
		t.Errorf("got %+v", out)
	}
	if err := s.Pause(t.Context(), id); !errors.Is(err, api.ErrConflict) {
		t.Errorf("pausing what has ended gave %v, want ErrConflict", err)
	}
	if _, err := s.Run(t.Context(), "00000000-0000-7000-8000-000000000000"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("no such run gave %v, want ErrNotFound", err)
	}
	if err := s.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Wait(t.Context(), id); err != nil || out.State != api.Failed {
		t.Errorf("after a retry: %+v %v", out, err)
	}
}

func TestTimeline(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "double", Args: api.Args{[]byte("1")}}}, {Call: &api.Call{Task: "double"}}}})
	status, header, text := s.get(t, "/api/v1/runs/"+id+"/timeline")
	var l httpapi.Timeline
	if err := json.Unmarshal([]byte(text), &l); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s %v", status, text, err)
	}
	if !slices.Equal(l.Names, []string{"double"}) || len(l.Seq) != 2 || l.Start[1] < l.Start[0] || l.End[1] < l.Start[1] || l.States[l.Of[0]] != "Completed" {
		t.Errorf("%+v", l)
	}
	if status, _, _ := s.request(t, http.MethodGet, "/api/v1/runs/"+id+"/timeline", "", http.Header{"If-None-Match": {header.Get("ETag")}}); status != http.StatusNotModified {
		t.Errorf("with its ETag: %d, want 304", status)
	}
}

func TestFilteredLists(t *testing.T) {
	s := serve(t)
	good, _ := s.ran(t, task("double", "1"))
	bad, _ := s.ran(t, task("fails"))
	for q, want := range map[string]string{"state:failed": bad, "-state:problems": good, "task:double": good, `error:"no luck"`: bad} {
		status, _, body := s.get(t, "/api/v1/runs?q="+url.QueryEscape(q))
		var p httpapi.Page[api.Run]
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusOK || len(p.Items) != 1 || p.Items[0].ID != want {
			t.Errorf("%s: %d %s %v", q, status, body, err)
		}
	}
	status, _, body := s.get(t, "/api/v1/tasks?q="+url.QueryEscape("tag:math -state:failed"))
	var p httpapi.Page[api.TaskRun]
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusOK || len(p.Items) != 1 || p.Items[0].Run != good {
		t.Errorf("%d %s %v", status, body, err)
	}
}

func TestGraphs(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "double", Args: api.Args{[]byte("1")}}}, {Call: &api.Call{Task: "double"}}}})
	for format, want := range map[string]struct{ kind, text string }{
		"json":    {"application/json", `"nodes":[`},
		"text":    {"text/plain; charset=utf-8", "double"},
		"tree":    {"text/plain; charset=utf-8", "double"},
		"mermaid": {"text/plain; charset=utf-8", "flowchart"},
		"dot":     {"text/plain; charset=utf-8", "digraph"},
		"svg":     {"image/svg+xml", "<svg"},
	} {
		status, header, text := s.get(t, "/api/v1/runs/"+id+"/graph?format="+format)
		if status != http.StatusOK || header.Get("Content-Type") != want.kind || !strings.Contains(text, want.text) || !strings.Contains(text, "double") {
			t.Errorf("%s: %d %s %.400s", format, status, header.Get("Content-Type"), text)
		}
	}
	var one api.TaskRun
	if _, _, text := s.get(t, "/api/v1/runs/"+id+"/tasks/1"); json.Unmarshal([]byte(text), &one) != nil || one.Place != "steps[1]" {
		t.Errorf("the second step is %s", text)
	}
	if _, _, text := s.get(t, "/api/v1/runs/"+id+"/graph?format=text"); strings.Contains(text, "unknown") || strings.Count(text, "completed") < 2 {
		t.Errorf("of a task called twice:\n%s", text)
	}
	if status, _, text := s.get(t, "/api/v1/flows/double/graph?format=text"); status != http.StatusOK || !strings.Contains(text, "double") {
		t.Errorf("of a task: %d %s", status, text)
	}
	body := `{"pipeline":{"runnel":1,"steps":[{"task":"double","args":[1]},{"task":"double"}]}}`
	if status, _, text := s.request(t, http.MethodPost, "/api/v1/graph?format=mermaid", body, nil); status != http.StatusOK || !strings.Contains(text, "double") {
		t.Errorf("of a pipeline: %d %s", status, text)
	}
	if status, _, text := s.get(t, "/api/v1/runs/"+id+"/graph?format=gif"); status != http.StatusUnprocessableEntity {
		t.Errorf("of no format: %d %s", status, text)
	}
}
