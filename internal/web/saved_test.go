package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
)

// TestSavedFilters: a filter is given a name, stands above its list, and is deleted.
func TestSavedFilters(t *testing.T) {
	s := serve(t, "/x")
	s.run(t, "failed", call("fails"))
	if page := s.get(t, "/runs"); strings.Contains(page.text, "new/filter") {
		t.Error("no filter can be saved")
	}
	if page := s.get(t, "/runs?q=state:problems"); strings.Contains(page.text, "new/filter") {
		t.Error("one that is there already can be saved")
	}
	s.get(t, "/runs?q=name:fails+state:failed").says(t, `href="./new/filter?q=name%3Afails&#43;state%3Afailed&amp;target=runs" data-modal>Save`)
	s.get(t, "/new/filter?target=runs&q=name:fails").says(t, `name="q" value="name:fails"`, "for everybody")
	save := func(fields ...string) *reply { return s.post(t, "/new/filter", fields...) }
	if to := save("target", "runs", "q", "name:fails state:failed", "name", "Ours, / all").to(t); to.Path != "/x/runs" || to.Query().Get("q") != "name:fails state:failed" {
		t.Errorf("saving leads to %s", to)
	}
	page := s.get(t, "/runs?q=name:fails+state:failed")
	page.says(t, `aria-current="true">Ours, / all</a>`, `href="./filters/runs/Ours%2C%20%2F%20all/delete" data-modal>Forget`)
	if strings.Contains(s.get(t, "/tasks?q=name:fails+state:failed").text, "Ours") {
		t.Error("a filter of runs is beside tasks")
	}
	for _, bad := range [][]string{{"target", "runs", "q", "name:x", "name", ""}, {"target", "runs", "q", "bogus:x", "name", "bad"}} {
		if r := save(bad...); r.status != http.StatusUnprocessableEntity || !strings.Contains(r.text, "<form") {
			t.Errorf("%q is answered %d: %.300s", bad, r.status, r.text)
		}
	}
	save("target", "tasks", "q", "tag:db", "name", "Databases").to(t)
	s.get(t, "/tasks").says(t, `href="./tasks?q=tag%3Adb">Databases</a>`)
	s.get(t, "/settings").says(t, "Ours, / all", "Databases", "name:fails state:failed")
	s.get(t, "/filters/tasks/Databases/delete?settings=1").says(t, "Delete the saved filter", `name="back" value="settings"`)
	if to := s.post(t, "/filters/runs/Ours,%20%2F%20all/delete", "back", "settings").to(t); to.Path != "/x/settings" {
		t.Errorf("deleting leads to %s", to)
	}
	if strings.Contains(s.get(t, "/runs").text, "Ours") {
		t.Error("it is there though it was deleted")
	}
	if r := s.get(t, "/new/filter?target=limits&q=x"); r.status != http.StatusNotFound {
		t.Errorf("a filter of limits is answered %d", r.status)
	}
}

// TestSavedFiltersOfAReader: who may only look uses them, and can't change them.
func TestSavedFiltersOfAReader(t *testing.T) {
	s := serve(t, "", runnel.RequireToken("let me in"))
	admin := []string{"Authorization", "Bearer let me in", "Content-Type", "application/json"}
	s.do(t, http.MethodPut, "/api/v1/filters/runs/ours", `{"q":"name:x"}`, admin...)
	made := s.do(t, http.MethodPost, "/api/v1/tokens", `{"name":"reader","role":"read-only"}`, admin...)
	_, secret, _ := strings.Cut(made.text, `"secret":"`)
	secret, _, _ = strings.Cut(secret, `"`)
	reader := []string{"Authorization", "Bearer " + secret, "Content-Type", "application/x-www-form-urlencoded"}
	page := s.get(t, "/runs?q=name:x", reader...)
	page.says(t, `aria-current="true">ours</a>`)
	if strings.Contains(page.text, "Forget") || strings.Contains(s.get(t, "/runs?q=name:y", reader...).text, "new/filter") {
		t.Error("a reader is shown what they may not do")
	}
	if r := s.do(t, http.MethodPost, "/new/filter", formOf([]string{"target", "runs", "q", "name:y", "name", "mine"}), reader...); r.status != http.StatusForbidden {
		t.Errorf("a reader who saves is answered %d", r.status)
	}
}
