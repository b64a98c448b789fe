package schedule_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/schedule"
)

func table(t *testing.T, tt api.Timetable) *schedule.Table {
	t.Helper()
	loc, err := time.LoadLocation(tt.Zone)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := schedule.Parse(tt, loc)
	if err != nil {
		t.Fatalf("Parse(%+v): %v", tt, err)
	}
	return parsed
}

func cron(expr, zone string) api.Timetable { return api.Timetable{Cron: expr, Zone: zone} }

func every(d time.Duration) api.Timetable { return api.Timetable{Every: api.Duration(d)} }

func at(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// first gives the first n times after another, as text in the timetable's zone.
func first(tab *schedule.Table, after time.Time, n int) (list []string) {
	for range n {
		after = tab.Next(after)
		list = append(list, after.Format(time.RFC3339))
	}
	return list
}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name, after string
		timetable   api.Timetable
		want        string
	}{
		{"weekdays", "2026-11-27T08:59:59Z", cron("0 9 * * MON-FRI", ""), "2026-11-27T09:00:00Z 2026-11-30T09:00:00Z"},
		{"strictly after", "2026-11-27T09:00:00Z", cron("0 9 * * *", ""), "2026-11-28T09:00:00Z"},
		{"day of month or of week", "2026-11-01T00:00:00Z", cron("0 0 13 * FRI", ""), "2026-11-06T00:00:00Z 2026-11-13T00:00:00Z 2026-11-20T00:00:00Z"},
		{"29 February", "2026-01-01T00:00:00Z", cron("0 0 29 2 *", ""), "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"},
		{"29 February around 2100", "2096-03-01T00:00:00Z", cron("0 0 29 2 *", ""), "2104-02-29T00:00:00Z"},
		{"31st", "2026-08-31T12:00:00Z", cron("0 0 31 * *", ""), "2026-10-31T00:00:00Z 2026-12-31T00:00:00Z"},
		{"daily", "2026-03-28T12:00:00Z", cron("@daily", "Europe/Berlin"), "2026-03-29T00:00:00+01:00 2026-03-30T00:00:00+02:00"},
		{"hourly", "2026-10-25T00:30:00Z", cron("@hourly", "Europe/Berlin"), "2026-10-25T02:00:00+01:00 2026-10-25T03:00:00+01:00"},
		{"monthly", "2026-11-27T00:00:00Z", cron("@monthly", ""), "2026-12-01T00:00:00Z"},
		{"names and steps", "2026-11-27T10:01:00Z", cron("*/20 8-10 * nov fri,SAT", ""), "2026-11-27T10:20:00Z 2026-11-27T10:40:00Z 2026-11-28T08:00:00Z"},
		{"Sunday is 0 and 7", "2026-11-27T00:00:00Z", cron("0 0 * * 7", ""), "2026-11-29T00:00:00Z"},

		{"spring in Berlin: 02:30 is 03:00", "2026-03-28T12:00:00Z", cron("30 2 * * *", "Europe/Berlin"), "2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00"},
		{"spring: several are one", "2026-03-29T00:00:00Z", cron("*/10 2 * * *", "Europe/Berlin"), "2026-03-29T03:00:00+02:00 2026-03-30T02:00:00+02:00"},
		{"spring: one with what is there", "2026-03-29T00:00:00Z", cron("0 2,3 * * *", "Europe/Berlin"), "2026-03-29T03:00:00+02:00 2026-03-30T02:00:00+02:00"},
		{"spring: time that passes", "2026-03-29T00:29:00Z", cron("*/30 * * * *", "Europe/Berlin"), "2026-03-29T01:30:00+01:00 2026-03-29T03:00:00+02:00 2026-03-29T03:30:00+02:00"},
		{"spring: no hour to pass", "2026-03-29T00:00:00Z", cron("15 * * * *", "Europe/Berlin"), "2026-03-29T01:15:00+01:00 2026-03-29T03:15:00+02:00"},
		{"autumn in Berlin: 02:30 is the first", "2026-10-24T12:00:00Z", cron("30 2 * * *", "Europe/Berlin"), "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
		{"autumn: between the two", "2026-10-25T01:00:00Z", cron("30 2 * * *", "Europe/Berlin"), "2026-10-26T02:30:00+01:00"},
		{"autumn: time that passes", "2026-10-25T00:00:00Z", cron("30 * * * *", "Europe/Berlin"), "2026-10-25T02:30:00+02:00 2026-10-25T02:30:00+01:00 2026-10-25T03:30:00+01:00"},
		{"autumn: every second hour", "2026-10-24T22:30:00Z", cron("0 */2 * * *", "Europe/Berlin"), "2026-10-25T02:00:00+02:00 2026-10-25T04:00:00+01:00"},

		{"spring in New York", "2026-03-08T00:00:00-05:00", cron("30 2 * * *", "America/New_York"), "2026-03-08T03:00:00-04:00 2026-03-09T02:30:00-04:00"},
		{"autumn in New York", "2026-11-01T00:00:00-04:00", cron("30 1 * * *", "America/New_York"), "2026-11-01T01:30:00-04:00 2026-11-02T01:30:00-05:00"},
		{"half hours in Kolkata", "2026-11-27T00:00:00Z", cron("0 9 * * *", "Asia/Kolkata"), "2026-11-27T09:00:00+05:30 2026-11-28T09:00:00+05:30"},
		{"half an hour is lost on Lord Howe", "2026-10-03T10:00:00Z", cron("15 2 * * *", "Australia/Lord_Howe"), "2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00"},
		{"half an hour comes twice on Lord Howe", "2026-04-04T10:00:00Z", cron("45 1 * * *", "Australia/Lord_Howe"), "2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30"},
		{"midnight is lost in São Paulo", "2018-11-03T12:00:00Z", cron("0 0 * * *", "America/Sao_Paulo"), "2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00"},
		{"one o'clock after a lost midnight", "2018-11-04T01:00:00Z", cron("0 1 4 11 *", "America/Sao_Paulo"), "2018-11-04T01:00:00-02:00"},
		{"a day is lost on Samoa", "2011-12-29T12:00:00-10:00", cron("0 9 * * *", "Pacific/Apia"), "2011-12-31T00:00:00+14:00 2011-12-31T09:00:00+14:00"},

		{"interval", "2026-11-27T10:07:30Z", every(15 * time.Minute), "2026-11-27T10:15:00Z 2026-11-27T10:30:00Z"},
		{"interval over spring", "2026-03-29T00:30:00Z", api.Timetable{Every: api.Duration(time.Hour), Zone: "Europe/Berlin"}, "2026-03-29T03:00:00+02:00 2026-03-29T04:00:00+02:00"},
		{"interval over autumn", "2026-10-25T00:00:00Z", api.Timetable{Every: api.Duration(12 * time.Hour), Zone: "Europe/Berlin"}, "2026-10-25T13:00:00+01:00 2026-10-26T01:00:00+01:00"},
		{"interval from", "2026-11-27T10:00:00Z", api.Timetable{Every: api.Duration(7 * time.Hour), From: time.Date(2026, 11, 27, 9, 5, 0, 0, time.UTC)}, "2026-11-27T16:05:00Z 2026-11-27T23:05:00Z"},
		{"interval before its from", "2026-11-20T10:00:00Z", api.Timetable{Every: api.Duration(7 * time.Hour), From: time.Date(2026, 11, 27, 9, 5, 0, 0, time.UTC)}, "2026-11-27T09:05:00Z 2026-11-27T16:05:00Z"},
		{"interval from long ago", "2026-11-27T10:00:00Z", api.Timetable{Every: api.Duration(24 * time.Hour), From: time.Date(1066, 10, 14, 9, 0, 0, 0, time.UTC)}, "2026-11-28T09:00:00Z 2026-11-29T09:00:00Z"},
		{"interval before 1970", "1969-12-31T23:59:30Z", every(time.Minute), "1970-01-01T00:00:00Z"},
		{"cron from", "2026-11-20T10:00:00Z", api.Timetable{Cron: "0 9 * * *", From: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)}, "2026-11-27T09:00:00Z 2026-11-28T09:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.Fields(c.want)
			if got := first(table(t, c.timetable), at(t, c.after), len(want)); !slices.Equal(got, want) {
				t.Errorf("after %s: got %v, want %v", c.after, got, want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		timetable api.Timetable
		says      string
	}{
		{api.Timetable{}, "every 0s"},
		{every(time.Second - time.Microsecond), "at least 1s"},
		{every(-time.Hour), "at least 1s"},
		{every(time.Second + time.Nanosecond), "whole microseconds"},
		{api.Timetable{Cron: "* * * * *", Every: api.Duration(time.Hour)}, "not both"},
		{cron("* * * *", ""), "five fields"},
		{cron("0 * * * * *", ""), "five fields"},
		{cron("60 * * * *", ""), "60"},
		{cron("* 24 * * *", ""), "24"},
		{cron("* * 0 * *", ""), "0"},
		{cron("* * * 13 *", ""), "13"},
		{cron("* * * * 8", ""), "8"},
		{cron("* * * * MONDAY", ""), "MONDAY"},
		{cron("*/0 * * * *", ""), "*/0"},
		{cron("a b c d e", ""), `"a b c d e"`},
		{cron("0 0 30 2 *", ""), "no time, ever"},
		{cron("@every 1h", ""), "interval is given apart"},
		{cron("@teatime", ""), "@teatime"},
		{cron("CRON_TZ=Europe/Berlin 0 9 * * *", ""), "zone is given apart"},
		{cron(" ", ""), "five fields"},
	} {
		_, err := schedule.Parse(c.timetable, time.UTC)
		if !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Parse(%+v) = %v, want ErrInvalid with %q", c.timetable, err, c.says)
		}
	}
}

var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo",
	"Pacific/Apia", "Africa/Casablanca", "Asia/Tehran", "America/St_Johns", "Pacific/Chatham", "Antarctica/Troll",
}

var exprs = []string{
	"30 2 * * *", "*/15 * * * *", "0 * * * *", "*/20 0-3 * * *", "0 0 * * *", "45 1,2 * * SUN", "5 2-4/2 1-10,25-31 * *", "0 0 1 * *", "59 23 * * *", "0 0-23 * * *",
}

// TestAgainstEveryMinute compares with the rules as the package comment has them,
// followed minute by minute: slow, and without a thought of offsets.
func TestAgainstEveryMinute(t *testing.T) {
	if raceDetector {
		t.Skip("it is one goroutine, and millions of steps")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, expr := range exprs {
			tab := table(t, cron(expr, zone))
			plain := table(t, cron(expr, "UTC"))
			year := 2010 + rng.IntN(14)
			for _, start := range jumps(loc, year) {
				from := start.Add(-26 * time.Hour).Add(-time.Duration(rng.IntN(600)) * time.Minute)
				want := slowly(loc, plain, strings.Fields(expr)[1] == "*" || strings.Fields(expr)[1] == "0-23", from, 54*time.Hour)
				var got []time.Time
				for next := tab.Next(from); next.Before(from.Add(54 * time.Hour)); next = tab.Next(next) {
					got = append(got, next)
				}
				if !slices.EqualFunc(got, want, time.Time.Equal) {
					t.Fatalf("%q in %s from %s:\ngot  %v\nwant %v", expr, zone, from.In(loc), got, want)
				}
			}
		}
	}
}

// jumps gives when the zone's clock jumps within a year, and the year's start.
func jumps(loc *time.Location, year int) []time.Time {
	list := []time.Time{time.Date(year, 1, 1, 0, 0, 0, 0, loc)}
	for {
		_, end := list[len(list)-1].ZoneBounds()
		if end.IsZero() || end.Year() > year {
			return list
		}
		list = append(list, end)
	}
}

// reading is what the zone's clock shows at an instant, as if it were UTC.
func reading(loc *time.Location, at time.Time) time.Time {
	at = at.In(loc)
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
}

// slowly gives the times after from by looking at each minute.
func slowly(loc *time.Location, plain *schedule.Table, hourly bool, from time.Time, d time.Duration) (list []time.Time) {
	fits := func(r time.Time) bool { return plain.Next(r.Add(-time.Nanosecond)).Equal(r) }
	shown := map[time.Time]bool{}
	before := from.Truncate(time.Minute).Add(-50 * time.Hour)
	last := reading(loc, before.Add(-time.Minute))
	for at := before; at.Before(from.Add(d)); at = at.Add(time.Minute) {
		r := reading(loc, at)
		due := fits(r) && (hourly || !shown[r])
		for lost := last.Add(time.Minute); lost.Before(r) && !hourly; lost = lost.Add(time.Minute) {
			due = due || fits(lost) && !shown[lost]
			shown[lost] = true
		}
		shown[r], last = true, r
		if due && at.After(from) {
			list = append(list, at)
		}
	}
	return list
}
