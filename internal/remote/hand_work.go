package remote

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

var (
	_ worker.Claimer = (*Hand)(nil)
	_ worker.Source  = (*Hand)(nil)
)

// fetch claims for as many slots as are free.
func (h *Hand) fetch() {
	var tries backoff
	for h.claims.Err() == nil {
		h.mu.Lock()
		id, lease, free, change := h.id, h.lease, h.reg.Slots-len(h.running), h.change
		h.mu.Unlock()
		if id == "" || free <= 0 {
			select {
			case <-change:
			case <-h.claims.Done():
			}
			continue
		}
		ctx, cancel := context.WithTimeout(h.claims, 2*lease)
		got, err := h.server.ClaimTasks(ctx, id, Claim{Max: free, WaitMS: (lease / 2).Milliseconds()})
		cancel()
		switch {
		case h.claims.Err() != nil && err != nil:
			return
		case errors.Is(err, ErrWorkerLost):
			h.forgotten(id)
		case err != nil:
			h.complain(&tries, "this worker can't claim", err)
		default:
			tries.done()
			h.take(id, got.Attempts)
		}
	}
}

// take takes note of what was claimed.
func (h *Hand) take(of string, got []Attempt) {
	jobs := make([]*api.Job, 0, len(got))
	h.mu.Lock()
	for i := range got {
		job, err := got[i].job()
		if err != nil {
			h.log.Error("an attempt can't be read", "task_run", got[i].TaskRun, "error", err)
			continue // its lease runs out
		}
		a := &attempt{hand: h, id: got[i].Attempt, of: of, trace: traceOf(got[i].Metadata), over: make(chan struct{})}
		job.Key = a
		h.running[a.id] = a
		jobs = append(jobs, job)
	}
	h.mu.Unlock()
	for _, job := range jobs {
		select {
		case h.jobs <- job: // there is room: as much as there are slots
		case <-h.ctx.Done():
			return
		}
	}
}

// job makes of an attempt what bodies are run with.
func (a *Attempt) job() (*api.Job, error) {
	job := &api.Job{
		Run: a.Run, Task: a.Task, Name: a.Name, ID: a.TaskRun, Attempt: a.Number, Generation: a.Generation, Index: a.Index,
		State: a.State, TaskID: a.TaskID, Keyed: a.Keyed, Timeout: time.Duration(a.TimeoutMS) * time.Millisecond,
		HeartbeatTimeout: time.Duration(a.HeartbeatTimeoutMS) * time.Millisecond, Tags: a.Tags, Upstream: a.Upstream,
		Looked: a.Looked, Named: a.Named, Schedule: a.Schedule,
	}
	if a.IdempotencyKey != a.TaskRun {
		job.Idempotency = a.IdempotencyKey
	}
	if a.Caller != nil {
		job.Caller = &api.Caller{TaskRun: a.Caller.TaskRun, Args: a.Caller.Args}
	}
	return job, json.Unmarshal(a.Args, &job.Bound)
}

// Begin says that the body is about to start.
func (h *Hand) Begin(job *api.Job, cancel func(error)) {
	a := attemptOf(job)
	h.mu.Lock()
	a.cancel = cancel
	cause := a.cause
	h.mu.Unlock()
	if cause != nil {
		cancel(cause)
	}
}

// Name gives the task run a name, which goes with the answer.
func (h *Hand) Name(job *api.Job, name string) {
	a := attemptOf(job)
	h.mu.Lock()
	a.name = &name
	h.mu.Unlock()
}

// Cached asks the server's cache.
func (h *Hand) Cached(job *api.Job, use api.CacheUse) (run bool) {
	a := attemptOf(job)
	err := h.insist(h.ctx, a, func(ctx context.Context) (err error) {
		run, err = h.server.AskCache(ctx, a.of, a.id, use)
		return err
	})
	if err == nil && run {
		return true
	}
	if err != nil && !errors.Is(err, ErrAttemptLost) {
		h.log.Warn("the cache could not be asked; somebody else does that", "task_run", job.ID, "error", err)
	}
	h.mu.Lock()
	delete(h.running, a.id)
	h.ring()
	h.mu.Unlock()
	return false
}

// Finish sends the answer, unless nobody wants it any more.
func (h *Hand) Finish(job *api.Job, answer api.Answer) {
	a := attemptOf(job)
	f, err := finishOf(a.id, &answer)
	if err != nil {
		f = &Finish{Attempt: a.id, NoRetry: true, Failure: &AttemptFailure{Message: err.Error(), Type: "*api.Error", Code: api.ErrEncoding.Code}}
	}
	h.mu.Lock()
	f.Name = a.name
	known := h.running[a.id] == a
	if known {
		a.answer = f
		h.out = append(h.out, a)
		if h.hooks(job.Task) && len(h.hooked) < endedCap {
			h.hooked[a.id] = job
		}
		h.ring()
	}
	h.mu.Unlock()
	if !known {
		h.log.Warn("an answer came too late and changes nothing", "task_run", job.ID, "attempt", a.id)
	}
}

func (h *Hand) hooks(task string) bool {
	for i := range h.reg.Tasks {
		if h.reg.Tasks[i].Name == task {
			return h.reg.Tasks[i].Hooks
		}
	}
	return false
}

// finishOf is an answer as it is sent.
func finishOf(id string, a *api.Answer) (*Finish, error) {
	f := &Finish{
		Attempt: id, NoRetry: a.NoRetry, Returned: a.Interrupted, Pending: a.Pending, State: a.State, SetState: a.SetState,
		Merge: a.Merge, Keyed: a.Keyed, SetKeyed: a.SetKeyed, Pause: a.Pause, Started: a.Started, Ended: a.Ended, Parts: a.Parts,
	}
	var err error
	switch {
	case a.Interrupted:
	case a.Failure != nil:
		f.Failure = &AttemptFailure{
			Message: a.Failure.Message, Type: a.Failure.Type, Code: a.Failure.Code, Names: a.Failure.Names,
			Stack: a.Failure.Stack, Causes: a.Failure.Causes, Count: a.Failure.Count,
		}
	case a.Pipeline != nil:
		f.Pipeline, err = a.Pipeline.AppendJSON(nil)
	case !a.Pending:
		f.Result = a.Result
	}
	return f, err
}

// Heartbeat says that the body makes progress.
func (h *Hand) Heartbeat(job *api.Job) error {
	a := attemptOf(job)
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.cause != nil {
		return a.cause
	}
	if now := time.Now(); job.HeartbeatTimeout > 0 && now.Sub(a.beat) >= min(beatEvery, job.HeartbeatTimeout/4) {
		a.beat = now
		h.beats[a.id] = true
		h.ring()
	}
	return nil
}

// beatEvery is how often progress of a body is sent on at most.
const beatEvery = 500 * time.Millisecond

// Token gives the token by which the job may be answered from outside.
func (h *Hand) Token(ctx context.Context, job *api.Job) (token string, err error) {
	a := attemptOf(job)
	err = h.insist(ctx, a, func(ctx context.Context) (err error) {
		token, err = h.server.AskToken(ctx, a.of, a.id)
		return err
	})
	return token, err
}

// Acquire gives the body slots of global limits.
func (h *Hand) Acquire(ctx context.Context, job *api.Job, request api.SlotRequest) (grant int64, err error) {
	a := attemptOf(job)
	return h.server.AcquireSlots(ctx, a.of, a.id, request)
}

// Release gives slots back. The end of the attempt does so as well.
func (h *Hand) Release(job *api.Job, grant int64) {
	a := attemptOf(job)
	h.loops.Go(func() {
		_ = h.insist(h.ctx, a, func(ctx context.Context) error { return h.server.ReleaseSlots(ctx, a.of, a.id, grant) })
	})
}

// Log keeps a line with the run.
func (h *Hand) Log(job *api.Job, line api.LogLine) {
	a := attemptOf(job)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running[a.id] != a {
		return
	}
	if len(line.Text) > api.MaxLogText {
		line.Text = line.Text[:api.MaxLogText+1] // the server cuts it, and says so
	}
	h.lines = append(h.lines, AttemptLine{Attempt: a.id, Time: line.Time, Level: line.Level, Text: line.Text})
	h.ring()
}

// insist asks until the server has answered, the attempt is over or ctx ends.
func (h *Hand) insist(ctx context.Context, a *attempt, ask func(context.Context) error) error {
	var tries backoff
	for {
		err := ask(ctx)
		switch {
		case err == nil || answered(err):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		select {
		case <-a.over:
			return a.why()
		default:
			h.complain(&tries, "the server can't be asked", err)
		}
		if h.ctx.Err() != nil {
			return api.ErrClosed
		}
	}
}

func (a *attempt) why() error {
	a.hand.mu.Lock()
	defer a.hand.mu.Unlock()
	return a.cause
}

// answered reports whether an error is what the server says, and not that it could not
// be asked.
func answered(err error) bool {
	for _, sure := range []*api.Error{
		api.ErrInvalid, api.ErrNotFound, api.ErrConflict, api.ErrEncoding, api.ErrCancelled, api.ErrUnknownTask,
		ErrAttemptLost, ErrWorkerLost,
		{Code: "too_large"},
		{Code: "malformed"},
		{Code: "forbidden"},
	} {
		if errors.Is(err, sure) {
			return true
		}
	}
	return false
}
