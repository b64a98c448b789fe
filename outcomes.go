package runnel

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// OutcomeHook is a function that is called with what is known of a task run: see
// [OnRunning], [OnCompletion], [OnFailure] and [OnCancellation]. Its context is
// about the task run too: [TaskRun], [IdempotencyKey] and [Logger] work with it.
type OutcomeHook = func(ctx context.Context, run api.TaskRun) error

// OnRunning calls a function at each attempt, right before the body and after
// [OnRetry], with the body's context. That the attempt runs may not be durable
// yet.
//
// OnRunning, [OnCompletion], [OnFailure] and [OnCancellation] may each be given
// several times; their functions are called one after the other. What one
// returns, or a panic, is logged and otherwise ignored: the next one is called
// all the same, and the task run's state stays. nil is an [ErrInvalid].
func OnRunning(hook OutcomeHook) TaskOption {
	return outcomeHook("OnRunning", hook, func(h *worker.Hooks) *[]func(context.Context) error { return &h.Running })
}

// OnCompletion calls a function when a task run has COMPLETED.
//
// It is called on the worker once that is durable, so after [OnResult], and at
// most once: a crash between the two loses it. The run has state, times, tags and
// result, unless that is over 64 KiB; one that took its result from the cache has
// completed too. An orchestrator has completed when its own
// function has returned a pipeline, whatever becomes of that; with [RetryChild]
// it may do so several times. Of a combined task, hooks of a part are about the
// part.
//
// Hooks run beside the bodies, at most [Concurrency] at a time, and [Engine.Close]
// waits for them. While more than 1,024 wait for their turn nothing new is
// started, so a hook must not wait for another run of the same engine. Their
// lines to [Logger] go to the engine's log ([LogTo]): the task run's has ended.
func OnCompletion(hook OutcomeHook) TaskOption {
	return outcomeHook("OnCompletion", hook, func(h *worker.Hooks) *[]func(context.Context) error { return &h.Completed })
}

// OnFailure calls a function when a task run has FAILED: once, after the retries
// are spent, and once more should the run be retried ([Engine.Retry]) and fail
// again. See [OnCompletion].
func OnFailure(hook OutcomeHook) TaskOption {
	return outcomeHook("OnFailure", hook, func(h *worker.Hooks) *[]func(context.Context) error { return &h.Failed })
}

// OnCancellation calls a function when a task run was CANCELLED of which a body
// had begun: with its run, with the flow that called it, by a sibling of a group
// with [FailFast]. See [OnCompletion].
func OnCancellation(hook OutcomeHook) TaskOption {
	return outcomeHook("OnCancellation", hook, func(h *worker.Hooks) *[]func(context.Context) error { return &h.Cancelled })
}

// outcomeHook adds a hook to those of its kind.
func outcomeHook(name string, hook OutcomeHook, list func(*worker.Hooks) *[]func(context.Context) error) TaskOption {
	return checkedOption(func(d *declaration) error {
		if hook == nil {
			return api.Errorf(ErrInvalid, "", "%s: the function is nil", name)
		}
		hooks := list(&d.work.Hooks)
		*hooks = append(*hooks, func(ctx context.Context) error { return hook(ctx, TaskRun(ctx)) })
		return nil
	})
}
