package schedule

import (
	"math/bits"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/runnel-dev/runnel/api"
)

// Table is a timetable that was read.
type Table struct {
	cron   *cron.SpecSchedule // nil: every
	loc    *time.Location
	hourly bool // each hour of the day fits
	every  time.Duration
	anchor time.Time // what every is counted from
	from   time.Time // the earliest time; zero for none
}

// minEvery is the shortest interval.
const minEvery = time.Second

var parser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom).
	WithMaxSearchYears(searchYears)

// searchYears is within how many years an expression must have a time. There are
// eight between two 29 February around 2100.
const searchYears = 9

// Parse reads a timetable; loc is what its zone means. The error is an
// api.ErrInvalid.
func Parse(t api.Timetable, loc *time.Location) (*Table, error) {
	out := &Table{loc: loc, every: time.Duration(t.Every), anchor: time.Unix(0, 0), from: t.From}
	if !t.From.IsZero() {
		out.anchor = t.From
	}
	switch {
	case t.Cron != "" && t.Every != 0:
		return nil, api.Errorf(api.ErrInvalid, "", "a timetable is a cron expression or an interval, not both: %q, %s", t.Cron, out.every)
	case t.Cron != "":
		return out, out.parseCron(t.Cron)
	case out.every < minEvery || out.every%time.Microsecond != 0:
		return nil, api.Errorf(api.ErrInvalid, "", "every %s: want whole microseconds, and at least %s", out.every, minEvery)
	}
	return out, nil
}

func (t *Table) parseCron(expr string) error {
	wrong := func(why string) error {
		return api.Errorf(api.ErrInvalid, "", `cron expression %q: %s; want five fields (minute, hour, day of month, month, day of week) as in "0 9 * * MON-FRI", or @hourly, @daily, @weekly, @monthly, @yearly`, expr, why)
	}
	switch {
	case strings.Contains(expr, "="):
		return wrong("the time zone is given apart")
	case strings.HasPrefix(expr, "@every"):
		return wrong("an interval is given apart")
	}
	parsed, err := parser.Parse(strings.TrimSpace(expr))
	if err != nil {
		return wrong(err.Error())
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return wrong("not understood")
	}
	const hours = 1<<24 - 1
	t.cron, t.hourly = spec, bits.OnesCount64(spec.Hour&hours) == 24
	t.cron.Location = time.UTC
	if t.cron.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return wrong("it has no time, ever")
	}
	return nil
}

// Next gives the first time after another; the zero time if there is none.
func (t *Table) Next(after time.Time) time.Time {
	if !t.from.IsZero() && after.Before(t.from) {
		after = t.from.Add(-time.Nanosecond)
	}
	var next time.Time
	switch {
	case t.cron == nil:
		next = t.interval(after)
	case t.hourly:
		next = t.passing(after)
	default:
		next = t.reading(after)
	}
	if next.IsZero() {
		return next
	}
	return next.In(t.loc)
}

// interval counts from the anchor, in microseconds: a Duration does not reach far
// enough.
func (t *Table) interval(after time.Time) time.Time {
	step := t.every.Microseconds()
	since := (after.UnixMicro() - t.anchor.UnixMicro()) % step
	if since < 0 {
		since += step
	}
	return time.UnixMicro(after.UnixMicro() - since + step)
}

// count says how many times there are after one time and up to another, but at
// most limit.
func (t *Table) count(after, to time.Time, limit int64) int64 {
	if t.cron == nil {
		first := t.Next(after)
		if first.After(to) {
			return 0
		}
		return min(int64(to.Sub(first)/t.every)+1, limit)
	}
	n := int64(0)
	for at := t.Next(after); n < limit && !at.IsZero() && !at.After(to); at = t.Next(at) {
		n++
	}
	return n
}
