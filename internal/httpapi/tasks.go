package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// TasksQuery chooses task runs.
type TasksQuery struct {
	ListQuery
	CountQuery

	State  []string `query:"state,explode" doc:"In one of these states"`
	Task   string   `query:"task" doc:"Of the task of this name"`
	Flow   []string `query:"flow,explode" doc:"Of runs that have called one of these flows, or tasks"`
	Tag    []string `query:"tag,explode" doc:"With all of these tags"`
	AnyOf  []string `query:"any_tag,explode" doc:"With one of these tags"`
	Worker []string `query:"worker,explode" doc:"Whose bodies began last on a worker with one of these in its name"`
	Q      string   `query:"q" maxLength:"2000" doc:"In the filter language"`
	Sort   string   `query:"sort" enum:"started,-started,ended,-ended,duration,-duration" doc:"In which order, instead of the newest run first and in it by number; the first 20,000 of that are sorted"`
}

// WhyAnswer is what something waits for.
type WhyAnswer struct {
	api.Waiting

	Text string `json:"text" doc:"The same in a sentence"`
}

type (
	// TaskPath names a task run.
	TaskPath struct {
		ID  string `path:"id" doc:"The run's id"`
		Seq int64  `path:"seq" minimum:"0" doc:"The task run's number in the run"`
	}
	taskIfMatch struct {
		TaskPath
		IfMatch
	}
	runTasksInput struct {
		RunPath
		TasksQuery
	}
	// TokenPath names a task run that waits for an answer.
	TokenPath struct {
		Token string `path:"token" doc:"What runnel.Token gave"`
	}
	completeInput struct {
		TokenPath

		Body struct {
			Result json.RawMessage `json:"result" doc:"What the task run gives"`
		}
	}
	failInput struct {
		TokenPath

		Body struct {
			Message string `json:"message" minLength:"1" doc:"Why it failed"`
			Type    string `json:"type,omitempty" doc:"Name of the kind of error, as in RetryOn"`
		}
	}
)

func (a *routes) taskRoutes(api huma.API) {
	const group = "tasks"
	do(a, api, op(http.MethodGet, "/tasks", "list-tasks", group, "List task runs of all runs"), a.listTasks)
	do(a, api, op(http.MethodGet, "/runs/{id}/tasks", "list-run-tasks", group, "List task runs of a run"), a.listRunTasks)
	do(a, api, op(http.MethodGet, "/runs/{id}/tasks/{seq}", "get-task", group, "Read a task run, with its history"), a.getTask)
	do(a, api, op(http.MethodPost, "/runs/{id}/tasks/{seq}/cancel", "cancel-task", group, "Cancel one task run of a live run; for what follows its step has failed"), a.taskVerb(Service.CancelTask))
	do(a, api, op(http.MethodPost, "/runs/{id}/tasks/{seq}/retry", "retry-task", group, "Run a task run of a run that has ended again, and all after it"), a.taskVerb(Service.RetryFrom))
	do(a, api, op(http.MethodGet, "/runs/{id}/tasks/{seq}/why", "why-task", group, "Say what a task run waits for"), a.whyTask)
	do(a, api, op(http.MethodGet, "/runs/{id}/why", "why-run", group, "Say what a run waits for"), a.whyRun)
	do(a, api, op(http.MethodGet, "/runs/{id}/tasks/{seq}/result", "get-task-result", group, "Read a task run's result"), a.getTaskResult)
	do(a, api, op(http.MethodPost, "/answers/{token}/complete", "complete-task", group, "Answer a task run that waits for it"), a.completeTask)
	do(a, api, op(http.MethodPost, "/answers/{token}/fail", "fail-task", group, "Fail a task run that waits for an answer"), a.failTask)
}

func (a *routes) listTasks(ctx context.Context, in *TasksQuery) (*body[Page[api.TaskRun]], error) {
	return a.tasksOf(ctx, "", in)
}

func (a *routes) listRunTasks(ctx context.Context, in *runTasksInput) (*body[Page[api.TaskRun]], error) {
	if _, err := a.svc().Status(ctx, in.ID); err != nil { // no such run is not an empty list
		return nil, err
	}
	return a.tasksOf(ctx, in.ID, &in.TasksQuery)
}

func (a *routes) tasksOf(ctx context.Context, run string, q *TasksQuery) (*body[Page[api.TaskRun]], error) {
	id := func(t *api.TaskRun) string { return t.ID }
	by, chosen := orderOf(q.Sort, taskOrders(a.now()), id), *q
	if by != nil {
		chosen.Cursor = "" // it is none of the list's own
	}
	list, keep, err := a.chosenTasks(ctx, run, &chosen)
	if err != nil {
		return nil, err
	}
	p, err := pageBy(by, &q.ListQuery, list, id, keep)
	if err != nil {
		return nil, err
	}
	if p.Total, err = a.countTasks(ctx, run, *q); err != nil {
		return nil, err
	}
	return answer(*p), nil
}

func (a *routes) getTask(ctx context.Context, in *TaskPath) (*tagged[api.TaskRun], error) {
	t, err := a.svc().TaskRun(ctx, in.id())
	if err != nil {
		return nil, err
	}
	return &tagged[api.TaskRun]{ETag: taskTag(&t), Body: t}, nil
}

// taskVerb gives what does something to a task run that is as If-Match says, and then shows it.
func (a *routes) taskVerb(do func(Service, context.Context, string) error) func(context.Context, *taskIfMatch) (*tagged[api.TaskRun], error) {
	return func(ctx context.Context, in *taskIfMatch) (*tagged[api.TaskRun], error) {
		err := a.unchanged(in.IfMatch, func() (string, error) {
			t, err := a.svc().TaskRun(ctx, in.id())
			return taskTag(&t), err
		}, func() error { return do(a.svc(), ctx, in.id()) })
		if err != nil {
			return nil, err
		}
		return a.getTask(ctx, &in.TaskPath)
	}
}

func (a *routes) whyTask(ctx context.Context, in *TaskPath) (*body[WhyAnswer], error) {
	return a.why(ctx, in.id())
}

func (a *routes) whyRun(ctx context.Context, in *RunPath) (*body[WhyAnswer], error) {
	return a.why(ctx, in.ID)
}

func (a *routes) why(ctx context.Context, id string) (*body[WhyAnswer], error) {
	w, err := a.svc().Why(ctx, id)
	if err != nil {
		return nil, err
	}
	return answer(WhyAnswer{Waiting: w, Text: w.String()}), nil
}

func (a *routes) getTaskResult(ctx context.Context, in *TaskPath) (*body[json.RawMessage], error) {
	t, err := a.svc().TaskRun(ctx, in.id())
	if err != nil {
		return nil, err
	}
	if t.State != api.Completed {
		return nil, api.Errorf(api.ErrConflict, "", "task run %s is %s: it has no result", t.ID, t.State)
	}
	if t.Result == nil {
		return answer(json.RawMessage("null")), nil
	}
	return answer(t.Result), nil
}

func (a *routes) completeTask(ctx context.Context, in *completeInput) (*empty, error) {
	return &empty{}, a.svc().Complete(ctx, in.Token, in.Body.Result)
}

func (a *routes) failTask(ctx context.Context, in *failInput) (*empty, error) {
	return &empty{}, a.svc().Fail(ctx, in.Token, &api.Failure{Message: in.Body.Message, Type: in.Body.Type})
}

func (p *TaskPath) id() string { return p.ID + "/" + strconv.FormatInt(p.Seq, 10) }
