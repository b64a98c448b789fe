package api

import (
	"encoding/json"
	"slices"
	"time"
)

// Run is what is known of one submitted pipeline.
type Run struct {
	// ID is a UUIDv7.
	ID string `json:"id"`
	// Name is that given at Submit, or the first task's.
	Name       string    `json:"name"`
	State      State     `json:"state"`
	Generation int       `json:"generation"` // 0, and one more for each Retry
	Created    time.Time `json:"created"`
	Finished   time.Time `json:"finished,omitzero"`
	// Failure is why it failed or was cancelled; nil otherwise.
	Failure *Failure `json:"failure,omitempty"`
	// Schedule is what made it and the time that it stands for; nil if it was
	// submitted.
	Schedule *ScheduleTime `json:"schedule,omitempty"`
	// Tasks counts the task runs by task name and state.
	Tasks map[string]TaskCounts `json:"tasks,omitempty"`
}

// TaskCounts is how many task runs of one name are where. While the run is live,
// Pending has also the children of its groups that have not begun, by the task that
// each begins with; what follows in a pipeline is counted when it comes.
type TaskCounts struct {
	Pending   int64 `json:"pending"`  // no body has begun
	Running   int64 `json:"running"`  // its body runs, or it waits for an answer from outside
	Retrying  int64 `json:"retrying"` // it failed, and waits for its next attempt
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
	Cancelled int64 `json:"cancelled"`
	Skipped   int64 `json:"skipped"`
	Retries   int64 `json:"retries"` // attempts after the first
}

// Ended is how many have ended.
func (c TaskCounts) Ended() int64 { return c.Completed + c.Failed + c.Cancelled + c.Skipped }

// Open is how many have not.
func (c TaskCounts) Open() int64 { return c.Pending + c.Running + c.Retrying }

// Add adds others to them.
func (c *TaskCounts) Add(more TaskCounts) {
	c.Pending += more.Pending
	c.Running += more.Running
	c.Retrying += more.Retrying
	c.Completed += more.Completed
	c.Failed += more.Failed
	c.Cancelled += more.Cancelled
	c.Skipped += more.Skipped
	c.Retries += more.Retries
}

// TaskRun is what is known of one call of a task within a run: one record for
// all its attempts.
type TaskRun struct {
	// ID is the run's id, a slash, and Seq. It is also the idempotency key, but
	// for calls of flows, see [Job.IdempotencyKey].
	ID  string `json:"id"`
	Run string `json:"run"`
	// Seq numbers the task runs of a run from 0, roughly in order of creation.
	Seq int64 `json:"seq"`
	// Task is the name it is registered under. Name is that of the run: what the
	// call's options or the task's RunName say, of a flow's call its key, and else
	// Task with Seq, as in "add-3".
	Task string `json:"task"`
	Name string `json:"name"`
	// Index is its place in the group or each that it stands in; -1 outside.
	Index int `json:"index"`
	// Place is that of its step in the JSON form of its pipeline, as in
	// "steps[0].children[2].steps[1]"; of an each all elements have the same, as in
	// "steps[1].each.steps[0]". The pipeline is that of the run, or with Caller the one
	// that was called or returned. "" if it is not known any more.
	Place string `json:"place,omitempty"`
	// Caller is the id of the task run that called it, as flows do, or returned the
	// pipeline that it is part of; "" for none. Only lists, and what reads one task run,
	// give Place and Caller: bodies and hooks do without.
	Caller string `json:"caller,omitempty"`
	State  State  `json:"state"`
	// StateName says more than State, as in "AwaitingRetry" or "TimedOut".
	StateName  string   `json:"state_name"`
	Tags       []string `json:"tags,omitempty"` // sorted
	Attempt    int      `json:"attempt"`        // from 1; 0 before the first: how often its body began
	Generation int      `json:"generation"`
	// Waiting is what it waits for, nil if it has ended or its body runs. Reason
	// is the same as text.
	Waiting *Waiting `json:"waiting,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	// Worker is the name of the worker that its body began on last, "" if it never began:
	// the process, or what comes over HTTP.
	Worker   string          `json:"worker,omitempty"`
	Started  time.Time       `json:"started,omitzero"`  // of the first attempt since the run was last retried
	Finished time.Time       `json:"finished,omitzero"` // zero unless State is final
	Result   json.RawMessage `json:"result,omitempty"`
	Failure  *Failure        `json:"failure,omitempty"`
	// Upstream are what it was given the results of or, in a flow, waited for: one
	// task run, or a pipeline called by a flow, which has no id. A group's are not
	// listed.
	Upstream []Upstream `json:"upstream,omitempty"`
	Parts    []Part     `json:"parts,omitempty"`
	Cache    *CacheUse  `json:"cache,omitempty"` // nil: it is not cached
	// History has times that differ: of equal ones the later is shown a
	// microsecond later.
	History []Transition `json:"history,omitempty"`
	// Schedule is what made the run and the time that it stands for; nil if the run
	// was submitted. Only the body sees it; of lists the runs' have it.
	Schedule *ScheduleTime `json:"schedule,omitempty"`
}

// Upstream is a task run that another depends on.
type Upstream struct {
	TaskRun string `json:"task_run"`
	State   State  `json:"state"`
}

// Part is one part of a combined task.
type Part struct {
	Task    string    `json:"task"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	State   State     `json:"state"`
}

// Transition is one line of a task run's history.
type Transition struct {
	State   State     `json:"state"`
	Name    string    `json:"name,omitempty"` // such as "AwaitingRetry"
	Time    time.Time `json:"time"`
	Attempt int       `json:"attempt"`
	Message string    `json:"message,omitempty"`
}

// RunFilter chooses runs; the zero value chooses all. Newest first.
type RunFilter struct {
	States []State
	Name   string    // exact; "" for any
	Since  time.Time // created at or after
	Until  time.Time // created before
	// Before is a run's id: only those that come after it in the list, which are
	// older. It need not exist any more. So a list goes on where another ended, and
	// neither runs that came nor such that went meanwhile make it repeat or leave
	// out others. "" begins with the newest.
	Before string
	Limit  int // 0: no limit
}

// TaskRunFilter chooses task runs; the zero value chooses all.
type TaskRunFilter struct {
	Run    string // a run's id; "" for all runs
	States []State
	Tags   []string // all of them
	AnyOf  []string // tags, at least one of them; nil for any
	Task   string   // exact; "" for any
	// After is a task run's id: only those that come after it in the list, of its
	// run by number, and then of older runs. It need not exist any more. A list that
	// goes on after the last of another repeats nothing; of a live run, task runs
	// that came meanwhile with a lower number are not in it. "" begins with the first.
	After string
	Limit int // 0: no limit
}

// Chooses reports whether the filter chooses a task run by what it is: its state, task
// and tags.
func (f *TaskRunFilter) Chooses(t *TaskRun) bool {
	for _, tag := range f.Tags {
		if !slices.Contains(t.Tags, tag) {
			return false
		}
	}
	if len(f.AnyOf) > 0 && !slices.ContainsFunc(f.AnyOf, func(tag string) bool { return slices.Contains(t.Tags, tag) }) {
		return false
	}
	return (len(f.States) == 0 || slices.Contains(f.States, t.State)) && (f.Task == "" || f.Task == t.Task)
}
