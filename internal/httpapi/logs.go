package httpapi

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// LogsQuery chooses lines of a run.
type LogsQuery struct {
	Task     int64     `query:"task" default:"-1" minimum:"-1" doc:"Of the task run with this number; -1: of all"`
	Name     string    `query:"name" maxLength:"200" doc:"Of task runs of the task of this name"`
	Attempt  int       `query:"attempt" minimum:"0" doc:"Of the attempt of this number, the first is 1; 0: of all"`
	Level    string    `query:"level" doc:"Of this level or above: debug, info, warn, error" example:"warn"`
	Since    time.Time `query:"since" doc:"Written at or after"`
	Until    time.Time `query:"until" doc:"Written before"`
	Contains string    `query:"contains" maxLength:"500" doc:"With this text"`
	Match    string    `query:"match" maxLength:"500" doc:"With a text that this regular expression describes, as of Go's package regexp" example:"(?i)time.?out"`
	Before   int64     `query:"before" minimum:"0" doc:"Only lines with a lower number; 0: all. With tail: the page before"`
	From     int64     `query:"from" minimum:"0" doc:"The number of the first line"`
	Limit    int       `query:"limit" minimum:"0" maximum:"100000" doc:"How many lines at most; 0: all"`
	Tail     int       `query:"tail" minimum:"0" maximum:"10000" doc:"Only the last so many; not with follow"`
	Follow   bool      `query:"follow" doc:"Go on until the run has ended"`
}

type logsInput struct {
	RunPath
	LogsQuery
}

type taskLogsInput struct {
	TaskPath
	LogsQuery
}

const ndjson = "application/x-ndjson"

func (a *routes) logRoutes(api huma.API) {
	const group = "logs"
	do(a, api, lines(op(http.MethodGet, "/runs/{id}/logs", "get-run-logs", group, "Read a run's log, a JSON object a line")), a.runLogs)
	do(a, api, lines(op(http.MethodGet, "/runs/{id}/tasks/{seq}/logs", "get-task-logs", group, "Read a task run's log, a JSON object a line")), a.taskLogs)
}

// lines describes the response.
func lines(o huma.Operation) huma.Operation {
	o.Responses = map[string]*huma.Response{"200": {
		Description: "Lines, each of them a JSON object",
		Content:     map[string]*huma.MediaType{ndjson: {}},
	}}
	return o
}

func (a *routes) taskLogs(ctx context.Context, in *taskLogsInput) (*huma.StreamResponse, error) {
	in.Task = in.Seq
	return a.runLogs(ctx, &logsInput{RunPath: RunPath{ID: in.ID}, LogsQuery: in.LogsQuery})
}

func (a *routes) runLogs(ctx context.Context, in *logsInput) (*huma.StreamResponse, error) {
	f, err := in.filter(in.ID)
	if err != nil {
		return nil, err
	}
	if _, err := a.svc().Status(ctx, in.ID); err != nil {
		return nil, err
	}
	var pattern *regexp.Regexp
	if in.Match != "" {
		if pattern, err = regexp.Compile(in.Match); err != nil {
			return nil, api.Errorf(api.ErrInvalid, "query.match", "%w", err)
		}
	}
	picked := pattern != nil || in.Name != "" || in.Attempt > 0
	if picked {
		f.Limit = 0 // of those that are described
	}
	list := a.svc().Logs(ctx, f)
	if in.Follow {
		list = a.svc().FollowLogs(ctx, f)
	}
	if picked || in.Before > 0 {
		list = described(list, pattern, &in.LogsQuery)
	}
	switch {
	case in.Follow && in.Tail > 0:
		return nil, api.Errorf(api.ErrInvalid, "query.tail", "tail does not go with follow: read the tail, then follow from the line after it")
	case in.Tail > 0:
		list = last(list, in.Tail)
	}
	return &huma.StreamResponse{Body: func(c huma.Context) { writeLines(a, c, list, in.Follow) }}, nil
}

// writeLines writes them as they come. What goes wrong in between is the last line.
func writeLines[T any](a *routes, c huma.Context, list iter.Seq2[T, error], flush bool) {
	c.SetHeader("Content-Type", ndjson)
	c.SetStatus(http.StatusOK)
	w := c.BodyWriter()
	flusher, _ := w.(http.Flusher)
	enc := json.NewEncoder(w)
	for line, err := range list {
		if err != nil {
			if c.Context().Err() == nil {
				_ = enc.Encode(a.failed(c.Context(), err)) //nolint:errchkjson // the status has gone out, and nobody is left to be told
			}
			return
		}
		if enc.Encode(line) != nil { //nolint:errchkjson // nor here
			return // nobody reads
		}
		if flush && flusher != nil {
			flusher.Flush()
		}
	}
}

// described gives those lines of a list that a pattern, if there is one, describes, of the
// task that is named and of the attempt, up to the one with the number before (0: none), and
// at most as many as the limit (0: all).
func described(list iter.Seq2[api.LogLine, error], pattern *regexp.Regexp, q *LogsQuery) iter.Seq2[api.LogLine, error] {
	return func(yield func(api.LogLine, error) bool) {
		n := 0
		for line, err := range list {
			switch {
			case err == nil && q.Before > 0 && line.Line >= q.Before:
				return
			case err == nil && (q.Name != "" && line.Task != q.Name || q.Attempt > 0 && line.Attempt != q.Attempt):
				continue
			case err == nil && pattern != nil && !pattern.MatchString(line.Text):
				continue
			}
			if n++; !yield(line, err) || n == q.Limit {
				return
			}
		}
	}
}

// last gives the last n of a list.
func last(list iter.Seq2[api.LogLine, error], n int) iter.Seq2[api.LogLine, error] {
	return func(yield func(api.LogLine, error) bool) {
		ring := make([]api.LogLine, 0, n)
		seen := 0
		for line, err := range list {
			if err != nil {
				yield(line, err)
				return
			}
			if len(ring) < n {
				ring = append(ring, line)
			} else {
				ring[seen%n] = line
			}
			seen++
		}
		for i := range ring {
			at := i
			if seen > n {
				at = (seen + i) % n
			}
			if !yield(ring[at], nil) {
				return
			}
		}
	}
}

func (q *LogsQuery) filter(run string) (api.LogFilter, error) {
	f := api.LogFilter{Run: run, Since: q.Since, Until: q.Until, Contains: q.Contains, From: q.From, Limit: q.Limit}
	if q.Task >= 0 {
		f.TaskRun = run + "/" + strconv.FormatInt(q.Task, 10)
	}
	if q.Level != "" {
		var level slog.Level
		if err := level.UnmarshalText([]byte(strings.ToUpper(q.Level))); err != nil {
			return f, api.Errorf(api.ErrInvalid, "query.level", "%q is no level: want debug, info, warn or error", q.Level)
		}
		f.Level = level
	}
	return f, nil
}
