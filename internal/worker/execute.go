package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/runnel-dev/runnel/api"
)

// errEnded is the cause with which a context ends when its body has ended.
var errEnded = fmt.Errorf("the task's body has ended: %w", context.Canceled)

// Execute runs one attempt of job on the calling goroutine and reports exactly
// one answer to src, also if the body panics or calls runtime.Goexit.
func (r *Registry) Execute(src Source, job *api.Job) {
	b := &Body{job: job, registry: r, source: src, task: r.tasks[job.Task], started: r.Now()}
	if b.task != nil && b.task.CacheKey != nil && !job.Looked {
		b.name() // also of a run that takes its result from the cache
		if !b.lookUp() {
			return
		}
	}
	b.begin()
	src.Begin(job, b.stop)
	if b.task == nil {
		b.finish(Result{}, Final(api.Errorf(api.ErrUnknownTask, "", "task %q is not registered", job.Task)))
		return
	}
	defer func() {
		if !b.reported { // runtime.Goexit: the goroutine ends, the task must not hang
			b.report(Result{}, false, errors.New("the body called runtime.Goexit"))
		}
	}()
	b.finish(b.run())
}

// lookUp asks the cache, and reports whether the body is to run. What can't be
// said of a key is no reason to fail: the body runs then, uncached.
func (b *Body) lookUp() (run bool) {
	key, parts, err := b.cacheKey()
	if err != nil {
		b.registry.Log.Warn("runnel: no cache key; the task runs uncached", "task", b.job.Task, "task_run", b.job.ID, "error", err)
	}
	if err != nil {
		key, parts = "", nil
	}
	return b.source.Cached(b.job, api.CacheUse{Key: key, Parts: parts})
}

func (b *Body) cacheKey() (key string, parts []api.CachePart, err error) {
	err = caught(func() (err error) {
		key, parts, err = b.task.CacheKey(b.job)
		return err
	})
	return key, parts, err
}

// run calls the task, a panic becomes an error.
func (b *Body) run() (result Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = Result{}, &panicked{value: v, stack: debug.Stack()}
		}
	}()
	b.name()
	if err := b.task.Hooks.received(b); err != nil {
		return Result{}, err
	}
	return b.task.Run(b)
}

// finish calls the hooks that go after the body, and reports between them.
func (b *Body) finish(result Result, err error) {
	how := Ended{Result: result.Value, Pipeline: result.Pipeline != nil, Err: err}
	if errors.Is(err, ErrPending) {
		how, err = Ended{Pending: true}, nil
	}
	if b.task == nil {
		b.report(result, false, err)
		return
	}
	if abort := b.task.Hooks.finished(b, how); abort != nil {
		how, err = Ended{Err: abort}, abort
	}
	b.report(result, how.Pending, err)
	b.task.Hooks.result(b, how)
}

// report ends the attempt and hands over its answer.
func (b *Body) report(result Result, pending bool, err error) {
	b.reported = true
	answer := b.close()
	if err != nil {
		b.fail(&answer, err)
	} else {
		answer.Result, answer.Pipeline, answer.Pending = result.Value, result.Pipeline, pending
	}
	if b.traced != nil {
		shown := answer // of its own: only with a span it is on the heap
		b.traced(&shown)
		answer = shown
	}
	b.source.Finish(b.job, answer)
}

// close takes what the body left behind and ends its folder; what is set later
// is refused.
func (b *Body) close() api.Answer {
	b.mu.Lock()
	b.ended = true
	answer, temp := b.answer, b.temp
	answer.Started, answer.Ended = b.started, b.registry.Now()
	cancel, printer := b.cancel, b.printer
	b.mu.Unlock()
	if printer != nil {
		printer.close()
	}
	if cancel != nil {
		cancel(errEnded) // nothing happens if it is cancelled already
	}
	if temp != "" {
		if err := os.RemoveAll(temp); err != nil {
			b.registry.Log.Warn("runnel: temporary folder stays", "path", temp, "task_run", b.job.ID, "error", err)
		}
	}
	return answer
}

// fail makes the answer a failure. What the body did to the pipeline's state is
// dropped; what it keeps under its task id stays.
func (b *Body) fail(answer *api.Answer, err error) {
	answer.State, answer.SetState, answer.Merge, answer.Pause = nil, false, false, false
	answer.Failure = b.failure(err)
	var f *final
	answer.NoRetry = errors.As(err, &f) || b.task == nil || !b.retryIf(err)
}

func (b *Body) retryIf(err error) (retry bool) {
	if b.task.RetryIf == nil {
		return true
	}
	_ = b.hook("retry if", false, func() error {
		retry = true // also if it panics
		retry = b.task.RetryIf(err)
		return nil
	})
	return retry
}
