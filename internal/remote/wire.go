package remote

import (
	"context"
	"encoding/json"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Version is that of the protocol, which a worker may say and a server says. What is
// added to it later changes nothing for who does not know of it.
const Version = 1

// Server is what a worker speaks to: a [Hub], or a client of the server that has one.
// A worker that is not known, any more, is an [api.Error] like [ErrWorkerLost].
type Server interface {
	RegisterWorker(ctx context.Context, r Registration) (Registered, error)
	// ClaimTasks gives up to as many attempts as are asked for, and waits for the first.
	ClaimTasks(ctx context.Context, worker string, c Claim) (Claimed, error)
	// Heartbeat renews leases, and may wait until there is something to say.
	Heartbeat(ctx context.Context, worker string, h Heartbeat) (Beaten, error)
	// FinishTasks takes what became of attempts, and says of each whether it counts.
	FinishTasks(ctx context.Context, worker string, all []Finish) ([]Settled, error)
	WriteLogs(ctx context.Context, worker string, lines []AttemptLine) error
	DeregisterWorker(ctx context.Context, worker string) error

	// What bodies ask for. Of an attempt that is not the worker's any more it is an
	// [api.Error] like [ErrAttemptLost].
	AskToken(ctx context.Context, worker, attempt string) (token string, err error)
	AcquireSlots(ctx context.Context, worker, attempt string, want api.SlotRequest) (grant int64, err error)
	ReleaseSlots(ctx context.Context, worker, attempt string, grant int64) error
	AskCache(ctx context.Context, worker, attempt string, use api.CacheUse) (run bool, err error)
}

var (
	// ErrAttemptLost is what is said of an attempt whose lease ran out, or that was
	// taken back: others go on with it, and what becomes of this one counts no more.
	ErrAttemptLost = &api.Error{Code: "attempt_lost", Msg: "the attempt is not this worker's any more"}
	// ErrWorkerLost is a worker that is not known: its lease ran out, or the server began
	// anew. It may register again.
	ErrWorkerLost = &api.Error{Code: "worker_lost", Msg: "the worker is not known here, any more: register again"}
)

// Registration is what a worker says of itself.
type Registration struct {
	Name    string   `json:"name" minLength:"1" maxLength:"200" doc:"For people, such as host and process" example:"gpu-7/4711"`
	Version string   `json:"version,omitempty" maxLength:"200" doc:"Of the worker's program"`
	Queues  []string `json:"queues,omitempty" maxItems:"1000" doc:"Whose tasks it runs; absent: all"`
	Tasks   []Task   `json:"tasks" minItems:"1" maxItems:"10000" doc:"Whose bodies it has"`
	Slots   int      `json:"slots" minimum:"1" maximum:"10000" doc:"How many attempts it may have at a time"`
	LeaseMS int64    `json:"lease_ms,omitempty" minimum:"0" maximum:"3600000" doc:"How long it may be silent before its attempts are given to others. Default 10000, and at least 1000"`
	// Protocol is the newest version that it speaks.
	Protocol int `json:"protocol,omitempty" minimum:"0" doc:"Version of the protocol; default 1"`

	// Owner is who it says it is to the server, which nobody else may be then; "" where
	// nobody is asked.
	Owner string `json:"-"`
}

// Task is a task whose body a worker has.
type Task struct {
	Name        string      `json:"name" minLength:"1" maxLength:"200"`
	Version     string      `json:"version,omitempty" maxLength:"200"`
	Kind        string      `json:"kind,omitempty" enum:"task,orchestrator,combined" doc:"Default task; an orchestrator may answer with a pipeline"`
	Package     string      `json:"package,omitempty" maxLength:"500"`
	Description string      `json:"description,omitempty" maxLength:"2000"`
	Params      []string    `json:"params" nullable:"false" maxItems:"3" doc:"JSON kinds of its arguments: integer, number, string, boolean, array, object, any"`
	Result      string      `json:"result,omitempty" doc:"That of its result, or none. Default any"`
	Options     api.Options `json:"options,omitzero" doc:"What it is declared with: retries, time-out, tags, queue, …"`
	Cached      bool        `json:"cached,omitempty" doc:"It has a cache key: ask before the body runs"`
	Hooks       bool        `json:"hooks,omitempty" doc:"It wants to hear how its task runs ended"`
}

// Registered is the answer to a [Registration].
type Registered struct {
	Worker   string `json:"worker" doc:"Its id, which the other calls name"`
	LeaseMS  int64  `json:"lease_ms" doc:"How long it may be silent; send heartbeats three times as often"`
	Protocol int    `json:"protocol"`
}

// Claim asks for attempts.
type Claim struct {
	Max    int   `json:"max,omitempty" minimum:"0" maximum:"10000" doc:"How many at most; default 1"`
	WaitMS int64 `json:"wait_ms,omitempty" minimum:"0" maximum:"3600000" doc:"How long to wait for the first; at most half the lease, and 20 s"`
}

// Claimed is what a worker is given.
type Claimed struct {
	Attempts []Attempt `json:"attempts" nullable:"false"`
	Drain    bool      `json:"drain,omitempty" doc:"Claim nothing more, until a heartbeat says otherwise"`
}

// Attempt is one attempt of a task run.
type Attempt struct {
	Attempt        string          `json:"attempt" doc:"What heartbeats and the finish name it by"`
	Run            string          `json:"run"`
	TaskRun        string          `json:"task_run"`
	Task           string          `json:"task"`
	Name           string          `json:"name,omitempty" doc:"Of the task run, if it is not the default one"`
	Number         int             `json:"number" doc:"From 1; more than that for a retry"`
	Generation     int             `json:"generation"`
	Index          int             `json:"index" doc:"Place in a group; -1 outside"`
	Args           json.RawMessage `json:"args" doc:"Its arguments, an array"`
	IdempotencyKey string          `json:"idempotency_key" doc:"The same for every attempt, and no other task run's"`
	LeaseMS        int64           `json:"lease_ms" doc:"How long it is the worker's without a heartbeat that lists it"`
	// Both are left to the server to enforce; the worker is told to stop.
	TimeoutMS          int64             `json:"timeout_ms,omitempty" doc:"How long it may take"`
	Deadline           time.Time         `json:"deadline,omitzero" doc:"When that is over, by the server's clock"`
	HeartbeatTimeoutMS int64             `json:"heartbeat_timeout_ms,omitempty" doc:"How long the body may make no progress"`
	Tags               []string          `json:"tags,omitempty"`
	Upstream           []api.Upstream    `json:"upstream,omitempty"`
	State              json.RawMessage   `json:"state,omitempty" doc:"The pipeline's state"`
	TaskID             string            `json:"task_id,omitempty"`
	Keyed              json.RawMessage   `json:"keyed,omitempty" doc:"State kept under the task id"`
	Schedule           *api.ScheduleTime `json:"schedule,omitempty" doc:"What made the run"`
	Looked             bool              `json:"looked,omitempty" doc:"Of a cached task: run it without asking"`
	Named              bool              `json:"named,omitempty"`
	Caller             *Caller           `json:"caller,omitempty" doc:"Of a cached task: the flow that called it"`
	Metadata           map[string]string `json:"metadata" nullable:"false" doc:"What goes along with a call: of a run with a trace traceparent, and perhaps tracestate"`
}

// Caller is a flow as its calls see it.
type Caller struct {
	TaskRun string   `json:"task_run"`
	Args    api.Args `json:"args,omitempty"`
}

// Heartbeat says that a worker lives, and what it has.
type Heartbeat struct {
	Attempts []string `json:"attempts,omitempty" maxItems:"20000" doc:"Those that it has: their leases begin anew"`
	Progress []string `json:"progress,omitempty" maxItems:"20000" doc:"Those whose bodies made progress, for heartbeat_timeout"`
	WaitMS   int64    `json:"wait_ms,omitempty" minimum:"0" maximum:"3600000" doc:"How long the answer may wait for something to say; at most half the lease, and 20 s"`
	CPU      float64  `json:"cpu,omitempty" minimum:"0" doc:"How many cores the worker has used of late, for people"`
	Memory   int64    `json:"memory,omitempty" minimum:"0" doc:"Bytes of memory that it has, for people"`
}

// Beaten is the answer to a [Heartbeat].
type Beaten struct {
	Stop  []Stop   `json:"stop,omitempty" doc:"Attempts whose bodies are to end; finish them all the same"`
	Lost  []string `json:"lost,omitempty" doc:"Attempts of the heartbeat that are not the worker's any more"`
	Drain bool     `json:"drain,omitempty" doc:"Claim nothing more"`
	Ended []Ended  `json:"ended,omitempty" doc:"Task runs that have ended, of tasks with hooks; told once"`
}

// Stop is an attempt whose body is to end.
type Stop struct {
	Attempt string   `json:"attempt"`
	Code    api.Code `json:"code" doc:"cancelled or timeout"`
	Message string   `json:"message"`
}

// Ended is how a task run ended, for the hooks of its task.
type Ended struct {
	Attempt string      `json:"attempt" doc:"The last one"`
	TaskRun api.TaskRun `json:"task_run"`
}

// Finish is what became of an attempt: a result, a failure, or one of the others.
type Finish struct {
	Attempt string          `json:"attempt"`
	Result  json.RawMessage `json:"result,omitempty" doc:"What the body gave; absent for nothing"`
	Failure *AttemptFailure `json:"failure,omitempty" doc:"Or why it failed"`
	NoRetry bool            `json:"no_retry,omitempty" doc:"No further attempt would cure it"`
	// Returned says that there is no answer: somebody else is to run it.
	Returned bool `json:"returned,omitempty" doc:"Or that it is given back, as if it had not been claimed"`
	// The others are for who has more of Runnel.
	Pipeline json.RawMessage `json:"pipeline,omitempty" doc:"Of an orchestrator: a pipeline that takes its place"`
	Pending  bool            `json:"pending,omitempty" doc:"It waits for an answer to its token"`
	State    json.RawMessage `json:"state,omitempty" doc:"The pipeline's state from here on, with set_state"`
	SetState bool            `json:"set_state,omitempty"`
	Merge    bool            `json:"merge_state,omitempty"`
	Keyed    json.RawMessage `json:"keyed,omitempty" doc:"State to keep under the task id, with set_keyed"`
	SetKeyed bool            `json:"set_keyed,omitempty"`
	Pause    bool            `json:"pause,omitempty" doc:"Pause the run after it"`
	Name     *string         `json:"name,omitempty" doc:"Of the task run"`
	Started  time.Time       `json:"started,omitzero" doc:"By the worker's clock"`
	Ended    time.Time       `json:"ended,omitzero"`
	Parts    []api.Part      `json:"parts,omitempty"`
}

// AttemptFailure is why an attempt failed.
type AttemptFailure struct {
	Message string         `json:"message"`
	Type    string         `json:"type,omitempty" doc:"Of the error, in its language"`
	Code    api.Code       `json:"code,omitempty"`
	Names   []string       `json:"names,omitempty" doc:"Names that a retry policy may go by"`
	Stack   string         `json:"stack,omitempty"`
	Causes  []*api.Failure `json:"causes,omitempty"`
	Count   int            `json:"count,omitempty"`
}

// Settled says what a [Finish] came to.
type Settled struct {
	Attempt string   `json:"attempt"`
	Code    api.Code `json:"code,omitempty" doc:"Absent: it counts. attempt_lost: it changes nothing"`
}

// AttemptLine is a line that a body wrote.
type AttemptLine struct {
	Attempt string    `json:"attempt"`
	Time    time.Time `json:"time,omitzero" doc:"Default: now"`
	Level   string    `json:"level,omitempty" maxLength:"20" doc:"DEBUG, INFO, WARN or ERROR. Default INFO"`
	Text    string    `json:"text"`
}
