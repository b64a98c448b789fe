package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// CacheQuery chooses kept results.
type CacheQuery struct {
	Prefix string    `query:"prefix" doc:"Whose key begins with this"`
	Task   string    `query:"task" doc:"That a task of this name made"`
	Before time.Time `query:"before" doc:"Made before"`
}

type (
	cacheListInput struct {
		ListQuery
		CacheQuery
	}
	cacheDeleteInput struct {
		CacheQuery

		All bool `query:"all" doc:"Without anything else chosen: really all"`
	}
	// KeyPath names a kept result.
	KeyPath struct {
		Key string `path:"key"`
	}
)

func (a *routes) cacheRoutes(api huma.API) {
	const group = "cache"
	do(a, api, op(http.MethodGet, "/cache", "list-cache", group, "List kept results, without the results themselves"), a.listCache)
	do(a, api, op(http.MethodDelete, "/cache", "delete-cache", group, "Delete the kept results that are chosen"), a.deleteCache)
	do(a, api, op(http.MethodGet, "/cache/{key}", "get-cache-entry", group, "Read a kept result"), a.getCache)
	do(a, api, op(http.MethodDelete, "/cache/{key}", "delete-cache-entry", group, "Delete a kept result"), a.deleteCacheKey)
	do(a, api, op(http.MethodGet, "/runs/{id}/tasks/{seq}/cache", "explain-cache", group, "Say why a task run took a kept result, or did not"), a.explainCache)
}

func (q *CacheQuery) filter() api.CacheFilter {
	return api.CacheFilter{Prefix: q.Prefix, Task: q.Task, Before: q.Before}
}

func (a *routes) listCache(ctx context.Context, in *cacheListInput) (*body[Page[api.CacheEntry]], error) {
	return namedPage(&in.ListQuery, a.svc().CacheEntries(ctx, in.filter()), func(e *api.CacheEntry) string { return e.Key })
}

func (a *routes) deleteCache(ctx context.Context, in *cacheDeleteInput) (*body[Deleted], error) {
	f := in.filter()
	if f == (api.CacheFilter{}) && !in.All {
		return nil, api.Errorf(api.ErrInvalid, "query", "nothing is chosen: say which, or all=true")
	}
	n, err := a.svc().DeleteCache(ctx, f)
	if err != nil {
		return nil, err
	}
	return answer(Deleted{Deleted: n}), nil
}

// Deleted says how much.
type Deleted struct {
	Deleted int `json:"deleted"`
}

func (a *routes) getCache(ctx context.Context, in *KeyPath) (*body[api.CacheEntry], error) {
	e, err := a.svc().CacheEntry(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	return answer(e), nil
}

func (a *routes) deleteCacheKey(ctx context.Context, in *KeyPath) (*empty, error) {
	n, err := a.svc().DeleteCache(ctx, api.CacheFilter{Key: in.Key})
	if err == nil && n == 0 {
		err = api.Errorf(api.ErrNotFound, "", "nothing is kept under the key %q", in.Key)
	}
	return &empty{}, err
}

func (a *routes) explainCache(ctx context.Context, in *TaskPath) (*body[api.CacheReport], error) {
	r, err := a.svc().ExplainCache(ctx, in.id())
	if err != nil {
		return nil, err
	}
	return answer(r), nil
}
