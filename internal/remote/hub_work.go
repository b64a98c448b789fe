package remote

import (
	"context"
	"log/slog"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// FinishTasks takes answers. A worker that is not known has lost all its attempts.
func (h *Hub) FinishTasks(ctx context.Context, id string, all []Finish) ([]Settled, error) {
	out, answers := make([]Settled, len(all)), make([]api.Answer, len(all))
	for i := range all {
		a, err := all[i].answer()
		if err != nil {
			return nil, err
		}
		answers[i] = a
	}
	s, lost := h.worker(ctx, id)
	for i := range all {
		out[i].Attempt = all[i].Attempt
		if lost != nil || !s.finish(&all[i], answers[i]) {
			out[i].Code = ErrAttemptLost.Code
		}
	}
	return out, nil
}

// finish ends an attempt, and reports whether its answer counts. One that is repeated
// is answered as it was.
func (s *session) finish(f *Finish, answer api.Answer) (counts bool) {
	s.mu.Lock()
	if e := s.finished.known[f.Attempt]; e != nil {
		counts = e.counts
		s.mu.Unlock()
		return counts
	}
	a := s.attempts[f.Attempt]
	if a == nil || a.asking {
		s.mu.Unlock()
		return false
	}
	delete(s.attempts, f.Attempt)
	e := &ended{counts: true}
	if s.hooks[a.job.Task] {
		e.job = a.job
	}
	s.finished.add(f.Attempt, e)
	s.mu.Unlock()
	if f.Returned {
		a.source.GiveBack(a.job)
		return true
	}
	if f.Name != nil {
		a.source.Name(a.job, *f.Name)
	}
	if counts = a.source.Settle(a.job, answer); !counts {
		s.mu.Lock()
		e.counts = false
		s.mu.Unlock()
	}
	return counts
}

// answer makes an engine's answer of what a worker says.
func (f *Finish) answer() (a api.Answer, err error) {
	said := 0
	for _, yes := range []bool{f.Result != nil, f.Failure != nil, f.Returned, f.Pipeline != nil, f.Pending} {
		if yes {
			said++
		}
	}
	if said > 1 {
		return a, api.Errorf(api.ErrInvalid, f.Attempt, "has more than one of result, failure, returned, pipeline and pending")
	}
	a = api.Answer{
		Result: f.Result, NoRetry: f.NoRetry, Pending: f.Pending, State: f.State, SetState: f.SetState, Merge: f.Merge,
		Keyed: f.Keyed, SetKeyed: f.SetKeyed, Pause: f.Pause, Started: f.Started, Ended: f.Ended, Parts: f.Parts,
	}
	if f.Pipeline != nil {
		if a.Pipeline, err = api.ParseSpec(f.Pipeline); err != nil {
			return a, api.Errorf(api.ErrInvalid, f.Attempt, "pipeline: %w", err)
		}
	}
	if f.Failure != nil {
		a.Failure = &api.Failure{
			Message: f.Failure.Message, Type: f.Failure.Type, Code: f.Failure.Code, Names: f.Failure.Names,
			Stack: f.Failure.Stack, Causes: f.Failure.Causes, Count: f.Failure.Count,
		}
	}
	return a, nil
}

// WriteLogs keeps lines with the runs. Those of attempts that are not the worker's any
// more are dropped.
func (h *Hub) WriteLogs(ctx context.Context, id string, lines []AttemptLine) error {
	s, err := h.worker(ctx, id)
	if err != nil {
		return err
	}
	for i := range lines {
		l := &lines[i]
		var level slog.Level
		if l.Level == "" {
			l.Level = slog.LevelInfo.String()
		}
		if err := level.UnmarshalText([]byte(l.Level)); err != nil {
			return api.Errorf(api.ErrInvalid, "level", "%q is no level: want DEBUG, INFO, WARN or ERROR", l.Level)
		}
		if l.Time.IsZero() {
			l.Time = time.Now()
		}
		if a := s.find(l.Attempt); a != nil {
			a.source.Log(a.job, api.LogLine{
				TaskRun: a.job.ID, Task: a.job.Task, Attempt: a.job.Attempt, Time: l.Time, Level: level.String(), Text: l.Text,
			})
		}
	}
	return nil
}

// AskToken gives the token by which an attempt may be answered from outside.
func (h *Hub) AskToken(ctx context.Context, id, attempt string) (string, error) {
	a, err := h.attempt(ctx, id, attempt)
	if err != nil {
		return "", err
	}
	return a.source.Token(ctx, a.job)
}

// AcquireSlots gives slots of global limits, once they are free.
func (h *Hub) AcquireSlots(ctx context.Context, id, attempt string, want api.SlotRequest) (int64, error) {
	a, err := h.attempt(ctx, id, attempt)
	if err != nil {
		return 0, err
	}
	return a.source.Acquire(ctx, a.job, want)
}

// ReleaseSlots gives slots back.
func (h *Hub) ReleaseSlots(ctx context.Context, id, attempt string, grant int64) error {
	a, err := h.attempt(ctx, id, attempt)
	if err == nil {
		a.source.Release(a.job, grant)
	}
	return err
}

// AskCache asks about the key of a cached task's attempt. If the body is not to run the
// attempt is over.
func (h *Hub) AskCache(ctx context.Context, id, attempt string, use api.CacheUse) (run bool, err error) {
	s, err := h.worker(ctx, id)
	if err != nil {
		return false, err
	}
	a := s.ask(attempt)
	if a == nil {
		return false, lost(attempt)
	}
	run = a.source.Cached(a.job, use)
	if run && !s.asked(a, run) {
		a.source.GiveBack(a.job)
		return false, lost(attempt)
	}
	if !run {
		s.asked(a, run)
	}
	return run, nil
}

// ask takes an attempt out of everybody's hands while the cache is asked.
func (s *session) ask(attempt string) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.attempts[attempt]
	if a == nil || a.asking {
		return nil
	}
	a.asking = true
	return a
}

// asked puts it back, if it goes on and the worker is still there.
func (s *session) asked(a *held, goesOn bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.asking = false; goesOn && !s.gone {
		return true
	}
	delete(s.attempts, a.id)
	return false
}

// Told has the worker that ended a task run hear of how it ended.
func (h *Hub) Told(job *api.Job, run api.TaskRun) {
	h.mu.Lock()
	all := make([]*session, 0, len(h.workers))
	for _, s := range h.workers {
		all = append(all, s)
	}
	h.mu.Unlock()
	for _, s := range all {
		if s.tell(job, run) {
			return
		}
	}
}
