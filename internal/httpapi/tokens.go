package httpapi

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// TokenRequest asks for a token.
type TokenRequest struct {
	Name    string       `json:"name" minLength:"1" maxLength:"100" doc:"Letters, digits, dots, dashes"`
	Role    Role         `json:"role" enum:"read-only,operator,admin,worker"`
	Expires api.Duration `json:"expires_in,omitempty" doc:"For how long it is good; absent: for ever" example:"720h"`
}

// NewToken is a token and its secret, which is shown this once.
type NewToken struct {
	Token

	Secret string `json:"secret"`
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (a *routes) tokenRoutes(api huma.API) {
	const group = "tokens"
	do(a, api, op(http.MethodGet, "/tokens", "list-tokens", group, "List tokens, without their secrets"), a.listTokens)
	do(a, api, created(op(http.MethodPost, "/tokens", "create-token", group, "Create a token")), a.createToken)
	do(a, api, op(http.MethodDelete, "/tokens/{name}", "delete-token", group, "Delete a token: it is good for nothing within seconds"), a.deleteToken)
	do(a, api, op(http.MethodGet, "/audit", "list-audit", group, "List who changed what, newest first"), a.listAudit)
}

func (a *routes) store() (TokenStore, error) {
	if a.guard == nil || a.guard.auth.Store == nil {
		return nil, api.Errorf(api.ErrConflict, "", "this server keeps no tokens: it was started without them")
	}
	return a.guard.auth.Store, nil
}

func (a *routes) listTokens(ctx context.Context, _ *empty) (*body[List[Token]], error) {
	s, err := a.store()
	if err != nil {
		return nil, err
	}
	all, err := s.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	return answer(List[Token]{Items: append([]Token{}, all...)}), nil
}

func (a *routes) createToken(ctx context.Context, in *body[TokenRequest]) (*made[NewToken], error) {
	r := &in.Body
	s, err := a.store()
	if err != nil {
		return nil, err
	}
	if !tokenName.MatchString(r.Name) {
		return nil, api.Errorf(api.ErrInvalid, "body.name", "%q is no name of a token: want letters, digits, dots and dashes", r.Name)
	}
	a.writing.Lock()
	defer a.writing.Unlock()
	all, err := s.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if t.Name == r.Name {
			return nil, api.Errorf(api.ErrConflict, "", "there is a token %q; delete it first", r.Name)
		}
	}
	t, secret, err := MakeToken(*r, a.now())
	if err != nil {
		return nil, err
	}
	if err := s.PutToken(ctx, t); err != nil {
		return nil, err
	}
	a.guard.forget()
	return &made[NewToken]{Status: http.StatusCreated, Body: NewToken{Token: t, Secret: secret}}, nil
}

// MakeToken makes a token and its secret.
func MakeToken(r TokenRequest, now time.Time) (Token, string, error) {
	secret := newSecret()
	t := Token{Name: r.Name, Role: r.Role, Hash: hashOf(secret), Created: now.UTC()}
	switch {
	case r.Expires < 0:
		return t, "", api.Errorf(api.ErrInvalid, "body.expires_in", "a token can't have expired before it is made")
	case r.Expires > 0:
		t.Expires = now.UTC().Add(time.Duration(r.Expires))
	}
	return t, secret, nil
}

func (a *routes) deleteToken(ctx context.Context, in *NamePath) (*empty, error) {
	s, err := a.store()
	if err != nil {
		return nil, err
	}
	defer a.guard.forget()
	return &empty{}, s.DeleteToken(ctx, in.Name)
}
