package api

import (
	"fmt"
	"slices"
)

// State is where a run or a task run stands.
type State uint8

// The states. Completed and those after it are final.
const (
	// Pending is accepted and durable, and has not begun.
	Pending State = iota + 1
	// Scheduled waits for a point in time, such as the next attempt.
	Scheduled
	// Running is in progress.
	Running
	// Paused starts nothing new until it is resumed. Runs only.
	Paused
	// Cancelling stops what is in progress and runs what has to be run in any
	// case. Runs only.
	Cancelling
	// Completed ended well.
	Completed
	// Failed ended with a [Failure].
	Failed
	// Cancelled was ended by a request, or by a limit of 0.
	Cancelled
	// Crashed ended with its process, and nobody may run it again.
	Crashed
	// Skipped never ran, since what it depends on did not complete.
	Skipped
)

var stateNames = [...]string{
	Pending: "PENDING", Scheduled: "SCHEDULED", Running: "RUNNING", Paused: "PAUSED",
	Cancelling: "CANCELLING", Completed: "COMPLETED", Failed: "FAILED", Cancelled: "CANCELLED",
	Crashed: "CRASHED", Skipped: "SKIPPED",
}

// String gives the name in capitals, as in "RUNNING".
func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Final reports whether nothing follows, short of a retry of the whole run.
func (s State) Final() bool { return s >= Completed }

// MarshalText gives the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames[:], string(text))
	if i <= 0 {
		return Errorf(ErrInvalid, "", "unknown state %q", text)
	}
	*s = State(i)
	return nil
}
