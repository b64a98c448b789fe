package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

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
