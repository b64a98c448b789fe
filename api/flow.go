package api

import (
	"context"
	"encoding/json"
)

// FlowCall is what a flow asks for, under a key that is the same each time the
// flow runs.
type FlowCall struct {
	Key  string
	Task string // the name of what is called
	Spec *Spec  // nil with NotReady
	// Upstream are the runs whose ends it was given, or waited for.
	Upstream []Upstream
	// NotReady is why it can't run: what it depends on did not complete. It is
	// recorded as SKIPPED then.
	NotReady string
}

// FlowWait is a call that a flow will ask for, once others have ended.
type FlowWait struct {
	Key  string
	Task string
	// Shape gives what is called: one task. Its arguments are not there yet. It is
	// nil for a pipeline's call, which is no task run.
	Shape func() (*Spec, error)
	// For says how many calls it waits for, and names the first of their task runs;
	// waits is false if it will not be asked for any more. The engine asks under
	// its locks, one at a time.
	For func() (ids []string, count int, waits bool)
}

// FlowEnd is how a call of a flow ended.
type FlowEnd struct {
	TaskRun string // the call's; "" for a pipeline's
	State   State
	Result  json.RawMessage
	Failure *Failure
	// Load reads the result if it is too large to be in place; nil otherwise.
	Load func(ctx context.Context) (json.RawMessage, error)
	// Order is the place among the ends of the flow's calls, from 1.
	Order int64
	// Err is why there is no end, such as ErrClosed.
	Err error
}
