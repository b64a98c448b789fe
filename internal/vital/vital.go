// Package vital is what an engine counts of itself: plain numbers, kept by whoever
// does the work and copied by whoever shows them. It knows no engine and no format.
package vital

import "time"

// Totals only grow, from when the process began.
type Totals struct {
	Submitted                               int64 // runs
	RunsCompleted, RunsFailed, RunsCanceled int64

	TasksCompleted, TasksFailed, TasksCanceled, TasksSkipped int64
	// Attempts are bodies that have ended, those that were tried again too: they are
	// Retries.
	Attempts, Retries int64
	// Hits are results taken from the cache, Misses bodies of tasks that have a key and
	// found none.
	Hits, Misses int64

	Commits, Changes int64 // one commit has many changes
	Late             int64 // answers that came too late to count
	Lost             int64 // leases: the process was given up by the others

	Wait   Histogram // microseconds from when an attempt could begin to when it did
	Run    Histogram // microseconds that an attempt ran
	Commit Histogram // microseconds that the store took for a commit
	Batch  Histogram // changes in one commit
}

// Snapshot is how an engine is at one time.
type Snapshot struct {
	Totals

	At time.Time
	// Busy are the places that are taken, Places how many there are. Flows take none.
	Busy, Places, Flows int
	Uncommitted         int  // changes that wait for the store
	Reachable           bool // the store answers

	// Ended are bodies that have ended, by queue, and Came what came for them to be done:
	// task runs that nothing came before any more, and attempts that are tried again.
	Ended, Came map[string]int64

	// What follows is found by looking at all that is in memory, and only if asked for.

	Runs                       map[string]int64 // that are live here, by state
	Pending, Running, Retrying int64            // their task runs
	Queues                     map[string]Queue
}

// Queue is what waits for workers, and what they do.
type Queue struct {
	Ready, Running int
	Oldest         time.Time // of the ready; zero: there is none
}
