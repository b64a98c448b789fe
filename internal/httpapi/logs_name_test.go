package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

// Lines are chosen by the name of their task, and counted after that.
func TestLogsOfATask(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, &api.Spec{Steps: append(task("double", "1").Steps, task("double").Steps...)})
	for query, want := range map[string]int{"name=double": 2, "name=double&limit=1": 1, "name=doubl": 0, "name=double&contains=x&task=1": 1, "name=fails": 0} {
		if _, _, text := s.get(t, "/api/v1/runs/"+id+"/logs?"+query); strings.Count(text, `"task":"double"`) != want || strings.Count(text, "\n") != want {
			t.Errorf("%s: %q, want %d lines", query, text, want)
		}
	}
}

// Lines are chosen by the attempt that wrote them, from either end, and those of one task run too.
func TestLogsOfAnAttempt(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, &api.Spec{Steps: append(task("double", "1").Steps, api.Step{Ignore: true, Call: &api.Call{Task: "fails", Options: &api.Options{Retry: &api.RetryPolicy{Max: 2}}}})})
	for query, want := range map[string]string{
		"logs?attempt=1": "0 1", "logs?attempt=2": "1", "logs?attempt=1&limit=1": "0", "logs?attempt=1&tail=1": "1", "logs?attempt=4": "",
		"logs?attempt=1&name=fails": "1", "logs?attempt=0&task=1": "1 1 1", "tasks/1/logs?attempt=2": "1",
	} {
		_, _, text := s.get(t, "/api/v1/runs/"+id+"/"+query)
		var from []string
		for line := range strings.Lines(text) {
			var l api.LogLine
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%s: %s: %v", query, line, err)
			}
			from = append(from, strings.TrimPrefix(l.TaskRun, id+"/"))
		}
		if got := strings.Join(from, " "); got != want {
			t.Errorf("%s has lines of %q, want %q", query, got, want)
		}
	}
	if status, _, text := s.get(t, "/api/v1/runs/"+id+"/logs?attempt=-1"); status != http.StatusUnprocessableEntity {
		t.Errorf("attempt -1 answers %d: %s", status, text)
	}
}
