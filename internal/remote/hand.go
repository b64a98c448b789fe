package remote

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/vital"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Hand is a worker without a database, where the bodies run: it registers with a server,
// claims attempts for as many slots as it has, keeps their leases, and sends what becomes
// of them. It is what a [worker.Pool] claims from.
//
// While the server can't be reached bodies go on, and what they answered waits. Once the
// lease must have run out they are told to end, since others run them again.
type Hand struct {
	server Server
	reg    Registration
	log    *slog.Logger
	told   func(*api.Job, api.TaskRun) // may be nil
	jobs   chan *api.Job

	ctx    context.Context //nolint:containedctx // until Close
	stop   context.CancelFunc
	claims context.Context //nolint:containedctx // until StopClaiming
	cease  context.CancelFunc
	loops  sync.WaitGroup

	mu      sync.Mutex
	change  chan struct{} // closed when a loop may have something to do
	id      string        // "" while it is not registered
	lease   time.Duration
	renewed time.Time // when what was answered to last was sent
	running map[string]*attempt
	hooked  map[string]*api.Job // finished, and their hooks are to come
	out     []*attempt          // answered, to be sent
	lines   []AttemptLine
	beats   map[string]bool // bodies that made progress
	sending int             // lines on their way
	drain   bool            // the server gives nothing at the moment
	usage   vital.Usage
}

// attempt is one that this worker has.
type attempt struct {
	hand *Hand
	id   string
	of   string // the id that the worker had
	// trace is that of the run.
	trace string

	// Guarded by the hand's mu.
	cancel func(error)
	cause  error // why it was told to end
	answer *Finish
	name   *string
	beat   time.Time
	over   chan struct{} // closed with cause
}

// attemptOf gives the attempt that a job is.
func attemptOf(job *api.Job) *attempt {
	return job.Key.(*attempt) //nolint:forcetypeassert // this package put it there
}

// NewHand registers a worker, and begins to claim.
func NewHand(ctx context.Context, s Server, r Registration, log *slog.Logger, told func(*api.Job, api.TaskRun)) (*Hand, error) {
	h := &Hand{
		server: s, reg: r, log: log, told: told, jobs: make(chan *api.Job, r.Slots), change: make(chan struct{}),
		running: make(map[string]*attempt), hooked: make(map[string]*api.Job), beats: make(map[string]bool),
	}
	if err := h.register(ctx); err != nil {
		return nil, err
	}
	h.ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.claims, h.cease = context.WithCancel(h.ctx)
	h.loops.Go(h.keep)
	h.loops.Go(h.fetch)
	h.loops.Go(h.send)
	return h, nil
}

// Claim gives the next job. See [worker.Claimer].
func (h *Hand) Claim(ctx context.Context) (*api.Job, worker.Source, error) {
	for {
		select {
		case job := <-h.jobs:
			if a := attemptOf(job); a.lost() { // before anybody came for it
				continue
			}
			return job, h, nil
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-h.claims.Done():
			return nil, nil, api.ErrClosed
		}
	}
}

func (a *attempt) lost() bool {
	a.hand.mu.Lock()
	defer a.hand.mu.Unlock()
	return a.hand.running[a.id] != a
}

// StopClaiming claims nothing more, and gives back what no body has begun of.
func (h *Hand) StopClaiming() {
	h.cease()
	for {
		select {
		case job := <-h.jobs:
			h.Finish(job, api.Answer{Interrupted: true})
		default:
			return
		}
	}
}

// Close sends what is still to be sent, until ctx ends, and says good-bye: what has not
// ended by then is given to others, and its bodies are told to end.
func (h *Hand) Close(ctx context.Context) error {
	h.StopClaiming()
	var err error
	for err == nil {
		h.mu.Lock()
		left, change := len(h.lines)+h.sending, h.change
		for _, a := range h.running {
			if a.answer != nil {
				left++
			}
		}
		h.mu.Unlock()
		if left == 0 {
			break
		}
		select {
		case <-change:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	h.mu.Lock()
	id := h.id
	h.mu.Unlock()
	h.stop()
	h.loops.Wait()
	h.StopClaiming() // a claim that was answered meanwhile
	h.loseAll(api.ErrClosed)
	if id == "" {
		return err
	}
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), byeTime)
	defer cancel()
	if gone := h.server.DeregisterWorker(bye, id); gone != nil && !errors.Is(gone, ErrWorkerLost) {
		h.log.Warn("the server was not told that this worker has gone: it notices when the lease runs out", "error", gone)
	}
	return err
}

// byeTime is how long a server may take to say good-bye.
const byeTime = 2 * time.Second

// ring wakes the loops. Called with mu.
func (h *Hand) ring() {
	close(h.change)
	h.change = make(chan struct{})
}

func (h *Hand) register(ctx context.Context) error {
	sent := time.Now()
	r, err := h.server.RegisterWorker(ctx, h.reg)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.id, h.lease, h.renewed = r.Worker, time.Duration(r.LeaseMS)*time.Millisecond, sent
	h.ring()
	return nil
}

// keep keeps the leases, and hears what there is to hear.
func (h *Hand) keep() {
	var tries backoff
	for h.ctx.Err() == nil {
		h.mu.Lock()
		id, lease := h.id, h.lease
		h.mu.Unlock()
		if id == "" {
			if err := h.register(h.ctx); err != nil {
				h.complain(&tries, "this worker can't register", err)
			} else {
				h.log.Info("this worker has registered again", "name", h.reg.Name)
				tries.done()
			}
			continue
		}
		began, wait := time.Now(), min(lease/3, longestWait)
		said, err := h.beatOnce(id, wait)
		switch {
		case errors.Is(err, ErrWorkerLost):
			h.forgotten(id)
		case err != nil:
			h.overdue()
			h.complain(&tries, "the server does not hear this worker", err)
		default:
			tries.done()
			if !said && time.Since(began) < wait/2 { // the server does not wait
				h.sleep(wait)
			}
		}
	}
}

// beatOnce sends a heartbeat, and does what the answer says; said is false if it says
// nothing.
func (h *Hand) beatOnce(id string, wait time.Duration) (said bool, err error) {
	h.mu.Lock()
	in := Heartbeat{WaitMS: wait.Milliseconds()}
	in.CPU, in.Memory = h.usage.Look(time.Now())
	for attempt, a := range h.running {
		if a.of == id {
			in.Attempts = append(in.Attempts, attempt)
		}
	}
	lease := h.lease
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(h.ctx, max(lease, wait+time.Second))
	defer cancel()
	sent := time.Now()
	out, err := h.server.Heartbeat(ctx, id, in)
	if err != nil {
		return false, err
	}
	h.heed(&out, sent)
	h.mu.Lock()
	defer h.mu.Unlock()
	said = len(out.Lost)+len(out.Stop)+len(out.Ended) > 0 || out.Drain != h.drain
	h.drain = out.Drain
	return said, nil
}

// heed does what the answer to a heartbeat says.
func (h *Hand) heed(out *Beaten, sent time.Time) {
	h.mu.Lock()
	if sent.After(h.renewed) {
		h.renewed = sent
	}
	var calls []func()
	for _, id := range out.Lost {
		if a := h.running[id]; a != nil && a.answer == nil { // else its finish says so
			delete(h.running, id)
			calls = append(calls, a.end(lost(id)))
		}
	}
	for _, s := range out.Stop {
		if a := h.running[s.Attempt]; a != nil {
			calls = append(calls, a.end(api.Errorf(&api.Error{Code: s.Code}, "", "%s", s.Message)))
		}
	}
	for i := range out.Ended {
		e := &out.Ended[i]
		if job := h.hooked[e.Attempt]; job != nil && h.told != nil {
			delete(h.hooked, e.Attempt)
			calls = append(calls, func() { h.told(job, e.TaskRun) })
		}
	}
	if len(calls) > 0 {
		h.ring()
	}
	h.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// end notes that the body is to end, and gives what tells it. Called with the hand's mu.
func (a *attempt) end(cause error) func() {
	if a.cause != nil {
		return func() {}
	}
	a.cause = cause
	close(a.over)
	if cancel := a.cancel; cancel != nil {
		return func() { cancel(cause) }
	}
	return func() {}
}

// forgotten has the worker register again: all that it had is lost.
func (h *Hand) forgotten(id string) {
	h.mu.Lock()
	if h.id == id {
		h.id = ""
		h.ring()
	}
	h.mu.Unlock()
	h.loseAll(api.Errorf(ErrAttemptLost, "", "the server does not know this worker any more: others go on with what it had"))
}

// overdue loses all attempts if their leases must have run out.
func (h *Hand) overdue() {
	h.mu.Lock()
	late := time.Since(h.renewed) > h.lease
	h.mu.Unlock()
	if late {
		h.loseAll(api.Errorf(ErrAttemptLost, "", "the server could not be reached for as long as the lease: others go on with what this worker had"))
	}
}

// loseAll tells all bodies to end.
func (h *Hand) loseAll(cause error) {
	h.mu.Lock()
	var calls []func()
	for id, a := range h.running {
		if a.answer == nil || errors.Is(cause, api.ErrClosed) {
			delete(h.running, id)
			calls = append(calls, a.end(cause))
		}
	}
	h.ring()
	h.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// sleep waits for a time, or until Close.
func (h *Hand) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-h.ctx.Done():
	}
}

// backoff is how long to wait after a try that failed.
type backoff struct{ next time.Duration }

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

func (b *backoff) done() { b.next = 0 }

// complain waits a while after what went wrong, and says so the first time.
func (h *Hand) complain(b *backoff, what string, err error) {
	if h.ctx.Err() != nil {
		return
	}
	if b.next == 0 {
		h.log.Warn(what+"; it tries again", "error", err)
	}
	b.next = min(max(2*b.next, firstPause), lastPause)
	h.sleep(b.next)
}
