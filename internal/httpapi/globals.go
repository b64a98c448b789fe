package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

type (
	// NamePath names a thing.
	NamePath struct {
		Name string `path:"name"`
	}
	changeGlobal struct {
		NamePath
		IfMatch

		Body struct {
			Limit  int     `json:"limit" minimum:"0" doc:"How many slots there are"`
			Decay  float64 `json:"slot_decay_per_second,omitempty" minimum:"0" doc:"How many of them come back a second, for a rate; 0: when they are released"`
			Active *bool   `json:"active,omitempty" doc:"false: it does not bound anything for now. Default true"`
		}
	}
	namedIfMatch struct {
		NamePath
		IfMatch
	}
)

func (a *routes) globalLimitRoutes(api huma.API) {
	const group = "global limits"
	do(a, api, op(http.MethodGet, "/global-limits", "list-global-limits", group, "List limits that bodies use by name"), a.listGlobals)
	do(a, api, op(http.MethodGet, "/global-limits/{name}", "get-global-limit", group, "Read one, with who holds its slots and who waits"), a.getGlobal)
	do(a, api, op(http.MethodPut, "/global-limits/{name}", "set-global-limit", group, "Create one, or change it"), a.putGlobal)
	do(a, api, op(http.MethodDelete, "/global-limits/{name}", "delete-global-limit", group, "Delete one"), a.deleteGlobal)
	do(a, api, op(http.MethodPost, "/global-limits/{name}/reset", "reset-global-limit", group, "Forget who holds its slots"), a.resetGlobal)
}

func (a *routes) listGlobals(ctx context.Context, in *ListQuery) (*body[Page[api.GlobalLimit]], error) {
	return namedPage(in, a.svc().GlobalLimits(ctx), func(l *api.GlobalLimit) string { return l.Name })
}

func (a *routes) getGlobal(ctx context.Context, in *NamePath) (*tagged[api.GlobalLimit], error) {
	l, err := a.svc().GlobalLimit(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &tagged[api.GlobalLimit]{ETag: etag(l.Updated), Body: l}, nil
}

func (a *routes) putGlobal(ctx context.Context, in *changeGlobal) (*made[api.GlobalLimit], error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	was, err := a.svc().GlobalLimit(ctx, in.Name)
	known, err := found(err)
	if err != nil {
		return nil, err
	}
	if err := in.allows(known, etag(was.Updated)); err != nil {
		return nil, err
	}
	want := api.GlobalLimit{Name: in.Name, Limit: in.Body.Limit, Decay: in.Body.Decay, Inactive: in.Body.Active != nil && !*in.Body.Active}
	if err := a.svc().SetGlobalLimit(ctx, want); err != nil {
		return nil, err
	}
	l, err := a.svc().GlobalLimit(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &made[api.GlobalLimit]{Status: createdUnless(known), ETag: etag(l.Updated), Body: l}, nil
}

func (a *routes) deleteGlobal(ctx context.Context, in *namedIfMatch) (*empty, error) {
	return &empty{}, a.changedGlobal(ctx, in, a.svc().DeleteGlobalLimit)
}

// changedGlobal does something to one that is as If-Match says.
func (a *routes) changedGlobal(ctx context.Context, in *namedIfMatch, do func(context.Context, string) error) error {
	return a.unchanged(in.IfMatch, func() (string, error) {
		l, err := a.svc().GlobalLimit(ctx, in.Name)
		return etag(l.Updated), err
	}, func() error { return do(ctx, in.Name) })
}

func (a *routes) resetGlobal(ctx context.Context, in *namedIfMatch) (*tagged[api.GlobalLimit], error) {
	if err := a.changedGlobal(ctx, in, a.svc().ResetGlobalLimit); err != nil {
		return nil, err
	}
	return a.getGlobal(ctx, &in.NamePath)
}
