package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Bounds of event streams.
const (
	kept         = 5000     // changes, for all clients and for those that come back
	clientBuffer = 64 << 10 // bytes of events that wait for one client
	maxClients   = 2000
	calm         = 250 * time.Millisecond // between two batches of events to a client
)

// hub hears what changes, once, and tells all streams whose topics it is about.
type hub struct {
	ctx context.Context //nolint:containedctx // ends with the handler
	svc func() Service

	mu      sync.Mutex
	heard   sync.WaitGroup
	hearing bool
	news    []event // the newest, in order of their numbers
	lost    int64   // the number of the newest that is not among them any more
	clients map[*client]bool
}

// event is a change, and its text, which is the same for all.
type event struct {
	api.Change

	text []byte
}

// client is one stream. It has nothing of its own that waits: what it is told is what the
// hub has of its topics since it was told last.
type client struct {
	topics map[string]bool
	wake   chan struct{}

	// Guarded by hub.mu.
	seen  int64 // the number of the last change that it was told of, or need not be
	awake bool  // there is something to tell
	reset bool  // something was lost
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
	c := &client{topics: map[string]bool{}, wake: make(chan struct{}, 1)}
	for _, t := range topics {
		if !validTopic(t) {
			return nil, api.Errorf(api.ErrInvalid, "query.topic", "%q is no topic: want runs, run:ID, limits, schedules or workers", t)
		}
		c.topics[t] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) >= maxClients {
		p := problem(http.StatusTooManyRequests, CodeTooMany, "too many event streams are open")
		p.header = http.Header{"Retry-After": {"5"}}
		return nil, p
	}
	if !h.hearing && h.ctx.Err() == nil {
		h.hearing = true
		h.heard.Go(h.hear)
	}
	if n := len(h.news); n > 0 {
		c.seen = h.news[n-1].Number
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

// replay has a client told of what came after the event that it saw last.
func (h *hub) replay(c *client, seen string) {
	n, err := strconv.ParseInt(seen, 10, 64)
	if err != nil || len(h.news) == 0 || n < h.news[0].Number || n > h.news[len(h.news)-1].Number {
		c.reset = true
	} else {
		c.seen = n
	}
	c.wakeUp()
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
		const old = kept / 10
		h.lost = h.news[old-1].Number
		h.news = slices.Delete(h.news, 0, old)
	}
	h.news = append(h.news, event{change, eventText(&change)})
	for c := range h.clients {
		switch {
		case c.awake: // it looks by itself
		case c.wants(&change):
			c.wakeUp()
		default:
			c.seen = change.Number
		}
	}
}

// eventText is how a change is sent.
func eventText(c *api.Change) []byte {
	data, err := json.Marshal(c)
	if err != nil {
		data = []byte(`{}`) // a state that is none; who looks sees that something has changed
	}
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", c.Number, kindOf(c).event, data)
}

// resetText tells a client to read everything again.
const resetText = "event: reset\ndata: {\"all\":true}\n\n"

// take gives what is to be sent to a client: the newest change of each thing, in order.
// If that is more than one client may have, or some of it is not known any more, the
// client is to begin anew.
func (h *hub) take(c *client) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	since, reset := c.seen, c.reset || c.seen < h.lost
	c.awake, c.reset = false, false
	if n := len(h.news); n > 0 {
		c.seen = h.news[n-1].Number
	}
	if reset {
		return []byte(resetText)
	}
	return h.after(since, c.wants)
}

// after gives the texts of the changes after one that are wanted, or of a reset.
func (h *hub) after(since int64, wants func(*api.Change) bool) []byte {
	var list []event // the newest first
	size, at := 0, map[api.Change]int{}
	for i := len(h.news) - 1; i >= 0 && h.news[i].Number > since; i-- {
		e := h.news[i]
		if !wants(&e.Change) {
			continue
		}
		thing := e.Change
		thing.Number, thing.State = 0, 0
		if newer, ok := at[thing]; ok {
			list[newer].inherit(&e)
			continue
		}
		at[thing] = len(list)
		list = append(list, e)
		if size += len(e.text); e.All || size > clientBuffer {
			return []byte(resetText)
		}
	}
	text := make([]byte, 0, size)
	for _, e := range slices.Backward(list) {
		text = append(text, e.text...)
	}
	return text
}

// inherit takes the state that the thing had before, if no later change has another.
func (e *event) inherit(before *event) {
	if e.State == 0 && before.State != 0 {
		e.State = before.State
		e.text = eventText(&e.Change)
	}
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

// wakeUp has a client look. Called with the hub's mu.
func (c *client) wakeUp() {
	c.awake = true
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
