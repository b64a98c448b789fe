package engine

import (
	"sync"

	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/flight"
)

// What is said about turns.
const (
	askTurns  = "turns.ask"  // to the keeper
	tellTurns = "turns.told" // of the keeper
)

// turns says whose turn it is under the keys of a kind. If others share the store,
// the keeper's table gives them; those of its own tasks cost no letters.
type turns struct {
	kind string

	mu     sync.Mutex
	table  *flight.Table
	shared bool
	keeper int64 // who gives the turns; 0: not known
	self   int64
}

// turnLetter is said to the keeper.
type turnLetter struct {
	Kind string `json:"kind"`
	All  bool   `json:"all,omitempty"` // Asks is all that there is
	flight.Said
}

// toldTurns is what the keeper says.
type toldTurns struct {
	Kind string        `json:"kind"`
	Told []flight.Told `json:"told"`
}

func (x *turns) init(kind string) { x.kind, x.table = kind, flight.New() }

// turnsOf are the kinds of turns that there are.
func (e *Engine) turnsOf() [2]*turns { return [...]*turns{&e.keyed.turns, &e.cache.turns} }

func (e *Engine) initTurns() {
	for _, x := range e.turnsOf() {
		x.shared, x.self = true, e.peers.node.Self()
		x.table.Follow()
	}
	e.peers.node.Handle(askTurns, e.turnsAsked)
	e.peers.node.Handle(tellTurns, e.turnsTold)
}

func (e *Engine) turnsOfKind(kind string) *turns {
	for _, x := range e.turnsOf() {
		if x.kind == kind {
			return x
		}
	}
	return nil
}

// said tells the keeper what followed from the call before. Called with mu, so that
// nothing is said in another order than it happened.
func (x *turns) said(e *Engine) {
	if !x.shared {
		return
	}
	if said, some := x.table.Said(); some && x.keeper != 0 && x.keeper != x.self {
		_ = e.peers.node.Tell(x.keeper, askTurns, turnLetter{Kind: x.kind, Said: said}) // it can be encoded
	}
}

// wake has tasks ask again, or begin, and tells other sessions whose turn it is.
func (e *Engine) wake(x *turns, woken []*flight.Claim) {
	var others []*flight.Claim
	for _, c := range woken {
		if t, own := c.Task.(*task); own {
			e.dispatch.push(t.run, t)
			continue
		}
		others = append(others, c)
	}
	if len(others) == 0 {
		return
	}
	x.mu.Lock()
	told := x.table.Tell(others)
	x.mu.Unlock()
	e.tellTurns(x, told)
}

func (e *Engine) tellTurns(x *turns, told []flight.Told) {
	letters := make(map[int64][]flight.Told)
	for _, one := range told {
		letters[one.Session] = append(letters[one.Session], one)
	}
	for session, list := range letters {
		_ = e.peers.node.Tell(session, tellTurns, toldTurns{x.kind, list}) // it can be encoded
	}
}

// turnsAsked is for a letter to the keeper.
func (e *Engine) turnsAsked(q *cluster.Request) {
	var in turnLetter
	err := q.Decode(&in)
	x := e.turnsOfKind(in.Kind)
	if err != nil || x == nil {
		e.log.Error("a message about turns can't be read", "from", q.From, "kind", in.Kind, "error", err)
		return
	}
	var woken []*flight.Claim
	var told []flight.Told
	x.mu.Lock()
	if in.All {
		woken = x.table.Stated(q.From, in.Asks)
	} else {
		woken = x.table.From(q.From, &in.Said)
	}
	for i := range in.Asks {
		if one, waits := x.table.Blocked(q.From, in.Asks[i].Number); waits {
			told = append(told, one)
		}
	}
	x.said(e)
	settle := x.table.Leads() && !x.table.Settled()
	x.mu.Unlock()
	e.tellTurns(x, told)
	e.wake(x, woken)
	if settle {
		e.keeper.rouse()
	}
}

// turnsTold is for a letter of the keeper. What was said by who is not the keeper any
// more does not count: the next one was told how all was before.
func (e *Engine) turnsTold(q *cluster.Request) {
	var in toldTurns
	err := q.Decode(&in)
	x := e.turnsOfKind(in.Kind)
	if err != nil || x == nil {
		e.log.Error("a message about turns can't be read", "from", q.From, "kind", in.Kind, "error", err)
		return
	}
	var woken []*flight.Claim
	x.mu.Lock()
	if x.keeper == q.From {
		for i := range in.Told {
			woken = append(woken, x.table.Hear(&in.Told[i])...)
		}
		x.said(e)
	}
	x.mu.Unlock()
	e.wake(x, woken)
}

// keptBy has the turns be asked of another session from now on. This engine itself
// gives them only once it leads, and then until another one does.
func (x *turns) keptBy(session int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	leads := x.table.Leads() && (session == 0 || session == x.self)
	if x.keeper == session || leads {
		return
	}
	if x.keeper = session; session == x.self {
		x.keeper = 0
	}
	x.table.Follow()
}

// lead has this engine give the turns to all, once all have stated theirs.
func (x *turns) lead() {
	x.mu.Lock()
	x.table.Lead(x.self)
	x.keeper = x.self
	x.mu.Unlock()
}

// state tells the keeper all that is had and waited for here.
func (x *turns) state(e *Engine) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.keeper == 0 || x.keeper == x.self {
		return
	}
	all := turnLetter{Kind: x.kind, All: true}
	all.Asks = x.table.State()
	_ = e.peers.node.Tell(x.keeper, askTurns, all) // it can be encoded
}

func (x *turns) settled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.table.Settled()
}

func (x *turns) sessions() []int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.table.Sessions()
}

// members forgets sessions that are gone. Live are those that live, if that was asked
// after this engine began to lead.
func (x *turns) members(e *Engine, gone, live []int64) {
	x.mu.Lock()
	var woken []*flight.Claim
	for _, session := range gone {
		woken = append(woken, x.table.Gone(session)...)
	}
	if live != nil {
		woken = append(woken, x.table.Live(live)...)
	}
	x.said(e)
	x.mu.Unlock()
	e.wake(x, woken)
}

// since is the time of asking, if sessions ask.
func (x *turns) since(e *Engine) int64 {
	if !x.shared {
		return 0
	}
	return e.micros()
}
