package engine

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/runnel-dev/runnel/api"
)

// changeState tells who listens what has changed. Nobody waits for a listener: what it
// has not taken is kept once for each subject, and forgotten when it is too much,
// for the news that everything may have changed.
type changeState struct {
	listening atomic.Int32 // nothing is noted while it is 0

	mu        sync.Mutex
	number    int64 // of the last change
	listeners map[*listener]bool
	watchers  map[int64]*watcher // sessions that want to be told
	watching  bool               // the others tell this one
}

// listenerCap is of how many subjects a listener can be told.
const listenerCap = 4096

// listener is who wants to be told of changes.
type listener struct {
	remote  bool // of another process, which hears of other processes itself
	wake    chan struct{}
	pending map[api.Change]api.Change // by subject
	all     int64                     // number of the last change of those that were forgotten; 0: none
}

// subject is what a change is about.
func subject(c api.Change) api.Change {
	c.Number, c.State = 0, 0
	return c
}

// listen adds a listener, whose first news is that all may have changed.
func (c *changeState) listen(remote bool) *listener {
	l := &listener{remote: remote, wake: make(chan struct{}, 1), pending: make(map[api.Change]api.Change)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listeners == nil {
		c.listeners = make(map[*listener]bool)
	}
	c.listeners[l] = true
	c.listening.Add(1)
	c.number++
	l.add(api.Change{All: true, Number: c.number})
	return l
}

func (c *changeState) leave(l *listener) {
	c.mu.Lock()
	delete(c.listeners, l)
	c.listening.Add(-1)
	c.mu.Unlock()
}

// on reports whether somebody listens.
func (c *changeState) on() bool { return c.listening.Load() > 0 }

// tell tells of changes: those who listen here, and unless it was heard of another
// process, other processes.
func (c *changeState) tell(heard bool, news ...api.Change) {
	if !c.on() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range news {
		c.number++
		one.Number = c.number
		for l := range c.listeners {
			if !heard || !l.remote {
				l.add(one)
			}
		}
	}
}

// add notes a change. Called with changes.mu.
func (l *listener) add(c api.Change) {
	of := subject(c)
	was, had := l.pending[of]
	switch {
	case c.All || l.all != 0 || !had && len(l.pending) >= listenerCap:
		l.all = c.Number
		clear(l.pending)
	default:
		c.State = cmp.Or(c.State, was.State)
		l.pending[of] = c
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take gives what a listener was not told yet, in order.
func (c *changeState) take(l *listener) (news []api.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.all != 0 {
		news = append(news, api.Change{All: true, Number: l.all})
		l.all = 0
	}
	news = slices.AppendSeq(news, maps.Values(l.pending))
	slices.SortFunc(news, func(a, b api.Change) int { return cmp.Compare(a.Number, b.Number) })
	clear(l.pending)
	return news
}

// Changes tells what has changed, after it is durable, until ctx ends or the engine
// is closed. The first news is that all may have changed: what is read after it is
// followed by all that came after. A listener that is slow is told of the same things
// once, with the last state, and if it is very slow that all may have changed; it is
// never waited for. While nobody listens a commit costs nothing for it.
//
// Runs, tags and schedules of other processes on the same store are told of too, up to
// four times a second and later by as much; each listens to the others, by letters,
// only while somebody here does. Global limits are not told of.
func (e *Engine) Changes(ctx context.Context) iter.Seq[api.Change] {
	return func(yield func(api.Change) bool) {
		l := e.changes.listen(false)
		defer e.changes.leave(l)
		e.watchOthers()
		for {
			select {
			case <-l.wake:
			case <-ctx.Done():
				return
			case <-e.closers.ctx.Done():
				return
			}
			for _, c := range e.changes.take(l) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// Changes is [Engine.Changes], over as many engines as sit here.
func (s *Seat) Changes(ctx context.Context) iter.Seq[api.Change] {
	return func(yield func(api.Change) bool) {
		for e := s.Engine(); ; {
			for c := range e.Changes(ctx) {
				if !yield(c) {
					return
				}
			}
			if ctx.Err() != nil {
				return
			}
			next, err := s.After(ctx, e)
			if err != nil {
				return
			}
			e = next
		}
	}
}

// newsOf gives what is changed by a batch that is durable, nil if nobody listens.
func (e *Engine) newsOf(batch []*change) (news []api.Change) {
	if !e.changes.on() {
		return nil
	}
	tags := make(map[string]bool)
	for _, c := range batch {
		var state api.State
		switch {
		case c.SetRun != nil:
			state = c.SetRun.State
		case c.NewRun != nil:
			state = c.NewRun.State
		}
		if n := len(news); n > 0 && news[n-1].Run == c.run.text {
			news[n-1].State = cmp.Or(state, news[n-1].State)
		} else {
			news = append(news, api.Change{Run: c.run.text, State: state})
		}
		if t := c.counted; t != nil && t.tagged {
			for _, tag := range t.first.Tags {
				tags[tag] = true
			}
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		news = append(news, api.Change{Tag: tag})
	}
	return news
}

// tellNews tells what newsOf gave. Who began to listen in between may have looked
// before all of it was so.
func (e *Engine) tellNews(news []api.Change) {
	switch {
	case !e.changes.on():
	case news == nil:
		e.changes.tell(false, api.Change{All: true})
	default:
		e.changes.tell(false, news...)
	}
}

// tellTags tells that a task asks for the slots of its tags.
func (e *Engine) tellTags(t *task) {
	if !e.changes.on() {
		return
	}
	for _, tag := range t.first.Tags {
		e.changes.tell(false, api.Change{Tag: tag})
	}
}
