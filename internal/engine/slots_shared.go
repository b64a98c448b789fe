package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/slot"
)

// What is said about global limits.
const (
	askGlobal  = "global.ask"  // to the keeper
	tellGlobal = "global.told" // of the keeper
	doGlobal   = "global.do"   // to the keeper: a call of the API
)

// slotSharing is what there is beside if others share the store: the keeper's table is
// asked by letters. Guarded by slots.mu.
type slotSharing struct {
	shared    bool
	elsewhere bool  // the table gives nothing: another engine's does, or all have yet to state what they hold
	keeper    int64 // who is asked; 0: not known
	self      int64
	asked     map[int64]*SlotTurn  // who waits for an answer, by number
	heard     map[string]usedLevel // of rate limits of which something was used here
	kept      *slot.Kept           // of the keeper
	left      bool                 // another one keeps the table as soon as there is one
}

// usedLevel is how much of a rate limit is used up: when all is back, and when that
// was so, in microseconds since 1970.
type usedLevel struct {
	Clear int64 `json:"clear"`
	At    int64 `json:"at"`
}

// globalLetter is said to the keeper.
type globalLetter struct {
	All   bool        `json:"all,omitempty"` // Asks is all that there is
	Asks  []slot.Ask  `json:"asks,omitempty"`
	Leave []int64     `json:"leave,omitempty"`
	Used  usedOfNames `json:"used,omitempty"`
}

type usedOfNames map[string]usedLevel

// toldGlobal is what the keeper says of one who asked.
type toldGlobal struct {
	Number  int64       `json:"n"`
	Place   int         `json:"place,omitempty"` // it waits
	Err     *api.Error  `json:"err,omitempty"`   // it is refused
	Unknown []string    `json:"unknown,omitempty"`
	Used    usedOfNames `json:"used,omitempty"`
}

func (e *Engine) initSharedSlots() {
	s := &e.slots
	s.shared, s.elsewhere, s.self = true, true, e.peers.node.Self()
	s.asked, s.heard = make(map[int64]*SlotTurn), make(usedOfNames)
	e.peers.node.Handle(askGlobal, e.globalAsked)
	e.peers.node.Handle(tellGlobal, e.globalTold)
	answer(e, doGlobal, func(ctx context.Context, in globalRequest) (any, error) {
		if !s.settled() {
			return nil, cluster.ErrGone
		}
		return e.globalHere(ctx, in)
	})
}

// say says something to the keeper. If there is none now, all is stated to the next.
// Called with mu, so that nothing is said in another order than it happened.
func (s *slotState) say(e *Engine, in globalLetter) {
	if s.keeper != 0 && s.keeper != s.self {
		_ = e.peers.node.Tell(s.keeper, askGlobal, in) // it can be encoded
	}
}

// askLater asks for a turn whose table is elsewhere, or gives nothing yet. Called with
// mu.
func (s *slotState) askLater(turn *SlotTurn, now time.Time) {
	turn.claim.At = now
	s.asked[turn.number] = turn
	s.enter(turn)
	if s.kept != nil {
		s.kept.Wait(turn.claim)
		return
	}
	s.say(turn.e, globalLetter{Asks: []slot.Ask{turn.ask()}})
}

// enter has the body know of a turn whose table is elsewhere.
func (s *slotState) enter(turn *SlotTurn) {
	o := turn.owner
	if o.number == 0 {
		s.last++
		o.number = s.last
	}
	o.turns = append(o.turns, turn)
}

func (t *SlotTurn) ask() slot.Ask {
	c := t.claim
	a := slot.Ask{
		Number: t.number, Owner: t.owner.number, Names: c.Names, Slots: c.Slots, Rate: c.Rate, Strict: c.Strict,
		Since: c.At.UnixMicro(), Held: t.over,
	}
	if of, ok := t.owner.Task.(*task); ok {
		a.ID = of.first.ID
	}
	return a
}

// leaveLater is for turns of one body that are given back, or waited for no more.
// Called with mu.
func (s *slotState) leaveLater(e *Engine, turns ...*SlotTurn) {
	var in globalLetter
	for _, turn := range turns {
		delete(s.asked, turn.number)
		turn.owner.forget(turn)
		in.Leave = append(in.Leave, turn.number)
		if s.kept != nil {
			s.kept.Forget(turn.claim)
			s.follow(e, s.table.Leave(turn.claim, e.now()))
		}
	}
	if len(in.Leave) > 0 {
		s.say(e, in)
	}
}

func (o *slotOwner) forget(turn *SlotTurn) {
	o.turns = slices.DeleteFunc(o.turns, func(x *SlotTurn) bool { return x == turn })
}

// globalTold is for a letter of the keeper.
func (e *Engine) globalTold(q *cluster.Request) {
	var list []toldGlobal
	if err := q.Decode(&list); err != nil {
		e.log.Error("a message about global limits can't be read", "from", q.From, "error", err)
		return
	}
	for i := range list {
		e.hearGlobal(q.From, &list[i])
	}
}

func (e *Engine) hearGlobal(from int64, told *toldGlobal) {
	s := &e.slots
	s.mu.Lock()
	turn := s.asked[told.Number]
	if s.keeper != from || turn == nil { // it is not the keeper any more; or the turn was left
		s.mu.Unlock()
		return
	}
	var unknown []string
	of, _ := turn.owner.Task.(*task)
	if of != nil {
		unknown = turn.owner.fresh(told.Unknown)
	}
	maps.Copy(s.heard, told.Used)
	switch {
	case told.Place > 0:
		turn.place = told.Place
	case told.Err != nil:
		delete(s.asked, told.Number)
		turn.owner.forget(turn)
		s.refuse(turn, told.Err)
	default:
		delete(s.asked, told.Number)
		if turn.claim.At = e.now(); turn.claim.Rate {
			turn.owner.forget(turn)
		}
		s.granted(turn)
	}
	s.mu.Unlock()
	if of != nil && len(unknown) > 0 {
		of.run.mu.Lock()
		job := of.job
		of.run.mu.Unlock()
		e.warnUnlimited(job, unknown)
	}
}

// stateGlobal states to the keeper all that is held and waited for here.
func (e *Engine) stateGlobal() {
	s := &e.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	now := e.micros()
	maps.DeleteFunc(s.heard, func(_ string, x usedLevel) bool { return x.Clear < now })
	in := globalLetter{All: true, Used: maps.Clone(s.heard)}
	for _, all := range []map[int64]*SlotTurn{s.grants, s.asked} { // what is held first
		for _, n := range slices.Sorted(maps.Keys(all)) {
			in.Asks = append(in.Asks, all[n].ask())
		}
	}
	s.say(e, in)
}

// refuseAll lets nobody wait here any more. What is held ends with the session. Called
// with mu.
func (s *slotState) refuseAll() {
	for _, turn := range s.asked {
		s.refuse(turn, api.ErrClosed)
	}
	clear(s.asked)
	for _, c := range s.table.Claims() {
		if turn, own := c.Task.(*SlotTurn); own && !turn.over {
			s.leave(turn)
			s.refuse(turn, api.ErrClosed)
		}
	}
}

// keptBy has another engine be asked from now on. This one itself keeps the table only
// once it leads, and then until another one does.
func (s *slotState) keptBy(e *Engine, session int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	leads := s.kept != nil && (session == 0 || session == s.self)
	if s.keeper == session || leads {
		return
	}
	s.resign(e)
	if s.keeper = session; session == s.self {
		s.keeper = 0
	}
}

// resign gives up the table: what is held and waited for here is stated to whoever
// keeps it next. Called with mu.
func (s *slotState) resign(e *Engine) {
	if s.kept == nil {
		return
	}
	maps.Copy(s.heard, s.levelsOf(e, slices.Collect(maps.Keys(s.levels.dirty))))
	if !s.elsewhere {
		var own []*SlotTurn
		for _, n := range slices.Sorted(maps.Keys(s.grants)) {
			own = append(own, s.grants[n])
		}
		for _, c := range s.table.Claims() {
			if turn, is := c.Task.(*SlotTurn); is && !turn.over {
				s.asked[turn.number] = turn
				own = append(own, turn)
			}
		}
		for _, turn := range own {
			s.enter(turn)
		}
	}
	s.detach()
	for _, t := range s.timers {
		t.stop()
	}
	clear(s.timers)
	clear(s.levels.dirty)
	s.elsewhere, s.kept, s.table, s.known = true, nil, slot.New(), make(map[string]slotRecord)
}

// detach takes this engine's claims out of whatever table they are in.
func (s *slotState) detach() {
	for _, all := range []map[int64]*SlotTurn{s.grants, s.asked} {
		for _, turn := range all {
			c := turn.claim
			turn.owner.Owner = slot.Owner{Task: turn.owner.Task}
			turn.claim = &slot.Claim{Owner: &turn.owner.Owner, Names: c.Names, Slots: c.Slots, Rate: c.Rate, Strict: c.Strict, At: c.At, Task: turn}
		}
	}
}

// lead has this engine keep the table, which gives nothing before all have stated what
// they hold.
func (s *slotState) lead(e *Engine, known map[string]slotRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resign(e)
	now := e.now()
	s.keeper, s.table, s.known = s.self, slot.New(), known
	s.kept = slot.Keep(s.table, s.self)
	for name, r := range known {
		s.define(name, &r, now)
	}
	s.useLevels(e, s.heard)
	for _, n := range slices.Sorted(maps.Keys(s.grants)) {
		s.table.Hold(s.grants[n].claim, s.grants[n].claim.At)
	}
	for _, n := range slices.Sorted(maps.Keys(s.asked)) {
		s.kept.Wait(s.asked[n].claim)
	}
}

// useLevels takes note of what was used of rate limits that the keeper before had no
// time to store. Called with mu.
func (s *slotState) useLevels(e *Engine, used usedOfNames) {
	for name, x := range used {
		r, known := s.known[name]
		back := time.UnixMicro(x.Clear)
		if known && x.At >= max(r.Saved, r.Updated) && back.After(s.table.Clear(name)) {
			s.table.Restore(name, back, e.now())
			s.levels.used(e, []string{name})
		}
	}
}

// levelsOf gives how much of limits is used up. Called with mu.
func (s *slotState) levelsOf(e *Engine, names []string) usedOfNames {
	used := make(usedOfNames)
	for _, name := range names {
		if back := s.level(name); back != 0 {
			used[name] = usedLevel{back, e.micros()}
		}
	}
	return used
}
