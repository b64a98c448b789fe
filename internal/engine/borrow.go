package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
)

// borrowing is the jobs that this process has of others.
type borrowing struct {
	running atomic.Int64 // given to workers and not finished

	mu   sync.Mutex
	have map[loanKey]*borrowed
	// of is how many places those of a lender take, taken those of all. Flows take
	// none.
	of    map[int64]int
	taken int
	// lenders have told of jobs, and will hear when there are places: whether some
	// of these can't be done there.
	lenders map[int64]bool
	hungry  atomic.Bool // there are lenders
	// far are those who have something for workers that come over HTTP to this process.
	far map[int64]bool
}

type loanKey struct{ from, number int64 }

// borrowed is a job of another process's engine. For the worker it is the source
// of the job: what it says goes to the lender.
type borrowed struct {
	e   *Engine
	key loanKey
	job *api.Job
	// trace is that of its run.
	trace string
	// only says that the lender does not serve the job's queue.
	only bool
	flow *lentFlow // nil: it is not one
	far  string    // for a worker that comes over HTTP, the key of its reach

	mu     sync.Mutex
	cancel func(cause error)
	cause  error         // why it was told to end
	over   chan struct{} // closed when it was
	beat   time.Time     // when the lender last heard of progress
}

// heartbeats of a job are sent on this often at most.
const beatEvery = 500 * time.Millisecond

func (e *Engine) initBorrowing() {
	b := &e.borrowing
	b.have, b.of, b.lenders, b.far = make(map[loanKey]*borrowed), make(map[int64]int), make(map[int64]bool), make(map[int64]bool)
	n := e.peers.node
	n.Handle(jobsHave, func(q *cluster.Request) {
		var only bool
		if q.Decode(&only) == nil {
			b.asked(q.From, only)
			e.wantJobs()
		}
	})
	n.Handle(jobsLend, func(q *cluster.Request) {
		var list []lentJob
		if err := q.Decode(&list); err != nil {
			e.log.Error("borrowed jobs can't be read", "error", err)
			return
		}
		e.borrow(q.From, list)
	})
	n.Handle(jobsFlowEnd, e.toldOfFlow)
	n.Handle(jobsFarHave, e.toldOfFar)
	n.Handle(jobsCancel, func(q *cluster.Request) {
		var in cancelledJob
		if q.Decode(&in) != nil {
			return
		}
		b.mu.Lock()
		x := b.have[loanKey{q.From, in.Number}]
		b.mu.Unlock()
		if x != nil {
			x.end(in.Cause)
		}
	})
}

func (b *borrowing) asked(lender int64, only bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lenders[lender] = only
	b.hungry.Store(true)
}

// wantJobs tells those who have jobs how many would have a place here.
func (e *Engine) wantJobs() {
	b := &e.borrowing
	if !b.hungry.Load() {
		return
	}
	b.mu.Lock()
	lenders := maps.Clone(b.lenders)
	b.mu.Unlock()
	for session, only := range lenders {
		n := e.placesFor(session, only)
		if n == 0 {
			continue
		}
		b.mu.Lock()
		delete(b.lenders, session)
		b.hungry.Store(len(b.lenders) > 0)
		b.mu.Unlock()
		_ = e.peers.node.Tell(session, jobsWant, max(1, n/len(lenders))) // a number can be encoded
	}
}

// placesFor says how many jobs of a lender would have a place here. While there is
// something to do here that goes first, but for one at a time of what the lender
// can't do.
func (e *Engine) placesFor(lender int64, only bool) int {
	n := e.free()
	switch {
	case n <= 0:
		return 0
	case !e.dispatch.has():
		return n
	case !only:
		return 0
	}
	e.borrowing.mu.Lock()
	defer e.borrowing.mu.Unlock()
	return max(0, 1-e.borrowing.of[lender])
}

// free is how many bodies more could run here.
func (e *Engine) free() int {
	if e.isClosed() || e.dispatch.drains() {
		return 0
	}
	e.borrowing.mu.Lock()
	taken := e.borrowing.taken
	e.borrowing.mu.Unlock()
	return e.lending.places - taken - int(e.claimed.Load()-e.lending.flowing.Load()-e.remotes.given())
}

// borrow takes jobs, or gives them back if this engine ends.
func (e *Engine) borrow(from int64, list []lentJob) {
	b := &e.borrowing
	var taken, far []*borrowed
	b.mu.Lock()
	for i := range list {
		in := &list[i]
		x := &borrowed{e: e, key: loanKey{from, in.Number}, job: in.Job, trace: in.Trace, only: in.Only, far: in.Far, over: make(chan struct{})}
		if in.Flow {
			x.flow = &lentFlow{notes: in.Notes, asked: make(map[int64]func(*toldFlow))}
		}
		x.job.Key = x
		b.add(x)
		if x.far != "" {
			far = append(far, x)
		} else {
			taken = append(taken, x)
		}
	}
	b.mu.Unlock()
	if !e.dispatch.lay(taken) {
		e.giveBack(taken)
	}
	e.layFar(far)
}

// giveBack gives jobs back of which no body has begun.
func (e *Engine) giveBack(list []*borrowed) {
	to := make(map[int64][]int64)
	for _, x := range list {
		if e.borrowing.drop(x) {
			to[x.key.from] = append(to[x.key.from], x.key.number)
		}
	}
	for lender, numbers := range to {
		_ = e.peers.node.Tell(lender, jobsBack, numbers) // numbers can be encoded
	}
}

// takesPlace reports whether a worker of this process is busy with the job.
func (x *borrowed) takesPlace() bool { return x.flow == nil && x.far == "" }

// add takes note of a job, with mu held.
func (b *borrowing) add(x *borrowed) {
	b.have[x.key] = x
	if x.takesPlace() {
		b.taken++
		b.of[x.key.from]++
	}
}

// remove forgets one, with mu held.
func (b *borrowing) remove(x *borrowed) {
	delete(b.have, x.key)
	if !x.takesPlace() {
		return
	}
	b.taken--
	if b.of[x.key.from]--; b.of[x.key.from] == 0 {
		delete(b.of, x.key.from)
	}
}

// drop forgets a job, and reports whether it was there.
func (b *borrowing) drop(x *borrowed) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.have[x.key] != x {
		return false
	}
	b.remove(x)
	return true
}

// forgetLenders ends the bodies of jobs whose lenders are gone: nobody waits for
// their answers.
func (e *Engine) forgetLenders(gone []int64) {
	b := &e.borrowing
	b.mu.Lock()
	var list []*borrowed
	for key, x := range b.have {
		if slices.Contains(gone, key.from) {
			b.remove(x)
			list = append(list, x)
		}
	}
	for _, session := range gone {
		delete(b.lenders, session)
		delete(b.far, session)
	}
	b.hungry.Store(len(b.lenders) > 0)
	b.mu.Unlock()
	for _, x := range list {
		x.end(ErrLost)
	}
}

// endBorrowed ends the bodies of borrowed jobs that which chooses.
func (e *Engine) endBorrowed(which func(*borrowed) bool, cause error) {
	b := &e.borrowing
	b.mu.Lock()
	list := make([]*borrowed, 0, len(b.have))
	for _, x := range b.have {
		if which(x) {
			list = append(list, x)
		}
	}
	b.mu.Unlock()
	for _, x := range list {
		x.end(cause)
	}
}

// end tells the body to end, once it has begun.
func (x *borrowed) end(cause error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cause != nil {
		return
	}
	x.cause = cause
	close(x.over)
	if x.cancel != nil {
		x.cancel(cause)
	}
}

func (x *borrowed) tell(method string, say any) {
	if err := x.e.peers.node.Tell(x.key.from, method, say); err != nil {
		x.e.log.Error("the lender of a job does not hear of it", "task_run", x.job.ID, "error", err)
	}
}

func (x *borrowed) ask(ctx context.Context, method string, in aboutJob, out any) error {
	in.Number = x.key.number
	err := x.e.peers.node.Call(ctx, x.key.from, method, in, out)
	if errors.Is(err, cluster.ErrGone) {
		return ErrLost
	}
	return err
}

// Begin says that the body is about to start.
func (x *borrowed) Begin(_ *api.Job, cancel func(cause error)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cancel = cancel
	if x.cause != nil {
		cancel(x.cause)
	}
}

// Cached asks the lender's cache.
func (x *borrowed) Cached(_ *api.Job, use api.CacheUse) (run bool) {
	err := x.ask(x.e.closers.ctx, jobsCached, aboutJob{Use: use}, &run)
	if err != nil || !run {
		if x.e.borrowing.drop(x) {
			x.tell(jobsWant, x.e.placesFor(x.key.from, x.only))
		}
		x.e.borrowedEnded()
	}
	return err == nil && run
}

// Name gives the task run a name.
func (x *borrowed) Name(_ *api.Job, name string) {
	x.tell(jobsName, aboutJob{Number: x.key.number, Name: name})
}

// Finish sends the answer, unless nobody wants it any more.
func (x *borrowed) Finish(job *api.Job, answer api.Answer) { x.Settle(job, answer) }

// Settle is Finish that reports whether somebody waited for the answer.
func (x *borrowed) Settle(_ *api.Job, answer api.Answer) (counts bool) {
	if !x.e.borrowing.drop(x) {
		x.e.lates(1)
		x.e.borrowedEnded()
		return false
	}
	if answer.Interrupted || answer.Failure != nil && x.e.stopping.Load() {
		x.tell(jobsBack, []int64{x.key.number})
	} else {
		x.tell(jobsDone, doneJob{x.key.number, answer, x.e.placesFor(x.key.from, x.only)})
	}
	x.e.borrowedEnded()
	return true
}

// GiveBack gives the job back, as if nobody here had ever had it.
func (x *borrowed) GiveBack(*api.Job) {
	if x.e.borrowing.drop(x) {
		x.tell(jobsBack, []int64{x.key.number})
	}
	x.e.borrowedEnded()
}

// borrowedEnded counts a job that a worker is done with.
func (e *Engine) borrowedEnded() {
	if e.borrowing.running.Add(-1) == 0 && e.isClosed() {
		e.mu.Lock()
		e.idle.Broadcast()
		e.mu.Unlock()
	}
	e.wantJobs()
}

// Heartbeat says that the body makes progress.
func (x *borrowed) Heartbeat(*api.Job) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cause != nil {
		return x.cause
	}
	if now := x.e.now(); now.Sub(x.beat) >= min(beatEvery, x.job.HeartbeatTimeout/4) {
		x.beat = now
		x.tell(jobsBeat, aboutJob{Number: x.key.number})
	}
	return nil
}

// Token gives the token by which the job may be answered from outside.
func (x *borrowed) Token(ctx context.Context, _ *api.Job) (token string, err error) {
	err = x.ask(ctx, jobsToken, aboutJob{}, &token)
	return token, err
}

// Acquire gives the body slots of global limits.
func (x *borrowed) Acquire(ctx context.Context, _ *api.Job, request api.SlotRequest) (grant int64, err error) {
	err = x.ask(ctx, jobsAcquire, aboutJob{Request: request}, &grant)
	return grant, err
}

// Release gives slots back.
func (x *borrowed) Release(_ *api.Job, grant int64) {
	x.tell(jobsRelease, aboutJob{Number: x.key.number, Grant: grant})
}

// Log keeps a line with the run.
func (x *borrowed) Log(_ *api.Job, line api.LogLine) {
	x.tell(jobsLog, aboutJob{Number: x.key.number, Line: line})
}
