package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// CacheStats is what is kept, and how often it was taken.
type CacheStats struct {
	CacheCounts

	Since time.Time        `json:"since" doc:"From when on hits and misses are counted: the process that was asked began then. Those of other processes are not among them"`
	Tasks []CacheTaskStats `json:"tasks" doc:"Those that keep most first"`
}

// CacheTaskStats is that of one task.
type CacheTaskStats struct {
	CacheCounts

	Task   string    `json:"task"`
	Oldest time.Time `json:"oldest,omitzero" doc:"When the oldest entry was made"`
	Newest time.Time `json:"newest,omitzero"`
}

// CacheCounts are sums.
type CacheCounts struct {
	Entries int          `json:"entries"`
	Expired int          `json:"expired" doc:"Of the entries: no longer taken, and soon to go"`
	Bytes   int64        `json:"bytes" doc:"Of the results, as JSON"`
	Hits    int64        `json:"hits" doc:"Task runs that took a result"`
	Misses  int64        `json:"misses" doc:"Task runs that looked, and whose bodies ran"`
	Saved   api.Duration `json:"saved" doc:"How long the bodies took whose results were taken, once for each time"`
}

// Add counts an entry.
func (s *CacheTaskStats) Add(e *api.CacheEntry, now time.Time) {
	s.Entries++
	s.Bytes += e.Size
	if !e.Live(now) {
		s.Expired++
	}
	if s.Oldest.IsZero() || e.Created.Before(s.Oldest) {
		s.Oldest = e.Created
	}
	if e.Created.After(s.Newest) {
		s.Newest = e.Created
	}
}

// Gather fills in the tasks, and adds them up.
func (s *CacheStats) Gather(byTask map[string]*CacheTaskStats) {
	s.Tasks = []CacheTaskStats{}
	for _, name := range slices.Sorted(maps.Keys(byTask)) {
		t := *byTask[name]
		s.Tasks = append(s.Tasks, t)
		s.Entries += t.Entries
		s.Expired += t.Expired
		s.Bytes += t.Bytes
		s.Hits += t.Hits
		s.Misses += t.Misses
		s.Saved += t.Saved
	}
	slices.SortStableFunc(s.Tasks, func(a, b CacheTaskStats) int { return cmp.Compare(b.Bytes, a.Bytes) })
}

type explainCallInput struct {
	Name string `path:"name" doc:"Of the task or flow"`
	Args string `query:"args" maxLength:"65536" doc:"The arguments, as a JSON array" example:"[\"EUR\"]"`
}

func (a *routes) cacheStatsRoutes(api huma.API) {
	const group = "cache"
	do(a, api, op(http.MethodGet, "/stats/cache", "cache-stats", group, "Read how much is kept, and how often it was taken"), a.cacheStats)
	do(a, api, op(http.MethodGet, "/flows/{name}/cache", "explain-call", group, "Say whether a call would take a kept result, and in what it differs from the nearest"), a.explainCall)
}

func (a *routes) cacheStats(ctx context.Context, _ *empty) (*body[CacheStats], error) {
	s, err := a.svc().CacheStats(ctx)
	if err != nil {
		return nil, err
	}
	return answer(s), nil
}

func (a *routes) explainCall(ctx context.Context, in *explainCallInput) (*body[api.CacheReport], error) {
	var args []json.RawMessage
	if in.Args != "" {
		if err := json.Unmarshal([]byte(in.Args), &args); err != nil {
			return nil, api.Errorf(api.ErrInvalid, "query.args", "want a JSON array of the arguments: %w", err)
		}
	}
	r, err := a.svc().ExplainCall(ctx, in.Name, args)
	if err != nil {
		return nil, err
	}
	return answer(r), nil
}
