package httpapi

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// OperationRequest asks for the same to be done to many runs, or other things.
type OperationRequest struct {
	Target string    `json:"target,omitempty" enum:"runs,tasks,cache,schedules" doc:"What it is done to; default: runs"`
	Action string    `json:"action" enum:"cancel,pause,resume,retry,retry-all,delete" doc:"Of runs all of these; of tasks cancel and retry; of cache delete; of schedules pause and resume"`
	IDs    []string  `json:"ids,omitempty" maxItems:"10000" doc:"These: ids of runs or task runs, keys of kept results, names of schedules"`
	Q      string    `json:"q,omitempty" maxLength:"2000" doc:"or those runs or task runs that this chooses, in the filter language,"`
	State  []string  `json:"state,omitempty" doc:"or those runs or task runs in one of these states"`
	Name   string    `json:"name,omitempty" doc:"and of this name: of the run, or of the task of task runs and kept results; of schedules: whose name has this in it"`
	Since  time.Time `json:"since,omitzero" doc:"and of runs: created at or after"`
	Until  time.Time `json:"until,omitzero" doc:"and of runs and kept results: created before"`
	All    bool      `json:"all,omitempty" doc:"or all there are, of kept results and schedules"`
	DryRun bool      `json:"dry_run,omitempty" doc:"Only say which they would be"`
	Reason string    `json:"reason,omitempty" maxLength:"500" doc:"For the log"`
}

// Operation is how far one has got.
type Operation struct {
	ID       string             `json:"id,omitempty"`
	Target   string             `json:"target" enum:"runs,tasks,cache,schedules"`
	Action   string             `json:"action"`
	Q        string             `json:"q,omitempty" doc:"The filter that chose, if it was one"`
	Who      string             `json:"who,omitempty" doc:"Name of the token that it was asked with"`
	Reason   string             `json:"reason,omitempty"`
	State    string             `json:"state" enum:"dry_run,running,done,stopped"`
	Total    int                `json:"total" doc:"How many were chosen"`
	Done     int                `json:"done"`
	Failed   int                `json:"failed" doc:"How many did not allow it"`
	Sample   []string           `json:"sample,omitempty" doc:"Some of them"`
	Errors   []OperationFailure `json:"errors,omitempty" doc:"The first that failed"`
	Created  time.Time          `json:"created"`
	Finished time.Time          `json:"finished,omitzero"`
	Resumed  int                `json:"resumed,omitempty" doc:"How often a server has gone on with it that another one had begun"`
}

// OperationFailure is what it could not be done to.
type OperationFailure struct {
	ID      string   `json:"id"`
	Code    api.Code `json:"code"`
	Message string   `json:"message"`
}

// States of an operation.
const (
	operationDry     = "dry_run"
	operationRunning = "running"
	operationDone    = "done"
	operationStopped = "stopped"
)

// Bounds of operations.
const (
	maxChosen      = 100_000
	maxSample      = 10
	maxErrors      = 100
	keptOperations = 200
	operationAge   = 90 * 24 * time.Hour
)

type operationPath struct {
	ID string `path:"id"`
}

func (a *routes) operationRoutes(api huma.API) {
	const group = "operations"
	do(a, api, op(http.MethodPost, "/operations", "start-operation", group, "Do the same to many"), a.startOperation)
	do(a, api, op(http.MethodGet, "/operations", "list-operations", group, "List operations, newest first"), a.listOperations)
	do(a, api, op(http.MethodGet, "/operations/{id}", "get-operation", group, "Read how far an operation has got"), a.getOperation)
	do(a, api, op(http.MethodPost, "/operations/{id}/stop", "stop-operation", group, "Stop an operation; what it has done stays"), a.stopOperation)
}

func (a *routes) startOperation(ctx context.Context, in *body[OperationRequest]) (*made[Operation], error) {
	r := &in.Body
	if r.Target == "" {
		r.Target = targetRuns
	}
	if actions[r.Target][r.Action] == nil {
		return nil, api.Errorf(api.ErrInvalid, "body.action", "%s can't be done to %s", r.Action, r.Target)
	}
	because(ctx, r.Reason)
	ids, err := a.chosenIDs(ctx, r)
	if err != nil {
		return nil, err
	}
	facts := Operation{
		Target: r.Target, Action: r.Action, Q: r.Q, Who: caller(ctx).name, Reason: r.Reason, Total: len(ids), Sample: ids[:min(len(ids), maxSample)],
		Created: a.now().UTC().Truncate(time.Microsecond), State: operationDry,
	}
	if r.DryRun {
		return &made[Operation]{Status: http.StatusOK, Body: facts}, nil
	}
	facts.ID, facts.State = newestFirst(facts.Created)+rand.Text()[:8], operationRunning
	if err := a.ops.start(ctx, facts, ids); err != nil {
		return nil, err
	}
	return &made[Operation]{Status: http.StatusAccepted, Body: facts}, nil
}

func (a *routes) listOperations(ctx context.Context, _ *empty) (*body[List[Operation]], error) {
	out := List[Operation]{Items: []Operation{}}
	err := a.ops.each(ctx, "", func(kept *keptOperation, _ []byte) error {
		out.Items = append(out.Items, a.ops.facts(kept))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer(out), nil
}

func (a *routes) getOperation(ctx context.Context, in *operationPath) (*body[Operation], error) {
	kept, _, err := a.ops.find(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(a.ops.facts(kept)), nil
}

func (a *routes) stopOperation(ctx context.Context, in *operationPath) (*body[Operation], error) {
	if err := a.ops.halt(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.getOperation(ctx, in)
}
