package runnel

import (
	"encoding/json"

	"github.com/runnel-dev/runnel/api"
)

// CallFacts is what a function that looks at a call before its body is told: see
// [CacheKey] and [RunName].
type CallFacts struct {
	Task    string // the registered name
	Version string // see [Version]
	Run     string // the run's id
	TaskRun string // the task run's id
	// Flow is the task run of the flow that made the call, "" outside a flow.
	Flow string
	Tags []string

	args, flowArgs []json.RawMessage
}

// factsOf gives the facts of a job.
func factsOf(d *declaration, job *api.Job) (CallFacts, error) {
	args, err := collect(nil, d, job)
	facts := CallFacts{Task: d.name, Version: d.version, Run: job.Run, TaskRun: job.ID, Tags: job.Tags, args: args}
	if c := job.Caller; c != nil {
		facts.Flow, facts.flowArgs = c.TaskRun, c.Args
	}
	return facts, err
}

// Args is how many arguments the call has.
func (c CallFacts) Args() int { return len(c.args) }

// Arg gives an argument, counted from 0.
func (c CallFacts) Arg[T any](i int) (v T, err error) {
	if i < 0 || i >= len(c.args) {
		return v, api.Errorf(ErrInvalid, "", "task %q has %d arguments, and none with number %d", c.Task, len(c.args), i)
	}
	if v, err = decode[T](c.args[i]); err != nil {
		err = api.Errorf(ErrEncoding, "", "task %q: argument %d: %w", c.Task, i+1, err)
	}
	return v, err
}
