package cli

import (
	"context"
	"encoding/json"
	"errors"
	"iter"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/filter"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// nearest gives the word that is least unlike what was typed, if one is not too
// unlike.
func nearest(typed string, words []string) string {
	best, at := max(len(typed)/3, 1)+1, ""
	for _, w := range words {
		if d := filter.Distance(typed, w); d < best {
			best, at = d, w
		}
	}
	return at
}

// lists are where the names of things are, by the command that lists them.
var lists = map[string]struct {
	path, field string
	whole       bool // it comes in one piece
}{
	"concurrency-limit": {"/limits", "tag", false},
	"global-limit":      {"/global-limits", "name", false},
	"schedule":          {"/schedules", "name", false},
	"flow":              {"/flows", "name", true},
	"queue":             {"/queues", "name", true},
	"worker":            {"/workers", "id", true},
}

// missing adds to an error what to do about it: if it says that there is nothing of this
// name, which name is nearest, and in any case which command lists what there is.
func missing(ctx context.Context, c *httpapi.Client, what, typed string, err error) error {
	if !errors.Is(err, api.ErrNotFound) && !errors.Is(err, api.ErrUnknownTask) {
		return hinted(err, "see: runnel %s ls", what)
	}
	l := lists[what]
	var list iter.Seq2[json.RawMessage, error]
	if list = httpapi.Pages[json.RawMessage](ctx, c, l.path, nil, 1000); l.whole {
		list = whole(ctx, c, l.path)
	}
	var names []string
	for raw, wrong := range list {
		var f map[string]json.RawMessage
		var name string
		if wrong != nil || json.Unmarshal(raw, &f) != nil || json.Unmarshal(f[l.field], &name) != nil {
			break // then without advice
		}
		names = append(names, name)
	}
	if near := nearest(typed, names); near != "" {
		return hinted(err, "did you mean %q?  see: runnel %s ls", near, what)
	}
	return hinted(err, "see: runnel %s ls", what)
}
