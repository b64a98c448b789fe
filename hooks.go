package runnel

import (
	"context"
	"encoding/json"

	"github.com/runnel-dev/runnel/internal/worker"
)

// Finished is how a body ended, for [OnFinished] and [OnResult]. Of Result,
// Pipeline, Pending and Err at most one is set; a result may be none.
type Finished struct {
	// Result is the encoded value; nil for none, and for a part of a combined
	// task, whose value stays in memory.
	Result json.RawMessage
	// Pipeline says that a pipeline takes the task's place.
	Pipeline bool
	// Pending says that the task waits for an answer from outside.
	Pending bool
	// Err is what the body returned.
	Err error
}

// OnReceived calls a function when an attempt has arrived at a worker, before
// its arguments are decoded.
//
// The hooks of an attempt are called in this order: received, started, retry,
// finished, result. They run on the worker, with the context of the body. What
// they return, or a panic, is logged and otherwise ignored; but an error that
// wraps [ErrAbort] fails the task, except from [OnResult].
func OnReceived(hook func(ctx context.Context) error) TaskOption {
	return taskOption(func(d *declaration) { d.work.Hooks.Received = hook })
}

// OnStarted calls a function right before the body; see [OnReceived].
func OnStarted(hook func(ctx context.Context) error) TaskOption {
	return taskOption(func(d *declaration) { d.work.Hooks.Started = hook })
}

// OnRetry calls a function right before the body of each attempt but the first,
// after [OnStarted], with the number of attempts before it.
func OnRetry(hook func(ctx context.Context, count int) error) TaskOption {
	return taskOption(func(d *declaration) { d.work.Hooks.Retry = hook })
}

// OnFinished calls a function when an attempt's body has ended, before the
// answer is handed over.
func OnFinished(hook func(ctx context.Context, how Finished) error) TaskOption {
	return taskOption(func(d *declaration) { d.work.Hooks.Finished = finishedHook(hook) })
}

// OnResult calls a function when the answer of an attempt was handed over. A
// body that ended with [Pending] has none.
func OnResult(hook func(ctx context.Context, how Finished) error) TaskOption {
	return taskOption(func(d *declaration) { d.work.Hooks.Result = finishedHook(hook) })
}

func finishedHook(hook func(context.Context, Finished) error) func(context.Context, worker.Ended) error {
	if hook == nil {
		return nil
	}
	return func(ctx context.Context, how worker.Ended) error { return hook(ctx, Finished(how)) }
}
