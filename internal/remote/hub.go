package remote

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Bounds of a lease, and of how long an answer waits.
const (
	DefaultLease = 10 * time.Second
	shortLease   = time.Second
	longestWait  = 20 * time.Second
)

// Engine is where the tasks are.
type Engine interface {
	// Learn takes note of what a worker knows, or says what is wrong with it.
	Learn(ctx context.Context, tasks []Task) error
	// Join says that a worker is there, Leave that it is not any more.
	Join(worker, name string, queues, tasks []string)
	Leave(worker string)
	// ClaimFor gives the next job for a worker that waits with places for so many;
	// [api.ErrNotFound] if there is none and it waits with none.
	ClaimFor(ctx context.Context, worker string, places int) (*api.Job, worker.Lender, error)
}

// Hub holds the workers of a server, and what they have under leases. It is a
// [Server].
//
// A worker that is silent for its lease is forgotten, and an attempt that no heartbeat
// has listed for that long is given to somebody else: also one of which the worker has
// never heard, since the answer to its claim was lost.
type Hub struct {
	engine Engine
	log    *slog.Logger

	mu      sync.Mutex
	workers map[string]*session
	closed  bool
}

var _ Server = (*Hub)(nil)

// NewHub makes a hub without workers.
func NewHub(e Engine, log *slog.Logger) *Hub {
	return &Hub{engine: e, log: log, workers: make(map[string]*session)}
}

// Close forgets all workers, and gives back what they have. What they say from then on
// is refused.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	all := make([]*session, 0, len(h.workers))
	for _, s := range h.workers {
		all = append(all, s)
	}
	h.mu.Unlock()
	for _, s := range all {
		h.end(s, "the engine is closed")
	}
}

// RegisterWorker takes a worker in.
func (h *Hub) RegisterWorker(ctx context.Context, r Registration) (Registered, error) {
	if err := r.complete(); err != nil {
		return Registered{}, err
	}
	if err := h.engine.Learn(ctx, r.Tasks); err != nil {
		return Registered{}, err
	}
	s := newSession(h, "w_"+strings.ToLower(rand.Text()), &r)
	names := make([]string, len(r.Tasks))
	for i := range r.Tasks {
		names[i] = r.Tasks[i].Name
	}
	h.engine.Join(s.id, r.Name, r.Queues, names) // before anybody could have it leave
	h.mu.Lock()
	closed := h.closed
	if !closed {
		h.workers[s.id] = s
	}
	h.mu.Unlock()
	if closed {
		h.engine.Leave(s.id)
		return Registered{}, api.ErrClosed
	}
	s.start()
	h.log.Info("a worker has registered", "worker", s.id, "name", r.Name, "tasks", len(names), "slots", r.Slots)
	return Registered{Worker: s.id, LeaseMS: s.lease.Milliseconds(), Protocol: Version}, nil
}

// complete fills in what was left out, and says what is wrong.
func (r *Registration) complete() error {
	switch {
	case r.Name == "":
		return api.Errorf(api.ErrInvalid, "name", "a worker wants a name, for people")
	case len(r.Tasks) == 0:
		return api.Errorf(api.ErrInvalid, "tasks", "a worker without tasks has nothing to do")
	case r.Slots < 1:
		return api.Errorf(api.ErrInvalid, "slots", "slots is %d; want 1 or more", r.Slots)
	case r.Protocol > Version:
		return api.Errorf(api.ErrInvalid, "protocol", "the worker speaks version %d of the protocol, and this server up to %d", r.Protocol, Version)
	case slices.Contains(r.Queues, ""):
		return api.Errorf(api.ErrInvalid, "queues", "a queue has no name")
	case r.LeaseMS != 0 && r.lease() < shortLease:
		return api.Errorf(api.ErrInvalid, "lease_ms", "lease_ms is %d; want %d or more", r.LeaseMS, shortLease.Milliseconds())
	}
	seen := make(map[string]bool, len(r.Tasks))
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if seen[t.Name] {
			return api.Errorf(api.ErrInvalid, "tasks", "task %q is there twice", t.Name)
		}
		seen[t.Name] = true
		if t.Kind == "" {
			t.Kind = "task"
		}
		if t.Result == "" {
			t.Result = "any"
		}
		if t.Params == nil {
			t.Params = []string{}
		}
		if t.Kind != "task" && t.Kind != "orchestrator" && t.Kind != "combined" {
			return api.Errorf(api.ErrInvalid, "tasks", "task %q is a %s, which only a process that has the database can run: register it there", t.Name, t.Kind)
		}
	}
	return nil
}

func (r *Registration) lease() time.Duration {
	if r.LeaseMS == 0 {
		return DefaultLease
	}
	return time.Duration(r.LeaseMS) * time.Millisecond
}

type ownerKey struct{}

// WithOwner says who asks. A worker answers to who registered it only.
func WithOwner(ctx context.Context, owner string) context.Context {
	return context.WithValue(ctx, ownerKey{}, owner)
}

// worker finds one, and notes that it lives.
func (h *Hub) worker(ctx context.Context, id string) (*session, error) {
	owner, _ := ctx.Value(ownerKey{}).(string)
	h.mu.Lock()
	s := h.workers[id]
	h.mu.Unlock()
	if s == nil || s.reg.Owner != owner || !s.heard() {
		return nil, api.Errorf(ErrWorkerLost, "", "no worker %s is known here, any more: register again", id)
	}
	return s, nil
}

// attempt finds one of a worker's.
func (h *Hub) attempt(ctx context.Context, id, attempt string) (*held, error) {
	s, err := h.worker(ctx, id)
	if err == nil {
		if a := s.find(attempt); a != nil {
			return a, nil
		}
	}
	return nil, lost(attempt)
}

func lost(attempt string) error {
	return api.Errorf(ErrAttemptLost, "", "attempt %s is not this worker's any more: its lease ran out, or it has ended", attempt)
}

// DeregisterWorker says good-bye to a worker, and gives back what it has.
func (h *Hub) DeregisterWorker(ctx context.Context, id string) error {
	s, err := h.worker(ctx, id)
	if err == nil {
		h.end(s, "it has said so")
	}
	return err
}

// end forgets a worker.
func (h *Hub) end(s *session, why string) {
	h.mu.Lock()
	known := h.workers[s.id] == s
	delete(h.workers, s.id)
	h.mu.Unlock()
	if !known {
		return
	}
	h.engine.Leave(s.id)
	back := s.end()
	for _, a := range back {
		a.source.GiveBack(a.job)
	}
	h.log.Info("a worker has gone", "worker", s.id, "name", s.reg.Name, "reason", why, "attempts", len(back))
}

// Drain has a worker claim nothing more, or go on.
func (h *Hub) Drain(id string, drain bool) error {
	h.mu.Lock()
	s := h.workers[id]
	h.mu.Unlock()
	if s == nil {
		return api.Errorf(api.ErrNotFound, "", "no worker %s", id)
	}
	s.setDrain(drain)
	return nil
}

// Workers lists those that are there, the longest first.
func (h *Hub) Workers() []Worker {
	h.mu.Lock()
	all := make([]*session, 0, len(h.workers))
	for _, s := range h.workers {
		all = append(all, s)
	}
	h.mu.Unlock()
	list := make([]Worker, len(all))
	for i, s := range all {
		list[i] = s.describe()
	}
	slices.SortFunc(list, func(a, b Worker) int {
		if by := a.Since.Compare(b.Since); by != 0 {
			return by
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// Worker is one as others see it.
type Worker struct {
	ID    string
	Since time.Time
	Heard time.Time
	Busy  int
	Drain bool
	// CPU is how many cores it uses, Memory bytes; zeros if it does not say.
	CPU    float64
	Memory int64
	*Registration
}
