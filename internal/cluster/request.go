package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// message is one thing said, in a letter of several.
type message struct {
	// Number is that of a request, or of the one that a reply is to; 0 for what
	// wants no reply.
	Number int64           `json:"n,omitempty"`
	Method string          `json:"m,omitempty"` // "" for a reply
	Error  *api.Error      `json:"e,omitempty"`
	Gone   bool            `json:"g,omitempty"` // ErrGone: not here, ask again who is
	Body   json.RawMessage `json:"b,omitempty"`
}

// forget is the method of who does not want the reply any more.
const forget = "-"

// Handler does what is asked for. It must not block.
type Handler func(*Request)

// Request is what another process asks for.
type Request struct {
	node   *Node
	From   int64
	Body   json.RawMessage
	number int64
	ctx    context.Context //nolint:containedctx // ends when nobody waits for the reply any more
	cancel context.CancelFunc
}

// Context ends when nobody waits for the reply.
func (r *Request) Context() context.Context { return r.ctx }

// Decode reads what was asked.
func (r *Request) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return api.Errorf(api.ErrEncoding, "", "request of session %d: %w", r.From, err)
	}
	return nil
}

// Reply answers, once.
func (r *Request) Reply(v any, err error) {
	if r.number == 0 {
		return
	}
	r.node.in.done(r)
	m := message{Number: r.number}
	if err == nil && v != nil {
		m.Body, err = json.Marshal(v)
	}
	if errors.Is(err, ErrGone) {
		m.Gone = true
	} else if err != nil {
		var known *api.Error
		if !errors.As(err, &known) {
			known = api.Errorf(api.ErrStore, "", "%w", err)
		}
		m.Error = &api.Error{Code: known.Code, Where: known.Where, Msg: known.Msg}
	}
	r.node.post(r.From, m)
}

// Blocking makes a handler of a function that may block.
func (n *Node) Blocking(f func(context.Context, *Request) (any, error)) Handler {
	return func(r *Request) {
		if n.cfg.Manual {
			r.Reply(f(r.ctx, r))
			return
		}
		n.in.requests.Go(func() { r.Reply(f(r.ctx, r)) })
	}
}

// Handle says who does what is asked for under a name. It is called before Start.
func (n *Node) Handle(method string, h Handler) { n.handlers[method] = h }

// asks are the requests of this process that wait for a reply.
type asks struct {
	mu   sync.Mutex
	last int64
	open map[int64]*ask
	// begun is told when somebody begins to wait.
	begun chan struct{}
}

type ask struct {
	to    int64
	reply chan<- reply
}

type reply struct {
	body json.RawMessage
	err  error
}

func (a *asks) init() { a.open, a.begun = make(map[int64]*ask), make(chan struct{}, 1) }

func (a *asks) add(to int64, ch chan<- reply) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	a.open[a.last] = &ask{to, ch}
	select {
	case a.begun <- struct{}{}:
	default:
	}
	return a.last
}

// take ends a request; nil if it has ended.
func (a *asks) take(number int64) *ask {
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.open[number]
	delete(a.open, number)
	return x
}

// fail ends those that which chooses.
func (a *asks) fail(which func(*ask) bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for number, x := range a.open {
		if which(x) {
			delete(a.open, number)
			x.reply <- reply{err: err}
		}
	}
}

func (a *asks) waiting() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.open) > 0
}

// Call asks a session for something and waits for the reply, which goes into out
// if that is not nil. ErrGone says that it should ask somebody else.
func (n *Node) Call(ctx context.Context, to int64, method string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return api.Errorf(api.ErrEncoding, "", "request: %w", err)
	}
	if !n.mayLive(to) {
		return ErrGone
	}
	ch := make(chan reply, 1)
	number := n.asks.add(to, ch)
	n.post(to, message{Number: number, Method: method, Body: body})
	select {
	case r := <-ch:
		if r.err != nil || out == nil {
			return r.err
		}
		if err := json.Unmarshal(r.body, out); err != nil {
			return api.Errorf(api.ErrEncoding, "", "reply of session %d: %w", to, err)
		}
		return nil
	case <-ctx.Done():
		if n.asks.take(number) != nil {
			n.post(to, message{Number: number, Method: forget})
		}
		return context.Cause(ctx)
	case <-n.ctx.Done():
		return api.ErrClosed
	}
}

// Tell says something to a session, which may never hear it.
func (n *Node) Tell(to int64, method string, in any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return api.Errorf(api.ErrEncoding, "", "message: %w", err)
	}
	n.post(to, message{Method: method, Body: body})
	return nil
}

// Notice is a letter that tells a session something, for who puts it into its box
// together with what it is about.
func Notice(to int64, method string, in any) (store.Letter, error) {
	body, err := json.Marshal(in)
	if err == nil {
		body, err = json.Marshal([]message{{Method: method, Body: body}})
	}
	if err != nil {
		return store.Letter{}, api.Errorf(api.ErrEncoding, "", "message: %w", err)
	}
	return store.Letter{From: to, To: to, Body: body}, nil
}
