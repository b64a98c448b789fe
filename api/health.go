package api

import "time"

// Health tells how an engine is: what a probe and whoever is called at night ask
// first. All of it is what the engine knows anyway, so asking costs nothing and
// waits for nobody, least of all for the store.
type Health struct {
	// Reachable: the store answered when the engine last needed it. It is false while
	// the store can't be reached, takes no connection, or has no room. Since is since
	// when it is as it is.
	Reachable bool      `json:"reachable"`
	Since     time.Time `json:"since"`
	// LastError is what the store last failed with, and LastErrorAt when. They stay
	// when that is over.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// Waiting is how many changes are not durable yet: they wait for the store, in
	// memory. WaitingSince is since when the first of them do; a second and more
	// means that the store is slow, or away.
	Waiting      int       `json:"waiting"`
	WaitingSince time.Time `json:"waiting_since,omitzero"`
	// Bodies is how many run in this process.
	Bodies int `json:"bodies"`
	// Late is how many answers and other changes were refused since they came too
	// late: others had taken over what they belong to. Restarts is how often this
	// process was given up by the others, and began anew.
	Late     int `json:"late"`
	Restarts int `json:"restarts"`
	// Processes are those that share the store, as of the last sign of life, this one
	// among them; nil if the store is this engine's alone.
	Processes []Process `json:"processes,omitempty"`
	// Keeper: it is this process that does what one does for all, such as schedules.
	Keeper bool `json:"keeper"`
	// Store is where the data is, without a password: "sqlite:FILE", "postgres://…" or
	// "memory:".
	Store string `json:"store,omitempty"`
	// Retention is for how long runs are kept that have ended, of processes that share the
	// store by the one that wants it the longest; 0: for ever.
	Retention Duration `json:"retention"`
	// Closing: Close was called, so nothing new begins here.
	Closing bool `json:"closing"`
}

// Ready reports whether new work may be sent to the engine.
func (h Health) Ready() bool { return h.Reachable && !h.Closing }

// Process is one of those that share a store.
type Process struct {
	Name    string    `json:"name"` // its host and process id
	Started time.Time `json:"started"`
	Self    bool      `json:"self,omitempty"`
	Keeper  bool      `json:"keeper,omitempty"`
}
