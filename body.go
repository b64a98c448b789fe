package runnel

import (
	"context"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
	"github.com/runnel-dev/runnel/internal/worker"
)

// TaskRun gives what is known of the task run that ctx belongs to: ids, names,
// attempt, what it was given the results of. It is the zero value outside a
// task.
func TaskRun(ctx context.Context) api.TaskRun {
	b := worker.From(ctx)
	if b == nil {
		return api.TaskRun{}
	}
	job := b.Job()
	if ended := b.Told(); ended != nil { // in a hook after it
		run := *ended
		run.Tags, run.Upstream = slices.Clone(run.Tags), slices.Clone(run.Upstream)
		return run
	}
	name, seq := job.Name, seqOf(job.ID)
	if name == "" {
		name = lifecycle.RunName(job.Task, seq)
	}
	return api.TaskRun{
		ID: job.ID, Run: job.Run, Seq: seq, Task: job.Task, Name: name,
		Index: job.Index, State: api.Running, Attempt: job.Attempt, Generation: job.Generation,
		Started: b.Started(), Upstream: job.Upstream, Tags: slices.Clone(job.Tags),
		StateName: lifecycle.Name(api.Running, job.Attempt, ""), Schedule: copied(job.Schedule),
	}
}

func copied(s *api.ScheduleTime) *api.ScheduleTime {
	if s == nil {
		return nil
	}
	out := *s
	return &out
}

// seqOf gives the number after the slash of a task run's id.
func seqOf(id string) (seq int64) {
	for i := range len(id) {
		switch c := id[i]; {
		case c == '/':
			seq = 0
		case c >= '0' && c <= '9':
			seq = seq*10 + int64(c-'0')
		}
	}
	return seq
}

// IdempotencyKey gives a text that is the same for every attempt of the task
// run, also after a crash, and that no other task run has. Of a flow's call it is
// made of the flow's key and the call's, so that a call made again on a retry of
// the flow keeps it. Give it to services
// that can tell a repeated request. It is "" outside a task.
func IdempotencyKey(ctx context.Context) string {
	if b := worker.From(ctx); b != nil {
		return b.Job().IdempotencyKey()
	}
	return ""
}

// TempDir gives a folder for the attempt, made at the first call and removed
// when the attempt has ended. The parts of a combined task share it.
func TempDir(ctx context.Context) (string, error) {
	if b := worker.From(ctx); b != nil {
		return b.TempDir()
	}
	return "", errNoTask
}

// Heartbeat says that the body makes progress; see [HeartbeatTimeout]. It fails
// if nobody wants the result any more.
func Heartbeat(ctx context.Context) error {
	if b := worker.From(ctx); b != nil {
		return b.Heartbeat()
	}
	return errNoTask
}

// PauseAfter pauses the run after this task, should it end well.
func PauseAfter(ctx context.Context) error {
	if b := worker.From(ctx); b != nil {
		return b.PauseAfter()
	}
	return errNoTask
}

// Token gives the token by which this attempt may be answered from outside, by
// [Engine.Complete] or [Engine.Fail], once that is durable. The body hands it
// to somebody and returns [Pending]; should it return a value instead, the value
// counts. A retry makes the tokens of earlier attempts stale.
func Token(ctx context.Context) (string, error) {
	if b := worker.From(ctx); b != nil {
		return b.Token(ctx)
	}
	return "", errNoTask
}
