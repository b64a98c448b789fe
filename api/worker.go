package api

import "time"

// Worker is a process that runs bodies, or could.
type Worker struct {
	// ID is that of its session: the process begins another after its lease ran out.
	ID   string `json:"id"`
	Name string `json:"name"` // for people
	// Version is what a worker over HTTP says is its program's, of a process that of
	// Runnel in it; "" if it is not known.
	Version string    `json:"version,omitempty"`
	Here    bool      `json:"here"` // it is the one that was asked
	Since   time.Time `json:"since"`
	// Concurrency is how many bodies it runs at a time, flows apart; 0 if it only
	// submits and looks.
	Concurrency int `json:"concurrency"`
	// Busy counts the bodies that it runs, whichever process has their runs, and Flows
	// the flows beside.
	Busy  int `json:"busy"`
	Flows int `json:"flows"`
	// Queues are those that it serves, All says that it serves every one.
	Queues []string `json:"queues,omitempty"`
	All    bool     `json:"all"`
	Tasks  []string `json:"tasks,omitempty"` // that are registered, by name
	// Draining says that it was told to take no new work: it finishes what it has.
	Draining bool `json:"draining,omitempty"`
	// Seen is when it last answered; zero if it did not just now.
	Seen time.Time `json:"seen,omitzero"`
	// Current are the task runs whose bodies it runs, flows among them, the longest
	// first: at most 1,000. Only who asks for one worker is told.
	Current []TaskRun `json:"current,omitempty"`
	// Recent are the last 100 task runs that ended whose bodies began last on it, the
	// last first, without results. It is the processes that live which remember them, as
	// far as they had the runs. Only who asks for one worker is told.
	Recent []TaskRun `json:"recent,omitempty"`
	// Silent says that it lives and did not answer within a second: Busy and Flows are
	// not known, and what waits in it is not counted.
	Silent bool `json:"silent,omitempty"`
	// Remote says that it is no process of the store: it comes over HTTP.
	Remote bool `json:"remote,omitempty"`
	// CPU is how many cores it has used of late, Memory how many bytes it has; zeros if
	// they are not known.
	CPU    float64 `json:"cpu,omitempty"`
	Memory int64   `json:"memory,omitempty"`
}

// Queue is what is to do in a queue.
type Queue struct {
	Name string `json:"name"`
	// Paused is since when it is paused: what has begun goes on, and nothing else of it
	// begins, in no process. Zero: it is not.
	Paused time.Time `json:"paused,omitzero"`
	// Ready counts what waits for nothing but a worker, or the queue to be resumed: task runs, and the children of
	// groups that have not begun. Those of a group whose children begin in several
	// queues are counted in the default one until they have.
	Ready int `json:"ready"`
	// Oldest is since about when the one of them waits that waits longest; zero if
	// there is none.
	Oldest  time.Time `json:"oldest,omitzero"`
	Running int       `json:"running"` // bodies, flows among them
	Workers int       `json:"workers"` // processes that serve it
}
