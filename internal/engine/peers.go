package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store"
)

// ErrLost ends what belonged to a session that the others gave up: its runs go
// on elsewhere.
var ErrLost = api.Errorf(api.ErrStore, "", "the lease of this process ran out (it stood still, or could not reach the database): others go on with its runs, and what it does counts no more")

// peers is what an engine knows of the others that share its store.
type peers struct {
	shared store.Shared // nil: the store is this engine's alone
	node   *cluster.Node
	offer  atomic.Pointer[[]byte] // what the others are told at each beat
	beat   time.Duration

	mu      sync.Mutex
	unknown map[int64]bool // live runs that need tasks which are not registered here
	wake    chan struct{}  // there may be orphans
	look    bool           // that are not known yet
	handed  []int64        // runs that were handed over to this process
	heirs   map[int64]bool // sessions that runs were handed over to
	offers  []*offer       // of the others that have places; never changed
	far     []*offer       // of workers that come over HTTP to others; the same
	changed bell           // rung when sessions came or went
}

// orphanSweep is how often orphans are looked for though nobody is known to have
// gone. The keeper looks at each beat: a transaction may have submitted a run
// whose process has gone since.
const orphanSweep = time.Minute

func (e *Engine) initPeers(cfg *Config) {
	p := &e.peers
	p.unknown, p.heirs = make(map[int64]bool), make(map[int64]bool)
	shared, ok := e.store.(store.Shared)
	if !ok {
		return
	}
	own, _ := json.Marshal(e.offering()) //nolint:errchkjson // words and numbers
	e.limits.sharing.init()
	p.shared, p.beat, p.wake = shared, cfg.Beat, make(chan struct{}, 1)
	p.offer.Store(&own)
	p.node = cluster.New(cluster.Config{
		Store: shared, Every: cfg.Beat, Logger: e.log, Changed: e.peersChanged, Manual: e.manual,
		Offer: func() []byte { return *p.offer.Load() }, Beaten: func(err error) {
			e.storeSaid(byBeat, err)
			e.usage()
		},
	})
	e.handleRequests()
	e.initKeeper()
	e.initTurns()
	e.initSharedSlots()
	e.initDuties()
	e.initStops()
	e.initLending()
	e.initBorrowing()
	p.node.Handle(runsHanded, e.runHanded)
}

// served reports whether other processes serve a queue, or workers elsewhere.
func (e *Engine) served(queue string) bool {
	serves := func(o *offer) bool { return o.serves(queue) }
	return slices.ContainsFunc(e.peers.workers(), serves) || e.remotes.any(serves) || slices.ContainsFunc(e.peers.reaches(), serves)
}

// workers gives what the other processes offer that have places.
func (p *peers) workers() []*offer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offers
}

// offersOf reads what the other processes offer that have places, and what workers can do
// that come over HTTP to them.
func (e *Engine) offersOf(live []store.Member) (list, far []*offer) {
	own := e.local
	if own == nil {
		own = e.registry
	}
	for _, m := range live {
		o, ok := readOffer(m.Offer)
		if !ok || m.Session == e.peers.node.Self() {
			continue
		}
		if o.session, o.name = m.Session, m.Name; o.Places > 0 {
			list = append(list, o)
		}
		for _, x := range o.Far {
			x.session, x.name = m.Session, m.Name
			x.alien = !slices.ContainsFunc(x.Tasks, func(task string) bool { return own(task) != nil })
			far = append(far, x)
		}
	}
	return list, far
}

// Lost is closed when the others gave up this engine's session; nil if it has
// its store alone. Nothing that it does counts from then on.
func (e *Engine) Lost() <-chan struct{} {
	if e.peers.node == nil {
		return nil
	}
	return e.peers.node.Lost()
}

// isLost reports whether Lost is closed.
func (e *Engine) isLost() bool {
	select {
	case <-e.Lost():
		return true
	default:
		return false
	}
}

// peersChanged is told who came and went.
func (e *Engine) peersChanged(c cluster.Change) {
	for _, session := range c.Gone {
		e.log.Info("a process has gone", "session", session)
	}
	offers, far := e.offersOf(c.Live)
	e.peers.mu.Lock()
	e.peers.offers, e.peers.far = offers, far
	e.peers.mu.Unlock()
	e.forgetBorrowers(c.Gone)
	e.forgetLenders(c.Gone)
	e.lendSoon()
	e.passOn(c.Gone)
	e.keeperChanged(c)
	if c.Given > 0 || len(c.Gone) > 0 {
		e.wakeAdopt()
	}
	e.peers.changed.ring()
}

func (e *Engine) wakeAdopt() {
	e.peers.mu.Lock()
	e.peers.look = true
	e.peers.mu.Unlock()
	e.rouseAdopt()
}

func (e *Engine) rouseAdopt() {
	select {
	case e.peers.wake <- struct{}{}:
	default:
	}
}

// adoptLoop takes over runs whose process has gone.
func (e *Engine) adoptLoop() {
	sweep := time.NewTicker(e.peers.beat)
	defer sweep.Stop()
	looked := e.now()
	for {
		late := false
		select {
		case <-e.closers.ctx.Done():
			return
		case <-e.peers.wake:
		case <-sweep.C:
			e.rereadQueues(e.closers.ctx)
			if late = e.now().Sub(looked) >= orphanSweep; late {
				looked = e.now()
			} else if _, keeper := e.peers.node.KeeperSession(); !keeper {
				continue
			}
			e.peers.mu.Lock()
			e.peers.look = true
			e.peers.mu.Unlock()
		}
		if err := e.adoptStep(e.closers.ctx, late); err != nil && e.closers.ctx.Err() == nil {
			e.log.Warn("runs without a process wait", "error", err)
		}
	}
}

// adoptPage is how many runs are taken over at a time, so that others get some
// too.
const adoptPage = 64

// adoptStep takes over what was handed over to this process, and orphans if there
// may be some. One that serves nothing leaves these to those that do, unless they
// are still there later on.
func (e *Engine) adoptStep(ctx context.Context, late bool) error {
	p := &e.peers
	p.mu.Lock()
	handed, look := p.handed, p.look
	p.handed, p.look = nil, false
	p.mu.Unlock()
	for page := range slices.Chunk(handed, adoptPage) {
		if err := e.adoptHanded(ctx, page); err != nil {
			return err
		}
	}
	if !look || (e.dispatch.idles() || e.dispatch.drains()) && !late && len(p.workers()) > 0 {
		return nil
	}
	return e.adopt(ctx)
}

// adopt takes over the runs that nobody has and whose tasks are known here.
func (e *Engine) adopt(ctx context.Context) error {
	for after := int64(0); !e.isClosed(); {
		rows, err := e.peers.shared.Orphans(ctx, after, adoptPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		var fit []int64
		for i := range rows {
			after = rows[i].ID
			if e.knows(ctx, &rows[i]) {
				fit = append(fit, rows[i].ID)
			}
		}
		if err := e.adoptThese(ctx, fit); err != nil {
			return err
		}
	}
	return nil
}

// adoptThese takes over those of some runs that nobody has.
func (e *Engine) adoptThese(ctx context.Context, runs []int64) error {
	if len(runs) == 0 {
		return nil
	}
	adopted, err := e.peers.shared.Adopt(ctx, runs)
	for _, id := range adopted {
		if err == nil {
			err = e.takeOver(ctx, id)
		}
	}
	return err
}

// takeOver goes on with a run that was adopted. As long as the store can't be
// read it tries again: nobody else will.
func (e *Engine) takeOver(ctx context.Context, id int64) error {
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		row, err := e.store.Run(ctx, id)
		if err == nil {
			err = e.recoverRun(ctx, &row)
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrLost) || !e.waitStore(delay) {
			return err
		}
		e.log.Warn("a run that was taken over waits", "run", id, "error", err)
	}
}

// knows reports whether the tasks of a run are registered here.
func (e *Engine) knows(ctx context.Context, row *store.RunRow) bool {
	if e.peers.stray(row.ID) {
		return false // as before: what is registered stays
	}
	text, err := e.load(ctx, store.DecodeRef(row.Plan))
	if err != nil {
		return false // it is looked at again
	}
	spec, err := api.ParseSpec(text)
	if err == nil {
		_, err = pipeline.Compile(spec, e.registry)
	}
	if err == nil {
		return true
	}
	e.leaveAlone(row, err)
	return false
}

// leaveAlone leaves a run to an engine that knows its tasks.
func (e *Engine) leaveAlone(row *store.RunRow, why error) {
	e.peers.mu.Lock()
	told := e.peers.unknown[row.ID]
	e.peers.unknown[row.ID] = true
	e.peers.mu.Unlock()
	if !told {
		e.log.Warn("run left alone", "run", uuid.UUID(row.UID).String(), "error", why)
	}
}

// stray reports whether a run was looked at here and left alone.
func (p *peers) stray(run int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unknown[run]
}

// together gives how many processes work on the store, as far as is known.
func (p *peers) together() int {
	if p.node == nil {
		return 1
	}
	return len(p.node.Live())
}

// alone reports whether there is no other process that could know the tasks which
// are not registered here.
func (p *peers) alone() bool { return p.node == nil || len(p.node.Live()) < 2 }

// givenUp ends the engine's session: what it has still to commit counts no more.
func (e *Engine) givenUp(batch []*change) {
	e.peers.node.GivenUp()
	for _, c := range batch {
		c.refuse(ErrLost)
	}
	e.lates(len(batch))
}

// numbers gives out run numbers, from ranges that the store reserved if others
// share it.
type numbers struct {
	mu        sync.Mutex
	next, end int64
	since     time.Time // of the range
	size      int64
}

// How many numbers are asked for at a time. What is left of them after a second
// is let go, so that a run's number tells about when it was made.
const (
	numbersFirst = 16
	numbersMost  = 1024
	numbersKept  = time.Second
)

func (e *Engine) takeNumber(ctx context.Context) (int64, error) {
	n := &e.numbers
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.peers.shared != nil {
		fresh := e.now().Sub(n.since) < numbersKept
		switch {
		case n.next < n.end && fresh:
		default:
			n.size = min(max(2*n.size, numbersFirst), numbersMost)
			if !fresh {
				n.size = numbersFirst
			}
			first, err := e.peers.shared.ReserveRuns(ctx, n.size)
			if err != nil {
				return 0, err
			}
			n.next, n.end, n.since = first, first+n.size*store.Lanes, e.now()
		}
		n.next += store.Lanes
		return n.next - store.Lanes, nil
	}
	n.next++
	return n.next - 1, nil
}
