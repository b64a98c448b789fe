package engine

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

// What lenders and borrowers say to each other.
const (
	jobsHave    = "jobs.have"
	jobsWant    = "jobs.want"
	jobsLend    = "jobs.lend"
	jobsDone    = "jobs.done"
	jobsBack    = "jobs.back"
	jobsCancel  = "jobs.cancel"
	jobsLog     = "jobs.log"
	jobsName    = "jobs.name"
	jobsBeat    = "jobs.heartbeat"
	jobsCached  = "jobs.cached"
	jobsToken   = "jobs.token"
	jobsAcquire = "jobs.acquire"
	jobsRelease = "jobs.release"
	jobsFlow    = "jobs.flow"
	jobsFlowEnd = "jobs.flow.end"
	jobsFarHave = "jobs.far.have" // true, or that it is so no more
	jobsFarWant = "jobs.far.want" // how many, by the key of a reach
)

// errNotLent answers who asks about a job that was taken back.
var errNotLent = api.Errorf(api.ErrConflict, "", "the job is not this process's any more")

// lentJob is a job on its way to a borrower, which knows it by its number.
type lentJob struct {
	Number int64    `json:"n"`
	Job    *api.Job `json:"job"`
	Only   bool     `json:"only,omitempty"` // nobody serves its queue at the lender
	Far    string   `json:"far,omitempty"`  // for a worker that comes over HTTP: the key of its reach
	Trace  string   `json:"trace,omitempty"`
	// Of a flow: what earlier bodies of it observed.
	Flow  bool                       `json:"flow,omitempty"`
	Notes map[string]json.RawMessage `json:"notes,omitempty"`
}

type doneJob struct {
	Number int64      `json:"n"`
	Answer api.Answer `json:"answer"`
	Free   int        `json:"free"` // places of the borrower
}

type cancelledJob struct {
	Number int64      `json:"n"`
	Cause  *api.Error `json:"cause"`
}

// aboutJob is what a borrower says of a job; of the fields those that the method
// wants.
type aboutJob struct {
	Number  int64           `json:"n"`
	Line    api.LogLine     `json:"line,omitzero"`
	Name    string          `json:"name,omitempty"`
	Use     api.CacheUse    `json:"use,omitzero"`
	Request api.SlotRequest `json:"request,omitzero"`
	Grant   int64           `json:"grant,omitempty"`
}

func (e *Engine) initLending() {
	l := &e.lending
	l.out, l.wake = make(map[int64]*loan), make(chan struct{}, 1)
	l.want, l.told = make(map[int64]int), make(map[int64]time.Time)
	l.farWant, l.farTold = make(map[int64]map[string]int), make(map[int64]time.Time)
	e.dispatch.busy = e.lendSoon
	n := e.peers.node
	n.Handle(jobsWant, func(q *cluster.Request) {
		var free int
		if q.Decode(&free) == nil {
			e.wanted(q.From, free)
		}
	})
	n.Handle(jobsDone, func(q *cluster.Request) {
		var done doneJob
		if err := q.Decode(&done); err != nil {
			e.log.Error("the answer of a lent job can't be read", "error", err)
			return
		}
		e.wanted(q.From, done.Free)
		e.repaid(q.From, &done)
	})
	n.Handle(jobsBack, func(q *cluster.Request) {
		var numbers []int64
		if q.Decode(&numbers) == nil {
			for _, number := range numbers {
				e.takeBack(e.lending.take(q.From, number))
			}
		}
	})
	n.Handle(jobsFarWant, e.farWanted)
	n.Handle(jobsFlow, e.askedByFlow)
	n.Handle(jobsLog, e.about(func(job *api.Job, in *aboutJob) { e.Log(job, in.Line) }))
	n.Handle(jobsName, e.about(func(job *api.Job, in *aboutJob) { e.Name(job, in.Name) }))
	n.Handle(jobsBeat, e.about(func(job *api.Job, _ *aboutJob) { _ = e.Heartbeat(job) })) // it hears of a cancellation anyway
	n.Handle(jobsRelease, e.about(func(job *api.Job, in *aboutJob) { e.Release(job, in.Grant) }))
	n.Handle(jobsCached, e.asks(func(_ context.Context, from int64, job *api.Job, in *aboutJob) (any, error) {
		run := e.Cached(job, in.Use)
		if !run { // the job is over, or comes again
			e.lending.take(from, in.Number)
		}
		return run, nil
	}))
	n.Handle(jobsToken, e.asks(func(ctx context.Context, _ int64, job *api.Job, _ *aboutJob) (any, error) {
		return e.Token(ctx, job)
	}))
	n.Handle(jobsAcquire, e.asks(func(ctx context.Context, _ int64, job *api.Job, in *aboutJob) (any, error) {
		return e.Acquire(ctx, job, in.Request)
	}))
}

// about makes a handler of what a borrower says of a job, asks of what it wants
// to know.
func (e *Engine) about(f func(*api.Job, *aboutJob)) cluster.Handler {
	return func(q *cluster.Request) {
		var in aboutJob
		if q.Decode(&in) != nil {
			return
		}
		if x := e.lending.loan(q.From, in.Number); x != nil {
			f(x.job, &in)
		}
	}
}

func (e *Engine) asks(f func(ctx context.Context, from int64, job *api.Job, in *aboutJob) (any, error)) cluster.Handler {
	return e.peers.node.Blocking(func(ctx context.Context, q *cluster.Request) (any, error) {
		var in aboutJob
		if err := q.Decode(&in); err != nil {
			return nil, err
		}
		x := e.lending.loan(q.From, in.Number)
		if x == nil {
			return nil, errNotLent
		}
		return f(ctx, q.From, x.job, &in)
	})
}

// offer is what a process offers the others.
type offer struct {
	Places int      `json:"places"`
	Queues []string `json:"queues"` // nil: all
	Tasks  []string `json:"tasks"`
	// Version is that of Runnel in the process.
	Version string `json:"version,omitempty"`
	// Keep is for how long this process wants runs to be kept that have ended; 0: for ever.
	Keep time.Duration `json:"keep,omitempty"`

	// Drains says that it was told to take no work: Places is 0 then, Full what it is else.
	Drains bool `json:"drains,omitempty"`
	Full   int  `json:"full,omitempty"`

	// Far are what workers that come over HTTP to this process can do, each with a Key.
	Far []*offer `json:"far,omitempty"`
	Key string   `json:"key,omitempty"`

	session int64
	name    string // of the process, or of a worker that comes over HTTP
	// alien says that it knows no task of this process: of plain queues it can run nothing.
	alien bool
}

func readOffer(data []byte) (o *offer, ok bool) {
	o = new(offer)
	return o, json.Unmarshal(data, o) == nil
}

func (o *offer) serves(queue string) bool {
	name, task := pipeline.SplitQueue(queue)
	return o.named(name) && (task == "" && !o.alien || o.knows(task))
}

// named reports whether a queue is one of its queues.
func (o *offer) named(queue string) bool { return o.Queues == nil || slices.Contains(o.Queues, queue) }

func (o *offer) knows(task string) bool {
	_, found := slices.BinarySearch(o.Tasks, task)
	return found
}
