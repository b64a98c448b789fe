package api

import (
	"encoding/json"
	"time"
)

// Timetable says at which times a schedule makes runs: Cron or Every is set.
type Timetable struct {
	// Cron is an expression of five fields, minute, hour, day of month, month and
	// day of week, or one of the names such as "@daily".
	Cron string `json:"cron,omitempty"`
	// Every is the time from one run to the next, whole microseconds and at least
	// a second.
	Every Duration `json:"every,omitempty"`
	// Zone is the time zone in which Cron is read, a name of the IANA database;
	// "" is UTC.
	Zone string `json:"zone,omitempty"`
	// From is the earliest time, and what Every is counted from. Zero: there is
	// none, and Every is counted from 1970-01-01 00:00 UTC.
	From time.Time `json:"from,omitzero"`
}

// Overlap says what happens when a time comes while a run of the schedule that
// was made for an earlier time, or triggered, is live.
type Overlap string

// What may happen when the last run is live. Anything that is not stated makes
// OverlapSkip.
const (
	// OverlapSkip makes no run for the time.
	OverlapSkip Overlap = "skip"
	// OverlapAllow makes a run beside the live one.
	OverlapAllow Overlap = "allow"
	// OverlapQueue makes the run once the live one has ended. One time can wait;
	// those that come meanwhile make no run.
	OverlapQueue Overlap = "queue"
	// OverlapCancel cancels the live run, and makes the run once that has ended. Of
	// times that come meanwhile the last one counts.
	OverlapCancel Overlap = "cancel"
)

// CatchUp says which of the times that passed unattended, since no engine was
// open on the database, still make a run.
type CatchUp string

// The ways of catching up. Anything that is not stated makes CatchUpLatest.
const (
	// CatchUpLatest makes one run, for the last of them.
	CatchUpLatest CatchUp = "latest"
	// CatchUpAll makes a run for each, oldest first. What becomes of those that find
	// the one before live is what Overlap says.
	CatchUpAll CatchUp = "all"
	// CatchUpNone makes none: what is more than a minute late is missed.
	CatchUpNone CatchUp = "none"
)

// Schedule is what is known of a schedule.
type Schedule struct {
	Name      string    `json:"name"`
	Timetable Timetable `json:"timetable"`
	// Pipeline is what its runs are, in the versioned form of [Spec].
	Pipeline json.RawMessage `json:"pipeline"`
	Tags     []string        `json:"tags,omitempty"` // sorted
	Overlap  Overlap         `json:"overlap"`
	CatchUp  CatchUp         `json:"catch_up"`
	// Window is how late a run may be made by catching up.
	Window Duration `json:"window"`
	Paused bool     `json:"paused"`
	// Next are the next five times; none while it is paused.
	Next []time.Time `json:"next,omitempty"`
	// Cursor is the time up to which all times have been dealt with.
	Cursor time.Time `json:"cursor"`
	// Queued is the time that waits for the end of the live run.
	Queued time.Time `json:"queued,omitzero"`
	// Live counts the runs that the timetable and triggers made and that have not
	// ended.
	Live int `json:"live"`
	// Made counts the runs that were made. Of the times of the timetable that made
	// none, Skipped counts those that found the last run live, and Missed those that
	// passed while no engine was open, while it was paused, or whose run could not be
	// made. Of one stretch at most 100,000 are counted.
	Made    int64 `json:"made"`
	Skipped int64 `json:"skipped"`
	Missed  int64 `json:"missed"`
	// Last are the last fourteen runs that it made, newest first. They may be gone.
	Last []ScheduledRun `json:"last,omitempty"`
	// Error is why a run could not be made at ErrorAt; "" if the last one could.
	Error   string    `json:"error,omitempty"`
	ErrorAt time.Time `json:"error_at,omitzero"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"` // of its definition
}

// ScheduledRun is a run that a schedule made.
type ScheduledRun struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"` // the time that it stands for
}

// ScheduleTime says of a run which schedule made it, and for which time.
type ScheduleTime struct {
	Name string `json:"name"` // the schedule's
	// At is the time that the run stands for, which is not when it began. Of a
	// triggered run it is when that was asked for.
	At time.Time `json:"at"`
	// By is what made it: "timetable", "trigger" or "backfill".
	By string `json:"by"`
}
