package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/worker"
)

// Seat is where the engine of a process sits. There is one after the other: when
// the others give up its session, it ends as if its process had died, and the next
// begins as if it had just been started. So nothing of a lost session is left to
// go wrong.
type Seat struct {
	cfg   Config
	ctx   context.Context //nolint:containedctx // ends with the seat
	leave context.CancelFunc
	loop  sync.WaitGroup

	engine atomic.Pointer[Engine]
	mu     sync.Mutex
	next   chan struct{} // closed when another one sits here, or none ever will
	closed bool
}

// Sit makes an engine, and another one whenever that loses its session.
func Sit(ctx context.Context, cfg Config) (*Seat, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.vitals = newVitals(cfg.Now())
	e, err := New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Seat{cfg: cfg, next: make(chan struct{})}
	s.engine.Store(e)
	s.ctx, s.leave = context.WithCancel(context.WithoutCancel(ctx))
	if e.Lost() != nil {
		s.loop.Go(s.follow)
	}
	return s, nil
}

// Engine gives the one that sits here now.
func (s *Seat) Engine() *Engine { return s.engine.Load() }

// Wait waits for the end of a run, over as many engines as that takes.
func (s *Seat) Wait(ctx context.Context, h *Handle) (Outcome, error) {
	for {
		out, err := h.Wait(ctx)
		if err != ErrLost { //nolint:errorlint // other errors have its code
			return out, err
		}
		if h, err = s.find(ctx, h.e, h.id); err != nil {
			return Outcome{}, err
		}
	}
}

// find gives a run to wait for, of the engine that comes after one that was lost, as
// soon as the store can be read.
func (s *Seat) find(ctx context.Context, gone *Engine, id string) (h *Handle, err error) {
	for {
		e, err := s.After(ctx, gone)
		if err != nil {
			return nil, err
		}
		err = e.patiently(func() (err error) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			h, err = e.Find(ctx, id)
			return err
		})
		select {
		case <-e.Lost():
			gone = e
		default:
			return h, err
		}
	}
}

// After waits for the engine that comes after one that was lost.
func (s *Seat) After(ctx context.Context, gone *Engine) (*Engine, error) {
	for {
		s.mu.Lock()
		e, next, closed := s.engine.Load(), s.next, s.closed
		s.mu.Unlock()
		if closed {
			return nil, api.ErrClosed
		}
		if e != gone {
			return e, nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Claim gives the next job, and who takes its answer.
func (s *Seat) Claim(ctx context.Context) (*api.Job, worker.Source, error) {
	e := s.Engine()
	for {
		job, source, err := e.Claim(ctx)
		if !errors.Is(err, api.ErrClosed) {
			return job, source, err
		}
		if e, err = s.After(ctx, e); err != nil {
			return nil, nil, err
		}
	}
}

// ClaimFor gives a worker elsewhere the next job, see [Engine.ClaimFor].
func (s *Seat) ClaimFor(ctx context.Context, id string, places int) (*api.Job, worker.Lender, error) {
	e := s.Engine()
	for {
		job, source, err := e.ClaimFor(ctx, id, places)
		if !errors.Is(err, api.ErrClosed) {
			return job, source, err
		}
		if e, err = s.After(ctx, e); err != nil {
			return nil, nil, err
		}
	}
}

// Close closes the engine.
func (s *Seat) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.next)
	s.mu.Unlock()
	s.leave()
	s.loop.Wait()
	return s.Engine().Close(ctx)
}

// follow sees to it that somebody sits here.
func (s *Seat) follow() {
	for {
		e := s.Engine()
		select {
		case <-s.ctx.Done():
			return
		case <-e.Lost():
		}
		s.cfg.Logger.Warn("the lease of this process ran out: it begins again", "session", e.peers.node.Self())
		s.cfg.vitals.mu.Lock()
		s.cfg.vitals.lost++
		s.cfg.vitals.mu.Unlock()
		e.drop()
		if e = s.again(); e == nil {
			return
		}
		s.mu.Lock()
		s.engine.Store(e)
		if !s.closed {
			close(s.next)
			s.next = make(chan struct{})
		}
		s.mu.Unlock()
	}
}

// again makes the next engine, however long that takes; nil if the seat is closed.
func (s *Seat) again() *Engine {
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		err := s.cfg.Store.(store.Shared).Rejoin(s.ctx)
		if err == nil {
			e, made := New(s.ctx, s.cfg)
			if made == nil {
				return e
			}
			err = made
		}
		if s.ctx.Err() != nil {
			return nil
		}
		s.cfg.Logger.Warn("this process can't begin again yet", "error", err)
		wait := time.NewTimer(delay)
		select {
		case <-wait.C:
		case <-s.ctx.Done():
		}
		wait.Stop()
	}
}

// drop closes an engine without waiting for anybody: what its bodies answer counts
// no more.
func (e *Engine) drop() {
	gone, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // it is over before it begins
	cancel()
	_ = e.Close(gone) // says that bodies still run
}
