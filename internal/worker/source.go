package worker

import (
	"context"

	"github.com/runnel-dev/runnel/api"
)

// Claimer gives jobs.
type Claimer interface {
	// Claim blocks until there is a job, and gives who takes its answer; or fails:
	// with api.ErrClosed when there will be no more, or with the context's error.
	Claim(ctx context.Context) (*api.Job, Source, error)
}

// Source takes the answers to the jobs that came from it, and what bodies ask
// meanwhile. The engine is one, and the client of a server another.
type Source interface {
	// Cached asks the cache about a job whose task is cached, once its key is known,
	// "" for none. False: the job is over, or comes again later; its body is not to
	// run now. It comes with Looked set when the body is to run without asking.
	Cached(job *api.Job, use api.CacheUse) (run bool)
	// Begin says that the body is about to start; cancel ends its context, and
	// may be called from any goroutine, also after the body has ended.
	Begin(job *api.Job, cancel func(cause error))
	// Name gives the job's task run a name, "" for the default. It is asked for
	// once.
	Name(job *api.Job, name string)
	// Finish reports the answer. An answer that comes too late is ignored.
	Finish(job *api.Job, answer api.Answer)
	// Heartbeat says that the body makes progress; it fails if the job is no
	// longer wanted.
	Heartbeat(job *api.Job) error
	// Token gives the token by which the job may be answered from outside, once
	// that is durable.
	Token(ctx context.Context, job *api.Job) (string, error)
	// Acquire gives the job's body slots of global limits, and a number by which to
	// give them back; 0 if there is nothing to give back. It blocks until they are
	// free or ctx ends. The end of the body gives them back too.
	Acquire(ctx context.Context, job *api.Job, request api.SlotRequest) (grant int64, err error)
	// Release gives back what Acquire gave.
	Release(job *api.Job, grant int64)
	// Trace gives the trace of the job's run, "" for none: a traceparent as W3C Trace
	// Context has it, and perhaps a space and a tracestate.
	Trace(job *api.Job) string
	// Log keeps a line with the run.
	Log(job *api.Job, line api.LogLine)
}

// Lender is a source whose jobs are passed on, to a worker that may be late, or never
// be heard of again.
type Lender interface {
	Source
	// Settle is Finish, and reports whether anybody waited for the answer.
	Settle(job *api.Job, answer api.Answer) (counts bool)
	// GiveBack ends a job without an answer: somebody else is given it.
	GiveBack(job *api.Job)
}
