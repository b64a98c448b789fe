package httpapi_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestSummaryOf(t *testing.T) {
	at := time.Unix(1e9, 0)
	run := api.Run{ID: "x", State: api.Running, Created: at, Tasks: map[string]api.TaskCounts{
		"load":   {Pending: 50, Running: 8, Retrying: 2, Completed: 35, Failed: 3, Cancelled: 1, Skipped: 1, Retries: 9},
		"report": {Pending: 20},
	}}
	for _, c := range []struct {
		name  string
		after time.Duration
		state api.State
		eta   int64
	}{
		{"on its way", 10 * time.Second, api.Running, 20_000}, // 40 in 10 s, 80 are left
		{"just begun", 0, api.Running, 0},
		{"paused", 10 * time.Second, api.Paused, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			run.State = c.state
			s := httpapi.SummaryOf(&run, at.Add(c.after))
			if s.Ended != 40 || s.Known != 120 || s.ETA != c.eta || s.Total.Pending != 70 || s.Total.Retries != 9 || s.State != c.state.String() {
				t.Errorf("%+v", s)
			}
		})
	}
	if s := httpapi.SummaryOf(&api.Run{}, at); s.Tasks == nil || s.Known != 0 {
		t.Errorf("of nothing: %+v", s)
	}
}

// A live run says what is pending, the children of its group that have not begun too.
func TestSummaryOfALiveRun(t *testing.T) {
	s := serve(t)
	_, _, body := s.request(t, http.MethodPost, "/api/v1/runs",
		`{"pipeline":{"runnel":1,"steps":[{"value":[1,2,3]},{"each":{"steps":[{"task":"double","options":{"start_after":"1h"}}]},"max_parallelism":1}]}}`, nil)
	var run httpapi.RunDetail
	if err := json.Unmarshal([]byte(body), &run); err != nil || run.ID == "" {
		t.Fatal(body, err)
	}
	for _, path := range []string{"/summary", ""} {
		status, _, body := s.get(t, "/api/v1/runs/"+run.ID+path)
		var got httpapi.Summary
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || got.Tasks["double"] != (api.TaskCounts{Pending: 3}) {
			t.Errorf("%q: %d %s %v, want 3 pending", path, status, body, err)
		}
		if path != "" && (got.Known != 3 || got.Ended != 0) {
			t.Errorf("%s, want 0 of 3", body)
		}
	}
	if status, _, body := s.get(t, "/api/v1/runs/nothing/summary"); status != http.StatusNotFound {
		t.Errorf("of no run: %d %s", status, body)
	}
}
