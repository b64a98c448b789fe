package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Role is what somebody may do.
type Role string

// The roles. Who may do more may do less as well, but for workers.
const (
	ReadOnlyRole Role = "read-only"
	Operator     Role = "operator" // changes runs, limits, schedules, the cache
	Admin        Role = "admin"    // and tokens
	Worker       Role = "worker"   // claims tasks and says what became of them, and nothing else
)

var ranks = []Role{ReadOnlyRole, Operator, Admin}

// may reports whether a role includes another one. Who changes runs may work on them.
func (r Role) may(want Role) bool {
	if want == Worker {
		return r == Worker || r.may(Operator)
	}
	return r == want || r != Worker && want != Worker && slices.Index(ranks, r) > slices.Index(ranks, want)
}

// Token lets in who shows its secret, of which only the hash is kept.
type Token struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role" enum:"read-only,operator,admin,worker"`
	Hash    string    `json:"-"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero" doc:"Absent: never"`
}

// TokenStore keeps tokens.
type TokenStore interface {
	Tokens(ctx context.Context) ([]Token, error)
	PutToken(ctx context.Context, t Token) error
	DeleteToken(ctx context.Context, name string) error
}

// Auth says who may come in. Without it all may do all.
type Auth struct {
	Store TokenStore
	// Secret is that of a token that is kept nowhere, for an admin to begin with; ""
	// for none.
	Secret string
}

// principal is who asks.
type principal struct {
	name    string
	role    Role
	expires time.Time // when the token does; zero: never
}

type principalKey struct{}

// caller gives who asks, "" where nobody is asked.
func caller(ctx context.Context) principal {
	p, _ := ctx.Value(principalKey{}).(principal)
	return p
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newSecret makes one that nobody guesses. What it begins with lets scanners find one
// that was published by mistake.
func newSecret() string { return "runnel_" + rand.Text() }

// guard lets in who may do what a request asks for.
type guard struct {
	auth     Auth
	now      func() time.Time
	sessions sessions
	attempts attempts

	mu    sync.Mutex
	known []Token
	read  time.Time
}

// remembered is for how long tokens are not read again: so long a deleted one may
// still be good in another process.
const remembered = 5 * time.Second

func (g *guard) tokens(ctx context.Context) ([]Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known != nil && g.now().Sub(g.read) < remembered {
		return g.known, nil
	}
	all, err := g.auth.Store.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	g.known, g.read = append([]Token{}, all...), g.now()
	return g.known, nil
}

func (g *guard) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = nil
}

// check gives who has a secret. All are compared, and in constant time, so that how
// long it takes says nothing.
func (g *guard) check(ctx context.Context, secret string) (principal, bool, error) {
	hash := hashOf(secret)
	var found principal
	ok := false
	match := func(want string, p principal) {
		if subtle.ConstantTimeCompare([]byte(hash), []byte(want)) == 1 {
			found, ok = p, true
		}
	}
	if g.auth.Secret != "" {
		match(hashOf(g.auth.Secret), principal{name: "admin", role: Admin})
	}
	if g.auth.Store == nil {
		return found, ok, nil
	}
	all, err := g.tokens(ctx)
	if err != nil {
		return found, false, err
	}
	for _, t := range all {
		if t.Expires.IsZero() || g.now().Before(t.Expires) {
			match(t.Hash, principal{name: t.Name, role: t.Role, expires: t.Expires})
		}
	}
	return found, ok, nil
}

// identify says who sent a request: by its bearer token, or by the cookie that login
// gave.
func (g *guard) identify(r *http.Request) (p principal, ok bool, err error) {
	if secret, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); bearer {
		return g.check(r.Context(), secret)
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		if secret, ok := g.sessions.find(c.Value, g.now()); ok {
			return g.check(r.Context(), secret)
		}
	}
	return principal{}, false, nil
}

// open are the paths that need nobody's name.
var open = []string{"/healthz", "/readyz", "/docs/api", "/docs/errors", "/docs/pages.css", Base + "/login"}

// need is the role that a request needs.
func need(r *http.Request) Role {
	switch {
	case strings.HasPrefix(r.URL.Path, Base+"/tokens"), strings.HasPrefix(r.URL.Path, Base+"/audit"):
		return Admin
	case r.URL.Path == Base+"/logout":
		return ReadOnlyRole
	case working(r):
		return Worker
	case writes(r.Method):
		return Operator
	}
	return ReadOnlyRole
}

// admit gives the request as that of who sent it, nil if nobody says, and a problem if
// it may not go on.
func (g *guard) admit(r *http.Request) (*http.Request, *Problem, error) {
	if slices.Contains(open, r.URL.Path) {
		return r, nil, nil
	}
	p, ok, err := g.identify(r)
	switch {
	case err != nil:
		return nil, nil, err
	case !ok:
		no := problem(http.StatusUnauthorized, CodeUnauthorized, "a token is needed: send it as Authorization: Bearer TOKEN; `runnel token create` makes one")
		no.header = http.Header{"Www-Authenticate": {`Bearer realm="runnel"`}}
		return nil, no, nil
	}
	as := r.WithContext(context.WithValue(r.Context(), principalKey{}, p))
	if r.URL.Path != Base+"/server" && !p.role.may(need(r)) { // anybody may see what it is
		return as, problem(http.StatusForbidden, CodeForbidden, "the token "+p.name+" is "+string(p.role)+"; this needs "+string(need(r))), nil
	}
	return as, nil, nil
}

// remoteIP is where a request comes from.
func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
