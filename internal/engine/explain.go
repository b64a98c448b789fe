package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// ExplainCache says what a task run had to do with the cache, and why.
func (e *Engine) ExplainCache(ctx context.Context, taskRun string) (api.CacheReport, error) {
	t, err := e.recordedTask(ctx, taskRun)
	if err != nil {
		return api.CacheReport{}, err
	}
	if t.Cache == nil {
		return api.CacheReport{Why: fmt.Sprintf("task %q has no cache key, or this task run has not asked the cache", t.Task)}, nil
	}
	out := api.CacheReport{CacheUse: *t.Cache}
	if t.Cache.From != "" {
		out.Why = "the result is that of task run " + t.Cache.From
		return out, nil
	}
	entry, err := e.readEntry(ctx, t.Cache.Key)
	switch {
	case err != nil:
		return out, err
	case entry != nil && entry.TaskRun == t.ID:
		out.Why = "its body ran, and left the entry that is there"
	default:
		out.Why = e.entryNow(entry)
	}
	return out, e.nearest(ctx, &out, t.Task, t.ID)
}

// ExplainKey says whether a call of a task that has a key would take what is kept.
func (e *Engine) ExplainKey(ctx context.Context, task string, use api.CacheUse) (api.CacheReport, error) {
	out := api.CacheReport{CacheUse: use}
	if use.Key == "" {
		out.Why = "the function that makes the key gives none for these arguments: the body would run"
		return out, nil
	}
	entry, err := e.readEntry(ctx, use.Key)
	if err != nil {
		return out, err
	}
	if entry != nil && entry.Live(e.now()) {
		out.From = entry.TaskRun
		out.Why = "it would take the result that task run " + entry.TaskRun + " left at " + entry.Created.Format(timeShown)
		return out, nil
	}
	out.Why = e.entryNow(entry) + ": its body would run"
	if slices.ContainsFunc(use.Parts, func(p api.CachePart) bool { return p.Value == "" && (p.Name == "run" || p.Name == "flow") }) {
		out.Why += "; the key also names the run or the flow that makes the call, so results are taken within that only"
	}
	return out, e.nearest(ctx, &out, task, "")
}

// entryNow says what is under a key.
func (e *Engine) entryNow(entry *cacheEntry) string {
	switch {
	case entry == nil:
		return "there is no entry with its key"
	case !entry.Live(e.now()):
		return "the entry expired at " + entry.Expires.Format(timeShown)
	}
	return "the entry that is there was made at " + entry.Created.Format(timeShown) + ", by " + entry.TaskRun
}

// nearest looks for the entry of a task that differs in the fewest parts.
func (e *Engine) nearest(ctx context.Context, out *api.CacheReport, task, taskRun string) error {
	if len(out.Parts) == 0 {
		return nil
	}
	for other, err := range e.CacheEntries(ctx, api.CacheFilter{Task: task}) {
		if err != nil {
			return err
		}
		if other.TaskRun == taskRun || other.Key == out.Key {
			continue
		}
		diffs := differ(out.Parts, other.Parts)
		nearer := out.Nearest == nil || len(diffs) < len(out.Differs) || len(diffs) == len(out.Differs) && other.Created.After(out.Nearest.Created)
		if nearer {
			out.Nearest, out.Differs = &other, diffs
		}
	}
	if out.Nearest != nil {
		names := make([]string, len(out.Differs))
		for i := range out.Differs {
			names[i] = out.Differs[i].Name
		}
		out.Why += "; the nearest other one differs in " + strings.Join(names, ", ")
	}
	return nil
}

const timeShown = "2006-01-02T15:04:05.000Z07:00"

// differ gives the parts whose values are not the same.
func differ(run, entry []api.CachePart) (diffs []api.CacheDiff) {
	find := func(parts []api.CachePart, name string) string {
		i := slices.IndexFunc(parts, func(p api.CachePart) bool { return p.Name == name })
		if i < 0 {
			return ""
		}
		return parts[i].Value
	}
	for _, p := range run {
		if other := find(entry, p.Name); other != p.Value {
			diffs = append(diffs, api.CacheDiff{Name: p.Name, Run: p.Value, Entry: other})
		}
	}
	for _, p := range entry {
		if !slices.ContainsFunc(run, func(q api.CachePart) bool { return q.Name == p.Name }) {
			diffs = append(diffs, api.CacheDiff{Name: p.Name, Entry: p.Value})
		}
	}
	return diffs
}
