package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// RunHistory is what happened to a run and its task runs, the newest last.
type RunHistory struct {
	Items  []Happened `json:"items"`
	More   bool       `json:"more" doc:"There is more of what was asked for: before these, or with after in the request after them"`
	Before string     `json:"before,omitempty" doc:"Give it as before to read what happened before these"`
	After  string     `json:"after" doc:"Give it as after to read what happened after these, now or later"`
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

// HistoryQuery chooses from what happened.
type HistoryQuery struct {
	Limit  int       `query:"limit" minimum:"1" maximum:"10000" default:"500" doc:"How many: the newest, or with after the next ones"`
	Since  time.Time `query:"since" doc:"What happened at or after this time"`
	Before string    `query:"before" maxLength:"4000" doc:"What came before the answer that gave this"`
	After  string    `query:"after" maxLength:"4000" doc:"What came after the answer that gave this; 0: from the beginning"`
}

type historyInput struct {
	RunPath
	HistoryQuery
}

func (a *routes) historyRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/runs/{id}/history", "get-run-history", "runs", "Read what happened to a run and its task runs, and when"), a.runHistory)
}

func (a *routes) runHistory(ctx context.Context, in *historyInput) (*body[RunHistory], error) {
	run, err := a.svc().Status(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	l, err := in.excerpt()
	if err != nil {
		return nil, err
	}
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
	if err := a.asked(ctx, &run, l); err != nil {
		return nil, err
	}
	return answer(l.ordered(in.After)), nil
}

// asked adds what was asked for about a run.
func (a *routes) asked(ctx context.Context, run *api.Run, l *excerpt) error {
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
