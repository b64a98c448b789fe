package httpapi

import (
	"context"
	"iter"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// What operations are done to.
const (
	targetRuns      = "runs"
	targetTasks     = "tasks"
	targetCache     = "cache"
	targetSchedules = "schedules"
)

// actions are what can be done to each.
var actions = map[string]map[string]func(Service, context.Context, string) error{
	targetRuns: {
		"cancel": Service.Cancel, "pause": Service.Pause, "resume": Service.Resume, "retry": Service.Retry,
		"retry-all": Service.RetryAll, "delete": Service.Delete,
	},
	targetTasks:     {"cancel": Service.CancelTask, "retry": Service.RetryFrom},
	targetCache:     {"delete": deleteKey},
	targetSchedules: {"pause": Service.PauseSchedule, "resume": Service.ResumeSchedule},
}

// deleteKey deletes one kept result.
func deleteKey(s Service, ctx context.Context, key string) error { //nolint:revive // as methods of Service are
	n, err := s.DeleteCache(ctx, api.CacheFilter{Key: key})
	if err == nil && n == 0 {
		err = api.Errorf(api.ErrNotFound, "", "nothing is kept under the key %q", key)
	}
	return err
}

// chosenIDs gives what is meant.
func (a *routes) chosenIDs(ctx context.Context, r *OperationRequest) ([]string, error) {
	byFilter := r.Q != "" || len(r.State) > 0 || r.Name != "" || !r.Since.IsZero() || !r.Until.IsZero() || r.All
	switch {
	case r.IDs != nil && byFilter:
		return nil, api.Errorf(api.ErrInvalid, "body", "give ids, or what chooses %s, not both", r.Target)
	case r.IDs != nil:
		return r.IDs, nil
	case !byFilter:
		return nil, api.Errorf(api.ErrInvalid, "body", "no %s are chosen: give ids, or what chooses some", r.Target)
	}
	list, err := a.chosen(ctx, r)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for id, err := range list {
		switch {
		case err != nil:
			return nil, err
		case len(ids) == maxChosen:
			return nil, api.Errorf(api.ErrInvalid, "body", "more than %d %s are chosen: choose fewer at a time", maxChosen, r.Target)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// chosen gives the ids of what a request chooses.
func (a *routes) chosen(ctx context.Context, r *OperationRequest) (iter.Seq2[string, error], error) {
	wrong := func(what string) error {
		return api.Errorf(api.ErrInvalid, "body", "%s can't be chosen by %s", r.Target, what)
	}
	times := !r.Since.IsZero() || !r.Until.IsZero()
	switch r.Target {
	case targetTasks:
		if times || r.All {
			return nil, wrong("since, until or all; q has since:, created: and more")
		}
		list, keep, err := a.chosenTasks(ctx, "", &TasksQuery{Q: r.Q, State: r.State, Task: r.Name})
		return idsOf(list, keep, func(t *api.TaskRun) string { return t.ID }), err
	case targetCache:
		if r.Q != "" || len(r.State) > 0 || !r.Since.IsZero() {
			return nil, wrong("q, state or since; name, the task's, and until do it")
		}
		list := a.svc().CacheEntries(ctx, api.CacheFilter{Task: r.Name, Before: r.Until})
		return idsOf(list, nil, func(e *api.CacheEntry) string { return e.Key }), nil
	case targetSchedules:
		if r.Q != "" || len(r.State) > 0 || times {
			return nil, wrong("q, state, since or until; name does it")
		}
		return idsOf(a.svc().Schedules(ctx), func(s *api.Schedule) bool { return strings.Contains(s.Name, r.Name) },
			func(s *api.Schedule) string { return s.Name }), nil
	}
	if r.All {
		return nil, wrong("all")
	}
	list, keep, err := a.chosenRuns(ctx, &RunsQuery{Q: r.Q, State: r.State, Name: r.Name, Since: r.Since, Until: r.Until})
	return idsOf(list, keep, func(r *api.Run) string { return r.ID }), err
}

// idsOf gives the ids of those in a list that are kept, nil for all.
func idsOf[T any](list iter.Seq2[T, error], keep func(*T) bool, id func(*T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for item, err := range list {
			if err != nil {
				yield("", err)
				return
			}
			if (keep == nil || keep(&item)) && !yield(id(&item), nil) {
				return
			}
		}
	}
}
