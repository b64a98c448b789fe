package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Bounds of what is carried at a time.
const (
	letterBytes = 1 << 20 // of one letter, about
	letterPage  = 200     // letters that are read at a time
)

// How often the box is looked at though no bell rang: often while a reply is
// waited for, and ever less often, down to a few times between two beats.
const (
	pollFirst = 20 * time.Millisecond
	pollAsked = 10 * pollFirst
)

func (n *Node) pollLast() time.Duration { return max(n.cfg.Every*2/5, pollAsked) }

// outbox is what is to be said.
type outbox struct {
	mu    sync.Mutex
	to    map[int64][]message
	back  []store.Letter // that were taken and not sent
	ready chan struct{}
}

func (o *outbox) init() { o.to, o.ready = make(map[int64][]message), make(chan struct{}, 1) }

func (n *Node) post(to int64, m message) {
	n.out.mu.Lock()
	n.out.to[to] = append(n.out.to[to], m)
	n.out.mu.Unlock()
	select {
	case n.out.ready <- struct{}{}:
	default:
	}
}

// take gives all that is to be said, in letters.
func (o *outbox) take() (letters []store.Letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	letters, o.back = o.back, nil
	for _, to := range slices.Sorted(maps.Keys(o.to)) {
		for list := o.to[to]; len(list) > 0; {
			size, k := 0, 0
			for k < len(list) && (k == 0 || size < letterBytes) {
				size += len(list[k].Body) + 64
				k++
			}
			body, err := json.Marshal(list[:k])
			if err == nil { // bodies were made by us
				letters = append(letters, store.Letter{To: to, Body: body})
			}
			list = list[k:]
		}
	}
	clear(o.to)
	return letters
}

// putBack leaves letters for who sends the last ones.
func (o *outbox) putBack(letters []store.Letter) {
	o.mu.Lock()
	o.back = letters
	o.mu.Unlock()
}

func (n *Node) sendLoop() {
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.out.ready:
			n.SendStep()
		}
	}
}

// SendStep sends what is to be said, and reports whether there was anything. It
// tries again while the store can't.
func (n *Node) SendStep() bool {
	letters := n.out.take()
	if len(letters) == 0 {
		return false
	}
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		if n.ctx.Err() != nil {
			n.out.putBack(letters)
			return true
		}
		err := n.store.Send(n.ctx, letters)
		switch {
		case err == nil:
			return true
		case errors.Is(err, store.ErrLost):
			n.GivenUp()
			return true
		case n.cfg.Manual:
			return true
		}
		n.cfg.Logger.Warn("messages wait to be sent", "error", err)
		n.pause(delay)
	}
}

// inbox is what was said to this process.
type inbox struct {
	requests sync.WaitGroup // on goroutines of their own

	mu   sync.Mutex
	seen map[int64]bool // letters that are still in the box
	open map[request]*Request
}

type request struct{ from, number int64 }

func (b *inbox) init() { b.seen, b.open = make(map[int64]bool), make(map[request]*Request) }

// end cancels the requests of sessions that are gone.
func (b *inbox) end(gone []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, r := range b.open {
		if slices.Contains(gone, key.from) {
			r.cancel()
			delete(b.open, key)
		}
	}
}

func (b *inbox) done(r *Request) {
	b.mu.Lock()
	delete(b.open, request{r.From, r.number})
	b.mu.Unlock()
	r.cancel()
}

func (n *Node) receiveLoop() {
	wait := pollFirst
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		timer.Reset(wait)
		select {
		case <-n.ctx.Done():
			return
		case <-n.store.Bell():
		case <-timer.C:
		case <-n.asks.begun:
			wait = pollFirst
			continue
		}
		if n.ReceiveStep() {
			wait = pollFirst
		} else if wait = min(2*wait, n.pollLast()); n.asks.waiting() {
			wait = min(wait, pollAsked)
		}
	}
}

// ReceiveStep does what letters say, and reports whether there were any.
func (n *Node) ReceiveStep() bool {
	n.in.mu.Lock()
	done := slices.Sorted(maps.Keys(n.in.seen))
	n.in.mu.Unlock()
	letters, err := n.store.Receive(n.ctx, done, letterPage)
	if errors.Is(err, store.ErrLost) {
		n.GivenUp()
		return false
	}
	if err != nil {
		if n.ctx.Err() == nil {
			n.cfg.Logger.Warn("messages can't be read", "error", err)
		}
		return false
	}
	n.in.mu.Lock()
	for _, id := range done {
		delete(n.in.seen, id)
	}
	for i := range letters {
		n.in.seen[letters[i].ID] = true
	}
	n.in.mu.Unlock()
	for i := range letters {
		n.read(&letters[i])
	}
	return len(letters) > 0
}

// read does what a letter says.
func (n *Node) read(l *store.Letter) {
	n.heardOf(l.From)
	var list []message
	if err := json.Unmarshal(l.Body, &list); err != nil {
		n.cfg.Logger.Error("a message can't be read", "from", l.From, "error", err)
		return
	}
	for i := range list {
		m := &list[i]
		switch m.Method {
		case "":
			n.replied(m)
		case forget:
			n.forgotten(request{l.From, m.Number})
		default:
			n.asked(l.From, m)
		}
	}
}

func (n *Node) replied(m *message) {
	a := n.asks.take(m.Number)
	if a == nil {
		return
	}
	r := reply{body: m.Body}
	switch {
	case m.Gone:
		r.err = ErrGone
	case m.Error != nil:
		r.err = m.Error
	}
	a.reply <- r
}

func (n *Node) forgotten(key request) {
	n.in.mu.Lock()
	defer n.in.mu.Unlock()
	if r := n.in.open[key]; r != nil {
		r.cancel()
	}
}

func (n *Node) asked(from int64, m *message) {
	r := &Request{node: n, From: from, Body: m.Body, number: m.Number, ctx: n.ctx, cancel: func() {}}
	if m.Number != 0 {
		r.ctx, r.cancel = context.WithCancel(n.ctx)
		n.in.mu.Lock()
		n.in.open[request{from, m.Number}] = r
		n.in.mu.Unlock()
	}
	if h := n.handlers[m.Method]; h != nil {
		h(r)
		return
	}
	r.Reply(nil, api.Errorf(api.ErrInvalid, "", "session %d is asked for %q, which it does not know: is it of another version?", n.Self(), m.Method))
}
