package graphview

import "github.com/runnel-dev/runnel/api"

// State is how a node is shown. There are more than an [api.State] tells apart.
type State uint8

// The states. The zero value says that nothing is known: a group is then shown
// as what its counts say.
const (
	Unknown State = iota
	Planned       // it is in the pipeline and has no task run
	Scheduled
	Pending
	Running
	Retrying
	Paused
	Cancelling
	Completed
	Cached
	Failed
	Crashed
	Cancelled
	Skipped
	states = iota
)

// looks has for each state its word, its glyph, and its colour on a terminal as
// a parameter of "select graphic rendition".
var looks = [states]struct{ word, glyph, colour string }{
	Unknown: {"unknown", "?", "2"}, Planned: {"planned", "·", "2"},
	Scheduled: {"scheduled", "◷", "35"}, Pending: {"pending", "○", "37"},
	Running: {"running", "▶", "34"}, Retrying: {"retrying", "↻", "33"},
	Paused: {"paused", "‖", "33"}, Cancelling: {"cancelling", "◐", "35"},
	Completed: {"completed", "✓", "32"}, Cached: {"cached", "◈", "36"},
	Failed: {"failed", "✗", "31"}, Crashed: {"crashed", "☇", "31"},
	Cancelled: {"cancelled", "⊘", "37"}, Skipped: {"skipped", "⇥", "37"},
}

// urgency is the order in which counts are listed: what somebody has to look at
// comes first.
var urgency = [...]State{
	Failed, Crashed, Cancelling, Running, Retrying, Paused, Scheduled, Pending, Planned, Cancelled, Skipped,
	Completed, Cached, Unknown,
}

// String gives the word for it, as in "running".
func (s State) String() string { return looks[min(s, states-1)].word }

// Glyph gives its sign, one cell wide.
func (s State) Glyph() string { return looks[min(s, states-1)].glyph }

// Problem reports whether somebody should look at it.
func (s State) Problem() bool { return s == Failed || s == Crashed }

// Good reports whether it has ended as it should, or was left out as it should.
func (s State) Good() bool { return s == Completed || s == Cached || s == Skipped }

// Open reports whether more will come of it.
func (s State) Open() bool { return s < Completed }

// MarshalText gives the word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *State) UnmarshalText(text []byte) error {
	for i := range looks {
		if looks[i].word == string(text) {
			*s = State(i)
			return nil
		}
	}
	return api.Errorf(api.ErrInvalid, "", "unknown state %q of a node", text)
}

var shown = map[api.State]State{
	api.Pending: Pending, api.Scheduled: Scheduled, api.Running: Running, api.Paused: Paused, api.Cancelling: Cancelling,
	api.Completed: Completed, api.Failed: Failed, api.Cancelled: Cancelled, api.Crashed: Crashed, api.Skipped: Skipped,
}

// StateOf gives how a state is shown; name is the finer one of a task run, "" for
// none.
func StateOf(s api.State, name string) State {
	switch {
	case s == api.Scheduled && name == "AwaitingRetry":
		return Retrying
	case s == api.Completed && name == "Cached":
		return Cached
	}
	return shown[s]
}

// Counts is how many there are in each state.
type Counts [states]int64

// Count is one entry of [Counts].
type Count struct {
	State State `json:"state"`
	N     int64 `json:"n"`
}

// Total is the sum.
func (c *Counts) Total() (n int64) {
	for _, k := range c {
		n += k
	}
	return n
}

// List gives those that are not 0, the most urgent first.
func (c *Counts) List() (list []Count) {
	for _, s := range urgency {
		if c[s] != 0 {
			list = append(list, Count{State: s, N: c[s]})
		}
	}
	return list
}

func (c *Counts) add(more *Counts) {
	for s, k := range more {
		c[s] += k
	}
}

// good reports whether nothing is open and nothing went wrong.
func (c *Counts) good() bool {
	for s, k := range c {
		if k != 0 && !State(s).Good() {
			return false
		}
	}
	return true
}

// state is the one that stands for all: what is going on before what has
// ended, and of what has ended the worst.
func (c *Counts) state() State {
	list := c.List()
	var open, ended bool
	for _, entry := range list {
		open = open || entry.State.Open()
		ended = ended || entry.State.Good() && entry.State != Skipped || entry.State.Problem()
	}
	switch {
	case len(list) == 0:
		return Unknown
	case !open && list[0].State == Skipped && len(list) > 1:
		return list[1].State // some were left out, others were not
	case !open:
		return list[0].State
	}
	for _, s := range []State{Cancelling, Running, Retrying, Paused} {
		if c[s] != 0 {
			return s
		}
	}
	if ended {
		return Running // between one and the next
	}
	for _, s := range []State{Pending, Scheduled, Planned} {
		if c[s] != 0 {
			return s
		}
	}
	return Unknown
}
