package httpapi

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/remote"
	"github.com/runnel-dev/runnel/internal/vital"
)

// Service is what the handler serves: an engine.
type Service interface {
	Runs
	Tasks
	Limits
	Cache
	Schedules
	Facts
	remote.Server // for workers that come over HTTP
}

// Runs is what a service does with runs. Errors are of package api: an
// [api.ErrNotFound] for an id that there is not, an [api.ErrConflict] for what the
// run's state does not allow.
type Runs interface {
	// Submit makes a run. With a key that was used before for the same pipeline it
	// gives that run and existed.
	Submit(ctx context.Context, s Submission) (id string, existed bool, err error)
	// Runs lists, newest first.
	Runs(ctx context.Context, filter api.RunFilter) iter.Seq2[api.Run, error]
	// Estimate sums up what weigh gives for each of those, exactly if they are few, else
	// by looking at some.
	Estimate(ctx context.Context, filter api.RunFilter, weigh func(*api.Run) int64) (sum int64, exact bool, err error)
	// Lookup gives the ids of runs that begin with prefix, a few at most.
	Lookup(ctx context.Context, prefix string) ([]string, error)
	Status(ctx context.Context, run string) (api.Run, error)
	// Request gives the pipeline as it was submitted, in its JSON form.
	Request(ctx context.Context, run string) ([]byte, error)
	// Result gives what a run has come to, an [api.ErrConflict] while it has not.
	Result(ctx context.Context, run string) (Outcome, error)
	// Wait gives it once it has, or ctx's error.
	Wait(ctx context.Context, run string) (Outcome, error)
	Cancel(ctx context.Context, run string) error
	Pause(ctx context.Context, run string) error
	Resume(ctx context.Context, run string) error
	// Retry runs what did not complete again, RetryAll all.
	Retry(ctx context.Context, run string) error
	RetryAll(ctx context.Context, run string) error
	// Delete removes a run that has ended, and all that belongs to it.
	Delete(ctx context.Context, run string) error
	// Changes tells what changed, until ctx ends.
	Changes(ctx context.Context) iter.Seq[api.Change]
}

// Submission is a pipeline to be run.
type Submission struct {
	Spec *api.Spec
	Name string // of the run; "": it is made up from the pipeline
	Key  string // the same for attempts of one submission; "" for none
}

// Outcome is what a run has come to.
type Outcome struct {
	State      api.State       `json:"state"`
	Result     json.RawMessage `json:"result,omitempty"`
	Failure    *api.Failure    `json:"failure,omitempty"`
	FinalState json.RawMessage `json:"final_state,omitempty" doc:"The pipeline's state at its end, if it has one"`
}

// Tasks is what a service does with task runs.
type Tasks interface {
	TaskRuns(ctx context.Context, filter api.TaskRunFilter) iter.Seq2[api.TaskRun, error]
	TaskRun(ctx context.Context, id string) (api.TaskRun, error)
	// Why says what a run or a task run waits for.
	Why(ctx context.Context, id string) (api.Waiting, error)
	// CancelTask ends one task run of a live run.
	CancelTask(ctx context.Context, id string) error
	// RetryFrom runs a task run of a run that has ended again, and all after it.
	RetryFrom(ctx context.Context, id string) error
	// Complete and Fail answer a task run that waits for an answer from outside.
	Complete(ctx context.Context, token string, result []byte) error
	Fail(ctx context.Context, token string, failure *api.Failure) error
	Logs(ctx context.Context, filter api.LogFilter) iter.Seq2[api.LogLine, error]
	// FollowLogs is Logs that goes on until the run has ended.
	FollowLogs(ctx context.Context, filter api.LogFilter) iter.Seq2[api.LogLine, error]
}

// Limits is what a service does with limits of tags, and with global ones.
type Limits interface {
	Limits(ctx context.Context) iter.Seq2[api.Limit, error]
	Limit(ctx context.Context, tag string) (api.Limit, error)
	// SetLimit makes a limit, or changes one.
	SetLimit(ctx context.Context, tag string, limit int) error
	// ResetLimit forgets who has slots: all, or the task runs of some ids.
	ResetLimit(ctx context.Context, tag string, slots ...string) error
	DeleteLimit(ctx context.Context, tag string) error

	GlobalLimits(ctx context.Context) iter.Seq2[api.GlobalLimit, error]
	GlobalLimit(ctx context.Context, name string) (api.GlobalLimit, error)
	SetGlobalLimit(ctx context.Context, limit api.GlobalLimit) error
	ActivateGlobalLimit(ctx context.Context, name string, active bool) error
	ResetGlobalLimit(ctx context.Context, name string) error
	DeleteGlobalLimit(ctx context.Context, name string) error
}

// Cache is what a service does with kept results.
type Cache interface {
	CacheEntries(ctx context.Context, filter api.CacheFilter) iter.Seq2[api.CacheEntry, error]
	CacheEntry(ctx context.Context, key string) (api.CacheEntry, error)
	DeleteCache(ctx context.Context, filter api.CacheFilter) (int, error)
	// ExplainCache says why a task run took a kept result, or did not.
	ExplainCache(ctx context.Context, taskRun string) (api.CacheReport, error)
	// ExplainCall says whether a call would take one, were it made now.
	ExplainCall(ctx context.Context, task string, args []json.RawMessage) (api.CacheReport, error)
	CacheStats(ctx context.Context) (CacheStats, error)
}

// Schedules is what a service does with schedules.
type Schedules interface {
	Schedules(ctx context.Context) iter.Seq2[api.Schedule, error]
	Schedule(ctx context.Context, name string) (api.Schedule, error)
	CreateSchedule(ctx context.Context, want api.Schedule, spec *api.Spec) error
	DeleteSchedule(ctx context.Context, name string) error
	PauseSchedule(ctx context.Context, name string) error
	ResumeSchedule(ctx context.Context, name string) error
	// SkipSchedule makes no run for the next time.
	SkipSchedule(ctx context.Context, name string) error
	TriggerSchedule(ctx context.Context, name string) (run string, err error)
	ScheduleTimes(ctx context.Context, name string, n int) ([]time.Time, error)
	// Times gives the next n times of a timetable, whether or not it is in use.
	Times(ctx context.Context, t api.Timetable, after time.Time, n int) ([]time.Time, error)
	Backfill(ctx context.Context, name string, from, to time.Time) (int, error)
	// BackfillTimes gives the times whose runs Backfill would make.
	BackfillTimes(ctx context.Context, name string, from, to time.Time) ([]time.Time, error)
}

// Facts is what a service says of itself.
type Facts interface {
	// Registered gives the tasks and flows that it knows.
	Registered(ctx context.Context) ([]api.TaskInfo, error)
	Workers(ctx context.Context) ([]api.Worker, error)
	// Worker gives one, with what it does.
	Worker(ctx context.Context, id string) (api.Worker, error)
	// DrainWorker has one take no new work, or take some again.
	DrainWorker(ctx context.Context, id string, drain bool) error
	Queues(ctx context.Context) ([]api.Queue, error)
	// Offered gives workers, and names of queues, as far as that costs next to nothing:
	// how busy workers are, and queues that nobody serves by name, are not in it.
	Offered(ctx context.Context) (workers []api.Worker, queues []string, err error)
	// PauseQueue has nothing more of a queue begin, until ResumeQueue.
	PauseQueue(ctx context.Context, name string) error
	ResumeQueue(ctx context.Context, name string) error
	Health(ctx context.Context) api.Health
	// Vitals gives what the engine counts of itself, nil if it is elsewhere; with all,
	// also what is found by looking at all that it has in memory.
	Vitals(ctx context.Context, all bool) *vital.Snapshot
}
