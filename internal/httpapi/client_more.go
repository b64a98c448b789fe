package httpapi

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/vital"
)

// get reads one thing.
func get[T any](ctx context.Context, c *Client, path string, q url.Values) (v T, err error) {
	err = c.Do(ctx, http.MethodGet, path, q, nil, &v)
	return v, err
}

func (c *Client) post(ctx context.Context, path string) error {
	return c.Do(ctx, http.MethodPost, path, nil, nil, nil)
}

func (c *Client) delete(ctx context.Context, path string) error {
	return c.Do(ctx, http.MethodDelete, path, nil, nil, nil)
}

// Limits is GET /limits.
func (c *Client) Limits(ctx context.Context) iter.Seq2[api.Limit, error] {
	return Pages[api.Limit](ctx, c, "/limits", nil, 0)
}

// Limit is GET /limits/{tag}.
func (c *Client) Limit(ctx context.Context, tag string) (api.Limit, error) {
	return get[api.Limit](ctx, c, pathf("/limits/%s", tag), nil)
}

// SetLimit is PUT /limits/{tag}.
func (c *Client) SetLimit(ctx context.Context, tag string, limit int) error {
	return c.Do(ctx, http.MethodPut, pathf("/limits/%s", tag), nil, LimitValue{Limit: limit}, nil)
}

// CreateLimit is POST /limits. It says whether the limit is new.
func (c *Client) CreateLimit(ctx context.Context, tag string, limit int) (l api.Limit, created bool, err error) {
	in := createLimit{}.Body
	in.Tag, in.Limit = tag, limit
	status, err := c.do(ctx, call{method: http.MethodPost, path: "/limits", body: in}, &l)
	return l, err == nil && status == http.StatusCreated, err
}

// ResetLimit is POST /limits/{tag}/reset.
func (c *Client) ResetLimit(ctx context.Context, tag string, slots ...string) error {
	if len(slots) == 0 {
		return c.post(ctx, pathf("/limits/%s/reset", tag))
	}
	return c.Do(ctx, http.MethodPost, pathf("/limits/%s/reset", tag), nil, SlotsToReset{Slots: slots}, nil)
}

// DeleteLimit is DELETE /limits/{tag}.
func (c *Client) DeleteLimit(ctx context.Context, tag string) error {
	return c.delete(ctx, pathf("/limits/%s", tag))
}

// GlobalLimits is GET /global-limits.
func (c *Client) GlobalLimits(ctx context.Context) iter.Seq2[api.GlobalLimit, error] {
	return Pages[api.GlobalLimit](ctx, c, "/global-limits", nil, 0)
}

// GlobalLimit is GET /global-limits/{name}.
func (c *Client) GlobalLimit(ctx context.Context, name string) (api.GlobalLimit, error) {
	return get[api.GlobalLimit](ctx, c, pathf("/global-limits/%s", name), nil)
}

// SetGlobalLimit is PUT /global-limits/{name}.
func (c *Client) SetGlobalLimit(ctx context.Context, l api.GlobalLimit) error {
	in, active := changeGlobal{}.Body, !l.Inactive
	in.Limit, in.Decay, in.Active = l.Limit, l.Decay, &active
	return c.Do(ctx, http.MethodPut, pathf("/global-limits/%s", l.Name), nil, in, nil)
}

// ActivateGlobalLimit changes nothing but whether the limit bounds anything.
func (c *Client) ActivateGlobalLimit(ctx context.Context, name string, active bool) error {
	l, err := c.GlobalLimit(ctx, name)
	if err != nil {
		return err
	}
	l.Inactive = !active
	return c.SetGlobalLimit(ctx, l)
}

// ResetGlobalLimit is POST /global-limits/{name}/reset.
func (c *Client) ResetGlobalLimit(ctx context.Context, name string) error {
	return c.post(ctx, pathf("/global-limits/%s/reset", name))
}

// DeleteGlobalLimit is DELETE /global-limits/{name}.
func (c *Client) DeleteGlobalLimit(ctx context.Context, name string) error {
	return c.delete(ctx, pathf("/global-limits/%s", name))
}

// CacheEntries is GET /cache.
func (c *Client) CacheEntries(ctx context.Context, f api.CacheFilter) iter.Seq2[api.CacheEntry, error] {
	return Pages[api.CacheEntry](ctx, c, "/cache", cacheQuery(f), f.Limit)
}

func cacheQuery(f api.CacheFilter) url.Values {
	return url.Values(query{}.set("prefix", f.Prefix).set("task", f.Task).time("before", f.Before))
}

// CacheEntry is GET /cache/{key}.
func (c *Client) CacheEntry(ctx context.Context, key string) (api.CacheEntry, error) {
	return get[api.CacheEntry](ctx, c, pathf("/cache/%s", key), nil)
}

// DeleteCache is DELETE /cache, or that of a key.
func (c *Client) DeleteCache(ctx context.Context, f api.CacheFilter) (int, error) {
	if f.Key != "" {
		err := c.delete(ctx, pathf("/cache/%s", f.Key))
		if p, ok := err.(*Problem); ok && p.Code == api.ErrNotFound.Code { //nolint:errorlint // Do gives it unwrapped
			return 0, nil
		}
		return 1, err
	}
	q := cacheQuery(f)
	if len(q) == 0 {
		q.Set("all", "true")
	}
	var d Deleted
	err := c.Do(ctx, http.MethodDelete, "/cache", q, nil, &d)
	return d.Deleted, err
}

// ExplainCache is GET /runs/{id}/tasks/{seq}/cache.
func (c *Client) ExplainCache(ctx context.Context, taskRun string) (r api.CacheReport, err error) {
	path, err := taskPathOf(taskRun)
	if err != nil {
		return r, err
	}
	return get[api.CacheReport](ctx, c, path+"/cache", nil)
}

// Schedules is GET /schedules.
func (c *Client) Schedules(ctx context.Context) iter.Seq2[api.Schedule, error] {
	return Pages[api.Schedule](ctx, c, "/schedules", nil, 0)
}

// Schedule is GET /schedules/{name}.
func (c *Client) Schedule(ctx context.Context, name string) (api.Schedule, error) {
	return get[api.Schedule](ctx, c, pathf("/schedules/%s", name), nil)
}

// CreateSchedule is PUT /schedules/{name}.
func (c *Client) CreateSchedule(ctx context.Context, want api.Schedule, spec *api.Spec) error {
	text, err := spec.MarshalJSON()
	if err != nil {
		return err
	}
	return c.Do(ctx, http.MethodPut, pathf("/schedules/%s", want.Name), nil, ScheduleRequest{
		Timetable: want.Timetable, Pipeline: text, Overlap: want.Overlap, CatchUp: want.CatchUp, Window: want.Window, Tags: want.Tags,
	}, nil)
}

// DeleteSchedule is DELETE /schedules/{name}.
func (c *Client) DeleteSchedule(ctx context.Context, name string) error {
	return c.delete(ctx, pathf("/schedules/%s", name))
}

// PauseSchedule is POST /schedules/{name}/pause.
func (c *Client) PauseSchedule(ctx context.Context, name string) error {
	return c.post(ctx, pathf("/schedules/%s/pause", name))
}

// ResumeSchedule is POST /schedules/{name}/resume.
func (c *Client) ResumeSchedule(ctx context.Context, name string) error {
	return c.post(ctx, pathf("/schedules/%s/resume", name))
}

// SkipSchedule is POST /schedules/{name}/skip.
func (c *Client) SkipSchedule(ctx context.Context, name string) error {
	return c.post(ctx, pathf("/schedules/%s/skip", name))
}

// TriggerSchedule is POST /schedules/{name}/trigger.
func (c *Client) TriggerSchedule(ctx context.Context, name string) (string, error) {
	var run RunDetail
	err := c.Do(ctx, http.MethodPost, pathf("/schedules/%s/trigger", name), nil, nil, &run)
	return run.ID, err
}

// ScheduleTimes is GET /schedules/{name}/next.
func (c *Client) ScheduleTimes(ctx context.Context, name string, n int) ([]time.Time, error) {
	t, err := get[Times](ctx, c, pathf("/schedules/%s/next", name), url.Values{"n": {strconv.Itoa(n)}})
	return t.Times, err
}

// Times is GET /timetable.
func (c *Client) Times(ctx context.Context, t api.Timetable, after time.Time, n int) ([]time.Time, error) {
	q := query{}.set("cron", t.Cron).set("zone", t.Zone).time("from", t.From).time("after", after).set("n", strconv.Itoa(n))
	if t.Every != 0 {
		q.set("every", time.Duration(t.Every).String())
	}
	got, err := get[Times](ctx, c, "/timetable", url.Values(q))
	return got.Times, err
}

// Backfill is POST /schedules/{name}/backfill.
func (c *Client) Backfill(ctx context.Context, name string, from, to time.Time) (int, error) {
	in := backfillInput{}.Body
	in.From, in.To = from, to
	var b Backfilled
	err := c.Do(ctx, http.MethodPost, pathf("/schedules/%s/backfill", name), nil, in, &b)
	return b.Made, err
}

// BackfillTimes is GET /schedules/{name}/backfill.
func (c *Client) BackfillTimes(ctx context.Context, name string, from, to time.Time) ([]time.Time, error) {
	t, err := get[Times](ctx, c, pathf("/schedules/%s/backfill", name), url.Values(query{}.time("from", from).time("to", to)))
	return t.Times, err
}

// Registered is GET /flows.
func (c *Client) Registered(ctx context.Context) ([]api.TaskInfo, error) {
	l, err := get[List[api.TaskInfo]](ctx, c, "/flows", nil)
	return l.Items, err
}

// Workers is GET /workers.
func (c *Client) Workers(ctx context.Context) ([]api.Worker, error) {
	l, err := get[List[api.Worker]](ctx, c, "/workers", nil)
	return l.Items, err
}

// Worker is GET /workers/{id}.
func (c *Client) Worker(ctx context.Context, id string) (api.Worker, error) {
	return get[api.Worker](ctx, c, pathf("/workers/%s", id), nil)
}

// DrainWorker is POST /workers/{id}/drain or undrain.
func (c *Client) DrainWorker(ctx context.Context, id string, drain bool) error {
	if drain {
		return c.post(ctx, pathf("/workers/%s/drain", id))
	}
	return c.post(ctx, pathf("/workers/%s/undrain", id))
}

// PauseQueue is POST /queues/{name}/pause.
func (c *Client) PauseQueue(ctx context.Context, name string) error {
	return c.post(ctx, pathf("/queues/%s/pause", name))
}

// ResumeQueue is POST /queues/{name}/resume.
func (c *Client) ResumeQueue(ctx context.Context, name string) error {
	return c.post(ctx, pathf("/queues/%s/resume", name))
}

// Queues is GET /queues.
func (c *Client) Queues(ctx context.Context) ([]api.Queue, error) {
	l, err := get[List[api.Queue]](ctx, c, "/queues", nil)
	return l.Items, err
}

// Offered is GET /workers and /queues: the server has no route for less.
func (c *Client) Offered(ctx context.Context) (workers []api.Worker, queues []string, err error) {
	if workers, err = c.Workers(ctx); err != nil {
		return nil, nil, err
	}
	known, err := c.Queues(ctx)
	for i := range known {
		queues = append(queues, known[i].Name)
	}
	return workers, queues, err
}

// Health is what GET /server says of the server's. A server that does not answer is
// not reachable, as its store is not.
func (c *Client) Health(ctx context.Context) api.Health {
	s, err := c.Server(ctx)
	if err != nil {
		return api.Health{LastError: err.Error(), LastErrorAt: time.Now().UTC()}
	}
	return s.Health
}

// Vitals are the server's to tell: its own /metrics has them.
func (c *Client) Vitals(context.Context, bool) *vital.Snapshot { return nil }

// Server is GET /server.
func (c *Client) Server(ctx context.Context) (Server, error) {
	return get[Server](ctx, c, "/server", nil)
}

// Operate is POST /operations.
func (c *Client) Operate(ctx context.Context, r OperationRequest) (Operation, error) {
	var o Operation
	err := c.Do(ctx, http.MethodPost, "/operations", nil, r, &o)
	return o, err
}

// Operation is GET /operations/{id}.
func (c *Client) Operation(ctx context.Context, id string) (Operation, error) {
	return get[Operation](ctx, c, pathf("/operations/%s", id), nil)
}

// SavedFilters is GET /filters: those of "runs" or "tasks", "" for both.
func (c *Client) SavedFilters(ctx context.Context, target string) ([]SavedFilter, error) {
	q := url.Values{}
	if target != "" {
		q.Set("target", target)
	}
	found, err := get[List[SavedFilter]](ctx, c, "/filters", q)
	return found.Items, err
}

// SaveFilter is PUT /filters/{target}/{name}.
func (c *Client) SaveFilter(ctx context.Context, target, name, q string) error {
	in := putSaved{}.Body
	in.Q = q
	return c.Do(ctx, http.MethodPut, pathf("/filters/%s/%s", target, name), nil, in, nil)
}

// DeleteFilter is DELETE /filters/{target}/{name}.
func (c *Client) DeleteFilter(ctx context.Context, target, name string) error {
	return c.delete(ctx, pathf("/filters/%s/%s", target, name))
}

// RunHistory is GET /runs/{id}/history.
func (c *Client) RunHistory(ctx context.Context, run string, q HistoryQuery) (RunHistory, error) {
	ask := url.Values{"limit": {strconv.Itoa(q.Limit)}, "type": q.Type, "state": q.State}
	for name, value := range map[string]string{"before": q.Before, "after": q.After, "task": q.Task} {
		if value != "" {
			ask.Set(name, value)
		}
	}
	if !q.Since.IsZero() {
		ask.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	return get[RunHistory](ctx, c, pathf("/runs/%s/history", run), ask)
}

// Diff is GET /runs/{id}/diff/{other}.
func (c *Client) Diff(ctx context.Context, run, other string) (RunDiff, error) {
	return get[RunDiff](ctx, c, pathf("/runs/%s/diff/%s", run, other), nil)
}

// ExplainCall is GET /flows/{name}/cache.
func (c *Client) ExplainCall(ctx context.Context, task string, args []json.RawMessage) (r api.CacheReport, err error) {
	text, err := json.Marshal(args)
	if err != nil {
		return r, api.Errorf(api.ErrEncoding, "", "arguments: %w", err)
	}
	return get[api.CacheReport](ctx, c, pathf("/flows/%s/cache", task), url.Values{"args": {string(text)}})
}

// CacheStats is GET /stats/cache.
func (c *Client) CacheStats(ctx context.Context) (CacheStats, error) {
	return get[CacheStats](ctx, c, "/stats/cache", nil)
}
