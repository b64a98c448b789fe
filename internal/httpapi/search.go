package httpapi

import (
	"context"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

type searchInput struct {
	Q string `query:"q" required:"true" minLength:"1" maxLength:"200" doc:"What a run's id begins with, four digits or more; or a part of a name"`
}

// Found is what a search found.
type Found struct {
	Runs []string `json:"runs" doc:"Ids of runs that begin so"`
	Hits []Hit    `json:"hits" doc:"What is named so, a few of each kind, and of those first the ones whose names begin so"`
}

// Hit is something that is named so.
type Hit struct {
	Kind string `json:"kind" enum:"run,flow,task,limit,global-limit,schedule,queue,worker"`
	Name string `json:"name"`
	ID   string `json:"id" doc:"Of a run the newest one's of that name, of a worker its own; else the name"`
}

const (
	// shortestID is from how many digits on an id is looked for.
	shortestID = 4
	longestID  = 40
	// hitsOf is how many of a kind are given.
	hitsOf = 6
	// newest is how many runs are looked at for their names.
	newest = 500
)

func (a *routes) search(ctx context.Context, in *searchInput) (*body[Found], error) {
	out := Found{Runs: []string{}, Hits: []Hit{}}
	if mayBeID(in.Q) {
		ids, err := a.svc().Lookup(ctx, in.Q)
		if err != nil {
			return nil, err
		}
		out.Runs = append(out.Runs, ids...)
	}
	if len(out.Runs) > 0 { // it is an id
		return answer(out), nil
	}
	for _, look := range []func(context.Context, *hits) error{a.hitRuns, a.hitTasks, a.hitLimits, a.hitSchedules, a.hitWork} {
		h := &hits{q: strings.ToLower(in.Q), seen: map[Hit]bool{}}
		if err := look(ctx, h); err != nil {
			return nil, err
		}
		all := slices.Concat(h.first, h.rest)
		out.Hits = append(out.Hits, all[:min(len(all), hitsOf)]...)
	}
	return answer(out), nil
}

// mayBeID reports whether a text may begin an id.
func mayBeID(q string) bool {
	return len(q) >= shortestID && len(q) <= longestID && strings.Trim(q, "0123456789abcdefABCDEF-") == ""
}

// hits are those of one kind: whose names begin so, and those that only have it in them.
type hits struct {
	q           string
	first, rest []Hit
	seen        map[Hit]bool
}

func (h *hits) add(kind, name, id string) {
	at := strings.Index(strings.ToLower(name), h.q)
	key := Hit{Kind: kind, Name: name}
	if at < 0 || h.seen[key] {
		return
	}
	h.seen[key] = true
	hit := Hit{Kind: kind, Name: name, ID: id}
	if at == 0 {
		h.first = append(h.first, hit)
	} else {
		h.rest = append(h.rest, hit)
	}
}

func (a *routes) hitRuns(ctx context.Context, h *hits) error {
	for r, err := range a.svc().Runs(ctx, api.RunFilter{Limit: newest}) {
		if err != nil {
			return err
		}
		h.add("run", r.Name, r.ID)
	}
	return nil
}

func (a *routes) hitTasks(ctx context.Context, h *hits) error {
	known, err := a.svc().Registered(ctx)
	for i := range known {
		kind := "task"
		if known[i].Kind == "flow" {
			kind = "flow"
		}
		h.add(kind, known[i].Name, known[i].Name)
	}
	return err
}

func (a *routes) hitLimits(ctx context.Context, h *hits) error {
	for l, err := range a.svc().Limits(ctx) {
		if err != nil {
			return err
		}
		h.add("limit", l.Tag, l.Tag)
	}
	for l, err := range a.svc().GlobalLimits(ctx) {
		if err != nil {
			return err
		}
		h.add("global-limit", l.Name, l.Name)
	}
	return nil
}

func (a *routes) hitSchedules(ctx context.Context, h *hits) error {
	for s, err := range a.svc().Schedules(ctx) {
		if err != nil {
			return err
		}
		h.add("schedule", s.Name, s.Name)
	}
	return nil
}

// hitWork looks at what workers have said that they serve, and at the queues that tasks
// are declared with: somebody types, so nobody is asked how busy he is.
func (a *routes) hitWork(ctx context.Context, h *hits) error {
	workers, queues, err := a.svc().Offered(ctx)
	if err != nil {
		return err
	}
	known, err := a.svc().Registered(ctx)
	for i := range known {
		queues = append(queues, known[i].Options.Queue)
	}
	for _, name := range queues {
		if name != "" {
			h.add("queue", name, name)
		}
	}
	for i := range workers {
		h.add("worker", workers[i].Name, workers[i].ID)
	}
	return err
}
