package lifecycle

import (
	"strconv"

	"github.com/runnel-dev/runnel/api"
)

// The names of states, which say more than their types. They are those of
// Prefect, where it has them.
const (
	AwaitingRetry = "AwaitingRetry" // SCHEDULED: the next attempt's time has to come
	Retrying      = "Retrying"      // RUNNING, and not for the first time
	TimedOut      = "TimedOut"      // FAILED, by one of Runnel's time-outs
	Cached        = "Cached"        // COMPLETED with a result from the cache
	Aborted       = "Aborted"       // CANCELLED by a limit of 0
	Stopped       = "Stopped"       // CANCELLED by a request for it alone
	NotReady      = "NotReady"      // SKIPPED: an upstream did not complete
)

var plainNames = map[api.State]string{
	api.Pending: "Pending", api.Scheduled: "Scheduled", api.Running: "Running", api.Paused: "Paused",
	api.Cancelling: "Cancelling", api.Completed: "Completed", api.Failed: "Failed", api.Cancelled: "Cancelled",
	api.Crashed: "Crashed", api.Skipped: "Skipped",
}

// RunName gives the name of a task run that was given none: its task's with its
// number in the run.
func RunName(task string, seq int64) string { return task + "-" + strconv.FormatInt(seq, 10) }

// Name gives the name of a task run's state, as far as it follows from type,
// attempt and the code of its failure.
func Name(state api.State, attempt int, code api.Code) string {
	switch {
	case state == api.Scheduled && attempt > 1:
		return AwaitingRetry
	case state == api.Running && attempt > 1:
		return Retrying
	case state == api.Failed && code == api.ErrTimeout.Code:
		return TimedOut
	}
	return plainNames[state]
}
