package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// ClaimTasks gives attempts to a worker.
func (h *Hub) ClaimTasks(ctx context.Context, id string, c Claim) (Claimed, error) {
	none := Claimed{Attempts: []Attempt{}}
	s, err := h.worker(ctx, id)
	if err != nil {
		return none, err
	}
	n, err := s.reserve(max(c.Max, 1))
	if err != nil {
		return none, err
	}
	defer func() { s.unreserve(n) }()
	ctx, cancel := context.WithTimeoutCause(ctx, s.wait(c.WaitMS), errNothing)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	out := none
	if out.Drain = s.drained(ctx); out.Drain {
		return out, s.orLost()
	}
	waits := 0
	if c.WaitMS > 0 {
		waits = n
	}
	for ; len(out.Attempts) < n; waits = 0 {
		job, source, err := h.engine.ClaimFor(ctx, id, waits)
		if err != nil {
			if len(out.Attempts) > 0 || errors.Is(err, api.ErrNotFound) || ctx.Err() != nil {
				break
			}
			return none, err
		}
		a := s.add(job, source)
		if a == nil { // meanwhile it has gone, or is to drain
			source.GiveBack(job)
			break
		}
		source.Begin(job, func(cause error) { s.halt(a, cause) })
		out.Attempts = append(out.Attempts, describe(a.id, job, s.lease, source.Trace(job)))
	}
	if len(out.Attempts) == 0 {
		return out, s.orLost()
	}
	return out, nil
}

var errNothing = errors.New("there was nothing to claim")

// drained reports whether the worker is to claim nothing, once that has been so for as
// long as the claim may wait.
func (s *session) drained(ctx context.Context) bool {
	for {
		s.mu.Lock()
		drain, news := s.drain && !s.gone, s.news
		s.mu.Unlock()
		if !drain {
			return false
		}
		select {
		case <-news:
		case <-ctx.Done():
			return true
		}
	}
}

// reserve takes places for a claim, so that a worker never has more attempts than
// slots.
func (s *session) reserve(want int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n = min(want, s.reg.Slots-len(s.attempts)-s.claiming); n <= 0 {
		return 0, api.Errorf(api.ErrConflict, "", "the worker has an attempt, or a claim that waits, for each of its %d slots: finish one first", s.reg.Slots)
	}
	s.claiming += n
	return n, nil
}

func (s *session) unreserve(n int) {
	s.mu.Lock()
	s.claiming -= n
	s.mu.Unlock()
}

func (s *session) isGone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// describe is a job as the worker sees it.
func describe(id string, job *api.Job, lease time.Duration, trace string) Attempt {
	a := Attempt{
		Attempt: id, Run: job.Run, TaskRun: job.ID, Task: job.Task, Name: job.Name, Number: job.Attempt,
		Generation: job.Generation, Index: job.Index, Args: arguments(job), IdempotencyKey: job.IdempotencyKey(),
		LeaseMS: lease.Milliseconds(), TimeoutMS: job.Timeout.Milliseconds(), HeartbeatTimeoutMS: job.HeartbeatTimeout.Milliseconds(),
		Tags: job.Tags, Upstream: job.Upstream, State: job.State, TaskID: job.TaskID, Keyed: job.Keyed,
		Schedule: job.Schedule, Looked: job.Looked, Named: job.Named, Metadata: metadata(trace),
	}
	if job.Timeout > 0 {
		a.Deadline = time.Now().Add(job.Timeout).UTC()
	}
	if job.Caller != nil {
		a.Caller = &Caller{job.Caller.TaskRun, job.Caller.Args}
	}
	return a
}

// arguments joins what arrived and the bound ones into one array, as text: they are
// not looked into.
func arguments(job *api.Job) json.RawMessage {
	size := len(job.Input) + 2
	for _, b := range job.Bound {
		size += len(b) + 1
	}
	out := append(make([]byte, 0, size), '[')
	add := func(part []byte) {
		if len(part) == 0 {
			return
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, part...)
	}
	input := bytes.TrimSpace(job.Input)
	if job.Spread > 0 && len(input) > 1 && input[0] == '[' {
		input = bytes.TrimSpace(input[1 : len(input)-1])
	}
	add(input)
	for _, b := range job.Bound {
		add(b)
	}
	return append(out, ']')
}

// Heartbeat renews leases.
func (h *Hub) Heartbeat(ctx context.Context, id string, in Heartbeat) (Beaten, error) {
	s, err := h.worker(ctx, id)
	if err != nil {
		return Beaten{}, err
	}
	for _, a := range s.beat(&in) {
		_ = a.source.Heartbeat(a.job) // if it is to end, the worker hears of that anyway
	}
	timeout := time.NewTimer(s.wait(in.WaitMS))
	defer timeout.Stop()
	for {
		out, said, news := s.say(in.Attempts)
		if said || in.WaitMS == 0 {
			return out, s.orLost()
		}
		select {
		case <-news:
		case <-timeout.C:
			in.WaitMS = 0
		case <-ctx.Done():
			return out, context.Cause(ctx)
		}
	}
}

// beat renews the leases of what the worker has, and gives those whose bodies make
// progress.
func (s *session) beat(in *Heartbeat) (progress []*held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.CPU > 0 || in.Memory > 0 {
		s.cpu, s.memory = in.CPU, in.Memory
	}
	until := time.Now().Add(s.lease)
	for _, id := range in.Attempts {
		if a := s.attempts[id]; a != nil {
			a.until = until
		}
	}
	for _, id := range in.Progress {
		if a := s.attempts[id]; a != nil {
			progress = append(progress, a)
		}
	}
	return progress
}

// say collects what there is to say to a worker that has some attempts; said is false
// if none of it is news.
func (s *session) say(has []string) (out Beaten, said bool, news <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range has {
		if s.attempts[id] == nil && s.finished.known[id] == nil {
			out.Lost = append(out.Lost, id)
			said = true
		}
	}
	for _, a := range s.attempts {
		if a.stop == nil {
			continue
		}
		said = said || !a.said
		a.said = true
		out.Stop = append(out.Stop, *a.stop)
	}
	out.Drain = s.drain
	said = said || s.drain != s.told || len(s.ended) > 0 || s.gone
	s.told = s.drain
	out.Ended, s.ended = s.ended, nil
	return out, said, s.news
}

func (s *session) orLost() error {
	if s.isGone() {
		return api.Errorf(ErrWorkerLost, "", "worker %s is not known here any more: register again", s.id)
	}
	return nil
}

func codeOf(err error) api.Code {
	if known, ok := errors.AsType[*api.Error](err); ok {
		return known.Code
	}
	return api.ErrCancelled.Code
}
