package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// RunsQuery chooses runs.
type RunsQuery struct {
	ListQuery
	CountQuery

	State []string  `query:"state,explode" doc:"In one of these states, as in failed"`
	Name  string    `query:"name" doc:"Of this name"`
	Flow  []string  `query:"flow,explode" doc:"That have called one of these flows, or tasks"`
	Since time.Time `query:"since" doc:"Created at or after"`
	Until time.Time `query:"until" doc:"Created before"`
	Q     string    `query:"q" maxLength:"2000" doc:"In the filter language"`
	Why   bool      `query:"why" doc:"With what those wait for that have not ended and of which no body runs"`
	Sort  string    `query:"sort" enum:"-created,created,ended,-ended,duration,-duration" doc:"In which order; by another than -created, the default, the newest 20,000 are sorted"`
}

// RunDetail is a run and what it waits for.
type RunDetail struct {
	api.Run

	Waiting *api.Waiting `json:"waiting,omitempty"`
	Why     string       `json:"why,omitempty" doc:"What it waits for, in a sentence"`
}

// SubmitRequest is a pipeline, or a call of one task or flow, to be run.
type SubmitRequest struct {
	Pipeline json.RawMessage   `json:"pipeline,omitempty" doc:"A pipeline in its JSON form, see docs/pipeline-json.md"`
	Task     string            `json:"task,omitempty" doc:"Or the name of a task or flow"`
	Args     []json.RawMessage `json:"args,omitempty" doc:"and its arguments"`
	Options  *api.Options      `json:"options,omitempty" doc:"and options of the call"`
	Name     string            `json:"name,omitempty" maxLength:"200" doc:"The run's; default: made of what it runs"`
}

// RunPath names a run.
type RunPath struct {
	ID string `path:"id" doc:"The run's id"`
}

// runIfMatch is a run that must be as it was read.
type runIfMatch struct {
	RunPath
	IfMatch
}

type submitInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"The same for every attempt of one submission: the run is made once"`
	Wait int    `query:"wait_ms" minimum:"0" maximum:"60000" doc:"How long to wait for the run's end before answering"`
	Body SubmitRequest
}

type submitOutput struct {
	Status   int
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     RunDetail
}

func (a *routes) runRoutes(api huma.API) {
	const group = "runs"
	do(a, api, op(http.MethodGet, "/runs", "list-runs", group, "List runs, newest first"), a.listRuns)
	do(a, api, op(http.MethodPost, "/runs", "submit-run", group, "Submit a run; it exists once this answers"), a.submitRun)
	do(a, api, op(http.MethodGet, "/runs/{id}", "get-run", group, "Read a run"), a.getRun)
	do(a, api, op(http.MethodDelete, "/runs/{id}", "delete-run", group, "Remove a run that has ended, with all that belongs to it"), a.deleteRun)
	do(a, api, op(http.MethodGet, "/runs/{id}/pipeline", "get-run-pipeline", group, "Read what was submitted"), a.getPipeline)
	do(a, api, op(http.MethodGet, "/runs/{id}/result", "get-run-result", group, "Read, or wait for, what a run has come to"), a.getResult)
	for _, verb := range []struct {
		name, summary string
		do            func(Service, context.Context, string) error
	}{
		{"cancel", "Cancel a run: what runs is told to end, what waits does not begin", Service.Cancel},
		{"pause", "Pause a run: bodies end, nothing new begins", Service.Pause},
		{"resume", "Go on with a paused run", Service.Resume},
	} {
		do(a, api, op(http.MethodPost, "/runs/{id}/"+verb.name, verb.name+"-run", group, verb.summary),
			func(ctx context.Context, in *runIfMatch) (*tagged[RunDetail], error) {
				if err := a.changedRun(ctx, in, func() error { return verb.do(a.svc(), ctx, in.ID) }); err != nil {
					return nil, err
				}
				return a.getRun(ctx, &in.RunPath)
			})
	}
	do(a, api, op(http.MethodPost, "/runs/{id}/retry", "retry-run", group, "Retry a run that has ended: what did not complete, all, or from a task run on"), a.retryRun)
}

func (a *routes) listRuns(ctx context.Context, in *RunsQuery) (*body[Page[ListedRun]], error) {
	id := func(r *api.Run) string { return r.ID }
	by, q := orderOf(in.Sort, runOrders(a.now()), id), *in
	if in.Sort == "-created" {
		by = nil
	}
	if by != nil {
		q.Cursor = "" // it is none of the list's own
	}
	list, keep, err := a.chosenRuns(ctx, &q)
	if err != nil {
		return nil, err
	}
	p, err := pageBy(by, &in.ListQuery, list, id, keep)
	if err != nil {
		return nil, err
	}
	if p.Total, err = a.countRuns(ctx, *in); err != nil {
		return nil, err
	}
	out := Page[ListedRun]{Items: make([]ListedRun, len(p.Items)), NextCursor: p.NextCursor, SortedOf: p.SortedOf, Total: p.Total}
	for i := range p.Items {
		out.Items[i].Run = p.Items[i]
	}
	if in.Why {
		a.tellWhy(ctx, out.Items)
	}
	return answer(out), nil
}

func (a *routes) submitRun(ctx context.Context, in *submitInput) (*submitOutput, error) {
	spec, err := in.Body.spec()
	if err != nil {
		return nil, err
	}
	id, existed, err := a.svc().Submit(ctx, Submission{Spec: spec, Name: in.Body.Name, Key: in.Key})
	if err != nil {
		return nil, err
	}
	if in.Wait > 0 {
		if err := a.waitFor(ctx, id, in.Wait); err != nil {
			return nil, err
		}
	}
	run, err := a.getRun(ctx, &RunPath{ID: id})
	if err != nil {
		return nil, err
	}
	out := &submitOutput{Status: http.StatusCreated, ETag: run.ETag, Location: Base + "/runs/" + id, Body: run.Body}
	if existed {
		out.Status = http.StatusOK
	}
	return out, nil
}

// spec gives the pipeline that is asked for.
func (r *SubmitRequest) spec() (*api.Spec, error) {
	switch {
	case r.Pipeline != nil && (r.Task != "" || r.Args != nil || r.Options != nil):
		return nil, api.Errorf(api.ErrInvalid, "body", "pipeline stands alone: give it, or task with args and options")
	case r.Pipeline != nil:
		spec, err := api.ParseSpec(r.Pipeline)
		if err != nil {
			return nil, api.Errorf(api.ErrInvalid, "body.pipeline", "%w", err)
		}
		return spec, nil
	case r.Task == "":
		return nil, api.Errorf(api.ErrInvalid, "body", "what is to be run? Give pipeline or task")
	}
	return &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: r.Task, Args: r.Args, Options: r.Options}}}}, nil
}

// changedRun does something to a run that is as If-Match says.
func (a *routes) changedRun(ctx context.Context, in *runIfMatch, do func() error) error {
	return a.unchanged(in.IfMatch, func() (string, error) {
		r, err := a.svc().Status(ctx, in.ID)
		return runTag(&r), err
	}, do)
}

func (a *routes) getRun(ctx context.Context, in *RunPath) (*tagged[RunDetail], error) {
	run, err := a.svc().Status(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := RunDetail{Run: run}
	if run.State.Final() {
		return &tagged[RunDetail]{ETag: runTag(&run), Body: out}, nil
	}
	w, err := a.svc().Why(ctx, in.ID)
	switch {
	case errors.Is(err, api.ErrConflict): // it has ended meanwhile
		out.Run, err = a.svc().Status(ctx, in.ID)
	case err == nil:
		out.Waiting, out.Why = &w, w.String()
	}
	if err != nil {
		return nil, err
	}
	return &tagged[RunDetail]{ETag: runTag(&out.Run), Body: out}, nil
}

func (a *routes) deleteRun(ctx context.Context, in *runIfMatch) (*empty, error) {
	return &empty{}, a.changedRun(ctx, in, func() error { return a.svc().Delete(ctx, in.ID) })
}

func (a *routes) getPipeline(ctx context.Context, in *RunPath) (*body[json.RawMessage], error) {
	text, err := a.svc().Request(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(json.RawMessage(text)), nil
}

type resultInput struct {
	RunPath

	Wait int `query:"wait_ms" minimum:"0" maximum:"60000" doc:"How long to wait for the end; if it does not come the answer is 409"`
}

func (a *routes) getResult(ctx context.Context, in *resultInput) (*body[Outcome], error) {
	if in.Wait > 0 {
		if err := a.waitFor(ctx, in.ID, in.Wait); err != nil {
			return nil, err
		}
	}
	out, err := a.svc().Result(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(out), nil
}

// waitFor waits for a run's end, for so many milliseconds at most.
func (a *routes) waitFor(ctx context.Context, id string, ms int) error {
	short, cancel := context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
	defer cancel()
	_, err := a.svc().Wait(short, id)
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return nil // not in this time
	}
	return err
}
