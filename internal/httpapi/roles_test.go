package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// mayDo says which roles may do an operation: by its method, but for those that are named.
func mayDo(o *operation) string {
	switch {
	case o.id == "login":
		return "admin operator read-only worker none wrong expired"
	case slices.Contains([]string{"list-tokens", "create-token", "delete-token", "list-audit"}, o.id):
		return "admin"
	case o.id == "get-server":
		return "admin operator read-only worker"
	case o.id == "logout":
		return "admin operator read-only"
	case slices.Contains(o.groups, "remote workers"):
		return "admin operator worker"
	case o.method == http.MethodGet:
		return "admin operator read-only"
	}
	return "admin operator"
}

// TestRolesOnEveryRoute goes through all that openapi.json describes: who may not is told
// so before anything is looked at, and who may is not.
func TestRolesOnEveryRoute(t *testing.T) {
	g := newTarget(t)
	for i := range g.c.operations {
		o := &g.c.operations[i]
		t.Run(o.id, func(t *testing.T) {
			for _, who := range []string{"admin", "operator", "read-only", "worker", "none", "wrong", "expired", "empty", "not even one"} {
				header := http.Header{"Content-Type": {"application/json"}}
				if shown := g.who[who]; shown != "" {
					header.Set("Authorization", shown)
				}
				path := strings.NewReplacer("{id}", "none", "{seq}", "0", "{grant}", "0", "{", "", "}", "").Replace(o.path)
				r := ask(t, g, o.method, path, header, []byte(`{"no":"such field"}`))
				refused := r.status == http.StatusUnauthorized || r.status == http.StatusForbidden
				want := 0
				switch {
				case strings.Contains(" "+mayDo(o)+" ", " "+who+" ") || o.id == "login":
				case g.known(who):
					want = http.StatusForbidden
				default:
					want = http.StatusUnauthorized
				}
				if want == 0 && refused || want != 0 && r.status != want {
					t.Errorf("%s %s as %s gives %d %.300s", o.method, path, who, r.status, r.text)
				}
				if r.status == http.StatusUnauthorized && r.header.Get("WWW-Authenticate") == "" && o.id != "login" {
					t.Error("it does not say how to log in")
				}
			}
		})
	}
}

// TestAuditHasEveryWrite: whoever tried to change something is in the audit, whatever came
// of it, with the reason that was given. What workers claim and finish is not: it is no
// change by anybody, and there is much of it.
func TestAuditHasEveryWrite(t *testing.T) {
	g := newTarget(t)
	for i := range g.c.operations {
		o := &g.c.operations[i]
		if o.method == http.MethodGet || slices.Contains(o.groups, "remote workers") {
			continue
		}
		path := strings.NewReplacer("{id}", "none", "{seq}", "0", "{grant}", "0", "{", "", "}", "").Replace(o.path)
		for _, who := range []string{"operator", "none"} {
			header := http.Header{"X-Reason": {"because of " + o.id}}
			if shown := g.who[who]; shown != "" {
				header.Set("Authorization", shown)
			}
			r := ask(t, g, o.method, path, header, []byte(`{}`))
			said := string(g.ask(t, http.MethodGet, "/api/v1/audit", nil).text)
			newest, _, _ := strings.Cut(said, "},{")
			name := "the-operator"
			if who == "none" || o.id == "login" {
				name = ""
			}
			for _, want := range []string{
				`"who":"` + name + `"`, `"from":"192.0.2.1"`, `"method":"` + o.method + `"`, `"path":"` + path + `"`, `"reason":"because of ` + o.id + `"`,
				`"request_id":"` + r.header.Get("X-Request-ID") + `"`,
			} {
				if !strings.Contains(newest, want) {
					t.Errorf("%s as %s: the audit's newest is %s, want %s in it", o.id, who, newest, want)
				}
			}
		}
	}
}
