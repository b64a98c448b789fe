package web_test

import (
	"strings"
	"testing"
)

func TestRunsAreCompared(t *testing.T) {
	s := serve(t, "/x")
	s.run(t, "same", call("double", "1"))
	first := s.runs["same"]
	r := s.get(t, "/runs/"+first+"/diff")
	if to := r.to(t); to.Path != "/x/runs/"+first {
		t.Errorf("with nothing to compare it leads to %s", to)
	}
	s.run(t, "same", call("double", "2"))
	second := s.runs["same"]
	to := s.get(t, "/runs/"+second+"/diff").to(t)
	if to.Path != "/x/runs/"+first+"/diff/"+second {
		t.Fatalf("comparing leads to %s", to)
	}
	s.get(t, strings.TrimPrefix(to.Path, "/x")).says(t, "steps.0.args.0", "<code>1</code>", "<code>2</code>", "double", "p95, A")
	s.run(t, "many", each(9, "odd"))
	to = s.get(t, "/runs/"+second+"/diff?with="+s.runs["many"]).to(t)
	s.get(t, strings.TrimPrefix(to.Path, "/x")).says(t, "odd", "double", "3 of 9 failed")
	for _, wrong := range []string{"zz", "0000"} {
		if to := s.get(t, "/runs/"+second+"/diff?with="+wrong).to(t); to.Path != "/x/runs/"+second {
			t.Errorf("comparing with %q leads to %s", wrong, to)
		}
	}
	s.get(t, "/runs/"+first+"/diff/"+first).says(t, "The same.")
}
