package api

import (
	"encoding/json"
	"time"
)

// Job is one attempt of a task, given to a worker.
type Job struct {
	// Key names the attempt for the engine; the worker gives it back untouched.
	Key  any    `json:"-"`
	Run  string // the run's id
	Task string // the registered name
	// Name is that of the task run; "" for the default, which is made of Task and
	// the number in ID.
	Name string
	ID   string // the task run's id
	// Attempt counts from 1.
	Attempt    int
	Generation int
	Index      int // place in the group; -1 outside
	// Input is what arrived, nil for nothing; Spread > 0 cuts it into as many
	// arguments. Bound follow it.
	Input json.RawMessage `json:",omitempty"`
	Bound Args
	// State is the pipeline's state, nil for none.
	State json.RawMessage `json:",omitempty"`
	// TaskID names the instance, "" for none; Keyed is its state.
	TaskID string
	Keyed  json.RawMessage `json:",omitempty"`
	// Timeout and HeartbeatTimeout are those of this attempt; 0 for none.
	Timeout, HeartbeatTimeout time.Duration
	Tags                      []string
	Upstream                  []Upstream
	// Caller is the flow that made the call; only of tasks that are cached, and nil
	// outside a flow.
	Caller *Caller
	Spread int8
	// Looked says that the cache was asked, and that the body is to run; Named that
	// Name is not to be asked for.
	Looked, Named bool
	// Idempotency is the idempotency key, "" if ID is.
	Idempotency string
	// Schedule is what made the run, nil if it was submitted. It must not be
	// changed.
	Schedule *ScheduleTime
}

// IdempotencyKey gives what is the same for all attempts of the task run, also
// after a crash, and no other's. Of a flow's call it is made of the flow's key
// and the call's: a retry of the flow makes the call again under it.
func (j *Job) IdempotencyKey() string {
	if j.Idempotency != "" {
		return j.Idempotency
	}
	return j.ID
}

// Caller is a flow as its calls see it.
type Caller struct {
	TaskRun string // its id
	Args    Args   // what it was given
}

// Answer is what became of a job.
type Answer struct {
	// Result is the value, nil for none. With Failure set it means nothing.
	Result  json.RawMessage `json:",omitempty"`
	Failure *Failure
	// NoRetry refuses further attempts: arguments that don't decode, a result
	// that doesn't encode, a RetryIf that said no.
	NoRetry bool
	// Pipeline takes the task's place if it is not nil.
	Pipeline *Spec
	// Pending leaves the task open until somebody answers its token.
	Pending bool
	// State replaces the pipeline's state if SetState; Merge says it is a map.
	State    json.RawMessage `json:",omitempty"`
	SetState bool
	Merge    bool
	// Keyed replaces the keyed state if SetKeyed.
	Keyed    json.RawMessage `json:",omitempty"`
	SetKeyed bool
	// Interrupted says that the engine was closed before the body came to its end:
	// there is no answer, and the next engine runs it again.
	Interrupted bool
	// Pause pauses the run after the task.
	Pause   bool
	Started time.Time
	Ended   time.Time
	Parts   []Part
}
