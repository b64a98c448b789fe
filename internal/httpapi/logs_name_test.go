package httpapi_test

import (
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
