package httpapi

import (
	"context"
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// RetryRequest says what of a run is to run again.
type RetryRequest struct {
	What string `json:"what,omitempty" enum:"failed,all" doc:"failed, the default: what failed, was cancelled or never ran, while what has completed stays; all: all of it, with the same inputs"`
	From string `json:"from,omitempty" maxLength:"200" doc:"Instead: this task run and all that comes after it, while how the others ended stays. Its number, or the name of its task if the run has one task run of that"`
}

// retryAll is what RetryRequest calls all of a run.
const retryAll = "all"

type retryInput struct {
	RunPath
	IfMatch

	Body *RetryRequest
}

func (a *routes) retryRun(ctx context.Context, in *retryInput) (*tagged[RunDetail], error) {
	var want RetryRequest
	if in.Body != nil {
		want = *in.Body
	}
	if want.From != "" && want.What != "" {
		return nil, api.Errorf(api.ErrInvalid, "body", "give what or from, not both")
	}
	if err := a.changedRun(ctx, &runIfMatch{in.RunPath, in.IfMatch}, func() error { return a.again(ctx, in.ID, &want) }); err != nil {
		return nil, err
	}
	return a.getRun(ctx, &in.RunPath)
}

// again retries what is asked for of a run.
func (a *routes) again(ctx context.Context, run string, want *RetryRequest) error {
	switch {
	case want.From != "":
		id, err := a.taskNamed(ctx, run, want.From)
		if err != nil {
			return err
		}
		return a.svc().RetryFrom(ctx, id)
	case want.What == retryAll:
		return a.svc().RetryAll(ctx, run)
	}
	return a.svc().Retry(ctx, run)
}

// errAmbiguous is the kind of api.ErrConflict of a name that several task runs have.
var errAmbiguous = &api.Error{Code: "ambiguous_task"}

// mostNamed is how many task runs are named to who has to choose one.
const mostNamed = 5

// taskNamed gives the task run of a run that a number or the name of a task stands for.
func (a *routes) taskNamed(ctx context.Context, run, text string) (string, error) {
	seq := strings.TrimPrefix(text, run+"/")
	if _, err := strconv.ParseInt(seq, 10, 64); err == nil {
		return run + "/" + seq, nil
	}
	if _, err := a.svc().Status(ctx, run); err != nil {
		return "", err
	}
	var ids []string
	for t, err := range a.svc().TaskRuns(ctx, api.TaskRunFilter{Run: run, Task: text}) {
		if err != nil {
			return "", err
		}
		if ids = append(ids, t.ID); len(ids) > mostNamed {
			break
		}
	}
	switch {
	case len(ids) == 0:
		return "", api.Errorf(api.ErrNotFound, "", "run %s has no task run of the task %q", run, text)
	case len(ids) == 1:
		return ids[0], nil
	case len(ids) > mostNamed:
		ids[mostNamed] = "…"
	}
	return "", api.Errorf(errAmbiguous, "", "run %s has several task runs of the task %q, say which: %s", run, text, strings.Join(ids, ", "))
}
