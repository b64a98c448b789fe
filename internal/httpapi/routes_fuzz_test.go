package httpapi_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
)

// target is a handler that is sent garbage, and what holds of its answers.
type target struct {
	http.Handler

	eng   *runnel.Engine
	c     *contract
	codes map[string]bool
	ids   []string
	who   map[string]string // names of those who ask, and what they show
}

func newTarget(t testing.TB) *target {
	t.Helper()
	eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(double, fails, kept), runnel.LogTo(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel()
		_ = eng.Close(ctx)
	})
	g := &target{Handler: eng.Handler(runnel.RequireToken(secret)), eng: eng, c: readContract(t)}
	g.codes = explained(t, g)
	g.who = map[string]string{"admin": "Bearer " + secret, "none": "", "wrong": "Bearer " + secret + "x", "not even one": "Basic \xff", "empty": "Bearer "}
	for _, role := range []string{"read-only", "operator", "worker", "expired"} {
		g.who[role] = "Bearer " + g.newToken(t, role)
	}
	for _, body := range []string{
		`{"task":"double","args":[21]}`, `{"task":"fails"}`, `{"task":"kept","args":[1]}`,
		`{"pipeline":{"runnel":1,"steps":[{"task":"double","args":[1]},{"task":"double"}]}}`,
	} {
		r := g.ask(t, http.MethodPost, "/api/v1/runs?wait_ms=10000", []byte(body))
		if r.status != http.StatusCreated {
			t.Fatalf("%d %s", r.status, r.text)
		}
		g.ids = append(g.ids, strings.TrimPrefix(r.header.Get("Location"), "/api/v1/runs/"))
	}
	for path, body := range map[string]string{
		"/api/v1/limits/math": `{"limit":3}`, "/api/v1/global-limits/db": `{"limit":2}`,
		"/api/v1/schedules/nightly": `{"timetable":{"cron":"0 3 * * *"},"task":"double","args":[1]}`,
	} {
		if r := g.ask(t, http.MethodPut, path, []byte(body)); r.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, r.status, r.text)
		}
	}
	return g
}

// newToken makes a token of a role; one that is expired is an admin's.
func (g *target) newToken(t testing.TB, role string) string {
	t.Helper()
	body := fmt.Sprintf(`{"name":"the-%s","role":%q}`, role, role)
	if role == "expired" {
		body = `{"name":"the-expired","role":"admin","expires_in":"1ns"}`
	}
	r := g.ask(t, http.MethodPost, "/api/v1/tokens", []byte(body))
	_, rest, _ := strings.Cut(string(r.text), `"secret":"`)
	token, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("%d %s", r.status, r.text)
	}
	return token
}

// ask sends a request as the admin.
func (g *target) ask(t testing.TB, method, path string, body []byte) *reply {
	t.Helper()
	return ask(t, g, method, path, http.Header{"Authorization": {g.who["admin"]}, "Content-Type": {"application/json"}}, body)
}

// ask sends a request to a handler.
func ask(t testing.TB, h http.Handler, method, target string, header http.Header, body []byte) *reply {
	t.Helper()
	at, err := url.Parse(target)
	if err != nil {
		return nil // a server does not get such a thing
	}
	// What waits or goes on without end is not waited for.
	patience := 20 * time.Second
	if query := at.Query(); at.Path == "/api/v1/events" || query.Get("follow") != "" || query.Get("wait_ms") != "" && !strings.Contains(target, "=10000") {
		patience = 20 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "/", bytes.NewReader(body))
	if err != nil {
		return nil
	}
	r.URL, r.Host, r.RemoteAddr, r.RequestURI = at, "runnel.test", "192.0.2.1:1", target
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return &reply{status: w.Code, header: w.Result().Header, text: w.Body.Bytes()}
}

// try sends a request, and says what is wrong with the answer.
func (g *target) try(t testing.TB, o *operation, s *sending, who string) {
	t.Helper()
	full := s.path
	if s.query != "" {
		full += "?" + s.query
	}
	header := s.header.Clone()
	if shown := g.who[who]; shown != "" {
		header.Set("Authorization", shown)
	}
	r := ask(t, g, s.method, full, header, s.body)
	if r == nil {
		return
	}
	asked := *o
	switch s.method {
	case o.method:
	case http.MethodHead: // it is answered like GET
		asked = g.c.find(http.MethodGet, o.path)
	default:
		asked = g.c.find(s.method, o.path)
	}
	faults := g.c.check(&asked, r, s.said(), g.codes)
	if open := s.path == "/api/v1/login"; !g.known(who) && !open && r.status != http.StatusUnauthorized && r.status != http.StatusForbidden && r.status/100 != 3 {
		faults = append(faults, "nobody may come in so")
	}
	for _, fault := range faults {
		t.Errorf("%s %.300s as %s\n%v\n%.600q\ngives %d %.600s\n%.1500s", s.method, full, who, s.header, s.body, r.status, r.text, fault)
	}
}

// known reports whether it is somebody.
func (g *target) known(who string) bool {
	return who == "admin" || who == "operator" || who == "read-only" || who == "worker"
}

// find gives an operation, one without answers if there is none.
func (c *contract) find(method, path string) operation {
	for _, o := range c.operations {
		if o.method == method && o.path == path {
			return o
		}
	}
	return operation{method: method, path: path, answers: map[string]map[string]bool{"default": {"application/problem+json": false}}}
}

var garbage = flag.Uint64("garbage", map[bool]uint64{false: 60, true: 6}[raceDetector], "how many made-up requests each operation is sent")

// TestGarbageOnEveryRoute sends made-up requests to all that openapi.json describes: no
// answer is a mistake of ours or tells of the inside, and each is what is described.
func TestGarbageOnEveryRoute(t *testing.T) {
	g := newTarget(t)
	names := []string{"admin", "admin", "admin", "admin", "admin", "admin", "operator", "read-only", "worker", "none", "wrong", "not even one", "empty", "expired"}
	for i := range g.c.operations {
		o := &g.c.operations[i]
		t.Run(o.id, func(t *testing.T) {
			for seed := range *garbage {
				d := &dice{Rand: rand.New(rand.NewPCG(uint64(i), seed)), c: g.c, ids: g.ids}
				g.try(t, o, d.make(o), pick(d, names...))
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// FuzzRoutes is [TestGarbageOnEveryRoute] with what the fuzzer makes up.
func FuzzRoutes(f *testing.F) {
	g := newTarget(f)
	for i := range g.c.operations {
		for seed := range uint64(3) {
			d := &dice{Rand: rand.New(rand.NewPCG(uint64(i), 1000+seed)), c: g.c, ids: g.ids}
			s := d.make(&g.c.operations[i])
			f.Add(uint16(i), s.path, s.query, s.header.Get("Content-Type"), s.header.Get("If-Match"), s.body)
		}
	}
	f.Fuzz(func(t *testing.T, which uint16, path, query, kind, match string, body []byte) {
		o := &g.c.operations[int(which)%len(g.c.operations)]
		if !strings.HasPrefix(path, "/api/v1/") {
			return
		}
		s := &sending{method: o.method, path: path, query: query, header: http.Header{"Content-Type": {kind}, "If-Match": {match}}, body: body}
		r := ask(t, g, s.method, s.path+"?"+s.query, s.header, s.body)
		if r == nil {
			return
		}
		known := operation{answers: map[string]map[string]bool{"default": {"application/problem+json": false}}}
		if r.status < http.StatusBadRequest {
			return // it may be another operation than o
		}
		if faults := g.c.check(&known, r, s.said(), g.codes); len(faults) > 0 {
			t.Errorf("%s %.300s?%.300s gives %d %.500s: %q", s.method, s.path, s.query, r.status, r.text, faults)
		}
	})
}
