package httpapi_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// length asks a list how long it is.
func (s *served) length(t *testing.T, path, query string) (n int64, is string) {
	t.Helper()
	status, _, text := s.get(t, "/api/v1"+path+"?limit=2&"+query)
	var p httpapi.Page[json.RawMessage]
	if err := json.Unmarshal([]byte(text), &p); status != http.StatusOK || err != nil || p.ApproxTotal == nil {
		t.Fatalf("%s?%s: %d %s, %v", path, query, status, text, err)
	}
	return *p.ApproxTotal, p.TotalIs
}

func TestShortListsAreCounted(t *testing.T) {
	s := serve(t)
	for range 5 {
		s.ran(t, task("double", "1"))
	}
	bad, _ := s.ran(t, task("fails"))
	for _, c := range []struct {
		path, query string
		want        int64
	}{
		{"/runs", "", 6},
		{"/runs", "state=failed", 1},
		{"/runs", "q=state:completed", 5},
		{"/runs", "flow=double", 5},
		{"/runs", "name=nobody", 0},
		{"/tasks", "", 6},
		{"/tasks", "tag=math", 5},
		{"/tasks", "q=-tag:math", 1},
		{"/tasks", "q=flow:double", 5},
		{"/tasks", "q=created:<1h", 6},
		{"/runs/" + bad + "/tasks", "", 1},
		{"/runs/" + bad + "/tasks", "state=completed", 0},
	} {
		for _, count := range []string{"approx", "exact"} {
			if n, is := s.length(t, c.path, c.query+"&count="+count); n != c.want || is != "exact" {
				t.Errorf("%s?%s, %s: %d, %s; want %d", c.path, c.query, count, n, is, c.want)
			}
		}
	}
	if _, _, text := s.get(t, "/api/v1/runs"); strings.Contains(text, "total") {
		t.Errorf("a total that nobody asked for: %s", text)
	}
	if status, _, text := s.get(t, "/api/v1/runs?count=most"); status != http.StatusUnprocessableEntity {
		t.Errorf("count=most: %d %s", status, text)
	}
	n, exact, err := s.Estimate(t.Context(), api.RunFilter{}, func(r *api.Run) int64 { return r.Tasks["double"].Completed })
	if n != 5 || !exact || err != nil {
		t.Errorf("the client estimates %d, exact %v, %v", n, exact, err)
	}
}

// Of many task runs the counters of runs tell.
func TestLongListsAreEstimated(t *testing.T) {
	s := serve(t)
	const all = 2500
	list := make([]int, all)
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := api.ParseSpec([]byte(`{"runnel":1,"steps":[{"value":` + string(text) + `},{"each":{"steps":[{"task":"double"}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := s.ran(t, spec)
	for _, path := range []string{"/tasks", "/runs/" + id + "/tasks"} {
		for query, want := range map[string]int64{
			"": all, "state=completed": all, "state=failed": 0, "q=task:double+state:final": all, "task=nobody": 0, "tag=math": all, "q=-tag:math": 0, "q=since:1h": all,
		} {
			if n, is := s.length(t, path, "count=approx&"+query); n != want || is != "estimate" {
				t.Errorf("%s?%s: %d, %s; want %d, estimate", path, query, n, is, want)
			}
		}
		if n, is := s.length(t, path, "count=exact"); n != all || is != "exact" {
			t.Errorf("%s: %d, %s", path, n, is)
		}
	}
}

// endless is a service with so many runs that nobody should count them.
type endless struct {
	httpapi.Service

	seen int
}

func (e *endless) Runs(context.Context, api.RunFilter) iter.Seq2[api.Run, error] {
	return func(yield func(api.Run, error) bool) {
		for {
			e.seen++
			if !yield(api.Run{ID: strconv.Itoa(e.seen), State: api.State(e.seen % 2)}, nil) {
				return
			}
		}
	}
}

// TestExactIsBounded: counting ends after 10,000, and looking for what is counted does too.
func TestExactIsBounded(t *testing.T) {
	s := serve(t)
	e := &endless{Service: s.Client}
	h := httpapi.NewHandler(func() httpapi.Service { return e }, httpapi.Options{})
	t.Cleanup(h.Close)
	for q, want := range map[string]int64{"": 10_000, "name:nobody": 0, "id:1": -1} {
		e.seen = 0
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/runs?limit=1&count=exact&q="+url.QueryEscape(q), nil))
		var p httpapi.Page[api.Run]
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.ApproxTotal == nil || p.TotalIs != "at_least" || want >= 0 && *p.ApproxTotal != want {
			t.Errorf("%q: %s, %v; want at least %d", q, w.Body, err, want)
		}
		if e.seen > 2*20_001 { // the page looks, too
			t.Errorf("%q: %d runs were looked at", q, e.seen)
		}
	}
}
