package httpapi

import (
	"cmp"
	queue "container/heap"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// RunHistory is what happened to a run and its task runs, the newest last.
type RunHistory struct {
	Items []Happened `json:"items"`
	More  bool       `json:"more" doc:"There was more before these"`
}

// Happened is one thing that happened: the run began or ended, a task run went from
// one state to another, or somebody changed something through this server.
type Happened struct {
	Time    time.Time `json:"time"`
	TaskRun string    `json:"task_run,omitempty" doc:"Whose state it is; none: the run's"`
	Name    string    `json:"name,omitempty" doc:"Of the task run"`
	State   api.State `json:"state,omitzero"`
	Of      string    `json:"state_name,omitempty" doc:"Says more than state, such as AwaitingRetry"`
	Attempt int       `json:"attempt,omitempty"`
	Message string    `json:"message,omitempty"`
	Action  string    `json:"action,omitempty" doc:"What somebody asked for, such as POST cancel; of that the audit has the newest"`
	Who     string    `json:"who,omitempty" doc:"Name of the token that it was asked with"`
	Reason  string    `json:"reason,omitempty"`
}

type historyInput struct {
	RunPath

	Limit int `query:"limit" minimum:"1" maximum:"10000" default:"500" doc:"How many, of the newest"`
}

func (a *routes) historyRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/runs/{id}/history", "get-run-history", "runs", "Read what happened to a run and its task runs, and when"), a.runHistory)
}

func (a *routes) runHistory(ctx context.Context, in *historyInput) (*body[RunHistory], error) {
	run, err := a.svc().Status(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	l := latest{most: in.Limit}
	l.add(Happened{Time: run.Created, State: api.Pending, Message: "submitted"})
	if !run.Finished.IsZero() {
		end := Happened{Time: run.Finished, State: run.State}
		if run.Failure != nil {
			end.Message = run.Failure.Message
		}
		l.add(end)
	}
	for t, err := range a.svc().TaskRuns(ctx, api.TaskRunFilter{Run: in.ID}) {
		if err != nil {
			return nil, err
		}
		for _, h := range t.History {
			l.add(Happened{Time: h.Time, TaskRun: t.ID, Name: t.Name, State: h.State, Of: h.Name, Attempt: h.Attempt, Message: h.Message})
		}
	}
	if err := a.asked(ctx, &run, &l); err != nil {
		return nil, err
	}
	return answer(l.ordered()), nil
}

// asked adds what was asked for about a run.
func (a *routes) asked(ctx context.Context, run *api.Run, l *latest) error {
	a.audit.settle(ctx)
	return a.audited(ctx, auditKind, "", func(one Audited) error {
		if one.Time.Before(run.Created) {
			return errEnough
		}
		_, rest, about := strings.Cut(one.Path, Base+"/runs/"+run.ID)
		if about && one.Status < http.StatusBadRequest {
			l.add(Happened{
				Time: one.Time, Action: strings.TrimSpace(one.Method + " " + strings.TrimPrefix(rest, "/")), Who: one.Who, Reason: one.Reason,
			})
		}
		return nil
	})
}

// latest keeps the newest of what it is given, however much that is.
type latest struct {
	kept    oldestFirst
	most    int
	dropped bool
}

func (l *latest) add(h Happened) {
	queue.Push(&l.kept, h)
	if len(l.kept) > l.most {
		queue.Pop(&l.kept)
		l.dropped = true
	}
}

func (l *latest) ordered() RunHistory {
	items := []Happened(l.kept)
	slices.SortFunc(items, byTime)
	return RunHistory{Items: items, More: l.dropped}
}

func byTime(a, b Happened) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.TaskRun, b.TaskRun), cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.State, b.State))
}

// oldestFirst is a heap.
type oldestFirst []Happened

func (o oldestFirst) Len() int           { return len(o) }
func (o oldestFirst) Less(i, j int) bool { return byTime(o[i], o[j]) < 0 }
func (o oldestFirst) Swap(i, j int)      { o[i], o[j] = o[j], o[i] }
func (o *oldestFirst) Push(x any)        { *o = append(*o, x.(Happened)) } //nolint:forcetypeassert // by add only
func (o *oldestFirst) Pop() any {
	old := *o
	last := old[len(old)-1]
	*o = old[:len(old)-1]
	return last
}
