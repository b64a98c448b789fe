package httpapi_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// listed gives the ids of a list, page after page.
func (s *served) listed(t *testing.T, path string, q url.Values) []string {
	t.Helper()
	ids := []string{}
	for item, err := range httpapi.Pages[struct {
		ID string `json:"id"`
	}](t.Context(), s.Client, path, q, 0) {
		if err != nil {
			t.Fatalf("%s?%s: %v", path, q.Encode(), err)
		}
		ids = append(ids, item.ID)
	}
	return ids
}

// Filters of task runs look at their runs, too, in a list of all and in that of one.
func TestTaskRunsByTheirRuns(t *testing.T) {
	s := serve(t)
	good, _ := s.ran(t, task("double", "1"))
	bad, _ := s.ran(t, task("fails"))
	both, _ := s.ran(t, &api.Spec{Steps: []api.Step{{Group: &api.Group{Children: []api.Spec{*task("double", "1"), *task("fails")}}}}})
	of := s.listed(t, "/runs/"+both+"/tasks", nil)
	if len(of) != 2 {
		t.Fatalf("%v has two task runs", of)
	}
	first, second := strings.TrimPrefix(of[0], both), strings.TrimPrefix(of[1], both)
	for q, want := range map[string][]string{
		"flow:fails":             {both + first, both + second, bad + "/0"},
		"flow:double task:fails": {both + second},
		"flow:double,fails":      {both + first, both + second, bad + "/0", good + "/0"},
		"-flow:double":           {bad + "/0"},
		"since:1h":               {both + first, both + second, bad + "/0", good + "/0"},
		"created:>1h":            {},
		"schedule:nightly":       {},
		"worker:nobody":          {},
	} {
		if got := s.listed(t, "/tasks", url.Values{"q": {q}}); !slices.Equal(got, want) {
			t.Errorf("%s chooses %v, want %v", q, got, want)
		}
		of := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return !strings.HasPrefix(id, both) })
		if got := s.listed(t, "/runs/"+both+"/tasks", url.Values{"q": {q}}); !slices.Equal(got, of) {
			t.Errorf("%s chooses %v of one run, want %v", q, got, of)
		}
	}
}

// What scripts want often needs no filter language, and no quotes.
func TestTwinsOfFilters(t *testing.T) {
	s := serve(t)
	good, _ := s.ran(t, task("double", "1"))
	bad, _ := s.ran(t, task("fails"))
	live, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("talks")})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range s.FollowLogs(t.Context(), api.LogFilter{Run: live}) {
		if err != nil {
			t.Fatal(err)
		}
		break // it runs
	}
	running, err := s.TaskRun(t.Context(), live+"/0")
	if err != nil || running.Worker == "" {
		t.Fatalf("it runs on %q, %v", running.Worker, err)
	}
	for _, c := range []struct {
		path string
		q    url.Values
		want []string
	}{
		{"/runs", url.Values{"flow": {"double"}}, []string{good}},
		{"/runs", url.Values{"flow": {"double", "fails"}}, []string{bad, good}},
		{"/runs", url.Values{"flow": {"double", "fails"}, "state": {"failed", "running"}}, []string{bad}},
		{"/runs", url.Values{"flow": {"double"}, "q": {"state:failed"}}, []string{}},
		{"/tasks", url.Values{"flow": {"double", "fails"}}, []string{bad + "/0", good + "/0"}},
		{"/tasks", url.Values{"worker": {running.Worker}}, []string{live + "/0", bad + "/0", good + "/0"}},
		{"/tasks", url.Values{"worker": {running.Worker}, "state": {"running"}}, []string{live + "/0"}},
		{"/tasks", url.Values{"worker": {"nobody", running.Worker}, "state": {"completed"}}, []string{good + "/0"}},
		{"/tasks", url.Values{"tag": {"math"}, "flow": {"double"}}, []string{good + "/0"}},
	} {
		if got := s.listed(t, c.path, c.q); !slices.Equal(got, c.want) {
			t.Errorf("%s?%s: %v, want %v", c.path, c.q.Encode(), got, c.want)
		}
	}
	for _, wrong := range []string{"/runs?q=tag:db", "/runs?q=meta.team:x", "/tasks?q=flaw:x", "/tasks?q=retries:1"} {
		if status, _, text := s.get(t, "/api/v1"+wrong); status != http.StatusUnprocessableEntity || !strings.Contains(text, "invalid") {
			t.Errorf("%s: %d %s", wrong, status, text)
		}
	}
	if _, _, text := s.get(t, "/api/v1/tasks?q=flaw:x"); !strings.Contains(text, `did you mean \"flow\"`) {
		t.Errorf("no nearest name: %s", text)
	}
}
