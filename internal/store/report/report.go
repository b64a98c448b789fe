// Package report is what a database is found to be by who looks at it beside engines.
//
// It must not know how that is found.
package report

import "time"

// Database is all that is found.
type Database struct {
	Store    string `json:"store"` // its kind
	Location string `json:"at"`
	Server   string `json:"server,omitempty"` // of PostgreSQL: its version
	Schema   Schema `json:"schema"`
	// Bytes are those on the disk, logs and indexes among them, and Free those of them
	// that hold nothing and are used again.
	Bytes int64 `json:"bytes"`
	Free  int64 `json:"free_bytes,omitempty"`
	// Journal is how changes are made safe, Log how long the log ahead of the file is.
	Journal string `json:"journal,omitempty"`
	Log     int64  `json:"log_bytes,omitempty"`
	Page    int64  `json:"page_bytes,omitempty"`
	// Users are the processes that have it open.
	Users  []User  `json:"users"`
	Tables []Table `json:"tables"`
	Live   Count   `json:"live_runs"`
	// Oldest and Newest are runs, nil if there are none.
	Oldest *Run `json:"oldest_run"`
	Newest *Run `json:"newest_run"`
}

// Schema is which migrations a database has. Version 0 is none: it is empty.
type Schema struct {
	Version int      `json:"version"`
	Newest  int      `json:"newest"` // that this program knows
	Pending []string `json:"pending"`
}

// Table is how much one holds.
type Table struct {
	Name  string `json:"name"`
	Rows  Count  `json:"rows"`
	Bytes int64  `json:"bytes,omitempty"` // with its indexes; 0 if that is not known
}

// Count is a number of rows, as exact as it is cheap.
type Count struct {
	N     int64 `json:"n"`
	More  bool  `json:"more,omitempty"`  // there are more
	About bool  `json:"about,omitempty"` // the database's own estimate
}

// User is a process that has a database open.
type User struct {
	Name   string    `json:"name"`
	Since  time.Time `json:"since,omitzero"`
	Silent bool      `json:"silent,omitempty"` // it shows no life, and will be given up
}

// Run is a run that was found.
type Run struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
}

// Counted is up to where rows are counted one by one.
const Counted = 1_000_000
