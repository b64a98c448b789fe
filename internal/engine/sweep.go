package engine

import (
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// sweepEvery is how long a body may run before it is recorded as RUNNING, at
// the latest twice this, and how long its log lines may wait. A shorter body
// leaves one row, written when it has ended.
const sweepEvery = 25 * time.Millisecond

// sweep remembers which bodies have begun since the last time.
type sweep struct {
	mu     sync.Mutex
	fresh  []*task // began since the last sweep
	chatty []*task // have log lines to commit
	armed  bool
}

// begun takes note of a body that begins.
func (s *sweep) begun(t *task) {
	s.mu.Lock()
	s.fresh = append(s.fresh, t)
	s.arm(t.run.e)
	s.mu.Unlock()
}

// arm makes sure of a sweep. Called with mu.
func (s *sweep) arm(e *Engine) {
	if !s.armed {
		s.armed = true
		e.timers.after(e.now().Add(sweepEvery), func() { e.sweepStep(e.now().Add(-sweepEvery)) })
	}
}

// sweepStep records the bodies that began before the given time and still run,
// and commits the log lines that wait.
func (e *Engine) sweepStep(before time.Time) {
	e.sweep.mu.Lock()
	fresh, chatty := e.sweep.fresh, e.sweep.chatty
	e.sweep.fresh, e.sweep.chatty, e.sweep.armed = nil, nil, false
	e.sweep.mu.Unlock()
	var young []*task
	for _, t := range fresh {
		if !t.recordIfOld(before.UnixMicro()) {
			young = append(young, t)
		}
	}
	for _, t := range chatty {
		t.run.mu.Lock()
		t.pushLogs()
		t.run.mu.Unlock()
	}
	if len(young) > 0 {
		e.sweep.mu.Lock()
		e.sweep.fresh = append(e.sweep.fresh, young...)
		e.sweep.arm(e)
		e.sweep.mu.Unlock()
	}
}

// recordIfOld writes the task's row as RUNNING if it began before the given time;
// false if it began later.
func (t *task) recordIfOld(before int64) bool {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	if t.phase != claimed || t.shown || t.run.broken {
		return true
	}
	if t.cell.Begun > before {
		return false
	}
	c := t.run.newChange()
	t.recordRunning(c)
	t.run.e.queue.push(c)
	return true
}

// recordRunning writes the task's row as RUNNING.
func (t *task) recordRunning(c *change) {
	t.shown = true
	t.note(api.Running, t.cell.Begun, "")
	t.write(c, api.Running, &t.cell)
}
