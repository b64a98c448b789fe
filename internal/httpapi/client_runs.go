package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

var _ Service = (*Client)(nil)

// Submit is POST /runs.
func (c *Client) Submit(ctx context.Context, s Submission) (string, bool, error) {
	text, err := s.Spec.MarshalJSON()
	if err != nil {
		return "", false, err
	}
	q := call{method: http.MethodPost, path: "/runs", body: SubmitRequest{Pipeline: text, Name: s.Name}}
	if s.Key != "" {
		q.header = http.Header{"Idempotency-Key": {s.Key}}
	}
	var run RunDetail
	status, err := c.do(ctx, q, &run)
	if err != nil {
		return "", false, err
	}
	return run.ID, status == http.StatusOK, nil
}

// Runs is GET /runs, page after page.
func (c *Client) Runs(ctx context.Context, f api.RunFilter) iter.Seq2[api.Run, error] {
	q := query{}.states(f.States).set("name", f.Name).time("since", f.Since).time("until", f.Until)
	if f.Before != "" {
		q.set("cursor", *cursor(f.Before))
	}
	return Pages[api.Run](ctx, c, "/runs", url.Values(q), f.Limit)
}

// Estimate is the same with count=approx: the server counts, and what each weighs goes by
// the newest.
func (c *Client) Estimate(ctx context.Context, f api.RunFilter, weigh func(*api.Run) int64) (sum int64, exact bool, err error) {
	q := query{}.states(f.States).set("name", f.Name).time("since", f.Since).time("until", f.Until)
	q.set("limit", strconv.Itoa(most)).set("count", "approx")
	p, err := get[Page[api.Run]](ctx, c, "/runs", url.Values(q))
	for i := range p.Items {
		sum += weigh(&p.Items[i])
	}
	if err != nil || p.NextCursor == nil || p.ApproxTotal == nil || len(p.Items) == 0 {
		return sum, err == nil && p.NextCursor == nil, err
	}
	return sum * *p.ApproxTotal / int64(len(p.Items)), false, nil
}

// TaskRuns is GET /tasks, or that of one run.
func (c *Client) TaskRuns(ctx context.Context, f api.TaskRunFilter) iter.Seq2[api.TaskRun, error] {
	q := query{}.states(f.States).set("task", f.Task)
	for _, tag := range f.Tags {
		q.set("tag", tag)
	}
	for _, tag := range f.AnyOf {
		q.set("any_tag", tag)
	}
	if f.After != "" {
		q.set("cursor", *cursor(f.After))
	}
	path := "/tasks"
	if f.Run != "" {
		path = pathf("/runs/%s/tasks", f.Run)
	}
	return Pages[api.TaskRun](ctx, c, path, url.Values(q), f.Limit)
}

// most is how many items a page may have.
const most = 500

// Pages gives all of a list, page after page, or the first so many; limit 0 is all.
// Path is below [Base], and q may be nil.
func Pages[T any](ctx context.Context, c *Client, path string, q url.Values, limit int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := maps.Clone(q) // each time that the list is gone through begins anew
		if q == nil {
			q = url.Values{}
		}
		for left := limit; ; {
			size := most
			if limit > 0 {
				size = min(size, left)
			}
			q.Set("limit", strconv.Itoa(size))
			var p Page[T]
			if err := c.Do(ctx, http.MethodGet, path, q, nil, &p); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			left -= len(p.Items)
			if p.NextCursor == nil || limit > 0 && left <= 0 {
				return
			}
			q.Set("cursor", *p.NextCursor)
		}
	}
}

// Lookup is GET /search.
func (c *Client) Lookup(ctx context.Context, prefix string) ([]string, error) {
	var f Found
	return f.Runs, c.Do(ctx, http.MethodGet, "/search", url.Values{"q": {prefix}}, nil, &f)
}

// Status is GET /runs/{id}.
func (c *Client) Status(ctx context.Context, run string) (api.Run, error) {
	d, err := c.Run(ctx, run)
	return d.Run, err
}

// Run is Status with what the run waits for.
func (c *Client) Run(ctx context.Context, run string) (RunDetail, error) {
	var d RunDetail
	err := c.Do(ctx, http.MethodGet, pathf("/runs/%s", run), nil, nil, &d)
	return d, err
}

// Request is GET /runs/{id}/pipeline.
func (c *Client) Request(ctx context.Context, run string) ([]byte, error) {
	var text json.RawMessage
	err := c.Do(ctx, http.MethodGet, pathf("/runs/%s/pipeline", run), nil, nil, &text)
	return text, err
}

// Result is GET /runs/{id}/result.
func (c *Client) Result(ctx context.Context, run string) (Outcome, error) {
	return c.result(ctx, run, 0)
}

func (c *Client) result(ctx context.Context, run string, wait time.Duration) (Outcome, error) {
	var out Outcome
	q := query{}
	if wait > 0 {
		q.set("wait_ms", strconv.FormatInt(wait.Milliseconds(), 10))
	}
	err := c.Do(ctx, http.MethodGet, pathf("/runs/%s/result", run), url.Values(q), nil, &out)
	return out, err
}

// longPoll is how long one request waits for a run's end.
const longPoll = 30 * time.Second

// Wait asks for the result until it is there.
func (c *Client) Wait(ctx context.Context, run string) (Outcome, error) {
	for {
		d, err := c.Run(ctx, run)
		if err != nil {
			return Outcome{}, err
		}
		if d.State.Final() {
			return c.Result(ctx, run)
		}
		out, err := c.result(ctx, run, longPoll)
		if p, ok := err.(*Problem); !ok || p.Code != api.ErrConflict.Code { //nolint:errorlint // send gives it unwrapped
			return out, err
		}
	}
}

// Cancel is POST /runs/{id}/cancel.
func (c *Client) Cancel(ctx context.Context, run string) error { return c.verb(ctx, run, "cancel") }

// Pause is POST /runs/{id}/pause.
func (c *Client) Pause(ctx context.Context, run string) error { return c.verb(ctx, run, "pause") }

// Resume is POST /runs/{id}/resume.
func (c *Client) Resume(ctx context.Context, run string) error { return c.verb(ctx, run, "resume") }

// Retry is POST /runs/{id}/retry.
func (c *Client) Retry(ctx context.Context, run string) error { return c.verb(ctx, run, "retry") }

// RetryAll is the same of all of a run.
func (c *Client) RetryAll(ctx context.Context, run string) error {
	return c.Do(ctx, http.MethodPost, pathf("/runs/%s/retry", run), nil, RetryRequest{What: retryAll}, nil)
}

func (c *Client) verb(ctx context.Context, run, verb string) error {
	return c.Do(ctx, http.MethodPost, pathf("/runs/%s/"+verb, run), nil, nil, nil)
}

// Delete is DELETE /runs/{id}.
func (c *Client) Delete(ctx context.Context, run string) error {
	return c.Do(ctx, http.MethodDelete, pathf("/runs/%s", run), nil, nil, nil)
}

// CancelTask is POST /runs/{id}/tasks/{seq}/cancel.
func (c *Client) CancelTask(ctx context.Context, id string) error {
	path, err := taskPathOf(id)
	if err != nil {
		return err
	}
	return c.post(ctx, path+"/cancel")
}

// RetryFrom is POST /runs/{id}/tasks/{seq}/retry.
func (c *Client) RetryFrom(ctx context.Context, id string) error {
	path, err := taskPathOf(id)
	if err != nil {
		return err
	}
	return c.post(ctx, path+"/retry")
}

// TaskRun is GET /runs/{id}/tasks/{seq}.
func (c *Client) TaskRun(ctx context.Context, id string) (api.TaskRun, error) {
	var t api.TaskRun
	path, err := taskPathOf(id)
	if err == nil {
		err = c.Do(ctx, http.MethodGet, path, nil, nil, &t)
	}
	return t, err
}

// Why is GET /runs/{id}/why, or that of a task run.
func (c *Client) Why(ctx context.Context, id string) (api.Waiting, error) {
	var w WhyAnswer
	path := pathf("/runs/%s", id)
	if strings.Contains(id, "/") {
		var err error
		if path, err = taskPathOf(id); err != nil {
			return w.Waiting, err
		}
	}
	err := c.Do(ctx, http.MethodGet, path+"/why", nil, nil, &w)
	return w.Waiting, err
}

// Complete is POST /answers/{token}/complete.
func (c *Client) Complete(ctx context.Context, token string, result []byte) error {
	in := completeInput{}.Body
	in.Result = result
	return c.Do(ctx, http.MethodPost, pathf("/answers/%s/complete", token), nil, in, nil)
}

// Fail is POST /answers/{token}/fail.
func (c *Client) Fail(ctx context.Context, token string, failure *api.Failure) error {
	in := failInput{}.Body
	in.Message, in.Type = failure.Message, failure.Type
	return c.Do(ctx, http.MethodPost, pathf("/answers/%s/fail", token), nil, in, nil)
}

// Logs is GET /runs/{id}/logs.
func (c *Client) Logs(ctx context.Context, f api.LogFilter) iter.Seq2[api.LogLine, error] {
	return c.logs(ctx, f, false)
}

// FollowLogs is Logs with follow.
func (c *Client) FollowLogs(ctx context.Context, f api.LogFilter) iter.Seq2[api.LogLine, error] {
	return c.logs(ctx, f, true)
}

func (c *Client) logs(ctx context.Context, f api.LogFilter, follow bool) iter.Seq2[api.LogLine, error] {
	q := query{}.time("since", f.Since).time("until", f.Until).set("contains", f.Contains)
	if f.Level != nil {
		q.set("level", strings.ToLower(f.Level.Level().String()))
	}
	if f.From > 0 {
		q.set("from", strconv.FormatInt(f.From, 10))
	}
	if f.Limit > 0 {
		q.set("limit", strconv.Itoa(f.Limit))
	}
	if follow {
		q.set("follow", "true")
	}
	return func(yield func(api.LogLine, error) bool) {
		path := pathf("/runs/%s", f.Run)
		if f.TaskRun != "" {
			var err error
			if path, err = taskPathOf(f.TaskRun); err != nil {
				yield(api.LogLine{}, err)
				return
			}
		}
		stream(ctx, c, call{method: http.MethodGet, path: path + "/logs", query: url.Values(q)}, yield)
	}
}

// Changes is GET /events of all topics. It ends when the connection does.
func (c *Client) Changes(ctx context.Context) iter.Seq[api.Change] {
	return func(yield func(api.Change) bool) {
		for change, err := range c.Events(ctx, "runs", "limits", "schedules", "workers") {
			if err != nil || !yield(change) {
				return
			}
		}
	}
}

// Events is GET /events of some topics.
func (c *Client) Events(ctx context.Context, topics ...string) iter.Seq2[api.Change, error] {
	return c.EventsAfter(ctx, 0, topics...)
}

// EventsAfter is Events, beginning with what came after the change of this number.
func (c *Client) EventsAfter(ctx context.Context, seen int64, topics ...string) iter.Seq2[api.Change, error] {
	header := http.Header{}
	if seen > 0 {
		header.Set("Last-Event-ID", strconv.FormatInt(seen, 10))
	}
	return func(yield func(api.Change, error) bool) {
		resp, err := c.send(ctx, call{method: http.MethodGet, path: "/events", query: url.Values{"topic": topics}, header: header})
		if err != nil {
			yield(api.Change{}, err)
			return
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var change api.Change
			err := unreadable(json.Unmarshal([]byte(data), &change))
			if !yield(change, err) || err != nil {
				return
			}
		}
		if ctx.Err() == nil {
			yield(api.Change{}, api.Errorf(ErrUnreachable, "", "the stream of events ended"))
		}
	}
}
