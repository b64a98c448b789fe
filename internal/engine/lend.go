package engine

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// An engine that has more to do than its workers can take, or has something of
// queues that they don't serve, lends jobs to other processes. The run stays here: a process that has borrowed a job is a worker
// like any other, only further away. So what it answers counts once, if it is the
// one that has the job; and when it goes, the job is given to somebody else.
//
//	lender                                    borrower
//	  all places taken and more to do,
//	  or something nobody does here
//	  ── jobs.have ─────────────────────────►   has places free
//	  ◄───────────────────────── jobs.want ──
//	  ── jobs.lend ─────────────────────────►   runs the bodies
//	  ◄── jobs.done, with places that are free ──

// lending is what this engine has lent.
type lending struct {
	places  int          // bodies that may run here at a time
	flowing atomic.Int64 // flows in progress, which take no place

	mu    sync.Mutex
	last  int64
	out   map[int64]*loan
	flows int                 // how many of them are flows, which take no place
	want  map[int64]int       // how many jobs a session would take
	told  map[int64]time.Time // when a session was last told that there is more to do
	// farWant and farTold are the same for workers that come over HTTP to a session, wants
	// by the key of what they can do.
	farWant map[int64]map[string]int
	farTold map[int64]time.Time
	wake    chan struct{}

	paced time.Time // since when jobs given to workers here are counted
	given int
	brief bool // the bodies are over before others could have them
}

type loan struct {
	job   *api.Job
	to    int64
	flow  bool
	sent  bool
	cause error   // why it is to end, if that came first
	asks  inOrder // of a flow
}

// haveEvery is how often it is looked whether there is something to lend, beside
// whenever there may be.
const haveEvery = 100 * time.Millisecond

// loan gives a loan that a session has, nil if it has it not.
func (l *lending) loan(to, number int64) *loan {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.out[number]; x != nil && x.to == to {
		return x
	}
	return nil
}

// take ends a loan; nil if the session has it not.
func (l *lending) take(to, number int64) *api.Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.out[number]
	if x == nil || x.to != to {
		return nil
	}
	l.remove(number, x)
	return x.job
}

// remove ends a loan, with mu held.
func (l *lending) remove(number int64, x *loan) {
	delete(l.out, number)
	if x.flow {
		l.flows--
	}
}

// wanted notes that a session would take jobs.
func (e *Engine) wanted(session int64, free int) {
	if free <= 0 {
		return
	}
	e.lending.mu.Lock()
	e.lending.want[session] = free
	e.lending.mu.Unlock()
	e.lendSoon()
}

func (e *Engine) lendSoon() {
	select {
	case e.lending.wake <- struct{}{}:
	default:
	}
}

// repaid takes the answer of a lent job, if it comes from who has that.
func (e *Engine) repaid(from int64, done *doneJob) {
	job := e.lending.take(from, done.Number)
	if job == nil {
		e.lates(1)
		return
	}
	if len(done.Answer.Result) > inlineSize {
		e.beside(func() { e.Finish(job, done.Answer) })
		return
	}
	e.Finish(job, done.Answer)
}

// takeBack gives a job to somebody else.
func (e *Engine) takeBack(job *api.Job) {
	if job == nil {
		return
	}
	t := job.Key.(*task)
	r := t.run
	r.mu.Lock()
	again := t.phase == claimed && job == t.job
	if again {
		t.stopTimers()
		t.endSlots()
		t.cancel = nil
		again = t.unclaim()
	}
	r.mu.Unlock()
	if again {
		e.dispatch.push(r, t)
	}
	e.returned(t)
}

// forgetBorrowers takes back what sessions have that are gone.
func (e *Engine) forgetBorrowers(gone []int64) {
	if len(gone) == 0 {
		return
	}
	l := &e.lending
	var jobs []*api.Job
	l.mu.Lock()
	for _, number := range slices.Sorted(maps.Keys(l.out)) { // as they were lent
		if x := l.out[number]; slices.Contains(gone, x.to) {
			l.remove(number, x)
			jobs = append(jobs, x.job)
		}
	}
	for _, session := range gone {
		delete(l.want, session)
		delete(l.told, session)
		delete(l.farWant, session)
		delete(l.farTold, session)
	}
	l.mu.Unlock()
	for _, job := range jobs {
		e.takeBack(job)
	}
}

// lendLoop lends while there is more to do than places.
func (e *Engine) lendLoop() {
	again := time.NewTimer(haveEvery)
	defer again.Stop()
	for {
		select {
		case <-e.closers.ctx.Done():
			return
		case <-e.lending.wake:
		case <-again.C:
		}
		if e.LendStep() {
			again.Reset(haveEvery)
		}
	}
}

// LendStep lends jobs to those who want some, and tells others that there are;
// false if nobody could have one, as far as is known.
func (e *Engine) LendStep() (again bool) {
	again = e.dispatch.has()
	help := again && (e.dispatch.drains() || e.crowded() && !e.brisk()) // or perhaps not yet
	workers := e.peers.workers()
	for _, o := range workers {
		if !help && !e.dispatch.hasAway(o.serves) {
			continue
		}
		if n := e.lending.wants(o.session); n > 0 {
			e.lending.left(o.session, n-e.lend(o, n, help))
		}
	}
	help = help && (e.dispatch.drains() || e.crowded()) && e.dispatch.has()
	for _, o := range workers {
		if only := e.dispatch.hasAway(o.serves); only || help {
			again = true
			e.tellOfJobs(o.session, only)
		}
	}
	return e.lendFar() || again
}

// wants takes note that a session is about to get as many jobs as it wants, and
// gives how many.
func (l *lending) wants(session int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.want[session]
	delete(l.want, session)
	return n
}

// left says how many more a session wants still, unless it has said so itself
// meanwhile.
func (l *lending) left(session int64, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, said := l.want[session]; !said && n > 0 {
		l.want[session] = n
	}
}

// worthLending is how long a body takes, on average, of which others are given
// some: about as long as it takes to send a job and its answer.
const worthLending = 2 * time.Millisecond

// brisk reports whether bodies end so fast here that others would not be of help.
func (e *Engine) brisk() bool {
	l := &e.lending
	given := e.dispatch.count()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := e.now(); now.Sub(l.paced) >= haveEvery {
		span := time.Duration(l.places) * now.Sub(l.paced)
		l.brief = span/worthLending < time.Duration(given-l.given)
		l.paced, l.given = now, given
	}
	return l.brief
}

// crowded reports whether all places are taken.
func (e *Engine) crowded() bool {
	e.lending.mu.Lock()
	out := int64(len(e.lending.out)-e.lending.flows) + e.remotes.given()
	e.lending.mu.Unlock()
	return e.claimed.Load()-e.lending.flowing.Load()-out >= int64(e.lending.places)
}

// tellAgain is how often another process is told that there is more to do here,
// if it wants nothing: it may not have heard.
const tellAgain = 5 * time.Second

// tellOfJobs tells another process that there is more to do than places here; only
// says that there is something nobody can do here. If it has no place it says so
// when it has.
func (e *Engine) tellOfJobs(session int64, only bool) {
	l, now := &e.lending, e.now()
	l.mu.Lock()
	fresh := now.Sub(l.told[session]) < tellAgain || l.want[session] > 0
	if !fresh {
		l.told[session] = now
	}
	l.mu.Unlock()
	if !fresh {
		_ = e.peers.node.Tell(session, jobsHave, only) // it can be encoded
	}
}

// lendMost is how many jobs are lent at a time: flows take no place.
const lendMost = 256

// lend lends a session up to n jobs that it can do, and flows, and says how many
// places those take.
func (e *Engine) lend(to *offer, n int, help bool) (places int) {
	var jobs []lentJob
	for places < n && len(jobs) < lendMost {
		t := e.claimFor(to, help)
		if t == nil {
			break
		}
		x := e.lentJob(to, t)
		if jobs = append(jobs, x); !x.Flow {
			places++
		}
		e.Begin(x.Job, func(cause error) { e.recall(to.session, x.Number, cause) })
	}
	if len(jobs) == 0 {
		return 0
	}
	if err := e.peers.node.Tell(to.session, jobsLend, jobs); err != nil {
		e.log.Error("jobs can't be lent", "error", err)
		for i := range jobs {
			e.takeBack(e.lending.take(to.session, jobs[i].Number))
		}
		return n // not the same again at once
	}
	for _, x := range jobs {
		if cause := e.lending.sent(x.Number); cause != nil {
			e.recall(to.session, x.Number, cause)
		}
	}
	if len(jobs) == lendMost {
		e.lendSoon()
	}
	return places
}

// lentJob notes that a session has the job of t.
func (e *Engine) lentJob(to *offer, t *task) lentJob {
	x := lentJob{Job: t.job, Flow: t.call.Flow, Far: to.Key, Only: !e.dispatch.serves(t.call.Lane.Queue), Trace: t.run.made.traceOf()}
	if x.Flow {
		t.run.mu.Lock()
		x.Notes = t.flow.allNotes()
		t.run.mu.Unlock()
	}
	l := &e.lending
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	x.Number = l.last
	l.out[x.Number] = &loan{job: x.Job, to: to.session, flow: x.Flow}
	if x.Flow {
		l.flows++
	}
	return x
}

// sent notes that the borrower has been told of a job, and gives why it is to end
// if that is known already.
func (l *lending) sent(number int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.out[number]
	if x == nil {
		return nil
	}
	x.sent = true
	return x.cause
}

// recall tells a borrower to end a body, which it must have heard of before.
func (e *Engine) recall(to, number int64, cause error) {
	l := &e.lending
	l.mu.Lock()
	x := l.out[number]
	tell := x != nil && x.to == to && x.sent
	if x != nil && !x.sent {
		x.cause = cause
	}
	l.mu.Unlock()
	if tell {
		_ = e.peers.node.Tell(to, jobsCancel, cancelledJob{number, asError(cause)}) // it can be encoded
	}
}

// asError gives an error that can be sent.
func asError(err error) *api.Error {
	var known *api.Error
	if e, ok := err.(*api.Error); ok { //nolint:errorlint // as it is
		known = e
	} else {
		known = api.Errorf(api.ErrCancelled, "", "%w", err)
	}
	return &api.Error{Code: known.Code, Where: known.Where, Msg: known.Msg}
}
