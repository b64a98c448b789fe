package engine

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// schedules is what the engine has that makes the runs of schedules: of several
// that share a store the keeper, see [Engine.onDuty]. It is what was read last: the
// store knows better, and refuses what was decided by what is not so any more.
type schedules struct {
	e *Engine

	mu    sync.Mutex
	known map[string]*sched
	todo  []*sched
	all   bool // all are to be read
	wake  chan struct{}
}

// sched is one schedule. Guarded by schedules.mu; but what was read belongs to who
// has it busy.
type sched struct {
	storedSchedule

	timer *timer
	busy  bool // it is being looked at, or its run is being made
	asked bool // it is in todo
	again bool // it was asked for while it was busy
	stale bool // it is to be read again
	told  bool // the live runs were cancelled for the time that waits
	delay time.Duration
}

func (s *schedules) init(e *Engine) {
	s.e, s.known, s.wake = e, make(map[string]*sched), make(chan struct{}, 1)
}

// ask has a schedule looked at. Called with mu.
func (s *schedules) ask(x *sched) {
	switch {
	case x.busy:
		x.again = true
		return
	case !x.asked:
		x.asked = true
		s.todo = append(s.todo, x)
	}
	s.rouse()
}

func (s *schedules) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// mark has a schedule read and looked at: it may be new, changed or gone, or one of
// its runs has ended.
func (s *schedules) mark(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.known[name]
	if x == nil {
		x = &sched{storedSchedule: storedSchedule{name: name}}
		s.known[name] = x
	}
	x.stale = true
	s.ask(x)
}

// markAll has all schedules read.
func (s *schedules) markAll() {
	s.mu.Lock()
	s.all = true
	s.mu.Unlock()
	s.rouse()
}

// take gives the next schedule to be looked at, busy from now on, and whether there
// was something to do.
func (s *schedules) take() (x *sched, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.todo) == 0 {
		return nil, false
	}
	x = s.todo[0]
	s.todo[0], s.todo = nil, s.todo[1:]
	x.asked, x.busy, x.again = false, true, false
	return x, true
}

// loadSchedules reads the schedules when an engine begins that has its store alone.
func (e *Engine) loadSchedules(ctx context.Context) error {
	if e.peers.node != nil {
		return nil // the keeper does, later
	}
	e.schedules.markAll()
	_, err := e.readSchedules(ctx)
	return err
}

// readSchedules reads all schedules if that is to be done, and reports whether it
// was. Those that can't be read are no reason to let the others be; the first error
// of theirs is given.
func (e *Engine) readSchedules(ctx context.Context) (done bool, first error) {
	s := &e.schedules
	s.mu.Lock()
	done, s.all = s.all, false
	s.mu.Unlock()
	if !done {
		return false, nil
	}
	there := make(map[string]bool)
	err := e.store.Records(ctx, scheduleKind, "", func(name string, text []byte) error {
		there[name] = true
		s.mu.Lock()
		x := s.known[name]
		same := x != nil && !x.busy && bytes.Equal(x.text, text)
		s.mu.Unlock()
		if same {
			return nil
		}
		now, err := e.decodeSchedule(name, text)
		if err != nil {
			first = errors.Join(first, err)
			return nil
		}
		s.update(now)
		return nil
	})
	if err != nil {
		s.markAllAt(e.now().Add(time.Second))
		return true, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, x := range s.known {
		if !there[name] {
			x.stale = true
			s.ask(x)
		}
	}
	return true, first
}

// update takes note of what a schedule is now.
func (s *schedules) update(now *storedSchedule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.known[now.name]
	if x == nil {
		x = new(sched)
		s.known[now.name] = x
	}
	if x.busy { // then it is read again
		x.stale = true
	} else {
		x.become(now, s.e)
	}
	s.ask(x)
}

// become makes what was read now what is known.
func (x *sched) become(now *storedSchedule, e *Engine) {
	if now.table == nil && !bytes.Equal(now.text, x.text) {
		e.log.Error("schedule stands still", "schedule", now.name, "error", now.rec.Error)
	}
	x.storedSchedule = *now
}

// markAllAt has all schedules read later.
func (s *schedules) markAllAt(when time.Time) { s.e.timers.after(when, s.markAll) }

// refresh reads a schedule again if that is to be done, and reports whether it is
// there. Called by who has it busy.
func (e *Engine) refresh(ctx context.Context, x *sched) (there bool, err error) {
	s := &e.schedules
	s.mu.Lock()
	stale := x.stale
	x.stale = false
	s.mu.Unlock()
	if !stale {
		return true, nil
	}
	now, err := e.readSchedule(ctx, x.name)
	if err != nil {
		return true, err
	}
	if now.text == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		x.timer.stop()
		x.busy = false
		if x.again { // it may have been made again
			s.ask(x)
			x.stale = true
		} else {
			delete(s.known, x.name)
		}
		return false, nil
	}
	x.become(now, e)
	return true, nil
}

// rest ends a turn in which nothing was changed: it is looked at again when its next
// time comes.
func (s *schedules) rest(x *sched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.busy = false
	if x.again {
		s.ask(x)
	}
	if x.rec.Paused || x.table == nil {
		return
	}
	at := x.table.Next(time.UnixMicro(x.rec.Cursor))
	if x.rec.Queued != 0 && s.e.peers.node != nil {
		// That the run has ended which it waits for is told by a letter: see lookAt.
		if again := s.e.now().Add(stateEvery); at.IsZero() || again.Before(at) {
			at = again
		}
	}
	if !at.IsZero() {
		s.at(x, s.e.noLater(at))
	}
}

// settle ends a turn: with what is stored now, or with why the store has not taken
// it. What was not done is tried again later.
func (s *schedules) settle(x *sched, rec *scheduleRecord, text []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.busy = false
	if err == nil {
		x.rec, x.text, x.delay = *rec, text, 0
		s.e.changes.tell(false, api.Change{Schedule: x.name})
		s.ask(x)
		return
	}
	x.stale, x.again = true, false
	switch {
	case errors.Is(err, api.ErrClosed), errors.Is(err, store.ErrLost):
		return
	case errors.Is(err, store.ErrFenced) && x.delay == 0: // somebody has changed it
		x.delay = time.Second / 2
		s.ask(x)
		return
	}
	x.delay = min(max(2*x.delay, time.Second), time.Minute)
	s.e.log.Warn("schedule has to wait for the store", "schedule", x.name, "error", err, "delay", x.delay)
	s.at(x, s.e.now().Add(x.delay))
}

// at has a schedule looked at later. Called with mu.
func (s *schedules) at(x *sched, when time.Time) {
	x.timer.stop()
	x.timer = s.e.timers.after(when, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ask(x)
	})
}
