package web_test

import (
	"net/http"
	"strings"
	"testing"
)

// The history of a run is that of all of it, or of the task runs that a filter chooses.
func TestHistoryOfSomeTaskRuns(t *testing.T) {
	s := serve(t, "")
	s.run(t, "many", each(40, "odd"))
	all := "/runs/" + s.runs["many"] + "?tab=history"
	s.get(t, all).says(t, "What became of it", "</time><small></small><span>created", ">odd-3</a>", ">odd-4</a>")
	r := s.get(t, all+"&q=name:odd-3+state:failed,completed")
	r.says(t, "What became of the task runs that match", `value="name:odd-3 state:failed,completed"`, ">odd-3</a>", ">odd-30</a>")
	for _, other := range []string{">odd-4</a>", "</small><span>created"} {
		if strings.Contains(mainOf(r.text), other) {
			t.Errorf("the history of odd-3… has %s", other)
		}
	}
	s.get(t, all+"&q=name:nobody").says(t, "No task run matches.")
	if r := s.get(t, all+"&q=nonsense:1"); r.status != http.StatusUnprocessableEntity {
		t.Errorf("a filter that is wrong answers %d", r.status)
	}
}
