package web_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
)

// TestVendored holds what is not ours to what npm has as idiomorph@0.8.0,
// dist/idiomorph.min.js.
func TestVendored(t *testing.T) {
	text, err := os.ReadFile("static/idiomorph.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	if got := hex.EncodeToString(sum[:]); got != "4cbd535caf7663a51eda9bce6595371c384fc430d54b8d414e29a61167f19f96" {
		t.Errorf("static/idiomorph.js has the checksum %s", got)
	}
}

func TestWhoAsksForWhat(t *testing.T) {
	s := serve(t, "").typical(t)
	for _, c := range []struct {
		path, accept string
		status       int
		kind         string
	}{
		{"/", "text/html", 303, ""},
		{"/runs", "*/*", 200, "text/html; charset=utf-8"},
		{"/nowhere", "text/html", 404, "text/html; charset=utf-8"},
		{"/nowhere", "application/json", 404, "application/problem+json"},
		{"/runs/00000000-0000-7000-8000-000000000000", "text/html", 404, "text/html; charset=utf-8"},
		{"/runs?q=nonsense:1", "text/html", 422, "text/html; charset=utf-8"},
		{"/runs?cursor=x", "text/html", 422, "text/html; charset=utf-8"},
		{"/api/v1/runs", "text/html", 200, "application/json"},
		{"/api/v1/nowhere", "text/html", 404, "application/problem+json"},
		{"/healthz", "text/html", 200, "text/plain; charset=utf-8"},
		{"/docs/api", "text/html", 200, "text/html; charset=utf-8"},
		{"/static/0/app.css", "*/*", 200, "text/css; charset=utf-8"},
		{"/static/0/nothing.css", "*/*", 404, "text/plain; charset=utf-8"},
		{"/static/0/idiomorph.LICENSE", "*/*", 404, "text/plain; charset=utf-8"},
		{"/search?q=" + s.runs["done"][:20], "text/html", 303, ""},
	} {
		r := s.get(t, c.path, "Accept", c.accept)
		if r.status != c.status || r.header.Get("Content-Type") != c.kind {
			t.Errorf("GET %s for %s = %d %s, want %d %s", c.path, c.accept, r.status, r.header.Get("Content-Type"), c.status, c.kind)
		}
		if strings.Contains(r.text, "goroutine ") {
			t.Errorf("GET %s leaks: %.300s", c.path, r.text)
		}
	}
}

// TestUnchangedPage answers 304 to who has the page as it is.
func TestUnchangedPage(t *testing.T) {
	s := serve(t, "")
	s.run(t, "done", call("double", "1"))
	for _, path := range []string{"/runs", "/runs/" + s.runs["done"]} {
		tag := s.get(t, path).header.Get("ETag")
		if again := s.get(t, path, "If-None-Match", tag); tag == "" || again.status != http.StatusNotModified {
			t.Errorf("%s has the ETag %q, and then %d", path, tag, again.status)
		}
	}
	tag := s.get(t, "/runs").header.Get("ETag")
	s.run(t, "more", call("double", "2"))
	if r := s.get(t, "/runs", "If-None-Match", tag); r.status != http.StatusOK {
		t.Errorf("a list that has changed answers %d", r.status)
	}
}

func TestStaticFilesAreKept(t *testing.T) {
	s := serve(t, "")
	_, rest, _ := strings.Cut(s.get(t, "/runs").text, `href="./static/`)
	hash, _, _ := strings.Cut(rest, "/")
	for at, want := range map[string]string{"/static/" + hash + "/live.js": "immutable", "/static/old/live.js": "no-cache"} {
		r := s.get(t, at, "Accept-Encoding", "gzip")
		if got := r.header.Get("Cache-Control"); !strings.Contains(got, want) || r.header.Get("Content-Encoding") != "gzip" || len(r.text) > 6000 {
			t.Errorf("%s has Cache-Control %q, Content-Encoding %q and %d bytes", at, got, r.header.Get("Content-Encoding"), len(r.text))
		}
	}
}

func TestPagesAreGzipped(t *testing.T) {
	s := serve(t, "").typical(t)
	r := s.get(t, "/runs", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(strings.NewReader(r.text))
	if err != nil || r.header.Get("Content-Encoding") != "gzip" || r.header.Get("ETag") == "" {
		t.Fatalf("%v, Content-Encoding %q", err, r.header.Get("Content-Encoding"))
	}
	if text, err := io.ReadAll(z); err != nil || !strings.Contains(string(text), "</html>") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestRunActions(t *testing.T) {
	s := serve(t, "/x")
	s.submit(t, "live", call("held"))
	id := s.runs["live"]
	if page := s.get(t, "/runs/"+id+"/cancel").text; !strings.Contains(page, "live run") || !strings.Contains(page, `name="reason"`) {
		t.Errorf("the page that asks is %s", page)
	}
	if to := s.post(t, "/runs/"+id+"/cancel", "reason", "it is the wrong\nday").to(t); to.Path != "/x/runs/"+id {
		t.Errorf("cancelling leads to %s", to)
	}
	if audit := s.get(t, "/api/v1/audit").text; !strings.Contains(audit, "it is the wrong day") {
		t.Errorf("the audit has no reason: %s", audit)
	}
	if r := s.post(t, "/runs/"+id+"/resume"); r.status != http.StatusConflict {
		t.Errorf("resuming a run that was cancelled answers %d", r.status)
	}
	s.run(t, "done", call("double", "1"))
	s.post(t, "/runs/"+s.runs["done"]+"/delete").to(t)
	if r := s.get(t, "/runs/"+s.runs["done"]); r.status != http.StatusNotFound {
		t.Errorf("a run that was deleted answers %d", r.status)
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	s := serve(t, "")
	s.submit(t, "live", call("held"))
	r := s.do(t, http.MethodPost, "/runs/"+s.runs["live"]+"/cancel", "", "Sec-Fetch-Site", "cross-site")
	if r.status != http.StatusForbidden || !strings.Contains(r.text, "another site") {
		t.Errorf("a form of another site answers %d: %s", r.status, r.text)
	}
}

func TestReadOnlyHidesActions(t *testing.T) {
	s := serve(t, "", runnel.ReadOnly())
	if page := s.get(t, "/runs").text; !strings.Contains(page, "read-only") {
		t.Errorf("the page does not say that the server is read-only: %s", page)
	}
}

func TestLogin(t *testing.T) {
	s := serve(t, "/x", runnel.RequireToken("let me in"))
	r := s.get(t, "/runs?q=state:failed")
	if want := "./login?next=runs%3Fq%3Dstate%3Afailed"; r.status != http.StatusSeeOther || r.header.Get("Location") != want {
		t.Fatalf("without a token: %d to %s, want %s", r.status, r.header.Get("Location"), want)
	}
	if r := s.get(t, "/login?next=//evil.example"); r.status != http.StatusOK || strings.Contains(r.text, "evil") {
		t.Errorf("the login page answers %d: %s", r.status, r.text)
	}
	if r := s.post(t, "/login", "token", "let me out"); r.status != http.StatusUnauthorized {
		t.Errorf("a wrong token answers %d", r.status)
	}
	r = s.post(t, "/login", "token", "let me in", "next", "runs?q=state:failed")
	if to := r.to(t); to.Path != "/x/runs" || to.RawQuery != "q=state:failed" || len(r.cookies) != 1 {
		t.Fatalf("logging in leads to %s with %v", to, r.cookies)
	}
	cookie := r.cookies[0].Name + "=" + r.cookies[0].Value
	if page := s.get(t, "/runs", "Cookie", cookie).text; !strings.Contains(page, "Log out") || !strings.Contains(page, "admin") {
		t.Errorf("whoever is logged in sees %s", page)
	}
	s.do(t, http.MethodPost, "/logout", "", "Cookie", cookie)
	if r := s.get(t, "/runs", "Cookie", cookie); r.status != http.StatusSeeOther {
		t.Errorf("whoever has logged out sees %d", r.status)
	}
}

func TestBulk(t *testing.T) {
	s := serve(t, "")
	s.run(t, "a", call("fails"))
	s.run(t, "b", call("fails"))
	s.run(t, "c", call("double", "1"))
	for _, c := range []struct{ name, query, want string }{
		{"some that are ticked", "action=delete&id=" + s.runs["a"] + "&id=" + s.runs["b"], "Delete 2 runs?"},
		{"all of a filter", "action=delete&all=1&q=state:failed", "Delete 2 runs?"},
		{"one", "action=retry&q=state:failed&id=" + s.runs["a"], "Retry 1 run?"},
	} {
		if r := s.get(t, "/runs/bulk?"+c.query); r.status != http.StatusOK || !strings.Contains(r.text, c.want) || !strings.Contains(r.text, `name="reason"`) {
			t.Errorf("%s: %d, want %q in %s", c.name, r.status, c.want, r.text)
		}
	}
	for _, query := range []string{"", "action=delete", "action=explode&id=" + s.runs["a"], "action=delete&all=1"} {
		if r := s.get(t, "/runs/bulk?"+query); r.status != http.StatusUnprocessableEntity {
			t.Errorf("asking for %q answers %d", query, r.status)
		}
	}
	s.post(t, "/runs/bulk", "action", "delete", "all", "1", "q", "state:failed", "reason", "tidying").to(t)
	s.until(t, "/runs?q=state:failed", "No run is like this")
	if r := s.get(t, "/runs/"+s.runs["c"]); r.status != http.StatusOK {
		t.Errorf("a run that was not chosen answers %d", r.status)
	}
}

// until reads a page until it has a text: operations go on in the background.
func (s *site) until(t *testing.T, path, want string) {
	t.Helper()
	for t.Context().Err() == nil {
		if strings.Contains(s.get(t, path).text, want) {
			return
		}
	}
	t.Fatalf("%s never has %q", path, want)
}

func TestRunsBeforeAndAfter(t *testing.T) {
	s := serve(t, "/x")
	for _, id := range []string{"1", "2", "3"} {
		s.run(t, "same", call("double", id))
		s.runs[id] = s.runs["same"]
		s.run(t, "other", call("double", id))
	}
	for _, c := range []struct{ from, way, to string }{
		{"2", "before", "1"}, {"2", "after", "3"}, {"1", "after", "2"}, {"1", "before", "1"}, {"3", "after", "3"},
	} {
		if to := s.get(t, "/runs/"+s.runs[c.from]+"/"+c.way).to(t); to.Path != "/x/runs/"+s.runs[c.to] {
			t.Errorf("%s run %s is %s, want run %s", c.way, c.from, to.Path, c.to)
		}
	}
}

// TestRoles: who may only look is shown no buttons, and refused what they would do.
func TestRoles(t *testing.T) {
	s := serve(t, "", runnel.RequireToken("let me in"))
	admin := []string{"Authorization", "Bearer let me in", "Content-Type", "application/json"}
	run := s.do(t, http.MethodPost, "/api/v1/runs?wait_ms=60000", `{"task":"fails"}`, admin...)
	_, id, _ := strings.Cut(run.text, `"id":"`)
	if len(id) < 36 {
		t.Fatal(run.text)
	}
	made := s.do(t, http.MethodPost, "/api/v1/tokens", `{"name":"reader","role":"read-only"}`, admin...)
	_, secret, _ := strings.Cut(made.text, `"secret":"`)
	secret, _, _ = strings.Cut(secret, `"`)
	for _, c := range []struct {
		who, secret string
		buttons     bool
	}{{"admin", "let me in", true}, {"reader", secret, false}} {
		bearer := "Bearer " + c.secret
		for path, button := range map[string]string{"/runs": `id="bulk"`, "/runs/" + id[:36]: "/retry"} {
			r := s.get(t, path, "Authorization", bearer)
			if r.status != http.StatusOK || strings.Contains(r.text, button) != c.buttons {
				t.Errorf("%s sees %s: %d, with %s: %v", c.who, path, r.status, button, !c.buttons)
			}
		}
	}
	r := s.do(t, http.MethodPost, "/runs/"+id[:36]+"/retry", "", "Authorization", "Bearer "+secret)
	if r.status != http.StatusForbidden || !strings.Contains(r.text, "reader is read-only") {
		t.Errorf("a reader who retries is answered %d: %s", r.status, r.text)
	}
}
