package api

import "time"

// Limit is how many task runs with a tag may be RUNNING at a time.
type Limit struct {
	Tag string `json:"tag"`
	// Limit is the number. With 0 a task run that has the tag is not begun: it
	// ends as CANCELLED, "Aborted", and its step has failed.
	Limit int `json:"limit"`
	// Active counts the task runs that have a slot, ActiveSlots names them, in
	// the order in which they asked for it.
	Active      int      `json:"active"`
	ActiveSlots []string `json:"active_slots,omitzero"`
	// Waiting counts the task runs that a worker was free for and that wait for a
	// slot, of this tag or of another one that they need at the same time.
	Waiting int `json:"waiting"`
	// Waiters names the first 100 of them, in the order of their turns.
	Waiters []string `json:"waiters,omitempty"`
	// MedianHold is how long a slot is held, from the last hundred that were given back
	// since who keeps the limits began; 0: not known.
	MedianHold Duration `json:"median_hold,omitzero"`
	// WaitP95 is how long 95 of 100 waited at most who got a slot in the last five
	// minutes, from the last hundred of them; 0: nobody waited, or none got one.
	WaitP95 Duration `json:"wait_p95,omitzero"`
	// WaitingSince is when the first in line asked for its slots, of those whose runs are
	// not paused. While nobody gets a slot, this tells it, and WaitP95 does not.
	WaitingSince time.Time `json:"waiting_since,omitzero"`
	Created      time.Time `json:"created"`
	Updated      time.Time `json:"updated"`
}
