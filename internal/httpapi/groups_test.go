package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestTaskGroups(t *testing.T) {
	s := serve(t)
	var last string
	for _, arg := range []string{"1", "2", "3"} {
		last, _ = s.ran(t, task("double", arg))
	}
	s.ran(t, task("fails"))
	for _, c := range []struct {
		by, q, run string
		want       map[string]int
	}{
		{"task", "", "", map[string]int{"double": 3, "fails": 1}},
		{"state", "", "", map[string]int{"completed": 3, "failed": 1}},
		{"state", "task:double", "", map[string]int{"completed": 3}},
		{"task", "", last, map[string]int{"double": 1}},
		{"why", "", "", map[string]int{"": 4}},
		{"run", "state:failed", "", nil},
	} {
		status, _, text := s.get(t, "/api/v1/groups/tasks?"+url.Values{"by": {c.by}, "q": {c.q}, "run": {c.run}}.Encode())
		var got httpapi.TaskGroups
		if err := json.Unmarshal([]byte(text), &got); status != http.StatusOK || err != nil {
			t.Fatalf("%+v: %d %s %v", c, status, text, err)
		}
		if c.want == nil {
			if len(got.Groups) != 1 || got.Groups[0].States["FAILED"] != 1 || got.Groups[0].Newest == "" {
				t.Errorf("%+v: %s", c, text)
			}
			continue
		}
		if len(got.Groups) != len(c.want) || got.More || got.Others > 0 {
			t.Errorf("%+v: %s", c, text)
		}
		for _, g := range got.Groups {
			if g.Count != c.want[g.Key] {
				t.Errorf("%+v: %s", c, text)
			}
		}
	}
	for _, wrong := range []string{"by=colour", "", "by=task&q=nonsense:1"} {
		if status, _, text := s.get(t, "/api/v1/groups/tasks?"+wrong); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", wrong, status, text)
		}
	}
}
