package api

import "time"

// GlobalLimit bounds a resource that bodies use: so many slots, taken by name
// while a body runs. With a decay slots that were used up come back by themselves,
// so many a second, which bounds a rate.
type GlobalLimit struct {
	Name string `json:"name"`
	// Limit is how many slots there are, 0 or more. With 0 nobody gets any, and
	// asking is an error.
	Limit int `json:"limit"`
	// Decay is how many used slots come back in a second, up to a million; 0: none.
	Decay float64 `json:"slot_decay_per_second"`
	// Inactive: it is shown, but nobody is counted and nobody waits.
	Inactive bool `json:"inactive,omitempty"`

	// What follows is told by the engine, and ignored where a limit is defined.

	// ActiveSlots counts the slots that are held, and those that were used up and
	// have not come back yet, one that has in part among them.
	ActiveSlots int          `json:"active_slots"`
	Holders     []SlotHolder `json:"holders,omitempty"`
	// Waiting counts who waits, Waiters names the first 100 of them, in the order
	// of their turns.
	Waiting int          `json:"waiting"`
	Waiters []SlotHolder `json:"waiters,omitempty"`
	Created time.Time    `json:"created"`
	Updated time.Time    `json:"updated"`
}

// SlotHolder is who has slots of a global limit, or waits for them.
type SlotHolder struct {
	// TaskRun is whose body it is, "" outside of tasks.
	TaskRun string `json:"task_run,omitempty"`
	Slots   int    `json:"slots"`
	// Since is when it got them, or asked.
	Since time.Time `json:"since"`
	// With names the other limits that it asked for at the same time.
	With []string `json:"with,omitempty"`
}

// SlotRequest asks for slots of global limits: of all of them, or of none.
type SlotRequest struct {
	Names []string
	Slots int // of each
	// Rate: they are used up, and come back by the limit's decay.
	Rate bool
	// Strict: a limit that does not exist is an error.
	Strict bool
}
