package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestHistogram(t *testing.T) {
	s := serve(t)
	began := time.Now().UTC().Truncate(time.Minute)
	s.ran(t, task("double", "1"))
	s.ran(t, task("double", "2"))
	s.ran(t, task("fails"))
	ask := func(since, until time.Time, q string) (int, httpapi.Histogram, string) {
		query := url.Values{"since": {since.Format(time.RFC3339)}, "until": {until.Format(time.RFC3339)}, "buckets": {"4"}, "q": {q}}
		status, _, text := s.get(t, "/api/v1/histogram/runs?"+query.Encode())
		var h httpapi.Histogram
		if status == http.StatusOK {
			if err := json.Unmarshal([]byte(text), &h); err != nil {
				t.Fatal(err)
			}
		}
		return status, h, text
	}
	for _, c := range []struct {
		name              string
		since, until      time.Time
		q                 string
		completed, failed int64
	}{
		{"all", began.Add(-2 * time.Hour), began.Add(2 * time.Hour), "", 2, 1},
		{"failed", began.Add(-2 * time.Hour), began.Add(2 * time.Hour), "state:failed", 0, 1},
		{"another hour", began.Add(-2 * time.Hour), began.Add(-time.Hour), "", 0, 0},
	} {
		_, h, text := ask(c.since, c.until, c.q)
		if h.Total["completed"] != c.completed || h.Total["failed"] != c.failed || h.StepMS != c.until.Sub(c.since).Milliseconds()/4 {
			t.Errorf("%s: %s", c.name, text)
		}
		if c.completed > 0 && h.States["completed"][2] != c.completed { // since and until are as far away
			t.Errorf("%s: %v, want them in the third bucket", c.name, h.States)
		}
	}
	if status, _, text := ask(began, began, ""); status != http.StatusUnprocessableEntity {
		t.Errorf("no time at all: %d %s", status, text)
	}
	if status, _, text := ask(began, began.Add(time.Hour), "nonsense:1"); status != http.StatusUnprocessableEntity {
		t.Errorf("no such field: %d %s", status, text)
	}
}
