package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
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
