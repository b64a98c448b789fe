package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestSuggest(t *testing.T) {
	s := serve(t)
	s.ran(t, task("double", "1"))
	if _, _, err := s.CreateLimit(t.Context(), "math, by hand", 3); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, q string
		begin     int
		want      []string
	}{
		{"runs", "sta", 0, []string{"state:"}},
		{"tasks", "name:x -ta", 8, []string{"task:", "tag:"}},
		{"runs", "state:fa", 6, []string{"failed"}},
		{"runs", "state:failed,can", 13, []string{"cancelling", "cancelled"}},
		{"tasks", "cached:", 7, []string{"yes", "no"}},
		{"tasks", "task:DOU", 5, []string{"double"}},
		{"runs", "task:el", 5, []string{"held"}},
		{"tasks", "tag:ma", 4, []string{"math", `"math, by hand"`}},
		{"tasks", `limit:"math, b`, 6, []string{`"math, by hand"`}},
		{"runs", "name:do", 5, []string{"double"}},
		{"runs", "flow:", 5, []string{}}, // none of them is a flow
		{"tasks", "queue:d", 6, []string{"default"}},
		{"runs", "tag:", 4, []string{}}, // runs have none
		{"runs", "nonsense:", 9, []string{}},
		{"runs", "id:", 3, []string{}},
	} {
		status, _, text := s.get(t, "/api/v1/suggest?"+url.Values{"target": {c.target}, "q": {c.q}}.Encode())
		var got httpapi.Suggestions
		if err := json.Unmarshal([]byte(text), &got); status != http.StatusOK || err != nil {
			t.Fatalf("%s: %d %s %v", c.q, status, text, err)
		}
		texts := []string{}
		for _, i := range got.Items {
			texts = append(texts, i.Text)
		}
		if got.Begin != c.begin || !slices.Equal(texts, c.want) {
			t.Errorf("%s %s: %d %q, want %d %q", c.target, c.q, got.Begin, texts, c.begin, c.want)
		}
	}
	if _, _, text := s.get(t, "/api/v1/suggest"); !json.Valid([]byte(text)) {
		t.Error(text)
	}
}
