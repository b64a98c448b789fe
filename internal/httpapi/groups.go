package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// TaskGroups is task runs counted by something that they have in common.
type TaskGroups struct {
	Groups []TaskGroup `json:"groups" doc:"The largest first, 200 at most"`
	Others int         `json:"others" doc:"How many more groups there are"`
	More   bool        `json:"more" doc:"There are too many to count: these are of the newest 20,000"`
}

// TaskGroup is those of one group.
type TaskGroup struct {
	Key    string         `json:"key" doc:"What they have in common; empty: they have none"`
	Count  int            `json:"count"`
	States map[string]int `json:"states" doc:"How many are in each state"`
	Newest string         `json:"newest" doc:"The id of one of the newest"`
}

type groupsInput struct {
	By  string `query:"by" required:"true" enum:"task,state,error,tag,worker,why,run" doc:"What they have in common; those with several tags are in the group of each"`
	Run string `query:"run" maxLength:"40" doc:"Only task runs of this run"`
	Q   string `query:"q" maxLength:"2000" doc:"In the filter language"`
}

func (a *routes) groupRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/groups/tasks", "group-tasks", "tasks", "Count task runs by name, state, error, tag, worker, reason to wait, or run"), a.groups)
}

// maxGroups is how many are given.
const maxGroups = 200

func (a *routes) groups(ctx context.Context, in *groupsInput) (*body[TaskGroups], error) {
	list, keep, err := a.chosenTasks(ctx, in.Run, &TasksQuery{Q: in.Q})
	if err != nil {
		return nil, err
	}
	out := TaskGroups{Groups: []TaskGroup{}}
	at := map[string]int{}
	seen := 0
	for t, err := range list {
		if err != nil {
			return nil, err
		}
		if seen == scanned {
			out.More = true
			break
		}
		seen++
		if keep != nil && !keep(&t) {
			continue
		}
		for _, key := range keysOf(&t, in.By) {
			i, ok := at[key]
			if !ok {
				i = len(out.Groups)
				at[key] = i
				out.Groups = append(out.Groups, TaskGroup{Key: key, States: map[string]int{}, Newest: t.ID})
			}
			out.Groups[i].Count++
			out.Groups[i].States[t.State.String()]++
		}
	}
	slices.SortStableFunc(out.Groups, func(a, b TaskGroup) int { return b.Count - a.Count })
	out.Others = max(len(out.Groups)-maxGroups, 0)
	out.Groups = out.Groups[:min(len(out.Groups), maxGroups)]
	return answer(out), nil
}

// keysOf gives the groups that a task run is in.
func keysOf(t *api.TaskRun, by string) []string {
	switch by {
	case "task":
		return []string{t.Task}
	case "state":
		return []string{strings.ToLower(t.State.String())}
	case "tag":
		if len(t.Tags) == 0 {
			return []string{""}
		}
		return t.Tags
	case "worker":
		return []string{t.Worker}
	case "run":
		return []string{t.Run}
	case "why":
		if t.Waiting == nil {
			return []string{""}
		}
		return []string{string(t.Waiting.Kind)}
	}
	if t.Failure == nil {
		return []string{""}
	}
	line, _, _ := strings.Cut(t.Failure.Message, "\n")
	return []string{line}
}
