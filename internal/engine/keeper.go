package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/limit"
	"github.com/runnel-dev/runnel/internal/store"
)

// Where engines share a store, the one that has the duty [cluster.Keeper] keeps
// the table of the limits of tags for all. The others ask it by letters, one after
// the other, and it answers by letters.
const (
	askSlots   = "slots.ask"   // to the keeper: who asks and who leaves
	tellSlots  = "slots.told"  // to who asked
	stateSlots = "slots.state" // of the keeper: state what you have
	learnSlots = "slots.learn" // of the keeper: which tags are limited
	doLimit    = "limit.do"    // to the keeper: a call of the limits' API
)

// keeper is what the engine has that keeps the table.
type keeper struct {
	wake chan struct{} // there may be something to do for it

	mu   sync.Mutex
	kept *limit.Kept // nil: another one is
	left bool        // it will not be this engine any more
}

// slotLetter is said to the keeper.
type slotLetter struct {
	All    bool        `json:"all,omitempty"` // Asks is all that there is
	Asks   []limit.Ask `json:"asks,omitempty"`
	Leave  []int64     `json:"leave,omitempty"`
	Park   int64       `json:"park,omitempty"`
	Unpark int64       `json:"unpark,omitempty"`
}

// toldLetter is what the keeper says.
type toldLetter struct {
	Told  []limit.Told                `json:"told,omitempty"`
	Waits map[int64][]api.WaitingSlot `json:"waits,omitempty"`
	Known *knownLimits                `json:"known,omitempty"`
}

// knownLimits is which tags are limited.
type knownLimits struct {
	Version int64                  `json:"v"`
	Limits  map[string]limitRecord `json:"limits"`
}

// stateEvery is how often what is had is stated though nobody asks: letters are
// lost when the database crashes.
const stateEvery = 15 * time.Second

func (e *Engine) initKeeper() {
	e.keeper.wake = make(chan struct{}, 1)
	n := e.peers.node
	n.Handle(askSlots, e.slotsAsked)
	n.Handle(tellSlots, e.slotsTold)
	n.Handle(stateSlots, func(q *cluster.Request) {
		if e.limits.follows(q.From) {
			e.stateSlots()
		} else {
			n.Hurry() // who keeps the table has changed
		}
	})
	answer(e, doLimit, func(ctx context.Context, in limitRequest) (any, error) {
		if !e.keeps() {
			return nil, cluster.ErrGone
		}
		return e.limitHere(ctx, in)
	})
	n.Handle(learnSlots, func(q *cluster.Request) {
		var in knownLimits
		err := q.Decode(&in)
		if err == nil {
			e.limits.learn(q.From, &in)
		}
		q.Reply(nil, err)
	})
}

// keeperChanged is told who lives and who the keeper is, after each beat that
// found something new.
func (e *Engine) keeperChanged(c cluster.Change) {
	self := e.peers.node.Self()
	k := &e.keeper
	k.mu.Lock()
	var told []limit.Told
	if k.kept != nil {
		for _, session := range c.Gone {
			told = append(told, k.kept.Gone(session)...)
		}
	}
	k.mu.Unlock()
	e.spread(told)
	changed := e.limits.keptBy(c.Keeper)
	for _, x := range e.turnsOf() {
		x.members(e, c.Gone, nil)
		x.keptBy(c.Keeper)
	}
	e.slots.members(e, c.Gone, nil)
	e.slots.keptBy(e, c.Keeper)
	if changed && c.Keeper == self {
		e.beginDuties()
	}
	switch {
	case c.Keeper == self && e.manual:
		e.keepStep(e.closers.ctx)
	case c.Keeper == self:
		if changed { // the loop may have been faster, and then it stated to the one before
			e.stateSlots()
		}
		e.keeper.rouse()
	case changed:
		e.stateSlots()
	}
}

func (k *keeper) rouse() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// keeps reports whether this engine is the keeper, and knows what all have.
func (e *Engine) keeps() bool {
	e.keeper.mu.Lock()
	defer e.keeper.mu.Unlock()
	return e.keeper.kept != nil && e.keeper.kept.Settled()
}

// settled reports whether all have stated all that they have.
func (e *Engine) settled() bool {
	for _, x := range e.turnsOf() {
		if !x.settled() {
			return false
		}
	}
	return e.keeps() && e.slots.settled()
}

// keepLoop does the keeper's duties, and has what is had stated now and then.
func (e *Engine) keepLoop() {
	state, again := time.NewTicker(stateEvery), time.NewTimer(time.Hour)
	defer state.Stop()
	defer again.Stop()
	for {
		select {
		case <-e.closers.ctx.Done():
			return
		case <-e.keeper.wake:
		case <-again.C:
		case <-state.C:
			if e.keeps() && e.peers.together() == 1 {
				continue // nobody's letters could be lost
			}
			e.stateSlots()
		}
		if _, self := e.peers.node.KeeperSession(); self {
			if e.keepStep(e.closers.ctx); !e.settled() {
				again.Reset(ownerAgain)
			}
		}
	}
}

// letGo is for an engine that is to be closed, however long its bodies take: another
// one is the keeper from the next beat on. What it has and waits for it states to
// that one, as to any other. A change of a limit that is under way is there for who
// reads them next.
func (e *Engine) letGo() {
	e.leaveSlotLevels()
	e.limits.writing.Lock()
	e.keeper.mu.Lock()
	e.keeper.kept, e.keeper.left = nil, true
	e.keeper.mu.Unlock()
	e.limits.writing.Unlock()
	e.peers.node.LetGo()
}

// keepStep reads the limits if this engine has just become the keeper, and looks
// who lives: of those that do not it forgets all, and until it has heard of those
// that do it grants nothing. Who lives is asked after the duty was got, so nobody
// can have slots of the keeper before and not be among them.
func (e *Engine) keepStep(ctx context.Context) {
	fresh, err := e.beginToKeep(ctx)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, store.ErrLost) {
			e.log.Warn("the limits of tags can't be read; nobody gets slots", "error", err)
		}
		return
	}
	k := &e.keeper
	k.mu.Lock()
	if k.kept == nil { // it was let go
		k.mu.Unlock()
		return
	}
	// Before it is asked who lives: one that joins meanwhile stays.
	known := k.kept.Sessions()
	k.mu.Unlock()
	knownTurns := make(map[*turns][]int64)
	for _, x := range e.turnsOf() {
		knownTurns[x] = x.sessions()
	}
	knownSlots := e.slots.sessions()
	members, given, err := e.peers.shared.Beat(ctx, *e.peers.offer.Load())
	if err != nil {
		return // the node's beat says so
	}
	if given > 0 {
		e.wakeAdopt()
	}
	live := make([]int64, len(members))
	for i := range members {
		live[i] = members[i].Session
	}
	if fresh {
		for _, session := range live {
			if session != e.peers.node.Self() {
				_ = e.peers.node.Tell(session, stateSlots, nil)
			}
		}
		e.stateSlots()
	}
	k.mu.Lock()
	if k.kept == nil {
		k.mu.Unlock()
		return
	}
	var told []limit.Told
	for _, session := range without(known, live) {
		told = append(told, k.kept.Gone(session)...)
	}
	told = append(told, k.kept.Live(live)...)
	k.mu.Unlock()
	e.spread(told)
	for _, x := range e.turnsOf() {
		x.members(e, without(knownTurns[x], live), live)
	}
	e.slots.members(e, without(knownSlots, live), live)
}

// beginToKeep makes the table, once.
func (e *Engine) beginToKeep(ctx context.Context) (fresh bool, err error) {
	k := &e.keeper
	k.mu.Lock()
	has := k.kept != nil || k.left
	k.mu.Unlock()
	if has {
		return false, nil
	}
	known := make(map[string]limitRecord)
	table := limit.New()
	table.Measure(e.micros)
	err = e.readLimits(ctx, func(tag string, r limitRecord) {
		known[tag] = r
		table.Set(tag, r.Limit)
	})
	if err != nil {
		return false, err
	}
	slots, err := e.readSlots(ctx)
	if err != nil {
		return false, err
	}
	l := &e.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left {
		return false, nil
	}
	l.known, l.synced = known, true
	k.kept = limit.Keep(table)
	for _, x := range e.turnsOf() {
		x.lead()
	}
	e.slots.lead(e, slots)
	return true, nil
}

// keepFor does what a session says, if this engine is the keeper.
func (e *Engine) keepFor(from int64, in *slotLetter) (told []limit.Told) {
	k := &e.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		return nil // it states all once this engine is
	}
	if in.All {
		told = k.kept.State(from, in.Asks)
		if !k.kept.Settled() {
			k.rouse()
		}
		return told
	}
	for i := range in.Asks {
		told = append(told, k.kept.Ask(from, &in.Asks[i])...)
	}
	for _, number := range in.Leave {
		told = append(told, k.kept.Leave(from, number)...)
	}
	if in.Park != 0 {
		told = append(told, k.kept.Park(in.Park, true)...)
	}
	if in.Unpark != 0 {
		told = append(told, k.kept.Park(in.Unpark, false)...)
	}
	return told
}

// slotsAsked is for a letter to the keeper. It says what those wait for that get
// nothing yet.
func (e *Engine) slotsAsked(q *cluster.Request) {
	var in slotLetter
	if err := q.Decode(&in); err != nil {
		e.log.Error("a message about slots can't be read", "from", q.From, "error", err)
		return
	}
	e.spread(e.keepFor(q.From, &in))
	out := toldLetter{Waits: make(map[int64][]api.WaitingSlot)}
	for i := range in.Asks {
		if slots := e.keptWaits(q.From, in.Asks[i].Number); slots != nil {
			out.Waits[in.Asks[i].Number] = slots
		}
	}
	if in.All && e.limits.follows(e.peers.node.Self()) {
		out.Known = e.limits.all()
	}
	if len(out.Waits) > 0 || out.Known != nil {
		_ = e.peers.node.Tell(q.From, tellSlots, out)
	}
}

func (e *Engine) keptWaits(session, number int64) (slots []api.WaitingSlot) {
	e.keeper.mu.Lock()
	defer e.keeper.mu.Unlock()
	if e.keeper.kept == nil {
		return nil
	}
	for _, w := range e.keeper.kept.Wants(session, number) {
		slots = append(slots, wantedSlot(&w))
	}
	return slots
}

// spread tells all what they got. What was refused comes to this engine as a
// letter too: who calls may hold the lock of its run.
func (e *Engine) spread(told []limit.Told) {
	if len(told) == 0 {
		return
	}
	self := e.peers.node.Self()
	letters := make(map[int64][]limit.Told)
	var own []limit.Told
	for _, x := range told {
		if x.Session == self && x.Verdict == limit.Granted {
			own = append(own, x)
			continue
		}
		letters[x.Session] = append(letters[x.Session], x)
	}
	for session, list := range letters {
		_ = e.peers.node.Tell(session, tellSlots, toldLetter{Told: list})
	}
	e.hear(self, own)
}

// teach tells all that live which tags are limited, and waits until they know:
// they begin nothing that they did not ask for from then on. Called with
// limits.writing.
func (e *Engine) teach(ctx context.Context) {
	var asked sync.WaitGroup
	known := e.limits.all()
	for _, m := range e.peers.node.Live() {
		if m.Session == e.peers.node.Self() {
			continue
		}
		asked.Go(func() {
			if err := e.peers.node.Call(ctx, m.Session, learnSlots, known, nil); err != nil && !errors.Is(err, cluster.ErrGone) {
				e.log.Warn("a process does not know the limits yet", "session", m.Session, "error", err)
			}
		})
	}
	asked.Wait()
}
