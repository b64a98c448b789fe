package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// unending is a service with task runs without end, of which one in many failed.
type unending struct {
	httpapi.Service

	looked int
	asked  api.TaskRunFilter
}

const oneFailedIn = 15_000

func (e *unending) TaskRuns(_ context.Context, f api.TaskRunFilter) iter.Seq2[api.TaskRun, error] {
	e.asked, e.looked = f, 0
	return func(yield func(api.TaskRun, error) bool) {
		for n := int64(1); ; n++ {
			e.looked++
			t := api.TaskRun{ID: fmt.Sprintf("r/%d", n), Run: "r", Seq: n, Task: "t", State: api.Completed, Tags: []string{"a"}}
			if n%oneFailedIn == 0 {
				t.State = api.Failed
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}

func (*unending) Runs(_ context.Context, f api.RunFilter) iter.Seq2[api.Run, error] {
	return func(yield func(api.Run, error) bool) {
		if f.Before == "" {
			yield(api.Run{ID: "r", State: api.Running}, nil)
		}
	}
}

// A list looks at so many task runs for a page, however it is filtered, and goes on from
// where it stopped looking.
func TestListOfTaskRunsIsBounded(t *testing.T) {
	e := &unending{Service: serve(t).Client}
	h := httpapi.NewHandler(func() httpapi.Service { return e }, httpapi.Options{})
	defer h.Close()
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"state=failed", []string{"r/15000"}},
		{"q=state:failed", []string{"r/15000"}},
		{"task=other", []string{}},
		{"tag=b", []string{}},
		{"any_tag=b&any_tag=c", []string{}},
		{"q=tag:b", []string{}},
		{"state=failed&task=t&tag=a&any_tag=a&any_tag=b&q=task:t", []string{"r/15000"}},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/tasks?"+c.query, nil))
		var page httpapi.Page[api.TaskRun]
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %v", c.query, w.Code, err)
		}
		ids := []string{}
		for i := range page.Items {
			ids = append(ids, page.Items[i].ID)
		}
		if !slices.Equal(ids, c.want) || e.looked > 20_001 || page.NextCursor == nil {
			t.Fatalf("%s: %v after looking at %d, want %v", c.query, ids, e.looked, c.want)
		}
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/v1/tasks?"+c.query+"&cursor="+*page.NextCursor, nil))
		if e.asked.After != "r/20000" {
			t.Errorf("%s: it goes on after %q, want where it stopped looking", c.query, e.asked.After)
		}
	}
}

// manyRuns is a service with runs that have ended, of 1,000 task runs each. Of one run in
// a hundred, one task run failed. It counts what is read.
type manyRuns struct {
	httpapi.Service

	runs       int
	rows, read int
}

func (m *manyRuns) Runs(_ context.Context, f api.RunFilter) iter.Seq2[api.Run, error] {
	return func(yield func(api.Run, error) bool) {
		from := m.runs
		if f.Before != "" {
			from = runNumber(f.Before)
		}
		for n := from - 1; n >= 0; n-- {
			m.read++
			c := api.TaskCounts{Completed: 1000 - m.failed(n), Failed: m.failed(n)}
			if !yield(api.Run{ID: fmt.Sprintf("r%d", n), State: api.Completed, Tasks: map[string]api.TaskCounts{"t": c}}, nil) {
				return
			}
		}
	}
}

func (*manyRuns) failed(run int) int64 {
	if run%100 == 50 {
		return 1
	}
	return 0
}

func (m *manyRuns) TaskRuns(_ context.Context, f api.TaskRunFilter) iter.Seq2[api.TaskRun, error] {
	return func(yield func(api.TaskRun, error) bool) {
		n, from := runNumber(f.Run), int64(0)
		if _, seq, ok := strings.Cut(f.After, "/"); ok {
			from, _ = strconv.ParseInt(seq, 10, 64)
			from++
		}
		for seq := from; seq < 1000; seq++ {
			m.rows++
			t := api.TaskRun{ID: fmt.Sprintf("%s/%d", f.Run, seq), Run: f.Run, Seq: seq, Task: "t", State: api.Completed}
			if seq == 500 && m.failed(n) > 0 {
				t.State = api.Failed
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}

func runNumber(id string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, "r"))
	return n
}

// Of runs whose counters say that no task run failed, none is read: of a million task
// runs, twenty of which failed, a page of ten reads what ten runs have.
func TestListOfTaskRunsReadsRunsThatHaveSome(t *testing.T) {
	m := &manyRuns{Service: serve(t).Client, runs: 2000}
	h := httpapi.NewHandler(func() httpapi.Service { return m }, httpapi.Options{})
	defer h.Close()
	ask := func(query string) (ids []string, cursor *string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/tasks?limit=10&"+query, nil))
		var page httpapi.Page[api.TaskRun]
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %v", query, w.Code, err)
		}
		for i := range page.Items {
			ids = append(ids, page.Items[i].ID)
		}
		return ids, page.NextCursor
	}
	for _, query := range []string{"state=failed", "q=state:failed+-task:x", "state=failed&task=t"} {
		m.rows, m.read = 0, 0
		first, cursor := ask(query)
		if len(first) != 10 || first[0] != "r1950/500" || first[9] != "r1050/500" || cursor == nil {
			t.Fatalf("%s: %v", query, first)
		}
		if m.rows > 11*1000 || m.read > 1100 {
			t.Errorf("%s: read %d task runs of %d runs, want those of ten", query, m.rows, m.read)
		}
		rest, cursor := ask(query + "&cursor=" + *cursor)
		if len(rest) != 10 || rest[0] != "r950/500" || rest[9] != "r50/500" {
			t.Errorf("%s: then %v", query, rest)
		}
		if cursor != nil {
			if more, _ := ask(query + "&cursor=" + *cursor); len(more) > 0 {
				t.Errorf("%s: and %v", query, more)
			}
		}
	}
	m.rows, m.read = 0, 0
	if ids, _ := ask("state=running"); len(ids) > 0 || m.rows > 0 || m.read != 2000 {
		t.Errorf("running: %v, after %d task runs of %d runs", ids, m.rows, m.read)
	}
	m.runs, m.read = 50_000, 0
	if _, cursor := ask("state=running"); cursor == nil || m.read > 20_001 {
		t.Errorf("of runs that have none, %d are looked at for a page", m.read)
	}
}
