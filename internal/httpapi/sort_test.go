package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// timed is a service with runs and task runs that took different times.
type timed struct {
	httpapi.Service

	runs  []api.Run // newest first
	tasks []api.TaskRun
	more  int // as many as these of no account before them
}

func (s *timed) Runs(context.Context, api.RunFilter) iter.Seq2[api.Run, error] {
	return func(yield func(api.Run, error) bool) {
		for i := range s.more {
			if !yield(api.Run{ID: fmt.Sprintf("m%d", i), State: api.Completed}, nil) {
				return
			}
		}
		for i := range s.runs {
			if !yield(s.runs[i], nil) {
				return
			}
		}
	}
}

func (s *timed) TaskRuns(context.Context, api.TaskRunFilter) iter.Seq2[api.TaskRun, error] {
	return func(yield func(api.TaskRun, error) bool) {
		for i := range s.tasks {
			if !yield(s.tasks[i], nil) {
				return
			}
		}
	}
}

// sorted asks for a list page by page, of so many each.
func sorted(t *testing.T, h http.Handler, path string, limit int) (ids []string, of int) {
	t.Helper()
	for at := ""; ; {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/api/v1/%s&limit=%d%s", path, limit, at), nil))
		var page httpapi.Page[struct{ ID string }]
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s%s: %d %s", path, at, w.Code, w.Body)
		}
		for _, one := range page.Items {
			ids = append(ids, one.ID)
		}
		if of = page.SortedOf; page.NextCursor == nil {
			return ids, of
		}
		at = "&cursor=" + url.QueryEscape(*page.NextCursor)
	}
}

func TestSortedLists(t *testing.T) {
	from := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s := &timed{Service: serve(t).Client}
	for i, minutes := range []int{3, 1, 0, 5, 1} { // 0: it goes on, or has not begun
		run := api.Run{ID: fmt.Sprintf("r%d", i), State: api.Completed, Created: from.Add(-time.Duration(i) * time.Hour)}
		task := api.TaskRun{ID: fmt.Sprintf("r/%d", i), Run: "r", State: api.Completed}
		if minutes > 0 {
			run.Finished = run.Created.Add(time.Duration(minutes) * time.Minute)
			task.Started, task.Finished = run.Created, run.Finished
		} else {
			run.State, task.State = api.Running, api.Pending
		}
		s.runs, s.tasks = append(s.runs, run), append(s.tasks, task)
	}
	h := httpapi.NewHandler(func() httpapi.Service { return s }, httpapi.Options{})
	defer h.Close()
	for _, c := range []struct{ path, want string }{
		{"runs?sort=created", "r4 r3 r2 r1 r0"},
		{"runs?sort=duration", "r1 r4 r0 r3 r2"},
		{"runs?sort=-duration", "r2 r3 r0 r4 r1"},
		{"runs?sort=-ended", "r0 r1 r3 r4 r2"},
		{"runs?sort=ended", "r4 r3 r1 r0 r2"},
		{"runs?sort=duration&q=state:completed", "r1 r4 r0 r3"},
		{"tasks?sort=-duration", "r/3 r/0 r/4 r/1 r/2"},
		{"tasks?sort=started", "r/4 r/3 r/1 r/0 r/2"},
		{"tasks?sort=-ended&state=completed&state=failed", "r/0 r/1 r/3 r/4"},
	} {
		for _, limit := range []int{1, 2, 5, 50} {
			if ids, of := sorted(t, h, c.path, limit); strings.Join(ids, " ") != c.want || of != 0 {
				t.Errorf("%s by %d: %v of %d, want %s", c.path, limit, ids, of, c.want)
			}
		}
	}
	s.more = 19_998
	if ids, of := sorted(t, h, "runs?sort=-duration&q=duration:>2m", 1); !slices.Equal(ids, []string{"r0"}) || of != 20_000 {
		t.Errorf("of more than are looked at: %v of %d, want r0 of 20,000", ids, of)
	}
}

// A cursor is of one order.
func TestSortedListsRefuseCursorsOfOthers(t *testing.T) {
	s := serve(t)
	for range 3 {
		s.ran(t, task("double", "1"))
	}
	cursorOf := func(query string) string {
		_, _, text := s.get(t, "/api/v1/runs?limit=1"+query)
		var page httpapi.Page[api.Run]
		if err := json.Unmarshal([]byte(text), &page); err != nil || page.NextCursor == nil {
			t.Fatalf("%s: %s", query, text)
		}
		return *page.NextCursor
	}
	for _, c := range []struct{ of, given string }{{"", "&sort=duration"}, {"&sort=duration", ""}, {"&sort=duration", "&sort=-duration"}} {
		if status, _, text := s.get(t, "/api/v1/runs?cursor="+cursorOf(c.of)+c.given); status != http.StatusUnprocessableEntity {
			t.Errorf("a cursor of %q with %q: %d %s", c.of, c.given, status, text)
		}
	}
	if status, _, _ := s.get(t, "/api/v1/runs?sort=colour"); status != http.StatusUnprocessableEntity {
		t.Errorf("an order that there is not: %d", status)
	}
}
