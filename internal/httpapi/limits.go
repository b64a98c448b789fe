package httpapi

import (
	"context"
	"fmt"
	"iter"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

type (
	// TagPath names a tag.
	TagPath struct {
		Tag string `path:"tag"`
	}
	// LimitValue is what a tag is limited to.
	LimitValue struct {
		Limit int `json:"limit" minimum:"0" doc:"How many task runs with the tag may run at a time; with 0 they fail"`
	}
	createLimit struct {
		IfMatch

		None string `header:"If-None-Match" enum:"*" doc:"*: only if there is none yet"`
		Body struct {
			LimitValue

			Tag string `json:"tag" minLength:"1" maxLength:"200"`
		}
	}
	// SlotsToReset are those that are to be forgotten.
	SlotsToReset struct {
		Slots []string `json:"slots,omitempty" maxItems:"1000" doc:"Ids of task runs; none: all that have a slot"`
	}
	resetLimitInput struct {
		TagPath
		IfMatch

		Body *SlotsToReset `required:"false"`
	}
	changeLimit struct {
		TagPath
		IfMatch

		Body LimitValue
	}
	deleteLimit struct {
		TagPath
		IfMatch
	}
	// made is the answer to what makes a thing or changes it.
	made[T any] struct {
		Status int
		ETag   string `header:"ETag"`
		Body   T
	}
	tagged[T any] struct {
		ETag string `header:"ETag"`
		Body T
	}
)

func (a *routes) limitRoutes(api huma.API) {
	const group = "limits"
	do(a, api, op(http.MethodGet, "/limits", "list-limits", group, "List limits of tags"), a.listLimits)
	do(a, api, op(http.MethodPost, "/limits", "create-limit", group, "Create the limit of a tag, or change it"), a.createLimit)
	do(a, api, op(http.MethodGet, "/limits/{tag}", "get-limit", group, "Read a limit, with who holds its slots and who waits"), a.getLimit)
	do(a, api, op(http.MethodPut, "/limits/{tag}", "set-limit", group, "Set the limit of a tag"), a.putLimit)
	do(a, api, op(http.MethodDelete, "/limits/{tag}", "delete-limit", group, "Delete a limit: who waits for it begins"), a.deleteLimit)
	do(a, api, op(http.MethodPost, "/limits/{tag}/reset", "reset-limit", group, "Forget who holds slots, for when they are wrong"), a.resetLimit)
}

func (a *routes) listLimits(ctx context.Context, in *ListQuery) (*body[Page[api.Limit]], error) {
	return namedPage(in, a.svc().Limits(ctx), func(l *api.Limit) string { return l.Tag })
}

// namedPage is a page of a list that is ordered by name and is short enough to be
// gone through from its beginning.
func namedPage[T any](q *ListQuery, list iter.Seq2[T, error], name func(*T) string) (*body[Page[T]], error) {
	after, err := q.after()
	if err != nil {
		return nil, err
	}
	rest := func(yield func(T, error) bool) {
		for item, err := range list {
			if err == nil && name(&item) <= after {
				continue
			}
			if !yield(item, err) {
				return
			}
		}
	}
	p, err := page(q, rest, name, nil)
	if err != nil {
		return nil, err
	}
	return answer(*p), nil
}

func (a *routes) createLimit(ctx context.Context, in *createLimit) (*made[api.Limit], error) {
	return a.setLimit(ctx, in.Body.Tag, in.Body.Limit, in.IfMatch, in.None != "")
}

func (a *routes) putLimit(ctx context.Context, in *changeLimit) (*made[api.Limit], error) {
	return a.setLimit(ctx, in.Tag, in.Body.Limit, in.IfMatch, false)
}

func (a *routes) setLimit(ctx context.Context, tag string, limit int, match IfMatch, isNew bool) (*made[api.Limit], error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	was, err := a.svc().Limit(ctx, tag)
	known, err := found(err)
	if err != nil {
		return nil, err
	}
	if isNew && known {
		return nil, problem(http.StatusPreconditionFailed, CodePrecondition, fmt.Sprintf("there is a limit on tag %q already: %d", tag, was.Limit))
	}
	if err := match.allows(known, etag(was.Updated)); err != nil {
		return nil, err
	}
	if err := a.svc().SetLimit(ctx, tag, limit); err != nil {
		return nil, err
	}
	l, err := a.svc().Limit(ctx, tag)
	if err != nil {
		return nil, err
	}
	return &made[api.Limit]{Status: createdUnless(known), ETag: etag(l.Updated), Body: l}, nil
}

func (a *routes) getLimit(ctx context.Context, in *TagPath) (*tagged[api.Limit], error) {
	l, err := a.svc().Limit(ctx, in.Tag)
	if err != nil {
		return nil, err
	}
	if l.ActiveSlots == nil {
		l.ActiveSlots = []string{} // nobody is told by name, too
	}
	return &tagged[api.Limit]{ETag: etag(l.Updated), Body: l}, nil
}

// limitTag gives what asks for a limit's ETag.
func (a *routes) limitTag(ctx context.Context, tag string) func() (string, error) {
	return func() (string, error) {
		l, err := a.svc().Limit(ctx, tag)
		return etag(l.Updated), err
	}
}

func (a *routes) deleteLimit(ctx context.Context, in *deleteLimit) (*empty, error) {
	return &empty{}, a.unchanged(in.IfMatch, a.limitTag(ctx, in.Tag), func() error { return a.svc().DeleteLimit(ctx, in.Tag) })
}

func (a *routes) resetLimit(ctx context.Context, in *resetLimitInput) (*tagged[api.Limit], error) {
	var slots []string
	if in.Body != nil {
		slots = in.Body.Slots
	}
	err := a.unchanged(in.IfMatch, a.limitTag(ctx, in.Tag), func() error { return a.svc().ResetLimit(ctx, in.Tag, slots...) })
	if err != nil {
		return nil, err
	}
	return a.getLimit(ctx, &in.TagPath)
}
