package engine

import (
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/store"
)

// Where processes share a store, one with listeners has the others tell it what they
// change. It asks again and again: who does not hear it for a while ends, so one that
// has gone costs nothing. Whoever is asked for the first time answers that all may have
// changed, for what came before; when a process goes, what it had still to tell is
// lost, and all may have changed.
const (
	watchChanges = "changes.watch" // tell me of changes
	newsChanges  = "changes.news"  // these have come about
)

const (
	watchEvery = 5 * time.Second
	watchLease = 3 * watchEvery
	newsEvery  = time.Second / 4
)

// watcher is another process that wants to be told.
type watcher struct {
	listener *listener
	until    time.Time // guarded by changes.mu
}

func (e *Engine) initChanges() {
	e.changes.number = e.now().UnixMicro() // of a process that is started later they are higher
	if e.peers.node == nil {
		return
	}
	e.peers.node.Handle(watchChanges, func(q *cluster.Request) { e.watched(q.From) })
	e.peers.node.Handle(newsChanges, func(q *cluster.Request) {
		var news []api.Change
		if q.Decode(&news) == nil {
			e.changes.tell(true, news...)
		}
	})
}

// watchOthers has the other processes tell this one, as long as somebody listens.
func (e *Engine) watchOthers() {
	if e.peers.node == nil || e.manual {
		return
	}
	c := &e.changes
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.watching {
		c.watching = true
		e.beside(e.watchLoop)
	}
}

func (e *Engine) watchLoop() {
	node := e.peers.node
	again := time.NewTicker(watchEvery)
	defer again.Stop()
	for known := node.Live(); ; {
		changed := e.peers.changed.wait()
		live := node.Live()
		for i := range live {
			if live[i].Session != node.Self() {
				_ = node.Tell(live[i].Session, watchChanges, nil) // nothing to encode
			}
		}
		if !slices.EqualFunc(live, known, func(a, b store.Member) bool { return a.Session == b.Session }) {
			e.changes.tell(true, api.Change{Processes: true})
		}
		if slices.ContainsFunc(known, func(m store.Member) bool { return !livesAmong(live, m.Session) }) {
			e.changes.tell(true, api.Change{All: true})
		}
		known = live
		select {
		case <-changed:
		case <-again.C:
			if e.changes.unwatched() {
				return
			}
		case <-e.closers.ctx.Done():
			return
		}
	}
}

func livesAmong(live []store.Member, session int64) bool {
	return slices.ContainsFunc(live, func(m store.Member) bool { return m.Session == session })
}

// unwatched reports whether nobody listens here any more, and notes that the others
// are not asked from now on.
func (c *changeState) unwatched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l := range c.listeners {
		if !l.remote {
			return false
		}
	}
	c.watching = false
	return true
}

// watched is told that a session wants to be told.
func (e *Engine) watched(session int64) {
	c := &e.changes
	c.mu.Lock()
	w := c.watchers[session]
	if w != nil {
		w.until = e.now().Add(watchLease)
	}
	c.mu.Unlock()
	if w != nil || e.manual {
		return
	}
	w = &watcher{listener: c.listen(true), until: e.now().Add(watchLease)}
	c.mu.Lock()
	if c.watchers == nil {
		c.watchers = make(map[int64]*watcher)
	}
	c.watchers[session] = w
	c.mu.Unlock()
	e.beside(func() { e.tellWatcher(session, w) })
}

// tellWatcher tells another process, as long as it wants.
func (e *Engine) tellWatcher(session int64, w *watcher) {
	c := &e.changes
	defer c.leave(w.listener)
	check, pace := time.NewTicker(watchEvery), time.NewTimer(0)
	defer check.Stop()
	defer pace.Stop()
	for {
		select {
		case <-w.listener.wake:
		case <-check.C:
		case <-e.closers.ctx.Done():
			return
		}
		c.mu.Lock()
		over := e.now().After(w.until)
		if over {
			delete(c.watchers, session)
		}
		c.mu.Unlock()
		if over {
			return
		}
		if news := c.take(w.listener); len(news) > 0 {
			_ = e.peers.node.Tell(session, newsChanges, news) // names and numbers can be encoded
		}
		pace.Reset(newsEvery)
		select {
		case <-pace.C:
		case <-e.closers.ctx.Done():
			return
		}
	}
}
