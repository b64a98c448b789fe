package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// zoneOf gives the zone in which a timetable is read, UTC where it is not known here.
func zoneOf(t *api.Timetable) *time.Location {
	if t.Zone == "" {
		return time.UTC
	}
	zone, err := time.LoadLocation(t.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// momentsOf writes times in their zone.
func momentsOf(times []time.Time, zone *time.Location) []moment {
	out := make([]moment, len(times))
	for i, t := range times {
		out[i] = moment{Time: t, Text: t.In(zone).Format("Mon 2 Jan 2006, 15:04:05 -07:00")}
		if i > 0 {
			_, was := times[i-1].In(zone).Zone()
			_, is := t.In(zone).Zone()
			out[i].Moved = was != is
		}
	}
	return out
}

// preview asks for times of a timetable, those after a moment.
func (v *view) preview(t *api.Timetable, after time.Time, n int) ([]time.Time, error) {
	q := url.Values{"after": {after.UTC().Format(time.RFC3339Nano)}, "n": {strconv.Itoa(n)}}
	if t.Cron != "" {
		q.Set("cron", t.Cron)
	}
	if t.Every > 0 {
		q.Set("every", time.Duration(t.Every).String())
	}
	if t.Zone != "" {
		q.Set("zone", t.Zone)
	}
	if !t.From.IsZero() {
		q.Set("from", t.From.UTC().Format(time.RFC3339Nano))
	}
	found, err := get[struct{ Times []time.Time }](v, "/timetable", q)
	return found.Times, err
}

// around gives the times of a timetable just before and after its zone's clocks are
// changed next, and when that is; none if they are not within a year, or if its times do
// not go by them.
func (v *view) around(t *api.Timetable) (change string, times []moment, err error) {
	zone := zoneOf(t)
	at := nextChange(v.site.now(), zone)
	if at.IsZero() || t.Cron == "" {
		return "", nil, nil
	}
	found, err := v.preview(t, at.Add(-beside), 500)
	if err != nil {
		return "", nil, err
	}
	first := slices.IndexFunc(found, func(t time.Time) bool { return !t.Before(at) })
	if first < 0 || found[first].Sub(at) > beside {
		return "", nil, nil
	}
	near := found[max(first-2, 0):min(first+3, len(found))]
	return at.In(zone).Format("2 January 2006"), momentsOf(near, zone), nil
}

// beside is how near to a change of the clocks a time is of interest.
const beside = 4 * 24 * time.Hour

// nextChange finds when a zone's distance to UTC is another than now, within a year:
// to the hour, since that is all that is needed.
func nextChange(now time.Time, zone *time.Location) time.Time {
	offset := func(t time.Time) int { _, o := t.In(zone).Zone(); return o }
	is := offset(now)
	for day := range 366 {
		end := now.Add(time.Duration(day+1) * 24 * time.Hour)
		if offset(end) == is {
			continue
		}
		for t := end.Add(-24 * time.Hour); ; t = t.Add(time.Hour) {
			if offset(t) != is {
				return t
			}
		}
	}
	return time.Time{}
}

// words say in English when a timetable's times are, "" for what is better read as it
// was written.
func words(t *api.Timetable) string {
	in := ""
	if t.Zone != "" && t.Zone != "UTC" {
		in = " " + t.Zone
	}
	if t.Every > 0 {
		return "every " + strings.TrimSuffix(strings.TrimSuffix(span(time.Duration(t.Every)), " 00m"), " 00s")
	}
	cron := t.Cron
	if named, ok := namedCrons[cron]; ok {
		cron = named
	}
	f := strings.Fields(cron)
	if len(f) != 5 {
		return ""
	}
	days := daysOf(f[2], f[3], f[4])
	hour, minute := whole(f[1]), whole(f[0])
	switch every := f[2] == "*" && f[3] == "*" && f[4] == "*"; {
	case days == "":
		return ""
	case hour >= 0 && minute >= 0:
		return days + " at " + two(hour) + ":" + two(minute) + in
	case every && f[1] == "*" && f[0] == "*":
		return "every minute"
	case every && f[1] == "*" && minute >= 0:
		return "every hour at " + two(minute) + " past"
	case every && f[1] == "*" && strings.HasPrefix(f[0], "*/"):
		return "every " + f[0][2:] + " minutes"
	case every && minute >= 0 && strings.HasPrefix(f[1], "*/"):
		return "every " + f[1][2:] + " hours at " + two(minute) + " past" + in
	}
	return ""
}

var namedCrons = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
}

// daysOf says on which days, "" if that is not simple.
func daysOf(dom, month, dow string) string {
	switch {
	case month != "*":
		return ""
	case dom == "*" && dow == "*":
		return "every day"
	case dom != "*" && dow == "*" && whole(dom) > 0:
		return "on day " + dom + " of each month"
	case dom != "*":
		return ""
	case dow == "1-5" || strings.EqualFold(dow, "mon-fri"):
		return "weekdays"
	case dow == "0,6" || dow == "6,0" || strings.EqualFold(dow, "sat,sun"):
		return "weekends"
	}
	var names []string
	for d := range strings.SplitSeq(dow, ",") {
		n := whole(d)
		if n < 0 || n > 7 {
			return ""
		}
		names = append(names, time.Weekday(n%7).String()+"s")
	}
	return strings.Join(names, ", ")
}

// whole reads a number, -1 for what is none.
func whole(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

func two(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}
