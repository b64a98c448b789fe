package web_test

import (
	"html"
	"net/http"
	"regexp"
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

// What happened is there one by one as the API has it, by type, state and task, in pages,
// and as a file of lines.
func TestEventsOfARun(t *testing.T) {
	s := serve(t, "")
	s.run(t, "many", each(120, "odd"))
	all := "/runs/" + s.runs["many"] + "?tab=history&show=events"
	r := s.get(t, all)
	r.says(t, "200 events on this page", "{&#34;time&#34;:", `history/lines?" download="many run.jsonl"`, "?tab=history&amp;show=events&amp;task=")
	next := regexp.MustCompile(`href="(\?[^"]*)" rel="next"`).FindStringSubmatch(r.text)
	if next == nil {
		t.Fatal("there is no older page")
	}
	older := s.get(t, "/runs/"+s.runs["many"]+html.UnescapeString(next[1]))
	older.says(t, "&#34;message&#34;:&#34;submitted&#34;", "Newest")
	r = s.get(t, all+"&type=task&state=failed&name=odd")
	r.says(t, `<option selected>task</option>`, `<option selected>failed</option>`, `value="odd"`, "history/lines?state=failed&amp;task=odd&amp;type=task", ">odd-2</a>")
	for _, other := range []string{">odd-4</a>", "run completed"} {
		if strings.Contains(mainOf(r.text), other) {
			t.Errorf("what failed of odd has %s", other)
		}
	}
	s.get(t, all+"&name=nobody").says(t, "Nothing that happened is so.")
	if r := s.get(t, all+"&state=nonsense"); r.status != http.StatusUnprocessableEntity {
		t.Errorf("a state that is none answers %d", r.status)
	}
}
