package runnel

import (
	"context"
	"encoding/json"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// tokens keeps who may come in over HTTP in the database, without what they say to
// come in.
type tokens struct{ e *Engine }

// tokenKind is the kind of note that a token is.
const tokenKind = "token"

// tokenNote is a token as it is kept.
type tokenNote struct {
	Role    httpapi.Role `json:"role"`
	Hash    string       `json:"hash"`
	Created time.Time    `json:"created"`
	Expires time.Time    `json:"expires,omitzero"`
}

func (t tokens) Tokens(ctx context.Context) ([]httpapi.Token, error) {
	var all []httpapi.Token
	err := t.e.inner().Notes(ctx, tokenKind, "", func(name string, value []byte) error {
		var n tokenNote
		if err := json.Unmarshal(value, &n); err != nil {
			return api.Errorf(ErrStore, "", "token %s: %w", name, err)
		}
		all = append(all, httpapi.Token{Name: name, Role: n.Role, Hash: n.Hash, Created: n.Created, Expires: n.Expires})
		return nil
	})
	return all, err
}

func (t tokens) PutToken(ctx context.Context, token httpapi.Token) error {
	value, err := json.Marshal(tokenNote{Role: token.Role, Hash: token.Hash, Created: token.Created, Expires: token.Expires})
	if err != nil {
		return err
	}
	return t.e.inner().PutNote(ctx, tokenKind, token.Name, value)
}

func (t tokens) DeleteToken(ctx context.Context, name string) error {
	all, err := t.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Name == name {
			return t.e.inner().PutNote(ctx, tokenKind, name, nil)
		}
	}
	return api.Errorf(ErrNotFound, "", "no token %q", name)
}
