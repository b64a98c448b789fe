package httpapi

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// RunTimes is how the task runs of a run went, by task name.
type RunTimes struct {
	Tasks []NamedTimes `json:"tasks" doc:"Those that took longest in all first"`
	More  bool         `json:"more" doc:"There are more task runs than were looked at, which are 200,000"`
}

// NamedTimes is how the task runs of one name went.
type NamedTimes struct {
	TaskTimes

	Task string `json:"task"`
	// Error is the newest one, and ErrorOf whose it is.
	Error   string `json:"error,omitempty" doc:"The newest failure's text"`
	ErrorOf string `json:"error_of,omitempty" doc:"The task run that it is of"`
}

// TaskTimes is how the task runs of a name went. Times are from the first attempt's
// beginning to the end.
type TaskTimes struct {
	States  map[string]int `json:"states,omitempty" doc:"How many are in each state"`
	Retries int            `json:"retries"`
	Cached  int            `json:"cached" doc:"How many took a kept result"`
	Median  api.Duration   `json:"median"`
	P95     api.Duration   `json:"p95" doc:"All but a twentieth took no longer"`
	Longest api.Duration   `json:"longest"`
	Total   api.Duration   `json:"total"`
}

func (a *routes) timesRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/runs/{id}/times", "get-run-times", "runs", "Read how long task runs of a run took, by task name"), a.times)
}

func (a *routes) times(ctx context.Context, in *RunPath) (*body[RunTimes], error) {
	run, err := a.svc().Status(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	key := timesKey{run.ID, run.Generation, run.State.Final()}
	if t, ok := a.timed.find(key, a.now()); ok {
		return answer(t), nil
	}
	began := a.now()
	byName, more, err := a.spansOf(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	t := RunTimes{Tasks: []NamedTimes{}, More: more}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		s := byName[name]
		t.Tasks = append(t.Tasks, NamedTimes{Task: name, TaskTimes: s.times(), Error: s.err, ErrorOf: s.errOf})
	}
	slices.SortStableFunc(t.Tasks, func(x, y NamedTimes) int { return cmp.Compare(y.Total, x.Total) })
	a.timed.keep(key, t, began, a.now())
	return answer(t), nil
}

// spans is how long task runs of a name took.
type spans struct {
	states  map[string]int
	retries int
	cached  int
	took    []time.Duration
	failed  time.Time // when the newest failure was
	err     string
	errOf   string
}

// spansOf reads them, of as many task runs as a timeline has.
func (a *routes) spansOf(ctx context.Context, run string) (byName map[string]*spans, more bool, err error) {
	byName = map[string]*spans{}
	n := 0
	for t, err := range a.svc().TaskRuns(ctx, api.TaskRunFilter{Run: run, Limit: maxTimeline + 1}) {
		if err != nil {
			return nil, false, err
		}
		if n++; n > maxTimeline {
			return byName, true, nil
		}
		s := byName[t.Task]
		if s == nil {
			s = &spans{states: map[string]int{}}
			byName[t.Task] = s
		}
		s.add(&t)
	}
	return byName, false, nil
}

func (s *spans) add(t *api.TaskRun) {
	s.states[t.State.String()]++
	s.retries += max(t.Attempt-1, 0)
	if t.Cache != nil && t.Cache.From != "" {
		s.cached++
	}
	if !t.Started.IsZero() && !t.Finished.IsZero() {
		s.took = append(s.took, t.Finished.Sub(t.Started))
	}
	if t.Failure != nil && !t.Finished.Before(s.failed) {
		s.failed, s.err, s.errOf = t.Finished, t.Failure.Message, t.ID
	}
}

func (s *spans) times() (t TaskTimes) {
	if s == nil {
		return t
	}
	t.States, t.Retries, t.Cached = s.states, s.retries, s.cached
	if len(s.took) == 0 {
		return t
	}
	slices.Sort(s.took)
	var total time.Duration
	for _, d := range s.took {
		total += d
	}
	t.Median, t.P95 = api.Duration(s.took[len(s.took)/2]), api.Duration(s.took[(len(s.took)*95+99)/100-1])
	t.Longest, t.Total = api.Duration(s.took[len(s.took)-1]), api.Duration(total)
	return t
}

// timed keeps what was found of runs: of those that have ended for good, of live ones
// for a short time, since all their task runs are read for it.
type timed struct {
	mu  sync.Mutex
	all map[timesKey]keptTimes
}

type timesKey struct {
	run        string
	generation int
	final      bool
}

type keptTimes struct {
	RunTimes

	until time.Time
}

const (
	keptRuns  = 200
	goodTimes = time.Hour
)

func (c *timed) find(key timesKey, now time.Time) (RunTimes, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.all[key]
	return t.RunTimes, ok && now.Before(t.until)
}

func (c *timed) keep(key timesKey, t RunTimes, began, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= keptRuns {
		c.all = map[timesKey]keptTimes{}
	}
	// Of a small run it costs next to nothing to look again.
	until := now.Add(countShare * now.Sub(began))
	if key.final {
		until = now.Add(goodTimes)
	}
	c.all[key] = keptTimes{t, until}
}
