package schedule

import "time"

// clock gives what the zone's clock shows at an instant, as if it were UTC: a
// reading. Readings have no jumps and can be counted on.
func (t *Table) clock(at time.Time) time.Time {
	_, offset := at.In(t.loc).Zone()
	return at.Add(time.Duration(offset) * time.Second).UTC()
}

// passing gives the first instant at which the clock shows a reading that fits:
// none of those that it jumps over, and twice those that it shows twice.
func (t *Table) passing(after time.Time) time.Time {
	for {
		_, end := after.In(t.loc).ZoneBounds()
		shown := t.clock(after)
		reading := t.cron.Next(shown)
		if reading.IsZero() {
			return time.Time{}
		}
		if at := after.Add(reading.Sub(shown)); end.IsZero() || at.Before(end) {
			return at
		}
		// The first reading behind the jump may be one that fits itself.
		shown = t.clock(end)
		if t.cron.Next(shown.Add(-time.Nanosecond)).Equal(shown) {
			return end
		}
		after = end
	}
}

// reading gives the first instant that a reading stands for, each for one.
func (t *Table) reading(after time.Time) time.Time {
	for reading := t.cron.Next(t.clock(after)); !reading.IsZero(); reading = t.cron.Next(reading) {
		if at := t.instant(reading); at.After(after) {
			return at
		}
	}
	return time.Time{}
}

// instant gives the first instant at which the clock shows a reading, or the end
// of the jump that it is lost in.
func (t *Table) instant(reading time.Time) time.Time {
	at := time.Date(reading.Year(), reading.Month(), reading.Day(), reading.Hour(), reading.Minute(), reading.Second(), 0, t.loc)
	start, end := at.ZoneBounds()
	if !t.clock(at).Equal(reading) { // Date gives one of the sides of the jump
		if !start.IsZero() && reading.Before(t.clock(start)) {
			return start
		}
		return end
	}
	if start.IsZero() {
		return at
	}
	before := start.Add(-time.Nanosecond)
	earlier := before.Add(reading.Sub(t.clock(before)))
	if earlier.Before(start) && t.clock(earlier).Equal(reading) {
		return earlier
	}
	return at
}
