package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/vital"
)

// slowCommit is after how long without an answer of the store to a commit it is
// found out whether it is slow or away.
const slowCommit = time.Second

// vitals is what is known of how the store does, and of what came too late. The
// engines that sit in one seat after the other share it. It is noted once for each
// commit and each beat, however many changes they carry.
type vitals struct {
	mu      sync.Mutex
	failing [sources]bool
	doubted bool // commits failed when last tried, and none waits now
	since   time.Time
	err     string
	errAt   time.Time
	late    int
	lost    int

	meter  meter
	usage  vital.Usage
	recent recent
}

func newVitals(now time.Time) *vitals {
	return &vitals{since: now, recent: recent{rings: make(map[uint32]*endedRing)}, meter: meter{
		since: now, cache: make(map[string]CacheTaken), done: byQueue{all: make(map[string]int64)}, came: byQueue{all: make(map[string]int64)},
	}}
}

// Who asks something of the store.
const (
	byCommit = iota
	byBeat
	sources
)

func (v *vitals) down() bool { return v.failing[byCommit] || v.failing[byBeat] }

// storeSaid takes note of how the store answered. What it refuses for what was asked is
// an answer as well.
func (e *Engine) storeSaid(source int, err error) {
	if err != nil && !errors.Is(err, store.ErrRetry) {
		return
	}
	v, now := e.vitals, e.now()
	v.mu.Lock()
	before, since := v.down(), v.since
	v.failing[source] = err != nil
	switch {
	case err != nil:
		v.err, v.errAt = err.Error(), now
		v.doubted = v.doubted && source != byCommit
	case v.doubted:
		v.failing[byCommit], v.doubted = false, false
	}
	after := v.down()
	if before != after {
		v.since = now
	}
	asks := source == byCommit && v.failing[byCommit] != v.failing[byBeat]
	v.mu.Unlock()
	if asks && e.peers.node != nil {
		e.peers.node.Hurry() // does it answer that? each second at most, as commits are tried
	}
	switch {
	case after && !before:
		e.log.Warn("the store can't be reached, or takes nothing: what was accepted waits, new runs are refused", "store", e.store.Location(), "error", err)
	case before && !after:
		e.log.Info("the store is back: what waited goes on", "store", e.store.Location(), "away", now.Sub(since).Round(time.Millisecond))
	}
}

// unasked is for when a commit failed and nothing is left that waits for the next
// try: the next answer of any kind says that the store is back. Without beats nobody
// would ask, so it is taken for back until the next commit.
func (e *Engine) unasked() {
	v, now := e.vitals, e.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.doubted = e.peers.node != nil; !v.doubted {
		v.failing[byCommit], v.since = false, now
	}
}

// lates counts what came too late to count, and says so.
func (e *Engine) lates(n int) {
	if n == 0 {
		return
	}
	e.vitals.mu.Lock()
	e.vitals.late += n
	all := e.vitals.late
	e.vitals.mu.Unlock()
	e.log.LogAttrs(context.Background(), slog.LevelWarn, //nolint:forbidigo // nobody's
		"an answer came too late and changes nothing: others have its task run", slog.Int("refused", n), slog.Int("in_all", all))
}

// watch says so when a commit takes long. There is one at a time.
type watch struct {
	mu    sync.Mutex
	since time.Time // zero: none is in progress
	size  int
	timer *time.Timer // nil if somebody drives the steps
}

func (e *Engine) initWatch() {
	if e.manual {
		return
	}
	e.watch.timer = time.AfterFunc(slowCommit, e.slow)
	e.watch.timer.Stop()
}

func (e *Engine) slow() {
	w := &e.watch
	w.mu.Lock()
	since, size := w.since, w.size
	w.mu.Unlock()
	e.vitals.mu.Lock()
	down := e.vitals.down()
	e.vitals.mu.Unlock()
	if since.IsZero() || down { // that it is away was said
		return
	}
	e.log.Warn("the store takes long over a commit", "store", e.store.Location(), "changes", size, "since", since)
	if e.peers.node != nil {
		e.peers.node.Hurry()
	}
}

// begins and ends are called around each commit, its repetitions included.
func (w *watch) begins(now time.Time, size int) {
	w.mu.Lock()
	w.since, w.size = now, size
	w.mu.Unlock()
	if w.timer != nil {
		w.timer.Reset(slowCommit)
	}
}

func (w *watch) ends() {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Lock()
	w.since, w.size = time.Time{}, 0
	w.mu.Unlock()
}

// Health tells how the engine is. Nobody is asked for it.
func (e *Engine) Health() (h api.Health) {
	v, w := e.vitals, &e.watch
	v.mu.Lock()
	h.Reachable, h.Since, h.LastError, h.LastErrorAt = !v.down(), v.since, v.err, v.errAt
	h.Late, h.Restarts = v.late, v.lost
	v.mu.Unlock()
	w.mu.Lock()
	h.Waiting, h.WaitingSince = w.size, w.since
	w.mu.Unlock()
	e.queue.mu.Lock()
	h.Waiting += len(e.queue.small) + len(e.queue.wide)
	e.queue.mu.Unlock()
	h.Bodies, h.Keeper, h.Closing = int(e.inHand()), e.onDuty(), e.isClosed()
	h.Retention = api.Duration(e.keepsFor())
	if e.peers.node == nil {
		return h
	}
	keeper, _ := e.peers.node.KeeperSession()
	for _, m := range e.peers.node.Live() {
		h.Processes = append(h.Processes, api.Process{
			Name: m.Name, Started: at(m.Started), Self: m.Session == e.peers.node.Self(), Keeper: m.Session == keeper,
		})
	}
	return h
}

// Health tells how the engine that sits here is.
func (s *Seat) Health() api.Health {
	h := s.Engine().Health()
	s.mu.Lock()
	h.Closing = s.closed // one that was lost is closed as well
	s.mu.Unlock()
	return h
}
