package httpapi

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
)

// OperationRequest asks for the same to be done to many runs.
type OperationRequest struct {
	Action string    `json:"action" enum:"cancel,pause,resume,retry,retry-all,delete"`
	IDs    []string  `json:"ids,omitempty" maxItems:"10000" doc:"These runs,"`
	Q      string    `json:"q,omitempty" maxLength:"2000" doc:"or those that this chooses, in the filter language,"`
	State  []string  `json:"state,omitempty" doc:"or those in one of these states"`
	Name   string    `json:"name,omitempty" doc:"and of this name"`
	Since  time.Time `json:"since,omitzero" doc:"and created at or after"`
	Until  time.Time `json:"until,omitzero" doc:"and created before"`
	DryRun bool      `json:"dry_run,omitempty" doc:"Only say which they would be"`
	Reason string    `json:"reason,omitempty" maxLength:"500" doc:"For the log"`
}

// Operation is how far one has got.
type Operation struct {
	ID       string             `json:"id,omitempty"`
	Action   string             `json:"action"`
	Reason   string             `json:"reason,omitempty"`
	State    string             `json:"state" enum:"dry_run,running,done,stopped"`
	Total    int                `json:"total" doc:"How many runs were chosen"`
	Done     int                `json:"done"`
	Failed   int                `json:"failed" doc:"How many did not allow it"`
	Sample   []string           `json:"sample,omitempty" doc:"Some of them"`
	Errors   []OperationFailure `json:"errors,omitempty" doc:"The first that failed"`
	Created  time.Time          `json:"created"`
	Finished time.Time          `json:"finished,omitzero"`
}

// OperationFailure is a run to which it could not be done.
type OperationFailure struct {
	Run     string   `json:"run"`
	Code    api.Code `json:"code"`
	Message string   `json:"message"`
}

// Bounds of operations.
const (
	maxChosen      = 100_000
	maxSample      = 10
	maxErrors      = 100
	keptOperations = 100
)

// operations are those of this process, the newest last. They end with it; who
// began one may begin it again, since each of its steps can be done twice.
type operations struct {
	a    *routes
	ctx  context.Context //nolint:containedctx // ends with the handler
	busy sync.WaitGroup

	mu  sync.Mutex
	all []*operation
}

type operation struct {
	stop context.CancelFunc

	mu    sync.Mutex
	facts Operation
}

func newOperations(ctx context.Context, a *routes) *operations { return &operations{a: a, ctx: ctx} }

// wait waits for those that are under way to stop, once the context has ended.
func (o *operations) wait() {
	o.mu.Lock()   // whoever starts one after this sees that the context has ended
	o.mu.Unlock() //nolint:staticcheck // nothing is to be guarded
	o.busy.Wait()
}

type operationPath struct {
	ID string `path:"id"`
}

func (a *routes) operationRoutes(api huma.API) {
	const group = "operations"
	do(a, api, op(http.MethodPost, "/operations", "start-operation", group, "Do the same to many runs"), a.startOperation)
	do(a, api, op(http.MethodGet, "/operations", "list-operations", group, "List operations of this server, newest first"), a.listOperations)
	do(a, api, op(http.MethodGet, "/operations/{id}", "get-operation", group, "Read how far an operation has got"), a.getOperation)
	do(a, api, op(http.MethodPost, "/operations/{id}/stop", "stop-operation", group, "Stop an operation; what it has done stays"), a.stopOperation)
}

func (a *routes) startOperation(ctx context.Context, in *body[OperationRequest]) (*made[Operation], error) {
	r := &in.Body
	ids, err := a.chosenIDs(ctx, r)
	if err != nil {
		return nil, err
	}
	facts := Operation{
		Action: r.Action, Reason: r.Reason, Total: len(ids), Sample: ids[:min(len(ids), maxSample)],
		Created: a.now().UTC(), State: "dry_run",
	}
	if r.DryRun {
		return &made[Operation]{Status: http.StatusOK, Body: facts}, nil
	}
	facts.ID, facts.State = rand.Text(), "running"
	if err := a.ops.start(facts, ids); err != nil {
		return nil, err
	}
	return &made[Operation]{Status: http.StatusAccepted, Body: facts}, nil
}

// chosenIDs gives the runs that are meant.
func (a *routes) chosenIDs(ctx context.Context, r *OperationRequest) ([]string, error) {
	byFilter := r.Q != "" || len(r.State) > 0 || r.Name != "" || !r.Since.IsZero() || !r.Until.IsZero()
	switch {
	case r.IDs != nil && byFilter:
		return nil, api.Errorf(api.ErrInvalid, "body", "give ids, or what chooses runs, not both")
	case r.IDs != nil:
		return r.IDs, nil
	case !byFilter:
		return nil, api.Errorf(api.ErrInvalid, "body", "no runs are chosen: give ids, q, state, name, since or until")
	}
	list, keep, err := a.chosenRuns(ctx, &RunsQuery{Q: r.Q, State: r.State, Name: r.Name, Since: r.Since, Until: r.Until})
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for run, err := range list {
		switch {
		case err != nil:
			return nil, err
		case keep != nil && !keep(&run):
			continue
		case len(ids) == maxChosen:
			return nil, api.Errorf(api.ErrInvalid, "body", "more than %d runs are chosen: choose fewer at a time", maxChosen)
		}
		ids = append(ids, run.ID)
	}
	return ids, nil
}

func (o *operations) start(facts Operation, ids []string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx.Err() != nil {
		return api.Errorf(api.ErrClosed, "", "the server is closing")
	}
	ctx, stop := context.WithCancel(o.ctx)
	one := &operation{stop: stop, facts: facts}
	o.all = append(o.all, one)
	if len(o.all) > keptOperations {
		o.all = slices.Delete(o.all, 0, len(o.all)-keptOperations)
	}
	o.busy.Go(func() {
		defer stop()
		o.run(ctx, one, ids)
	})
	return nil
}

func (o *operations) run(ctx context.Context, one *operation, ids []string) {
	act := actions[one.facts.Action]
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		one.did(id, act(o.a.svc(), ctx, id))
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.facts.State = "done"
	if one.facts.Done+one.facts.Failed < one.facts.Total {
		one.facts.State = "stopped"
	}
	one.facts.Finished = o.a.now().UTC()
	o.a.log.Info("http: operation ended", "id", one.facts.ID, "action", one.facts.Action, "state", one.facts.State,
		"done", one.facts.Done, "failed", one.facts.Failed, "reason", one.facts.Reason)
}

// actions are what can be done to each run.
var actions = map[string]func(Service, context.Context, string) error{
	"cancel": Service.Cancel, "pause": Service.Pause, "resume": Service.Resume, "retry": Service.Retry,
	"retry-all": Service.RetryAll, "delete": Service.Delete,
}

// did notes what became of one run.
func (o *operation) did(run string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.facts.Done++
		return
	}
	o.facts.Failed++
	if len(o.facts.Errors) < maxErrors {
		o.facts.Errors = append(o.facts.Errors, failureOf(run, err))
	}
}

func (o *operation) now() Operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	facts := o.facts
	facts.Errors = slices.Clone(facts.Errors)
	return facts
}

func (a *routes) listOperations(context.Context, *empty) (*body[List[Operation]], error) {
	a.ops.mu.Lock()
	defer a.ops.mu.Unlock()
	out := List[Operation]{Items: []Operation{}}
	for _, one := range slices.Backward(a.ops.all) {
		out.Items = append(out.Items, one.now())
	}
	return answer(out), nil
}

func (o *operations) find(id string) (*operation, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, one := range o.all {
		if one.facts.ID == id {
			return one, nil
		}
	}
	return nil, api.Errorf(api.ErrNotFound, "", "this server knows no operation %s", id)
}

func (a *routes) getOperation(_ context.Context, in *operationPath) (*body[Operation], error) {
	one, err := a.ops.find(in.ID)
	if err != nil {
		return nil, err
	}
	return answer(one.now()), nil
}

func (a *routes) stopOperation(ctx context.Context, in *operationPath) (*body[Operation], error) {
	one, err := a.ops.find(in.ID)
	if err != nil {
		return nil, err
	}
	one.stop()
	return a.getOperation(ctx, in)
}
