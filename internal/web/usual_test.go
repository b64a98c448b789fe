package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/web"
)

// TestRunThatTakesLongIsMarked gives pages runs that took a second, and some that took
// another time.
func TestRunThatTakesLongIsMarked(t *testing.T) {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	var runs []api.Run
	add := func(id, name string, state api.State, took time.Duration) {
		r := api.Run{ID: id, Name: name, State: state, Created: now.Add(-took)}
		if state.Final() {
			r.Finished = now
		}
		runs = append(runs, r)
	}
	add("long", "etl", api.Completed, time.Hour)
	add("short", "etl", api.Completed, time.Second)
	add("live-long", "etl", api.Running, time.Minute)
	add("live-short", "etl", api.Running, time.Second/2)
	add("later", "etl", api.Scheduled, time.Hour)
	for range 17 {
		add("other", "etl", api.Failed, time.Second)
	}
	for i := range 20 { // a schedule gives each run another name
		add("nightly", fmt.Sprint("nightly ", i), api.Completed, time.Second)
		runs[len(runs)-1].Schedule = &api.ScheduleTime{Name: "nightly"}
	}
	const enough = 20 // of the name that have ended
	for _, ended := range []int{enough - 1, enough} {
		if ended == enough {
			add("other", "etl", api.Completed, time.Second)
		}
		asked := 0
		rest := serve(t, "").eng.Handler(runnel.NoPages())
		found := instead(t, rest, "/api/v1/runs", map[string]any{"items": runs})
		pages := web.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v1/runs" && r.URL.Query().Get("limit") == "500" {
				asked++
			}
			found.ServeHTTP(w, r)
		}), web.Options{Now: func() time.Time { return now }})
		rows := map[string]string{}
		for range 2 {
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/runs", nil))
			for row := range strings.SplitSeq(w.Body.String(), `<tr id="run-`) {
				id, _, _ := strings.Cut(row, `"`)
				rows[id] = row
			}
		}
		if asked != 1 {
			t.Errorf("two lists of runs look %d times how long runs take, want once", asked)
		}
		for id, want := range map[string]struct{ slow, bar bool }{
			"long": {true, true}, "short": {false, true}, "live-long": {true, false}, "live-short": {}, "later": {}, "nightly": {false, true},
		} {
			if ended < enough && id != "nightly" {
				want.slow, want.bar = false, false
			}
			slow := strings.Contains(rows[id], `<i aria-hidden="true">▲</i> slow`)
			bar := strings.Contains(rows[id], `aria-label="half of the runs like it take 1.00 s, 95 of 100 at most 1.00 s"`)
			if rows[id] == "" || slow != want.slow || bar != want.bar {
				t.Errorf("of %d that ended: %s is slow: %v, has a bar: %v, want %v; its row: %s", ended, id, slow, bar, want, rows[id])
			}
		}
	}
}

// instead is an API that answers one path by itself.
func instead(t *testing.T, rest http.Handler, path string, body any) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			rest.ServeHTTP(w, r)
			return
		}
		must(t, json.NewEncoder(w).Encode(body))
	})
}
