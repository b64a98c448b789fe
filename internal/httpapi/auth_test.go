package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

const secret = "the first admin's"

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// made makes a token of a role and gives its secret.
func (s *served) token(t *testing.T, name, role, expires string) string {
	t.Helper()
	status, _, body := s.request(t, http.MethodPost, "/api/v1/tokens", `{"name":"`+name+`","role":"`+role+`"`+expires+`}`, bearer(secret))
	var n httpapi.NewToken
	if err := json.Unmarshal([]byte(body), &n); err != nil || status != http.StatusCreated || n.Secret == "" {
		t.Fatalf("%d %s %v", status, body, err)
	}
	return n.Secret
}

func TestRoles(t *testing.T) {
	s := serve(t, runnel.RequireToken(secret))
	tokens := map[string]string{"admin": secret}
	for _, role := range []string{"read-only", "operator", "worker"} {
		tokens[role] = s.token(t, role, role, "")
	}
	for _, c := range []struct {
		method, path, body string
		may                string // roles that may
	}{
		{"GET", "/api/v1/runs", "", "admin operator read-only"},
		{"GET", "/api/v1/me", "", "admin operator read-only"},
		{"PUT", "/api/v1/limits/db", `{"limit":1}`, "admin operator"},
		{"GET", "/api/v1/tokens", "", "admin"},
		{"GET", "/api/v1/audit", "", "admin"},
		{"GET", "/healthz", "", "admin operator read-only worker none wrong"},
	} {
		for _, who := range []string{"admin", "operator", "read-only", "worker", "none", "wrong"} {
			header := http.Header{}
			switch who {
			case "none":
			case "wrong":
				header = bearer(secret + "x")
			default:
				header = bearer(tokens[who])
			}
			status, _, body := s.request(t, c.method, c.path, c.body, header)
			want := http.StatusForbidden
			switch {
			case strings.Contains(" "+c.may+" ", " "+who+" "):
				want = 0
			case who == "none" || who == "wrong":
				want = http.StatusUnauthorized
			}
			if want == 0 && status >= 400 || want != 0 && status != want {
				t.Errorf("%s %s as %s: %d %.200s", c.method, c.path, who, status, body)
			}
		}
	}
}

func TestTokensEnd(t *testing.T) {
	s := serve(t, runnel.RequireToken(secret))
	short := s.token(t, "short", "operator", `,"expires_in":"1ns"`)
	if status, _, _ := s.request(t, http.MethodGet, "/api/v1/runs", "", bearer(short)); status != http.StatusUnauthorized {
		t.Errorf("an expired token gave %d", status)
	}
	long := s.token(t, "long", "operator", "")
	if status, _, _ := s.request(t, http.MethodGet, "/api/v1/runs", "", bearer(long)); status != http.StatusOK {
		t.Errorf("a good token gave %d", status)
	}
	if status, _, body := s.request(t, http.MethodPost, "/api/v1/tokens", `{"name":"long","role":"admin"}`, bearer(secret)); status != http.StatusConflict {
		t.Errorf("a name twice gave %d %s", status, body)
	}
	if status, _, body := s.request(t, http.MethodDelete, "/api/v1/tokens/long", "", bearer(secret)); status != http.StatusNoContent {
		t.Errorf("deleting gave %d %s", status, body)
	}
	if status, _, _ := s.request(t, http.MethodGet, "/api/v1/runs", "", bearer(long)); status != http.StatusUnauthorized {
		t.Errorf("a deleted token gave %d", status)
	}
	if _, _, body := s.request(t, http.MethodGet, "/api/v1/tokens", "", bearer(secret)); strings.Contains(body, short) || !strings.Contains(body, `"short"`) {
		t.Errorf("listed %s", body)
	}
}

func TestLogin(t *testing.T) {
	s := serve(t, runnel.RequireToken(secret))
	status, header, body := s.request(t, http.MethodPost, "/api/v1/login", `{"token":"`+secret+`"}`, http.Header{})
	if status != http.StatusOK || !strings.Contains(body, `"role":"admin"`) {
		t.Fatalf("%d %s", status, body)
	}
	cookie := header.Get("Set-Cookie")
	if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || strings.Contains(cookie, secret) {
		t.Errorf("cookie is %q", cookie)
	}
	pair, _, _ := strings.Cut(cookie, ";")
	with := func(more ...string) http.Header {
		h := http.Header{"Cookie": {pair}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	if status, _, _ := s.request(t, http.MethodGet, "/api/v1/runs", "", with()); status != http.StatusOK {
		t.Errorf("with the cookie: %d", status)
	}
	if status, _, _ := s.request(t, http.MethodPut, "/api/v1/limits/db", `{"limit":1}`, with("Sec-Fetch-Site", "same-origin")); status != http.StatusCreated {
		t.Errorf("a page of this site may not write: %d", status)
	}
	if status, _, _ := s.request(t, http.MethodPut, "/api/v1/limits/db", `{"limit":1}`, with("Sec-Fetch-Site", "cross-site")); status != http.StatusForbidden {
		t.Errorf("a page of another site may write: %d", status)
	}
	if status, _, _ := s.request(t, http.MethodPost, "/api/v1/logout", "", with()); status >= 400 {
		t.Errorf("logout: %d", status)
	}
	if status, _, _ := s.request(t, http.MethodGet, "/api/v1/runs", "", with()); status != http.StatusUnauthorized {
		t.Errorf("after logout: %d", status)
	}
}

func TestLoginIsNotGuessed(t *testing.T) {
	s := serve(t, runnel.RequireToken(secret))
	last := 0
	for range 11 {
		last, _, _ = s.request(t, http.MethodPost, "/api/v1/login", `{"token":"guess"}`, http.Header{})
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the eleventh guess gave %d, want 429", last)
	}
	if status, _, _ := s.request(t, http.MethodPost, "/api/v1/login", `{"token":"`+secret+`"}`, http.Header{}); status != http.StatusTooManyRequests {
		t.Errorf("the right one gave %d right after, which tells that it is", status)
	}
}

func TestAudit(t *testing.T) {
	s := serve(t, runnel.RequireToken(secret))
	op := s.token(t, "olga", "operator", "")
	h := bearer(op)
	h.Set("X-Reason", "the disk is full")
	s.request(t, http.MethodPut, "/api/v1/limits/db", `{"limit":1}`, h)
	s.request(t, http.MethodPost, "/api/v1/operations", `{"action":"cancel","q":"state:running","reason":"the night is over"}`, bearer(op))
	_, _, body := s.request(t, http.MethodGet, "/api/v1/audit", "", bearer(secret))
	var l httpapi.List[httpapi.Audited]
	if err := json.Unmarshal([]byte(body), &l); err != nil || len(l.Items) != 3 {
		t.Fatalf("%s %v", body, err)
	}
	if a := l.Items[0]; a.Path != "/api/v1/operations" || a.Reason != "the night is over" {
		t.Errorf("%+v", a)
	}
	if a := l.Items[1]; a.Who != "olga" || a.Path != "/api/v1/limits/db" || a.Reason != "the disk is full" || a.Status != http.StatusCreated {
		t.Errorf("%+v", a)
	}
}

// TestWorkersRole: the role is for work, and work is for it.
func TestWorkersRole(t *testing.T) {
	for _, c := range []struct {
		role         httpapi.Role
		method, path string
		want         bool
	}{
		{httpapi.Worker, "POST", "/api/v1/workers", true},
		{httpapi.Worker, "POST", "/api/v1/workers/w/claim", true},
		{httpapi.Worker, "GET", "/api/v1/server", true},
		{httpapi.Worker, "GET", "/api/v1/runs", false},
		{httpapi.Worker, "POST", "/api/v1/runs", false},
		{httpapi.ReadOnlyRole, "POST", "/api/v1/workers", false},
		{httpapi.ReadOnlyRole, "POST", "/api/v1/workers/w/finish", false},
		{httpapi.ReadOnlyRole, "GET", "/api/v1/server", true},
		{httpapi.Operator, "POST", "/api/v1/workers/w/claim", true},
	} {
		s := serve(t, runnel.RequireToken("sesame-sesame-sesame"))
		admin := http.Header{"Authorization": {"Bearer sesame-sesame-sesame"}, "Content-Type": {"application/json"}}
		_, _, text := s.request(t, "POST", "/api/v1/tokens", `{"name":"x","role":"`+string(c.role)+`"}`, admin)
		var made httpapi.NewToken
		if err := json.Unmarshal([]byte(text), &made); err != nil {
			t.Fatal(text, err)
		}
		as := http.Header{"Authorization": {"Bearer " + made.Secret}, "Content-Type": {"application/json"}}
		status, _, text := s.request(t, c.method, c.path, `{}`, as)
		if got := status != http.StatusForbidden; got != c.want {
			t.Errorf("%s %s as %s: %d %.200s, want it allowed: %v", c.method, c.path, c.role, status, text, c.want)
		}
	}
}

// TestEventsForBrowsers: a browser's EventSource can send a cookie and no token. With the
// cookie of a login the stream flows, without one or after the logout there is none.
func TestEventsForBrowsers(t *testing.T) {
	s := serve(t, runnel.RequireToken(secret))
	_, header, _ := s.request(t, http.MethodPost, "/api/v1/login", `{"token":"`+secret+`"}`, http.Header{})
	pair, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	cookie := http.Header{"Cookie": {pair}}
	events := s.listenAs(t, "topic=runs", cookie)
	until(t, events, "event: reset")
	status, _, body := s.request(t, http.MethodPost, "/api/v1/runs?wait_ms=60000", `{"task":"double","args":[1]}`, bearer(secret))
	var run httpapi.RunDetail
	if err := json.Unmarshal([]byte(body), &run); err != nil || status != http.StatusCreated {
		t.Fatal(status, body, err)
	}
	until(t, events, "event: run.changed", run.ID, `"state":"COMPLETED"`)
	for who, h := range map[string]http.Header{"nobody": {}, "a cookie that is not one": {"Cookie": {"runnel_session=nonsense"}}} {
		status, header, body := s.request(t, http.MethodGet, "/api/v1/events?topic=runs", "", h)
		if status != http.StatusUnauthorized || header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s %s", who, status, header.Get("Content-Type"), body)
		}
	}
	if status, _, body := s.request(t, http.MethodPost, "/api/v1/logout", "", cookie); status != http.StatusNoContent {
		t.Fatalf("logout: %d %s", status, body)
	}
	if status, _, body := s.request(t, http.MethodGet, "/api/v1/events?topic=runs", "", cookie); status != http.StatusUnauthorized {
		t.Errorf("after the logout: %d %s", status, body)
	}
}
