package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// TestSavedFilters are kept for all, by list and name, and outlive the server.
func TestSavedFilters(t *testing.T) {
	path := "sqlite:" + t.TempDir() + "/saved.db"
	with := func(do func(c *httpapi.Client)) {
		eng, err := runnel.Open(t.Context(), path, runnel.LogTo(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		c, err := httpapi.NewClient("http://x", httpapi.ClientOptions{Transport: inProcess{eng.Handler()}})
		if err != nil {
			t.Fatal(err)
		}
		do(c)
		if err := eng.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	names := func(c *httpapi.Client, target string) string {
		all, err := c.SavedFilters(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, one := range all {
			said += one.Target + ":" + one.Name + "=" + one.Q + ";"
		}
		return said
	}
	with(func(c *httpapi.Client) {
		for _, one := range [][3]string{{"runs", "nightly, broken", "state:failed schedule:nightly"}, {"tasks", "a/b", "tag:db"}, {"runs", "a/b", "name:x"}, {"runs", "a/b", "name:y"}} {
			if err := c.SaveFilter(t.Context(), one[0], one[1], one[2]); err != nil {
				t.Fatal(one, err)
			}
		}
		for _, one := range [][3]string{{"runs", "x", "stat:failed"}, {"tasks", "x", "retries:>0"}, {"runs", "x", ""}, {"runs", " x", "name:x"}, {"limits", "x", "name:x"}} {
			if err := c.SaveFilter(t.Context(), one[0], one[1], one[2]); !errors.Is(err, api.ErrInvalid) {
				t.Errorf("%q gives %v", one, err)
			}
		}
	})
	with(func(c *httpapi.Client) {
		if got, want := names(c, ""), "runs:a/b=name:y;runs:nightly, broken=state:failed schedule:nightly;tasks:a/b=tag:db;"; got != want {
			t.Errorf("saved are %s, want %s", got, want)
		}
		if err := c.DeleteFilter(t.Context(), "runs", "a/b"); err != nil {
			t.Error(err)
		}
		if err := c.DeleteFilter(t.Context(), "runs", "a/b"); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("deleting it twice gives %v", err)
		}
		if got := names(c, "tasks"); got != "tasks:a/b=tag:db;" {
			t.Errorf("those of tasks are %s", got)
		}
	})
}

func TestSavedFiltersHaveABound(t *testing.T) {
	s := serve(t)
	put := func(name string) int {
		status, _, _ := s.request(t, http.MethodPut, "/api/v1/filters/runs/"+name, `{"q":"state:failed"}`, nil)
		return status
	}
	for i := range 100 {
		if status := put(fmt.Sprint("n", i)); status != http.StatusCreated {
			t.Fatal(i, status)
		}
	}
	if status := put("more"); status != http.StatusConflict {
		t.Errorf("one more gives %d", status)
	}
	if status := put("n7"); status != http.StatusOK {
		t.Errorf("another one under a name gives %d", status)
	}
	_, _, text := s.get(t, "/api/v1/filters")
	var all struct{ Items []httpapi.SavedFilter }
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all.Items) != 100 {
		t.Errorf("%d are kept: %v", len(all.Items), err)
	}
}
