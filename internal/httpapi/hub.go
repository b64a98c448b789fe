package httpapi

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Bounds of event streams.
const (
	kept       = 5000 // events, for clients that come back, and for each that is behind
	maxClients = 2000
	calm       = 250 * time.Millisecond // between two batches of events to a client
)

// hub hears what changes, once, and tells all streams whose topics it is about.
type hub struct {
	ctx context.Context //nolint:containedctx // ends with the handler
	svc func() Service

	mu      sync.Mutex
	heard   sync.WaitGroup
	hearing bool
	news    []api.Change // the newest, in order of their numbers
	clients map[*client]bool
}

// client is one stream.
type client struct {
	topics map[string]bool
	wake   chan struct{}

	// Guarded by hub.mu: what is to be sent, the newest of each thing, in order.
	pending []api.Change
	at      map[api.Change]int // by what they are about
	reset   bool               // something was lost
}

func newHub(ctx context.Context, svc func() Service) *hub {
	return &hub{ctx: ctx, svc: svc, clients: map[*client]bool{}}
}

// wait waits for the hearing to end, once the context has.
func (h *hub) wait() {
	h.mu.Lock()   // whoever joins after this sees that the context has ended
	h.mu.Unlock() //nolint:staticcheck // nothing is to be guarded
	h.heard.Wait()
}

// join adds a stream. What happened since the event that it saw last comes first; if
// that is not known any more, it is told to begin anew.
func (h *hub) join(topics []string, seen string) (*client, error) {
	c := &client{topics: map[string]bool{}, wake: make(chan struct{}, 1), at: map[api.Change]int{}}
	for _, t := range topics {
		if !validTopic(t) {
			return nil, api.Errorf(api.ErrInvalid, "query.topic", "%q is no topic: want runs, run:ID, limits, schedules or workers", t)
		}
		c.topics[t] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) >= maxClients {
		p := problem(429, CodeTooMany, "too many event streams are open")
		return nil, p
	}
	if !h.hearing && h.ctx.Err() == nil {
		h.hearing = true
		h.heard.Go(h.hear)
	}
	if seen != "" {
		h.replay(c, seen)
	}
	h.clients[c] = true
	return c, nil
}

func validTopic(t string) bool {
	switch t {
	case "runs", "limits", "schedules", "workers":
		return true
	}
	id, ok := strings.CutPrefix(t, "run:")
	return ok && id != ""
}

// open counts the streams.
func (h *hub) open() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

func (h *hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
}

// replay queues what came after the event that a client saw last.
func (h *hub) replay(c *client, seen string) {
	n, err := strconv.ParseInt(seen, 10, 64)
	if err != nil || len(h.news) == 0 || n < h.news[0].Number {
		c.reset = true
		c.wakeUp()
		return
	}
	for _, change := range h.news {
		if change.Number > n {
			c.push(change)
		}
	}
}

// hear takes what the service tells until the handler is closed. A service that was
// lost is followed by another one, whose first news is that all may have changed.
func (h *hub) hear() {
	for {
		for change := range h.svc().Changes(h.ctx) {
			h.tell(change)
		}
		select {
		case <-h.ctx.Done():
			return
		case <-time.After(calm):
		}
	}
}

func (h *hub) tell(change api.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.news) == kept {
		h.news = slices.Delete(h.news, 0, kept/10)
	}
	h.news = append(h.news, change)
	for c := range h.clients {
		c.push(change)
	}
}

// push queues a change if one of the client's topics is about it.
func (c *client) push(change api.Change) {
	if c.reset || !c.wants(&change) { // who is to read everything again does so later than now
		return
	}
	if change.All {
		c.overflow()
		return
	}
	thing := change
	thing.Number, thing.State = 0, 0
	if i, ok := c.at[thing]; ok {
		if change.State == 0 {
			change.State = c.pending[i].State // the news of before that still holds
		}
		c.pending[i] = change
		return
	}
	if len(c.pending) == kept {
		c.overflow()
		return
	}
	c.at[thing] = len(c.pending)
	c.pending = append(c.pending, change)
	c.wakeUp()
}

// overflow forgets what was to be sent, and its memory: a client that is far behind may
// stay so.
func (c *client) overflow() {
	c.pending, c.at, c.reset = nil, map[api.Change]int{}, true
	c.wakeUp()
}

func (c *client) wants(change *api.Change) bool {
	switch {
	case change.All:
		return true
	case change.Run != "":
		return c.topics["runs"] || c.topics["run:"+change.Run]
	}
	return c.topics[kindOf(change).topic]
}

// kind is what an event is called, and the topic that it belongs to.
type kind struct{ event, topic string }

func kindOf(change *api.Change) kind {
	switch {
	case change.Run != "":
		return kind{"run.changed", "runs"}
	case change.Tag != "":
		return kind{"limit.changed", "limits"}
	case change.Schedule != "":
		return kind{"schedule.changed", "schedules"}
	}
	return kind{"worker.changed", "workers"}
}

func (c *client) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take gives what is to be sent.
func (h *hub) take(c *client) (changes []api.Change, reset bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changes, reset = c.pending, c.reset
	c.pending, c.reset = nil, false
	clear(c.at)
	return changes, reset
}
