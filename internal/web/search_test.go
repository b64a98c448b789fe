package web_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestSearchLeads(t *testing.T) {
	s := serve(t, "/x")
	s.fillLimits(t)
	s.run(t, "done", call("double", "1"))
	s.run(t, "other", call("report", "1"))
	for q, want := range map[string]string{
		s.runs["done"]:    "/x/runs/" + s.runs["done"],
		"state:failed":    "/x/runs?q=state%3Afailed",
		"licence":         "/x/global-limits/licence",
		"nothing like it": "/x/runs?q=nothing+like+it",
		"Settings":        "/x/settings",
	} {
		r := s.get(t, "/search?"+formOf([]string{"q", q}))
		if to := r.to(t); to.RequestURI() != want {
			t.Errorf("%q leads to %s, want %s", q, to.RequestURI(), want)
		}
	}
	s.get(t, "/search?q=").says(t, "Where to?", `href="./schedules"`)
	s.get(t, "/search?q=o").says(t, `href="./flows/report"`, `href="./runs/`+s.runs["other"], `href="./operations"`, "All runs like this")
	// What shows hits while somebody types is never led away.
	for _, q := range []string{"licence", "nothing+like+it", s.runs["done"]} {
		if r := s.get(t, "/search?list=1&q="+q); r.status != http.StatusOK {
			t.Errorf("the list of %q answers %d", q, r.status)
		}
	}
	if r := s.get(t, "/search?list=1&q=licence"); !strings.Contains(r.text, `id="hits"`) {
		t.Errorf("the list has no hits: %s", mainOf(r.text))
	}
}
