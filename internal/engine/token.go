package engine

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// errLate answers who answers an attempt that has ended.
var errLate = api.Errorf(api.ErrConflict, "", "the attempt of this token has ended: the answer comes too late")

// A token names an attempt and proves that its bearer was given it: the run's
// id, the key of the task, generation and attempt, and a random number that the
// row holds.

// external is an answer from outside, as a row keeps it.
type external struct {
	Value   json.RawMessage `json:"value,omitempty"`
	Failure *api.Failure    `json:"failure,omitempty"`
}

// Token gives the job's token once it is durable. See worker.Source.
func (e *Engine) Token(ctx context.Context, job *api.Job) (string, error) {
	t := job.Key.(*task)
	r := t.run
	r.mu.Lock()
	if t.phase != claimed {
		r.mu.Unlock()
		return "", api.Errorf(api.ErrConflict, "", "task run %s is not running any more", job.ID)
	}
	done := make(chan error, 1)
	c := r.newChange()
	if t.cell.Seldom().Token == nil {
		t.cell.Put().Token = binary.BigEndian.AppendUint64(nil, e.random())
		t.recordRunning(c)
	}
	token := strings.Join([]string{r.text, hexInt(t.key), hexInt(int64(r.gen)), hexInt(int64(t.attempt)), hex.EncodeToString(t.cell.Seldom().Token)}, ".")
	c.told = toldOn(done)
	e.queue.push(c)
	r.mu.Unlock()
	if err := await(ctx, done); err != nil {
		return "", err
	}
	return token, nil
}

func hexInt(n int64) string {
	return strings.TrimLeft(hex.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(n))), "0")
}

// park leaves the task open until its token is answered.
func (t *task) park(c *change) {
	t.phase = waiting
	t.cell.Put().Waiting = true
	t.note(api.Running, t.run.e.micros(), "waits for an external answer")
	t.write(c, api.Running, &t.cell)
	if left := t.timeLeft(); left > 0 {
		t.deadline = t.run.e.timers.after(t.run.e.now().Add(left), func() {
			t.expire("timed out after " + t.job.Timeout.String())
		})
	}
}

// timeLeft is what is left of the attempt's time-out, 0 if it has none.
func (t *task) timeLeft() time.Duration {
	if t.job.Timeout == 0 {
		return 0
	}
	passed := t.run.e.now().Sub(time.UnixMicro(t.cell.Begun))
	return max(t.job.Timeout-passed, time.Nanosecond)
}

// answered ends the task with the answer that its row holds.
func (t *task) answered(c *change) {
	var x external
	if err := json.Unmarshal(t.cell.Seldom().Answer, &x); err != nil {
		x.Failure = systemFailure(err)
	}
	a := api.Answer{
		Result: x.Value, Failure: x.Failure,
		State: t.cell.State, SetState: t.cell.SetState, Merge: t.cell.Merge, Pause: t.cell.Pause,
	}
	result, err := t.run.keep(x.Value)
	if err != nil {
		a.Failure = systemFailure(err)
	}
	if a.Failure != nil && t.again(c, &a) {
		return
	}
	t.complete(c, &a, result)
}

// Complete answers a token with a value.
func (e *Engine) Complete(ctx context.Context, token string, value []byte) error {
	if value != nil && !json.Valid(value) {
		return api.Errorf(api.ErrEncoding, "", "answer is not JSON")
	}
	return e.answerToken(ctx, token, external{Value: value})
}

// Fail answers a token with a failure.
func (e *Engine) Fail(ctx context.Context, token string, f *api.Failure) error {
	return e.answerToken(ctx, token, external{Failure: f})
}

func (e *Engine) answerToken(ctx context.Context, token string, x external) error {
	parts := strings.Split(token, ".")
	if len(parts) != 5 {
		return api.Errorf(api.ErrNotFound, "", "not a token: %q", token)
	}
	return e.wherever(ctx, parts[0], askAnswer, answerRequest{token, x}, nil, func(r *run, row *store.RunRow) error {
		if r == nil {
			return api.Errorf(api.ErrConflict, "", "run %s is %s: the answer comes too late", parts[0], row.State)
		}
		return e.answerHere(ctx, r, token, x)
	})
}

func (e *Engine) answerHere(ctx context.Context, r *run, token string, x external) error {
	parts := strings.Split(token, ".")
	t := r.tokenTask(parts)
	answer, err := json.Marshal(x)
	if err != nil {
		return api.Errorf(api.ErrEncoding, "", "answer: %w", err)
	}
	if t == nil {
		err := e.answerStale(ctx, r, parts, answer)
		if err != errRevived { //nolint:errorlint // our own value
			return err
		}
		// Its flow came to it just now.
		if t = r.tokenTask(parts); t == nil {
			return errLate
		}
	}
	done := make(chan error, 1)
	r.mu.Lock()
	if err := t.checkToken(token); err != nil {
		r.mu.Unlock()
		return err
	}
	c := r.newChange()
	t.cell.Put().Answer = answer
	if t.phase == waiting {
		t.stopTimers()
		t.answered(c)
		t.freeSlots(c)
		if t.keyed {
			c.first(func() { e.leaveKeyed(t, &api.Answer{}) })
		}
	} else {
		t.write(c, api.Running, &t.cell)
	}
	c.told = toldOn(done)
	e.queue.push(c)
	r.mu.Unlock()
	return await(ctx, done)
}

// tokenTask finds the task that a token names, nil for one that is not in memory.
func (r *run) tokenTask(parts []string) *task {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range r.live.going() {
		if hexInt(t.key) == parts[1] {
			return t
		}
	}
	return nil
}

// checkToken reports why a token can't be answered. Called with run.mu.
func (t *task) checkToken(token string) error {
	parts, x := strings.Split(token, "."), t.cell.Seldom()
	switch {
	case t.phase != claimed && t.phase != waiting && t.phase != ready, parts[2] != hexInt(int64(t.run.gen)), parts[3] != hexInt(int64(t.attempt)):
		return errLate
	case x.Token == nil || parts[4] != hex.EncodeToString(x.Token):
		return api.Errorf(api.ErrNotFound, "", "no such token")
	case x.Answer != nil:
		return api.Errorf(api.ErrConflict, "", "this token was answered before")
	case t.cause != nil || !t.shielded():
		return api.Errorf(api.ErrConflict, "", "the task of this token is being cancelled")
	}
	return nil
}
