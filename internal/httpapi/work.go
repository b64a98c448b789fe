package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/remote"
)

// The routes of workers that come over HTTP; docs/worker-protocol.md tells how they go
// together.

type (
	// WorkerPath names a worker.
	WorkerPath struct {
		ID string `path:"id" doc:"The worker's id"`
	}
	// AttemptPath names an attempt that a worker has.
	AttemptPath struct {
		WorkerPath

		Attempt string `path:"attempt"`
	}
	withBody[T any] struct {
		WorkerPath

		Body T
	}
	aboutAttempt[T any] struct {
		AttemptPath

		Body T
	}
)

// FinishList is answers of several attempts.
type FinishList struct {
	Attempts []remote.Finish `json:"attempts" minItems:"1" maxItems:"10000"`
}

// SettledList says what became of them, in the same order.
type SettledList struct {
	Attempts []remote.Settled `json:"attempts"`
}

// LogList is lines that bodies wrote.
type LogList struct {
	Lines []remote.AttemptLine `json:"lines" minItems:"1" maxItems:"10000"`
}

// TokenAnswer is a token by which an attempt may be answered from outside.
type TokenAnswer struct {
	Token string `json:"token"`
}

// SlotsRequest asks for slots of global limits.
type SlotsRequest struct {
	Names  []string `json:"names" minItems:"1" doc:"Of the limits"`
	Slots  int      `json:"slots,omitempty" minimum:"1" doc:"How many of each; default 1"`
	Rate   bool     `json:"rate,omitempty" doc:"They are used up, and come back by the limit's decay"`
	Strict bool     `json:"strict,omitempty" doc:"A limit that does not exist is an error"`
}

// SlotsGrant is what was given; 0: nothing is to be given back.
type SlotsGrant struct {
	Grant int64 `json:"grant"`
}

// CacheAnswer says whether the body is to run. If not, the attempt is over.
type CacheAnswer struct {
	Run bool `json:"run"`
}

// CodeAttemptLost and CodeWorkerLost are what workers may hear.
var (
	CodeAttemptLost = remote.ErrAttemptLost.Code
	CodeWorkerLost  = remote.ErrWorkerLost.Code
)

func (a *routes) workRoutes(api huma.API) {
	const group = "remote workers"
	do(a, api, created(op(http.MethodPost, "/workers", "register-worker", group, "Register a worker, and the tasks whose bodies it has")), a.registerWorker)
	do(a, api, op(http.MethodDelete, "/workers/{id}", "deregister-worker", group, "Say good-bye: what the worker has is given to others"), a.deregisterWorker)
	do(a, api, op(http.MethodPost, "/workers/{id}/claim", "claim-attempts", group, "Claim attempts, and wait for the first"), a.claimAttempts)
	do(a, api, op(http.MethodPost, "/workers/{id}/heartbeat", "heartbeat", group, "Renew leases, and hear what to stop"), a.heartbeat)
	do(a, api, op(http.MethodPost, "/workers/{id}/finish", "finish-attempts", group, "Say what became of attempts"), a.finishAttempts)
	do(a, api, op(http.MethodPost, "/workers/{id}/logs", "write-logs", group, "Keep lines that bodies wrote"), a.writeLogs)
	do(a, api, op(http.MethodPost, "/workers/{id}/attempts/{attempt}/finish", "finish-attempt", group, "Say what became of one attempt; a conflict, attempt_lost, if it changes nothing"), a.finishAttempt)
	do(a, api, op(http.MethodPost, "/workers/{id}/attempts/{attempt}/token", "ask-token", group, "Get the token by which an attempt may be answered from outside"), a.askToken)
	do(a, api, op(http.MethodPost, "/workers/{id}/attempts/{attempt}/slots", "acquire-slots", group, "Get slots of global limits, once they are free"), a.acquireSlots)
	do(a, api, op(http.MethodDelete, "/workers/{id}/attempts/{attempt}/slots/{grant}", "release-slots", group, "Give slots back; the end of the attempt does so, too"), a.releaseSlots)
	do(a, api, op(http.MethodPost, "/workers/{id}/attempts/{attempt}/cache", "ask-cache", group, "Ask whether the body of a cached task is to run"), a.askCache)
}

func created(o huma.Operation) huma.Operation {
	o.DefaultStatus = http.StatusCreated
	return o
}

// owned says to the service who asks.
func owned(ctx context.Context) context.Context { return remote.WithOwner(ctx, caller(ctx).name) }

func (a *routes) registerWorker(ctx context.Context, in *body[remote.Registration]) (*body[remote.Registered], error) {
	in.Body.Owner = caller(ctx).name
	out, err := a.svc().RegisterWorker(owned(ctx), in.Body)
	return answer(out), err
}

func (a *routes) deregisterWorker(ctx context.Context, in *WorkerPath) (*empty, error) {
	return &empty{}, a.svc().DeregisterWorker(owned(ctx), in.ID)
}

func (a *routes) claimAttempts(ctx context.Context, in *withBody[remote.Claim]) (*body[remote.Claimed], error) {
	out, err := a.svc().ClaimTasks(owned(ctx), in.ID, in.Body)
	return answer(out), err
}

func (a *routes) heartbeat(ctx context.Context, in *withBody[remote.Heartbeat]) (*body[remote.Beaten], error) {
	out, err := a.svc().Heartbeat(owned(ctx), in.ID, in.Body)
	return answer(out), err
}

func (a *routes) finishAttempts(ctx context.Context, in *withBody[FinishList]) (*body[SettledList], error) {
	out, err := a.svc().FinishTasks(owned(ctx), in.ID, in.Body.Attempts)
	return answer(SettledList{out}), err
}

// FinishOne is what became of the attempt that the path names.
type FinishOne struct {
	remote.Finish

	Attempt string `json:"attempt,omitempty" doc:"The one of the path, or absent"`
}

func (a *routes) finishAttempt(ctx context.Context, in *aboutAttempt[FinishOne]) (*empty, error) {
	f := in.Body.Finish
	if f.Attempt = in.Attempt; in.Body.Attempt != "" && in.Body.Attempt != in.Attempt {
		return nil, api.Errorf(api.ErrInvalid, "attempt", "the body names %s, and the path %s", in.Body.Attempt, in.Attempt)
	}
	out, err := a.svc().FinishTasks(owned(ctx), in.ID, []remote.Finish{f})
	switch {
	case err != nil:
		return nil, err
	case len(out) == 1 && out[0].Code != "":
		return nil, api.Errorf(remote.ErrAttemptLost, "", "attempt %s is not this worker's any more: what became of it changes nothing", in.Attempt)
	}
	return &empty{}, nil
}

func (a *routes) writeLogs(ctx context.Context, in *withBody[LogList]) (*empty, error) {
	return &empty{}, a.svc().WriteLogs(owned(ctx), in.ID, in.Body.Lines)
}

func (a *routes) askToken(ctx context.Context, in *AttemptPath) (*body[TokenAnswer], error) {
	token, err := a.svc().AskToken(owned(ctx), in.ID, in.Attempt)
	return answer(TokenAnswer{token}), err
}

func (a *routes) acquireSlots(ctx context.Context, in *aboutAttempt[SlotsRequest]) (*body[SlotsGrant], error) {
	r := in.Body
	grant, err := a.svc().AcquireSlots(owned(ctx), in.ID, in.Attempt, api.SlotRequest{Names: r.Names, Slots: max(r.Slots, 1), Rate: r.Rate, Strict: r.Strict})
	return answer(SlotsGrant{grant}), err
}

type grantPath struct {
	AttemptPath

	Grant int64 `path:"grant"`
}

func (a *routes) releaseSlots(ctx context.Context, in *grantPath) (*empty, error) {
	return &empty{}, a.svc().ReleaseSlots(owned(ctx), in.ID, in.Attempt, in.Grant)
}

func (a *routes) askCache(ctx context.Context, in *aboutAttempt[api.CacheUse]) (*body[CacheAnswer], error) {
	run, err := a.svc().AskCache(owned(ctx), in.ID, in.Attempt, in.Body)
	return answer(CacheAnswer{run}), err
}

// working reports whether a request is a worker's.
func working(r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, Base+"/workers")
	if !ok {
		return false
	}
	id, what, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	switch r.Method {
	case http.MethodPost:
		return rest == "" || id != "" && (what == "claim" || what == "heartbeat" || what == "finish" || what == "logs" || strings.HasPrefix(what, "attempts/"))
	case http.MethodDelete:
		return id != "" && (what == "" || strings.HasPrefix(what, "attempts/"))
	}
	return false
}

// often reports whether a request is one of which there are so many that nobody
// wants to read of each.
func often(r *http.Request) bool {
	return working(r) && strings.Count(r.URL.Path, "/") > strings.Count(Base, "/")+2
}

// The client's half.

// RegisterWorker registers a worker.
func (c *Client) RegisterWorker(ctx context.Context, r remote.Registration) (out remote.Registered, err error) {
	return out, c.Do(ctx, http.MethodPost, "/workers", nil, r, &out)
}

// DeregisterWorker says good-bye.
func (c *Client) DeregisterWorker(ctx context.Context, worker string) error {
	return c.Do(ctx, http.MethodDelete, pathf("/workers/%s", worker), nil, nil, nil)
}

// ClaimTasks claims attempts.
func (c *Client) ClaimTasks(ctx context.Context, worker string, in remote.Claim) (out remote.Claimed, err error) {
	return out, c.Do(ctx, http.MethodPost, pathf("/workers/%s/claim", worker), nil, in, &out)
}

// Heartbeat renews leases.
func (c *Client) Heartbeat(ctx context.Context, worker string, in remote.Heartbeat) (out remote.Beaten, err error) {
	return out, c.Do(ctx, http.MethodPost, pathf("/workers/%s/heartbeat", worker), nil, in, &out)
}

// FinishTasks says what became of attempts.
func (c *Client) FinishTasks(ctx context.Context, worker string, all []remote.Finish) ([]remote.Settled, error) {
	var out SettledList
	err := c.Do(ctx, http.MethodPost, pathf("/workers/%s/finish", worker), nil, FinishList{all}, &out)
	return out.Attempts, err
}

// WriteLogs keeps lines that bodies wrote.
func (c *Client) WriteLogs(ctx context.Context, worker string, lines []remote.AttemptLine) error {
	return c.Do(ctx, http.MethodPost, pathf("/workers/%s/logs", worker), nil, LogList{lines}, nil)
}

// AskToken gives the token by which an attempt may be answered from outside.
func (c *Client) AskToken(ctx context.Context, worker, attempt string) (string, error) {
	var out TokenAnswer
	err := c.Do(ctx, http.MethodPost, pathf("/workers/%s/attempts/%s/token", worker, attempt), nil, nil, &out)
	return out.Token, err
}

// AcquireSlots gives slots of global limits.
func (c *Client) AcquireSlots(ctx context.Context, worker, attempt string, want api.SlotRequest) (int64, error) {
	var out SlotsGrant
	in := SlotsRequest{Names: want.Names, Slots: want.Slots, Rate: want.Rate, Strict: want.Strict}
	err := c.Do(ctx, http.MethodPost, pathf("/workers/%s/attempts/%s/slots", worker, attempt), nil, in, &out)
	return out.Grant, err
}

// ReleaseSlots gives them back.
func (c *Client) ReleaseSlots(ctx context.Context, worker, attempt string, grant int64) error {
	return c.Do(ctx, http.MethodDelete, pathf("/workers/%s/attempts/%s/slots/", worker, attempt)+strconv.FormatInt(grant, 10), nil, nil, nil)
}

// AskCache asks whether the body of a cached task is to run.
func (c *Client) AskCache(ctx context.Context, worker, attempt string, use api.CacheUse) (bool, error) {
	var out CacheAnswer
	err := c.Do(ctx, http.MethodPost, pathf("/workers/%s/attempts/%s/cache", worker, attempt), nil, use, &out)
	return out.Run, err
}

var _ remote.Server = (*Client)(nil)
