package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
)

func TestSettingsShowTheServer(t *testing.T) {
	s := serve(t, "")
	s.get(t, "/settings").says(t, "This server", "keeps none", `name="theme" value="dark"`, `href="./docs/" data-key="d"`, `title="runnel `,
		"memory:", "are kept for 30 days", "at most 8.4 MB")
	r := s.post(t, "/preferences", "theme", "dark", "back", "settings")
	if to := r.to(t); to.Path != "/settings" || len(r.cookies) != 1 {
		t.Fatalf("a preference leads to %s with %v", to, r.cookies)
	}
	if r := s.get(t, "/runs", "Cookie", "runnel_rows=dense"); !strings.Contains(r.text, `data-rows="dense"`) {
		t.Error("rows are not dense")
	}
	s.get(t, "/settings", "Cookie", r.cookies[0].Name+"="+r.cookies[0].Value).says(t, `value="dark" aria-pressed="true"`)
}

// TestTokenIsShownOnce follows an admin, and somebody who is none.
func TestTokenIsShownOnce(t *testing.T) {
	s := serve(t, "", runnel.RequireToken("let me in"))
	admin := []string{"Authorization", "Bearer let me in", "Content-Type", "application/x-www-form-urlencoded"}
	form := func(path string, fields ...string) *reply {
		return s.do(t, http.MethodPost, path, formOf(fields), admin...)
	}
	s.get(t, "/settings", admin...).says(t, "No tokens yet", "new/token")
	for _, c := range []struct{ name, role, expires, flaw string }{
		{"", "operator", "", "name"}, {"a b", "operator", "", "name"}, {"eve", "queen", "", "role"}, {"eve", "operator", "soon", "expires_in"},
	} {
		r := form("/new/token", "name", c.name, "role", c.role, "expires_in", c.expires)
		r.says(t, `id="flaw-`+c.flaw+`"`)
		if r.status != http.StatusUnprocessableEntity {
			t.Errorf("%v answers %d", c, r.status)
		}
	}
	r := form("/new/token", "name", "ops", "role", "read-only", "expires_in", "1h", "reason", "night shift")
	secret := regexp.MustCompile(`data-copy="([^"]+)"`).FindStringSubmatch(r.text)
	if r.status != http.StatusCreated || len(secret) != 2 || r.header.Get("Cache-Control") != "no-store" || len(r.cookies) > 0 {
		t.Fatalf("a new token answers %d, %v: %s", r.status, r.header, r.text)
	}
	form("/new/token", "name", "ops", "role", "operator").says(t, "there is a token", `value="ops"`)
	page := s.get(t, "/settings", admin...)
	page.says(t, "ops", "read-only", "tokens/ops/delete")
	if strings.Contains(page.text, secret[1]) {
		t.Error("the secret is shown again")
	}
	reader := s.get(t, "/settings", "Authorization", "Bearer "+secret[1])
	reader.says(t, "Your token expires</dt><dd><time")
	page.says(t, "Your token expires</dt><dd>never")
	if strings.Contains(reader.text, "tokens/ops/delete") || strings.Contains(reader.text, "audit") {
		t.Errorf("who only reads sees tokens: %s", mainOf(reader.text))
	}
	if r := s.get(t, "/audit", "Authorization", "Bearer "+secret[1]); r.status != http.StatusForbidden {
		t.Errorf("the audit answers %d to who only reads", r.status)
	}
	s.get(t, "/audit", admin...).says(t, "night shift", "/api/v1/tokens")
	s.get(t, "/tokens/ops/delete", admin...).says(t, "shut out")
	form("/tokens/ops/delete").to(t)
	if r := s.get(t, "/settings", "Authorization", "Bearer "+secret[1]); r.status != http.StatusSeeOther {
		t.Errorf("a token that was deleted is answered %d", r.status)
	}
}
