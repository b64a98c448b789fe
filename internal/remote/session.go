package remote

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// session is a worker while it lives.
type session struct {
	hub    *Hub
	id     string
	reg    *Registration
	hooks  map[string]bool // tasks that want to hear how they ended
	lease  time.Duration
	since  time.Time
	ctx    context.Context //nolint:containedctx // ends with the session
	cancel context.CancelFunc

	mu       sync.Mutex
	until    time.Time // when its lease runs out
	timer    *time.Timer
	gone     bool
	drain    bool
	cpu      float64 // as it said last
	memory   int64
	told     bool // that it is to drain, as it stands
	last     int64
	claiming int // places that claims have taken, which have nothing yet
	attempts map[string]*held
	finished recent
	ended    []Ended       // to be told of
	news     chan struct{} // closed when there is something to say
}

// held is an attempt that a worker has.
type held struct {
	id     string
	job    *api.Job
	source worker.Lender

	// Guarded by the session's mu.
	until time.Time // when it is given to somebody else, unless a heartbeat lists it
	stop  *Stop     // what the body is to end for
	said  bool      // the worker has been told
	// asking: the cache is asked, which may end the job. Nobody else does meanwhile.
	asking bool
}

func newSession(h *Hub, id string, r *Registration) *session {
	s := &session{
		hub: h, id: id, reg: r, lease: r.lease(), since: time.Now(),
		attempts: make(map[string]*held), news: make(chan struct{}), hooks: make(map[string]bool),
	}
	for i := range r.Tasks {
		if r.Tasks[i].Hooks {
			s.hooks[r.Tasks[i].Name] = true
		}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // until it has gone
	return s
}

// start begins the lease.
func (s *session) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return
	}
	s.until = time.Now().Add(s.lease)
	s.timer = time.AfterFunc(s.lease, s.expire)
}

// heard notes that the worker lives; false if it is too late.
func (s *session) heard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Now().Add(s.lease)
	return !s.gone
}

// expire gives back what has been silent for too long, and looks again when the next
// may have been.
func (s *session) expire() {
	now := time.Now()
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return
	}
	if !now.Before(s.until) {
		s.mu.Unlock()
		s.hub.end(s, "its lease ran out")
		return
	}
	next := s.until
	var back []*held
	for id, a := range s.attempts {
		if !now.Before(a.until) && !a.asking {
			delete(s.attempts, id)
			back = append(back, a)
		} else if a.until.Before(next) {
			next = a.until
		}
	}
	s.timer.Reset(max(next.Sub(now), time.Millisecond))
	s.mu.Unlock()
	for _, a := range back {
		s.hub.log.Warn("the lease of an attempt ran out: somebody else is given it", "worker", s.id, "task_run", a.job.ID, "attempt", a.id)
		a.source.GiveBack(a.job)
	}
}

// end forgets the session, and gives what the worker had.
func (s *session) end() (back []*held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	s.cancel()
	if s.timer != nil {
		s.timer.Stop()
	}
	for id, a := range s.attempts {
		delete(s.attempts, id)
		if !a.asking {
			back = append(back, a)
		}
	}
	s.ring()
	return back
}

// ring wakes the heartbeats that wait. Called with mu.
func (s *session) ring() {
	close(s.news)
	s.news = make(chan struct{})
}

func (s *session) find(attempt string) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts[attempt]
}

// add takes note of a job that was claimed; nil if the session is over, or drains.
func (s *session) add(job *api.Job, source worker.Lender) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || s.drain {
		return nil
	}
	s.last++
	a := &held{id: s.id + "." + strconv.FormatInt(s.last, 10), job: job, source: source, until: time.Now().Add(s.lease)}
	s.attempts[a.id] = a
	return a
}

// halt notes that an attempt's body is to end.
func (s *session) halt(a *held, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.stop != nil {
		return
	}
	a.stop = &Stop{Attempt: a.id, Code: codeOf(cause), Message: cause.Error()}
	s.ring()
}

func (s *session) setDrain(drain bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = s.told && s.drain == drain
	s.drain = drain
	s.ring()
}

// tell has the worker hear of a task run that ended with a job of its; false if it had
// none such.
func (s *session) tell(job *api.Job, run api.TaskRun) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, its := s.finished.jobs[job]
	if its && len(s.ended) < endedCap {
		s.ended = append(s.ended, Ended{Attempt: id, TaskRun: run})
		s.ring()
	}
	return its
}

// endedCap is of how many ends a worker is told that does not ask; what is beyond is
// lost, as it is in a crash.
const endedCap = 10_000

func (s *session) describe() Worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Worker{ID: s.id, Since: s.since, Heard: s.until.Add(-s.lease), Busy: len(s.attempts), Drain: s.drain, CPU: s.cpu, Memory: s.memory, Registration: s.reg}
}

// wait bounds how long an answer may wait.
func (s *session) wait(ms int64) time.Duration {
	return min(time.Duration(ms)*time.Millisecond, s.lease/2, longestWait)
}

// recent remembers the last attempts that ended, so that a finish which is repeated is
// answered as it was.
type recent struct {
	known map[string]*ended
	jobs  map[*api.Job]string // those of tasks with hooks
	order []string
	next  int
}

// recentCap is how many are remembered.
const recentCap = 4096

// ended is an attempt that was finished.
type ended struct {
	counts bool
	job    *api.Job // nil: its task has no hooks
}

func (r *recent) add(attempt string, e *ended) {
	if r.known == nil {
		r.known, r.jobs = make(map[string]*ended), make(map[*api.Job]string)
	}
	if len(r.order) < recentCap {
		r.order = append(r.order, attempt)
	} else {
		old := r.order[r.next]
		delete(r.jobs, r.known[old].job)
		delete(r.known, old)
		r.order[r.next] = attempt
		r.next = (r.next + 1) % recentCap
	}
	if r.known[attempt] = e; e.job != nil {
		r.jobs[e.job] = attempt
	}
}
