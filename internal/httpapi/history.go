package httpapi

import (
	"context"
	"iter"
	"net/http"
	"slices"
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

// HistoryChoice is which things that happened.
type HistoryChoice struct {
	Type  []string `query:"type,explode" enum:"run,task,request" doc:"Of these types: what became of the run, of its task runs, what somebody asked for"`
	State []string `query:"state,explode" doc:"Into one of these states"`
	Task  string   `query:"task" maxLength:"200" doc:"Of task runs of the task of this name"`
}

// HistoryQuery chooses from what happened.
type HistoryQuery struct {
	HistoryChoice

	Limit  int       `query:"limit" minimum:"1" maximum:"10000" default:"500" doc:"How many: the newest, or with after the next ones"`
	Since  time.Time `query:"since" doc:"What happened at or after this time"`
	Before string    `query:"before" maxLength:"4000" doc:"What came before the answer that gave this"`
	After  string    `query:"after" maxLength:"4000" doc:"What came after the answer that gave this; 0: from the beginning"`
}

type historyInput struct {
	RunPath
	HistoryQuery
}

type historyLinesInput struct {
	RunPath
	HistoryChoice
}

func (a *routes) historyRoutes(api huma.API) {
	do(a, api, op(http.MethodGet, "/runs/{id}/history", "get-run-history", "runs", "Read what happened to a run and its task runs, and when"), a.runHistory)
	do(a, api, lines(op(http.MethodGet, "/runs/{id}/history/lines", "get-run-history-lines", "runs", "Read all that happened to a run, a JSON object a line: what became of the run, what was asked for, then task run after task run")), a.runHistoryLines)
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
	for h, err := range a.happened(ctx, &run, &in.HistoryChoice) {
		if err != nil {
			return nil, err
		}
		l.add(h)
	}
	return answer(l.ordered(in.After)), nil
}

func (a *routes) runHistoryLines(ctx context.Context, in *historyLinesInput) (*huma.StreamResponse, error) {
	run, err := a.svc().Status(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if _, err := parseStates(in.State); err != nil {
		return nil, err
	}
	list := a.happened(ctx, &run, &in.HistoryChoice)
	return &huma.StreamResponse{Body: func(c huma.Context) { writeLines(a, c, list, false) }}, nil
}

// happened gives what happened to a run that is chosen, in no order but that of each task
// run, and without keeping it.
func (a *routes) happened(ctx context.Context, run *api.Run, q *HistoryChoice) iter.Seq2[Happened, error] {
	return func(yield func(Happened, error) bool) {
		states, err := parseStates(q.State)
		if err != nil {
			yield(Happened{}, err)
			return
		}
		more := true
		tell := func(h Happened) bool {
			if len(states) == 0 || slices.Contains(states, h.State) {
				more = yield(h, nil)
			}
			return more
		}
		of := func(kind string) bool {
			return more && (len(q.Type) == 0 || slices.Contains(q.Type, kind)) && (q.Task == "" || kind == "task")
		}
		if of("run") {
			ofRun(run, tell)
		}
		if of("request") {
			err = a.asked(ctx, run, tell)
		}
		if err == nil && of("task") {
			err = a.ofTasks(ctx, api.TaskRunFilter{Run: run.ID, Task: q.Task}, tell)
		}
		if err != nil {
			yield(Happened{}, err)
		}
	}
}

// ofRun tells what became of the run itself.
func ofRun(run *api.Run, tell func(Happened) bool) {
	if !tell(Happened{Time: run.Created, State: api.Pending, Message: "submitted"}) || run.Finished.IsZero() {
		return
	}
	end := Happened{Time: run.Finished, State: run.State}
	if run.Failure != nil {
		end.Message = run.Failure.Message
	}
	tell(end)
}

// ofTasks tells what became of its task runs.
func (a *routes) ofTasks(ctx context.Context, f api.TaskRunFilter, tell func(Happened) bool) error {
	for t, err := range a.svc().TaskRuns(ctx, f) {
		if err != nil {
			return err
		}
		for _, h := range t.History {
			if !tell(Happened{Time: h.Time, TaskRun: t.ID, Name: t.Name, State: h.State, Of: h.Name, Attempt: h.Attempt, Message: h.Message}) {
				return nil
			}
		}
	}
	return nil
}

// asked tells what was asked for about a run.
func (a *routes) asked(ctx context.Context, run *api.Run, tell func(Happened) bool) error {
	a.audit.settle(ctx)
	return a.audited(ctx, auditKind, "", func(one Audited) error {
		if one.Time.Before(run.Created) {
			return errEnough
		}
		_, rest, about := strings.Cut(one.Path, Base+"/runs/"+run.ID)
		if about && one.Status < http.StatusBadRequest {
			h := Happened{Time: one.Time, Action: strings.TrimSpace(one.Method + " " + strings.TrimPrefix(rest, "/")), Who: one.Who, Reason: one.Reason}
			if !tell(h) {
				return errEnough
			}
		}
		return nil
	})
}
