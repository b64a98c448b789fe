package cluster

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// ErrGone is the error of a request whose answer will not come, since the one
// that was asked has ended, or this process was given up meanwhile.
var ErrGone = errors.New("cluster: who was asked is gone")

// Keeper is the duty of who keeps what all share.
const Keeper = "keeper"

// Config is what a node is made of.
type Config struct {
	Store  store.Shared
	Every  time.Duration // between two beats; a fraction of the lease
	Logger *slog.Logger
	// Offer gives what this process offers the others.
	Offer func() []byte
	// Changed is told of sessions that came, went or offer something else, and who
	// is the keeper. It is called after each beat that found something new, one at a
	// time.
	Changed func(Change)
	// Beaten is told what became of each beat; nil: nobody is.
	Beaten func(err error)
	// Manual starts no goroutine: somebody drives the steps.
	Manual bool
}

// Change is what a beat found.
type Change struct {
	Live   []store.Member // all that live
	Gone   []int64        // sessions that lived at the beat before
	Keeper int64
	// Given counts those that this process gave up: their runs have nobody.
	Given int
}

// Node is one session of this process among those that share a store.
type Node struct {
	cfg      Config
	store    store.Shared
	handlers map[string]Handler
	ctx      context.Context //nolint:containedctx // it ends with the node, not with a call
	stop     context.CancelFunc
	loops    sync.WaitGroup
	beats    chan struct{} // beat now
	self     int64
	lost     chan struct{}
	losing   sync.Once

	mu      sync.Mutex
	live    []store.Member
	keeper  int64
	leaving bool // this process is not to be the keeper
	begun   int  // beats
	// fresh are sessions that were heard of and not seen to live yet, by how many beats
	// had begun then.
	fresh map[int64]int

	out  outbox
	in   inbox
	asks asks
}

// New makes a node, which does nothing before Start.
func New(cfg Config) *Node {
	n := &Node{cfg: cfg, store: cfg.Store, handlers: make(map[string]Handler), beats: make(chan struct{}, 1), lost: make(chan struct{}), fresh: make(map[int64]int)}
	n.ctx, n.stop = context.WithCancel(context.Background()) //nolint:forbidigo // lives as long as the node
	n.self = cfg.Store.Session()
	n.out.init()
	n.in.init()
	n.asks.init()
	return n
}

// Start finds the others, and begins to talk to them. Handlers were set before.
func (n *Node) Start(ctx context.Context) error {
	if err := n.beat(ctx); err != nil {
		return err
	}
	if !n.cfg.Manual {
		n.loops.Go(n.beatLoop)
		n.loops.Go(n.sendLoop)
		n.loops.Go(n.receiveLoop)
	}
	return nil
}

// Close ends all talk, once what is to be said has been sent. What others ask is
// not answered any more. The session ends with the store.
func (n *Node) Close() {
	n.stop()
	n.loops.Wait()
	if letters := n.out.take(); len(letters) > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(n.ctx), time.Second)
		defer cancel()
		if err := n.store.Send(ctx, letters); err != nil {
			n.cfg.Logger.Warn("the last messages were not sent", "error", err)
		}
	}
	n.asks.fail(func(*ask) bool { return true }, api.ErrClosed)
	n.in.requests.Wait()
}

// Self is this process's session.
func (n *Node) Self() int64 { return n.self }

// Live gives the sessions that live, as far as is known.
func (n *Node) Live() []store.Member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.live
}

// KeeperSession is who keeps what all share, and whether that is this process.
func (n *Node) KeeperSession() (session int64, self bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.keeper, n.keeper == n.self
}

// LetGo is for a process that ends soon: from the next beat on, which comes at once,
// it is not the keeper.
func (n *Node) LetGo() {
	n.mu.Lock()
	n.leaving = true
	n.mu.Unlock()
	n.Hurry()
}

// Hurry has the next beat come at once: somebody may have come or gone.
func (n *Node) Hurry() {
	select {
	case n.beats <- struct{}{}:
	default:
	}
}

func (n *Node) beatLoop() {
	every := time.NewTicker(n.cfg.Every)
	defer every.Stop()
	soon := time.NewTimer(0)
	defer soon.Stop()
	for soon.Stop(); ; {
		select {
		case <-n.ctx.Done():
			return
		case <-every.C:
		case <-n.beats:
		case <-soon.C:
		}
		if !n.BeatStep() { // the lease runs on
			soon.Reset(n.cfg.Every / 8)
		}
	}
}

// BeatStep renews the lease and looks who lives, and reports whether it could.
func (n *Node) BeatStep() bool {
	err := n.beat(n.ctx)
	if err != nil && n.ctx.Err() == nil {
		n.cfg.Logger.Warn("the lease was not renewed", "error", err)
	}
	return err == nil
}

func (n *Node) beat(ctx context.Context) error {
	var offer []byte
	if n.cfg.Offer != nil {
		offer = n.cfg.Offer()
	}
	n.mu.Lock()
	n.begun++
	n.mu.Unlock()
	live, given, err := n.store.Beat(ctx, offer)
	var keeper int64
	if err == nil {
		n.mu.Lock()
		want := !n.leaving
		n.mu.Unlock()
		keeper, err = n.store.Hold(ctx, Keeper, want)
	}
	if errors.Is(err, store.ErrLost) {
		n.GivenUp()
	}
	if n.cfg.Beaten != nil && ctx.Err() == nil {
		n.cfg.Beaten(err)
	}
	if err != nil {
		return err
	}
	n.changed(live, keeper, given)
	return nil
}

// changed takes note of who lives, and tells of it.
func (n *Node) changed(live []store.Member, keeper int64, given int) {
	n.mu.Lock()
	c := Change{Live: live, Keeper: keeper, Given: given}
	for _, m := range n.live {
		if !lives(live, m.Session) {
			c.Gone = append(c.Gone, m.Session)
		}
	}
	for session, begun := range n.fresh {
		switch {
		case lives(live, session):
			delete(n.fresh, session)
		case begun < n.begun: // it was heard of before who lives was asked
			delete(n.fresh, session)
			c.Gone = append(c.Gone, session)
		}
	}
	fresh := keeper != n.keeper || given > 0 || len(c.Gone) > 0 || !slices.EqualFunc(live, n.live, same)
	n.live, n.keeper = live, keeper
	n.mu.Unlock()
	if len(c.Gone) > 0 {
		n.asks.fail(func(a *ask) bool { return slices.Contains(c.Gone, a.to) }, ErrGone)
		n.in.end(c.Gone)
	}
	if fresh && n.cfg.Changed != nil {
		n.cfg.Changed(c)
	}
}

// same reports whether a session offers what it did.
func same(a, b store.Member) bool { return a.Session == b.Session && bytes.Equal(a.Offer, b.Offer) }

func lives(live []store.Member, session int64) bool {
	return slices.ContainsFunc(live, func(m store.Member) bool { return m.Session == session })
}

// heardOf takes note of a session that says something. One that has just joined may be
// quicker than the beat that shows it.
func (n *Node) heardOf(session int64) {
	n.mu.Lock()
	known := lives(n.live, session)
	if _, is := n.fresh[session]; !is && !known {
		n.fresh[session] = n.begun
	}
	n.mu.Unlock()
	if !known {
		n.Hurry()
	}
}

// mayLive reports whether a session lives, as far as is known.
func (n *Node) mayLive(session int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, is := n.fresh[session]
	return is || lives(n.live, session)
}

// Lost is closed when this session was given up: the store takes nothing from it
// any more.
func (n *Node) Lost() <-chan struct{} { return n.lost }

// GivenUp is for who finds that the store takes nothing from this session.
func (n *Node) GivenUp() {
	n.losing.Do(func() {
		close(n.lost)
		n.stop()
	})
}

// pause waits, or until the node is closed.
func (n *Node) pause(d time.Duration) {
	if n.cfg.Manual {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-n.ctx.Done():
	}
}
