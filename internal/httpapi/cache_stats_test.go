package httpapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

func TestCacheStatsCountHitsAndMisses(t *testing.T) {
	s := serve(t)
	for _, arg := range []string{"1", "2", "1", "1"} {
		s.ran(t, task("kept", arg))
	}
	got, err := s.CacheStats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Entries != 2 || got.Bytes != 2 || got.Hits != 2 || got.Misses != 2 || got.Since.IsZero() || len(got.Tasks) != 1 {
		t.Errorf("stats %+v, want 2 entries of 1 byte, 2 hits, 2 misses", got)
	}
	if len(got.Tasks) == 1 && (got.Tasks[0].Task != "kept" || got.Tasks[0].Newest.Before(got.Tasks[0].Oldest) || got.Saved <= 0) {
		t.Errorf("stats of the task %+v, saved %v", got.Tasks[0], got.Saved)
	}
}

func TestExplainCall(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, task("kept", "1"))
	args := func(texts ...string) (out []json.RawMessage) {
		for _, text := range texts {
			out = append(out, json.RawMessage(text))
		}
		return out
	}
	hit, err := s.ExplainCall(t.Context(), "kept", args("1"))
	if err != nil || hit.From != id+"/0" {
		t.Errorf("explained as %+v (%v), want the result of %s/0", hit, err, id)
	}
	miss, err := s.ExplainCall(t.Context(), "kept", args("3"))
	if err != nil || miss.From != "" || miss.Key == hit.Key || miss.Why == "" {
		t.Errorf("explained as %+v (%v), want nothing under another key", miss, err)
	}
	if none, err := s.ExplainCall(t.Context(), "double", args("1")); err != nil || none.Key != "" || none.Why == "" {
		t.Errorf("a task without a key: %+v (%v)", none, err)
	}
	if _, err := s.ExplainCall(t.Context(), "nosuch", nil); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("no such task: %v, want ErrNotFound", err)
	}
	if _, err := s.ExplainCall(t.Context(), "kept", args("1", "2")); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("too many arguments: %v, want ErrInvalid", err)
	}
	if status, _, _ := s.get(t, "/api/v1/flows/kept/cache?args=1,2"); status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
		t.Errorf("no array gives %d", status)
	}
}
