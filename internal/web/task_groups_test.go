package web_test

import (
	"html"
	"net/http"
	"strings"
	"testing"
)

func TestTasksAreCounted(t *testing.T) {
	s := serve(t, "/x")
	s.run(t, "many", each(9, "odd"))
	s.run(t, "failed", call("fails"))
	s.get(t, "/tasks").says(t, `href="./tasks?by=error"`, `href="./tasks" aria-current="true">One by one`)
	s.get(t, "/tasks?by=task").says(t, `href="./tasks?q=task%3Aodd"`, `href="./tasks?q=task%3Afails"`, `<td class="num" data-label="Task runs">9</td>`)
	s.get(t, "/tasks?by=error&q=state:failed").says(t, "3 is a multiple of three", "no luck &lt;script&gt;")
	s.get(t, "/tasks?by=tag").says(t, "no tag", "q=tag%3Amath")
	s.get(t, "/tasks?by=worker").says(t, "q=worker%3A%22", `<td class="num" data-label="Task runs">10</td>`)
	page := s.get(t, "/runs/"+s.runs["many"]+"?tab=tasks&by=state")
	page.says(t, "tab=tasks", "q=state%3Afailed", `<td class="num" data-label="Task runs">6</td>`)
	if strings.Contains(page.text, "by=run") {
		t.Error("task runs of one run are counted by run")
	}
	if r := s.get(t, "/tasks?by=colour"); r.status != http.StatusNotFound {
		t.Errorf("by colour answers %d", r.status)
	}
	// Each group leads to as many as it says.
	_, rest, _ := strings.Cut(s.get(t, "/tasks?by=error").text, `href="./tasks?q=error`)
	q, _, _ := strings.Cut(rest, `"`)
	s.get(t, "/tasks?q=error"+html.UnescapeString(q)).says(t, "1 task run")
}
