package engine

import (
	"context"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/cluster"
	"github.com/runnel-dev/runnel/internal/slot"
)

// tell tells a session. Called with mu: what is said of one who asks keeps its order.
func (s *slotState) tell(e *Engine, session int64, told toldGlobal) {
	_ = e.peers.node.Tell(session, tellGlobal, []toldGlobal{told}) // it can be encoded
}

// grantedTo is for a claim of another session that has its slots. Called with mu.
func (s *slotState) grantedTo(e *Engine, c *slot.Claim) {
	p := c.Task.(slot.Party)
	told := toldGlobal{Number: p.Number, Unknown: s.unlimited(c)}
	if c.Rate {
		told.Used = s.levelsOf(e, c.Names)
		s.levels.used(e, c.Names)
		s.kept.Over(c)
	}
	s.tell(e, p.Session, told)
}

// refusedTo is for one that gets nothing. Called with mu.
func (s *slotState) refusedTo(e *Engine, c *slot.Claim, why error) {
	p := c.Task.(slot.Party)
	s.kept.Over(c)
	s.tell(e, p.Session, toldGlobal{Number: p.Number, Err: asError(why)})
}

// globalAsked is for a letter to the keeper.
func (e *Engine) globalAsked(q *cluster.Request) {
	var in globalLetter
	if err := q.Decode(&in); err != nil {
		e.log.Error("a message about global limits can't be read", "from", q.From, "error", err)
		return
	}
	s := &e.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || s.closed {
		return // it states all once this engine keeps the table
	}
	s.useLevels(e, in.Used)
	if in.All {
		s.follow(e, s.kept.Stated(q.From, in.Asks, e.now()))
	}
	s.follow(e, s.kept.Leave(q.From, in.Leave, e.now()))
	for i := range in.Asks {
		s.meet(e, q.From, &in.Asks[i])
	}
	if s.elsewhere {
		e.keeper.rouse()
	}
}

// meet is for what a session asks for, or holds. Called with mu.
func (s *slotState) meet(e *Engine, session int64, a *slot.Ask) {
	c, verdict, name, change := s.kept.Ask(session, a, e.now())
	s.follow(e, change)
	switch verdict {
	case slot.Granted:
		if !a.Held {
			s.grantedTo(e, c)
		}
	case slot.Waits:
		s.tell(e, session, toldGlobal{Number: a.Number, Unknown: s.unlimited(c), Place: s.table.Before(c) + 1})
	default:
		s.refusedTo(e, c, s.refusal(verdict, name, c))
	}
}

func (s *slotState) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept != nil && s.kept.Settled()
}

// decides reports whether this engine may change what is stored of limits.
func (s *slotState) decides() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept != nil && s.kept.Settled() && !s.left
}

func (s *slotState) sessions() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		return nil
	}
	return s.kept.Sessions()
}

// members forgets sessions that are gone. Live are those that live, if that was asked
// after this engine began to keep the table.
func (s *slotState) members(e *Engine, gone, live []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		return
	}
	for _, session := range gone {
		s.follow(e, s.kept.Gone(session, e.now()))
	}
	if live == nil || s.kept.Settled() {
		return
	}
	change := s.kept.Live(live, e.now())
	if s.elsewhere = !s.kept.Settled(); s.elsewhere {
		return
	}
	for _, all := range []map[int64]*SlotTurn{s.grants, s.asked} { // the table has them
		for _, turn := range all {
			turn.owner.turns = nil
		}
	}
	clear(s.asked)
	s.follow(e, change)
}

// globalRequest is a call of the API of global limits, for whoever keeps the table.
type globalRequest struct {
	Do     globalCall      `json:"do"`
	Limit  api.GlobalLimit `json:"limit"` // or only its name
	Active bool            `json:"active,omitempty"`
}

type globalCall string

const (
	globalSet      globalCall = "set"
	globalActivate globalCall = "activate"
	globalDelete   globalCall = "delete"
	globalReset    globalCall = "reset"
	globalRead     globalCall = "read"
	globalList     globalCall = "list"
)

// globalHere does a call where the table is.
func (e *Engine) globalHere(ctx context.Context, in globalRequest) ([]api.GlobalLimit, error) {
	switch name := in.Limit.Name; in.Do {
	case globalSet:
		return nil, e.setGlobal(ctx, &in.Limit)
	case globalActivate:
		return nil, e.activateGlobal(ctx, name, in.Active)
	case globalDelete:
		return nil, e.deleteGlobal(ctx, name)
	case globalReset:
		return nil, e.resetGlobal(ctx, name)
	case globalRead:
		l, err := e.readGlobal(name)
		return []api.GlobalLimit{l}, err
	case globalList:
		return e.listGlobal()
	}
	return nil, api.Errorf(api.ErrInvalid, "", "a global limit is asked to %q, which is not known: is another process of another version?", in.Do)
}

// callGlobal does a call at the keeper, whoever that is.
func (e *Engine) callGlobal(ctx context.Context, in globalRequest) ([]api.GlobalLimit, error) {
	return atKeeper(ctx, e, doGlobal, in, e.slots.settled, e.globalHere)
}
