package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestSearch(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, task("double", "1"))
	if _, _, err := s.CreateLimit(t.Context(), "Double room", 3); err != nil {
		t.Fatal(err)
	}
	find := func(q string) (found httpapi.Found) {
		t.Helper()
		status, _, text := s.get(t, "/api/v1/search?"+url.Values{"q": {q}}.Encode())
		if err := json.Unmarshal([]byte(text), &found); status != http.StatusOK || err != nil {
			t.Fatalf("%q: %d %s %v", q, status, text, err)
		}
		return found
	}
	hits := find("double").Hits
	for _, want := range []httpapi.Hit{
		{Kind: "run", Name: "double", ID: id}, {Kind: "task", Name: "double", ID: "double"}, {Kind: "limit", Name: "Double room", ID: "Double room"},
	} {
		if !slices.Contains(hits, want) {
			t.Errorf("double finds %v, want %v among them", hits, want)
		}
	}
	if hits := find("room").Hits; len(hits) != 1 || hits[0].Kind != "limit" {
		t.Errorf("room finds %v", hits)
	}
	if found := find(id[:20]); !slices.Equal(found.Runs, []string{id}) || len(found.Hits) > 0 {
		t.Errorf("the beginning of an id finds %v", found)
	}
	if found := find("no such thing"); len(found.Runs) > 0 || len(found.Hits) > 0 {
		t.Errorf("found %v", found)
	}
	if status, _, text := s.get(t, "/api/v1/search?q="); status != http.StatusUnprocessableEntity {
		t.Errorf("searching for nothing: %d %s", status, text)
	}
}

// unasked is a service whose workers and queues cost too much for who types.
type unasked struct {
	httpapi.Service

	t *testing.T
}

func (u unasked) Workers(context.Context) ([]api.Worker, error) {
	u.t.Error("a search asks workers how busy they are")
	return nil, nil
}

func (u unasked) Queues(context.Context) ([]api.Queue, error) {
	u.t.Error("a search looks at what is ready")
	return nil, nil
}

func (unasked) Offered(context.Context) ([]api.Worker, []string, error) {
	return []api.Worker{{ID: "7", Name: "heavy-1"}}, []string{"heavy"}, nil
}

// TestSearchAsksNobody: workers and queues are found by what is known of them anyway.
func TestSearchAsksNobody(t *testing.T) {
	s := serve(t)
	h := httpapi.NewHandler(func() httpapi.Service { return unasked{s.Client, t} }, httpapi.Options{})
	t.Cleanup(h.Close)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/search?q=heavy", nil))
	var found httpapi.Found
	if err := json.Unmarshal(w.Body.Bytes(), &found); w.Code != http.StatusOK || err != nil {
		t.Fatal(w.Code, w.Body, err)
	}
	want := []httpapi.Hit{{Kind: "queue", Name: "heavy", ID: "heavy"}, {Kind: "worker", Name: "heavy-1", ID: "7"}}
	if !slices.Equal(found.Hits, want) {
		t.Errorf("heavy finds %v, want %v", found.Hits, want)
	}
}
