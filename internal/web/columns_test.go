package web_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestColumns: who chooses a table's columns sees those, on this browser.
func TestColumns(t *testing.T) {
	s := serve(t, "/x")
	s.run(t, "many", each(3, "odd"))
	const took, finished, waited = `data-label="Took"`, `data-label="Finished"`, `data-label="Waited"`
	s.get(t, "/runs").says(t, took, `name="column" value="took" checked`, `name="column" value="finished">`)
	if page := s.get(t, "/runs"); strings.Contains(page.text, finished) {
		t.Error("a column is shown that nobody asked for")
	}
	r := s.post(t, "/preferences", "table", "runs", "column", "state", "column", "finished", "back", "runs?q=state:failed")
	if to := r.to(t); to.Path != "/x/runs" || to.RawQuery != "q=state:failed" || len(r.cookies) != 1 {
		t.Fatalf("choosing leads to %s with %v", to, r.cookies)
	}
	cookie := r.cookies[0].Name + "=" + r.cookies[0].Value
	chosen := s.get(t, "/runs", "Cookie", cookie)
	chosen.says(t, finished, `name="column" value="finished" checked`, `name="column" value="took">`, `<th scope="row">`)
	if strings.Contains(chosen.text, took) {
		t.Error("a column is shown that was left out")
	}
	s.get(t, "/tasks", "Cookie", cookie).says(t, waited) // another table
	r = s.do(t, http.MethodPost, "/preferences", formOf([]string{"table", "tasks", "column", "why"}), "Content-Type", "application/x-www-form-urlencoded", "Cookie", cookie)
	cookie = r.cookies[0].Name + "=" + r.cookies[0].Value
	worker := r.cookies[0].Name + "=tasks.worker"
	s.get(t, "/tasks", "Cookie", worker).says(t, `data-label="Worker"><a href="./tasks?q=worker%3A`, ", pid ")
	if page := s.get(t, "/runs/"+s.runs["many"]+"?tab=tasks", "Cookie", cookie); strings.Contains(page.text, waited) || !strings.Contains(page.text, `data-label="Why"`) {
		t.Error("a run's task runs have other columns than those that were chosen")
	}
	s.get(t, "/runs", "Cookie", cookie).says(t, finished) // the other choice stays
	r = s.do(t, http.MethodPost, "/preferences", formOf([]string{"table", "runs", "first", "1"}), "Content-Type", "application/x-www-form-urlencoded", "Cookie", cookie)
	s.get(t, "/runs", "Cookie", r.cookies[0].Name+"="+r.cookies[0].Value).says(t, took)
	for _, bad := range []string{"runnel_columns=nosuch.state~runs.<b>", "runnel_columns=~~.."} {
		if r := s.get(t, "/runs", "Cookie", bad); r.status != http.StatusOK {
			t.Errorf("%s is answered %d", bad, r.status)
		}
	}
	if r := s.post(t, "/preferences", "table", "nosuch", "column", "state"); len(r.cookies) != 0 {
		t.Errorf("columns of a table that there is not are kept: %v", r.cookies)
	}
}
