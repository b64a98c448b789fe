package schedule

import (
	"time"

	"github.com/runnel-dev/runnel/api"
)

// OnTime is how late a time may be and still be no missed one.
const OnTime = time.Minute

// maxCount bounds how many missed times of one stretch are counted, and with it
// what that costs.
const maxCount = 100_000

// Rule is how a schedule catches up.
type Rule struct {
	CatchUp api.CatchUp
	Window  time.Duration // less than OnTime is OnTime
}

// Due is what is to be done about the times that have come.
type Due struct {
	At     time.Time // to make a run for; zero for none
	Missed int64     // times before it that make none
	Cursor time.Time // up to which this deals with them
}

// Due says what is to be done next about the times after cursor and up to now;
// false if there are none. If there may be more to do after it, it is asked again
// with the new cursor. A now before the cursor, on a clock that was set back, has
// none: no time is dealt with twice.
func (t *Table) Due(cursor, now time.Time, rule Rule) (Due, bool) {
	first := t.Next(cursor)
	if first.IsZero() || first.After(now) {
		return Due{}, false
	}
	window := max(rule.Window, OnTime)
	if rule.CatchUp == api.CatchUpNone {
		window = OnTime
	}
	open := now.Add(-window - time.Nanosecond) // times after it still make runs
	if open.Before(cursor) {
		open = cursor
	}
	d := Due{Missed: t.count(cursor, open, maxCount), Cursor: open}
	at := t.Next(open)
	if at.IsZero() || at.After(now) {
		d.Cursor = now
		return d, true
	}
	if rule.CatchUp != api.CatchUpAll {
		last, n := t.last(at, now)
		at, d.Missed = last, min(d.Missed+n, maxCount)
	}
	d.At, d.Cursor = at, at
	return d, true
}

// last gives the last time up to now, and how many there are from the one at hand
// to it.
func (t *Table) last(at, now time.Time) (last time.Time, n int64) {
	if t.cron == nil {
		n = int64(now.Sub(at) / t.every)
		return at.Add(time.Duration(n) * t.every), n
	}
	for next := t.Next(at); !next.IsZero() && !next.After(now); next = t.Next(next) {
		at = next
		n++
	}
	return at, n
}

// Passed counts the times after cursor and up to now that nobody deals with any
// more.
func (t *Table) Passed(cursor, now time.Time) int64 { return t.count(cursor, now, maxCount) }

// Verdict is what is done with a time that has come.
type Verdict int

// The verdicts.
const (
	Make    Verdict = iota + 1 // a run
	Skip                       // nothing, but count it
	Wait                       // let it wait for the end of the live run
	Replace                    // let it wait, and skip the one that waits already
)

// Decide says what is done with a time that has come: live is whether a run is,
// and waits whether a time waits already.
func Decide(o api.Overlap, live, waits bool) Verdict {
	switch {
	case !live && !waits, o == api.OverlapAllow:
		return Make
	case o == api.OverlapQueue && !waits, o == api.OverlapCancel && !waits:
		return Wait
	case o == api.OverlapCancel:
		return Replace
	default:
		return Skip
	}
}
