package httpapi

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	sessionCookie = "runnel_session"
	sessionTime   = 12 * time.Hour
	maxSessions   = 10_000
	// Failed attempts that an address has in a window of time.
	maxAttempts   = 10
	attemptWindow = time.Minute
)

// sessions are browsers that have logged in: what their cookie stands for. They are
// this process's, and end with it.
type sessions struct {
	mu  sync.Mutex
	all map[string]session // by the hash of the cookie
}

type session struct {
	secret string // of the token, which is checked each time
	until  time.Time
}

func (s *sessions) add(secret string, now time.Time) (cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]session{}
	}
	if len(s.all) >= maxSessions {
		s.evict()
	}
	cookie = rand.Text()
	s.all[hashOf(cookie)] = session{secret: secret, until: now.Add(sessionTime)}
	return cookie
}

// evict ends the oldest session.
func (s *sessions) evict() {
	oldest, first := "", session{}
	for hash, one := range s.all {
		if oldest == "" || one.until.Before(first.until) {
			oldest, first = hash, one
		}
	}
	delete(s.all, oldest)
}

func (s *sessions) find(cookie string, now time.Time) (secret string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.all[hashOf(cookie)]
	if ok && now.After(one.until) {
		delete(s.all, hashOf(cookie))
		return "", false
	}
	return one.secret, ok
}

func (s *sessions) remove(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, hashOf(cookie))
}

// attempts counts who failed to log in, so that nobody tries them all.
type attempts struct {
	mu     sync.Mutex
	began  time.Time
	failed map[string]int // by address, since then
}

// allow reports whether an address may try.
func (a *attempts) allow(from string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.began) > attemptWindow {
		a.began, a.failed = now, map[string]int{}
	}
	return a.failed[from] < maxAttempts
}

func (a *attempts) fail(from string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed[from]++
}

type (
	loginInput struct {
		Body struct {
			Token string `json:"token" minLength:"1" maxLength:"200"`
		}
	}
	loginOutput struct {
		Cookie http.Cookie `header:"Set-Cookie"`
		Body   Me
	}
	logoutInput struct {
		Session string `cookie:"runnel_session"`
	}
	logoutOutput struct {
		Cookie http.Cookie `header:"Set-Cookie"`
	}
)

// Me is who asks.
type Me struct {
	Name string `json:"name"`
	Role Role   `json:"role" enum:"read-only,operator,admin,worker"`
	// Expires is when the token does that was shown.
	Expires time.Time `json:"expires,omitzero" doc:"When the token expires; absent: never"`
}

func meOf(who principal) Me { return Me{Name: who.name, Role: who.role, Expires: who.expires} }

// peer is where a request comes from, and whether over TLS, by this server or a proxy.
type peer struct {
	ip  string
	tls bool
}

type peerKey struct{}

func peerOf(r *http.Request) peer {
	return peer{ip: remoteIP(r), tls: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"}
}

func (a *routes) loginRoutes(api huma.API) {
	const group = "tokens"
	do(a, api, op(http.MethodPost, "/login", "login", group, "Get a cookie for a token; for browsers"), a.login)
	do(a, api, op(http.MethodPost, "/logout", "logout", group, "Give the cookie back"), a.logout)
	do(a, api, op(http.MethodGet, "/me", "who-am-i", group, "Say who asks"), a.me)
}

func (a *routes) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	if a.guard == nil {
		return &loginOutput{Body: everybody}, nil
	}
	from, _ := ctx.Value(peerKey{}).(peer)
	if !a.guard.attempts.allow(from.ip, a.now()) {
		p := problem(http.StatusTooManyRequests, CodeTooMany, "too many attempts to log in; wait a minute")
		p.header = http.Header{"Retry-After": {"60"}}
		return nil, p
	}
	who, ok, err := a.guard.check(ctx, in.Body.Token)
	if err != nil {
		return nil, err
	}
	if !ok || who.role == Worker {
		a.guard.attempts.fail(from.ip)
		return nil, problem(http.StatusUnauthorized, CodeUnauthorized, "this token is not known, or has expired, or is a worker's")
	}
	cookie := a.guard.sessions.add(in.Body.Token, a.now())
	return &loginOutput{Cookie: cookieOf(cookie, int(sessionTime/time.Second), from.tls), Body: meOf(who)}, nil
}

func cookieOf(value string, age int, secure bool) http.Cookie {
	return http.Cookie{ //nolint:gosec // Secure is as the server is told: on loopback there is no TLS
		Name: sessionCookie, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	}
}

func (a *routes) logout(ctx context.Context, in *logoutInput) (*logoutOutput, error) {
	from, _ := ctx.Value(peerKey{}).(peer)
	if a.guard != nil {
		a.guard.sessions.remove(in.Session)
	}
	return &logoutOutput{Cookie: cookieOf("", -1, from.tls)}, nil
}

// everybody is who asks where nobody is asked.
var everybody = Me{Name: "", Role: Admin}

func (a *routes) me(ctx context.Context, _ *empty) (*body[Me], error) {
	if a.guard == nil {
		return answer(everybody), nil
	}
	return answer(meOf(caller(ctx))), nil
}
