package runnel

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// ExplainCall says whether a call of a task would take a kept result, were it made
// now by itself. The key is made by the task's own function, so the task has to be
// registered here.
func (s *service) ExplainCall(ctx context.Context, task string, args []json.RawMessage) (api.CacheReport, error) {
	d := s.of.declared[task]
	switch {
	case d == nil || d.trips != nil:
		return api.CacheReport{}, api.Errorf(ErrNotFound, "", "no task %q is registered in the process that was asked: only one that has it can make its cache key", task)
	case d.work.CacheKey == nil:
		return api.CacheReport{Why: fmt.Sprintf("task %q has no cache key: its body always runs", task)}, nil
	case len(args) != len(d.params):
		return api.CacheReport{}, api.Errorf(ErrInvalid, "", "task %q takes %d arguments, and is given %d", task, len(d.params), len(args))
	}
	use, err := keyOf(d, &api.Job{Task: task, Bound: args, Index: -1, Attempt: 1})
	if err != nil {
		return api.CacheReport{}, err
	}
	return s.ExplainKey(ctx, task, use)
}

// keyOf calls a function of the user's.
func keyOf(d *declaration, job *api.Job) (use api.CacheUse, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = api.Errorf(ErrPanic, "", "the function that makes the cache key of task %q panicked: %v", job.Task, v)
		}
	}()
	use.Key, use.Parts, err = d.work.CacheKey(job)
	return use, err
}

// CacheStats says what is kept, and how often it was taken since this process began.
func (s *service) CacheStats(ctx context.Context) (httpapi.CacheStats, error) {
	var out httpapi.CacheStats
	taken, since := s.CacheTaken()
	out.Since = since
	byTask := map[string]*httpapi.CacheTaskStats{}
	of := func(task string) *httpapi.CacheTaskStats {
		if byTask[task] == nil {
			byTask[task] = &httpapi.CacheTaskStats{Task: task}
		}
		return byTask[task]
	}
	now := s.Now()
	for entry, err := range s.CacheEntries(ctx, api.CacheFilter{}) {
		if err != nil {
			return out, err
		}
		of(entry.Task).Add(&entry, now)
	}
	for task, t := range taken {
		one := of(task)
		one.Hits, one.Misses, one.Saved = t.Hits, t.Misses, api.Duration(t.Saved)
	}
	out.Gather(byTask)
	return out, nil
}
