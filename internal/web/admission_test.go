package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
)

// posts are what forms of the pages beside runs and tasks are sent to, with what would
// be right.
var posts = []struct {
	path   string
	fields []string
}{
	{"/new/limit", []string{"tag", "new", "limit", "3"}},
	{"/limits/math/set", []string{"limit", "4"}},
	{"/limits/math/reset", nil},
	{"/limits/math/delete", nil},
	{"/new/global-limit", []string{"name", "new", "limit", "3"}},
	{"/global-limits/licence/set", []string{"limit", "4"}},
	{"/global-limits/licence/reset", nil},
	{"/global-limits/licence/delete", nil},
	{"/flows/double/start", []string{"arg1", "4"}},
	{"/new/schedule", []string{"name", "new", "task", "double", "args", "[1]", "cron", "@daily"}},
	{"/schedules/nightly/edit", []string{"task", "double", "args", "[1]", "cron", "@daily"}},
	{"/schedules/nightly/trigger", nil},
	{"/schedules/nightly/pause", nil},
	{"/schedules/nightly/resume", nil},
	{"/schedules/nightly/backfill", []string{"from", "2026-10-26T00:00", "to", "2026-10-27T00:00", "sure", "2026-10-26T00:002026-10-27T00:00"}},
	{"/schedules/nightly/delete", nil},
	{"/cache/any/delete", nil},
	{"/empty/cache", nil},
	{"/operations/any/stop", nil},
	{"/queues/default/pause", nil},
	{"/queues/default/resume", nil},
	{"/workers/any/drain", nil},
	{"/workers/any/undrain", nil},
	{"/new/token", []string{"name", "new", "role", "admin"}},
	{"/tokens/any/delete", nil},
	{"/new/filter", []string{"target", "runs", "name", "new", "q", "name:x"}},
	{"/filters/runs/any/delete", nil},
	{"/tasks/bulk", []string{"action", "cancel", "id", "any/0"}},
}

// token makes one of a role, and gives its header.
func (s *site) token(t *testing.T, role string) string {
	t.Helper()
	r := s.do(t, http.MethodPost, "/api/v1/tokens", `{"name":"`+role+`","role":"`+role+`"}`, "Authorization", "Bearer let me in", "Content-Type", "application/json")
	var made struct{ Secret string }
	if err := json.Unmarshal([]byte(r.text), &made); err != nil || made.Secret == "" {
		t.Fatalf("a token of role %s: %d %s", role, r.status, r.text)
	}
	return "Bearer " + made.Secret
}

func TestWhoMayNotChangesNothing(t *testing.T) {
	s := serve(t, "", runnel.RequireToken("let me in"))
	// Nothing is to change by itself: no run ends, and nothing of a rate comes back.
	s.fillLimits(t)
	must(t, s.eng.Schedules().Create(t.Context(), "nightly", runnel.Cron("0 0 1 1 *"), double.Send(3)))
	must(t, s.eng.GlobalLimits().Reset(t.Context(), "mails"))
	reader := s.token(t, "read-only")
	before := s.get(t, "/limits", "Authorization", reader).text
	if strings.Contains(before, "/delete") || strings.Contains(before, "new/limit") || strings.Contains(before, `method="post" action="./limits`) {
		t.Errorf("who may only read sees verbs: %s", mainOf(before))
	}
	for _, p := range posts {
		r := s.post(t, p.path, p.fields...)
		if r.status != http.StatusSeeOther || !strings.Contains(r.header.Get("Location"), "login") {
			t.Errorf("POST %s by nobody answers %d to %s", p.path, r.status, r.header.Get("Location"))
		}
		r = s.do(t, http.MethodPost, p.path, formOf(p.fields), "Content-Type", "application/x-www-form-urlencoded", "Authorization", reader)
		if r.status != http.StatusForbidden {
			t.Errorf("POST %s by a reader answers %d", p.path, r.status)
		}
	}
	for _, what := range []string{"/limits"} {
		if after := s.get(t, what, "Authorization", reader).text; mainOf(after) != mainOf(before) {
			t.Errorf("%s was changed to %s", what, mainOf(after))
		}
	}
}

func TestOtherSitesChangeNoneOfTheRest(t *testing.T) {
	s := serve(t, "")
	s.fill(t)
	for _, p := range posts {
		r := s.do(t, http.MethodPost, p.path, formOf(p.fields), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site")
		if r.status != http.StatusForbidden || !strings.Contains(r.text, "another site") {
			t.Errorf("POST %s from another site answers %d", p.path, r.status)
		}
	}
}

// TestRestOfPages reads the pages beside runs and tasks, empty and with many rows.
func TestRestOfPages(t *testing.T) {
	for name, fill := range map[string]func(*testing.T, *site){
		"empty": func(*testing.T, *site) {},
		"huge":  func(t *testing.T, s *site) { s.fillMany(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "")
			fill(t, s)
			s.crawl(t, "/limits")
		})
	}
}
