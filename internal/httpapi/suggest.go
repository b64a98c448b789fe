package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/filter"
)

type suggestInput struct {
	Target string `query:"target" enum:"runs,tasks" default:"runs" doc:"What the filter is for"`
	Q      string `query:"q" maxLength:"2000" doc:"The filter as it is typed up to the cursor"`
}

// Suggestions are what the end of a filter may become.
type Suggestions struct {
	Begin int          `json:"begin" doc:"Where in q the end begins, in bytes: a suggestion takes the place of all from there on"`
	Items []Suggestion `json:"items" doc:"A few"`
}

// Suggestion is one.
type Suggestion struct {
	Text string `json:"text" doc:"A field with its colon, or a value, in quotes if it must be"`
	Doc  string `json:"doc,omitempty" doc:"What the field is"`
}

// suggested is how many are given.
const suggested = 20

func (a *routes) suggestRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/suggest", "suggest", "server", "Say what a filter that is being typed may go on with: fields, and values of one"), a.suggest)
}

func (a *routes) suggest(ctx context.Context, in *suggestInput) (*body[Suggestions], error) {
	target := filter.Runs
	if in.Target == targetTasks {
		target = filter.TaskRuns
	}
	last := filter.LastOf(in.Q)
	out := Suggestions{Begin: last.Begin, Items: []Suggestion{}}
	typed := strings.ToLower(last.Value)
	if last.Field == "" {
		for _, name := range filter.Fields(target) {
			if strings.HasPrefix(name, typed) {
				out.Items = append(out.Items, Suggestion{name + ":", filter.Doc(name, target)})
			}
		}
		return answer(out), nil
	}
	if filter.Doc(last.Field, target) == "" {
		return answer(out), nil
	}
	values := filter.Values(last.Field, target)
	if values == nil {
		var err error
		if values, err = a.named(ctx, last.Field); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for _, within := range []bool{false, true} { // those that begin so are first
		for _, v := range values {
			at := strings.Index(strings.ToLower(v), typed)
			if v == "" || seen[v] || at < 0 || at > 0 != within || len(out.Items) == suggested {
				continue
			}
			seen[v] = true
			out.Items = append(out.Items, Suggestion{Text: filter.Quote(v)})
		}
	}
	return answer(out), nil
}

// named gives the names that a field may have as its value, as far as they are known
// without looking at what is live. Of others, such as ids, there are none.
func (a *routes) named(ctx context.Context, field string) (names []string, err error) {
	switch field {
	case "task", "flow", "tag":
		return a.registeredNames(ctx, field)
	case "limit":
		for l, err := range a.svc().Limits(ctx) {
			if err != nil {
				return nil, err
			}
			names = append(names, l.Tag)
		}
	case "schedule":
		for s, err := range a.svc().Schedules(ctx) {
			if err != nil {
				return nil, err
			}
			names = append(names, s.Name)
		}
	case "name":
		for r, err := range a.svc().Runs(ctx, api.RunFilter{Limit: newest}) {
			if err != nil {
				return nil, err
			}
			names = append(names, r.Name)
		}
	case "queue", "worker":
		workers, queues, err := a.svc().Offered(ctx)
		if err != nil || field == "queue" {
			return queues, err
		}
		for i := range workers {
			names = append(names, workers[i].Name)
		}
	}
	return names, nil
}

// registeredNames gives those of tasks, of flows, or of tags: declared ones, and those
// that have a limit.
func (a *routes) registeredNames(ctx context.Context, field string) (names []string, err error) {
	known, err := a.svc().Registered(ctx)
	if err != nil {
		return nil, err
	}
	for i := range known {
		switch {
		case field == "tag":
			names = append(names, known[i].Options.Tags...)
		case field == "task" || known[i].Kind == "flow":
			names = append(names, known[i].Name)
		}
	}
	if field != "tag" {
		return names, nil
	}
	limited, err := a.named(ctx, "limit")
	return append(names, limited...), err
}
