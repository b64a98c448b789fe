package schedule_test

import (
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/schedule"
)

func TestDue(t *testing.T) {
	const day = 24 * time.Hour
	hourly, minutely := cron("0 * * * *", ""), every(time.Minute)
	for _, c := range []struct {
		name        string
		timetable   api.Timetable
		catchUp     api.CatchUp
		window      time.Duration
		cursor, now string
		at, upTo    string // "": none, and nothing to do
		missed      int64
	}{
		{"not yet", hourly, "latest", time.Hour, "10:00:00", "10:59:59", "", "", 0},
		{"on time", hourly, "latest", time.Hour, "10:00:00", "11:00:00", "11:00:00", "11:00:00", 0},
		{"latest of three", hourly, "latest", time.Hour, "10:00:00", "13:10:00", "13:00:00", "13:00:00", 2},
		{"latest is too old", hourly, "latest", time.Minute, "10:00:00", "13:10:00", "", "13:10:00", 3},
		{"as old as the window", hourly, "latest", 10 * time.Minute, "10:00:00", "13:10:00", "13:00:00", "13:00:00", 2},
		{"all: the first", hourly, "all", day, "10:00:00", "13:10:00", "11:00:00", "11:00:00", 0},
		{"all: the next", hourly, "all", day, "11:00:00", "13:10:00", "12:00:00", "12:00:00", 0},
		{"all: in the window", hourly, "all", 90 * time.Minute, "10:00:00", "13:10:00", "12:00:00", "12:00:00", 1},
		{"all: too old", hourly, "all", time.Minute, "10:00:00", "13:10:00", "", "13:10:00", 3},
		{"none: on time", hourly, "none", day, "10:00:00", "11:00:59", "11:00:00", "11:00:00", 0},
		{"none: late", hourly, "none", day, "10:00:00", "11:01:01", "", "11:01:01", 1},
		{"none: the last is on time", hourly, "none", day, "10:00:00", "12:00:30", "12:00:00", "12:00:00", 1},
		{"no window", hourly, "latest", 0, "10:00:00", "11:00:00", "11:00:00", "11:00:00", 0},
		{"interval", minutely, "latest", time.Hour, "10:00:00", "13:10:30", "13:10:00", "13:10:00", 189},
		{"interval, all", minutely, "all", time.Hour, "10:00:00", "13:10:30", "12:11:00", "12:11:00", 130},
		{"clock set back", hourly, "all", day, "13:00:00", "10:30:00", "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := func(text string) time.Time {
				if text == "" {
					return time.Time{}
				}
				return at(t, "2026-11-27T"+text+"Z")
			}
			d, some := table(t, c.timetable).Due(clock(c.cursor), clock(c.now), schedule.Rule{CatchUp: c.catchUp, Window: c.window})
			if some != (c.upTo != "") || !d.At.Equal(clock(c.at)) || !d.Cursor.Equal(clock(c.upTo)) || d.Missed != c.missed {
				t.Errorf("got %+v, %t; want at %q, missed %d, cursor %q", d, some, c.at, c.missed, c.upTo)
			}
		})
	}
}

// TestDueCountsEach: whatever the order of looking, each time is dealt with once.
func TestDueCountsEach(t *testing.T) {
	for _, tt := range []api.Timetable{cron("*/7 * * * *", "Europe/Berlin"), every(11 * time.Minute)} {
		for _, mode := range []api.CatchUp{api.CatchUpLatest, api.CatchUpAll, api.CatchUpNone} {
			tab := table(t, tt)
			cursor := at(t, "2026-10-24T20:00:00Z")
			begin, now := cursor, cursor
			var dealt int64
			for step := range 60 {
				now = now.Add(time.Duration(step*step) * time.Second)
				for {
					d, some := tab.Due(cursor, now, schedule.Rule{CatchUp: mode, Window: 20 * time.Minute})
					if !some {
						break
					}
					if !d.Cursor.After(cursor) {
						t.Fatalf("the cursor stays at %s", cursor)
					}
					dealt, cursor = dealt+d.Missed, d.Cursor
					if !d.At.IsZero() {
						dealt++
					}
				}
			}
			if want := tab.Passed(begin, now); dealt != want || want < 50 {
				t.Errorf("%+v, %s: dealt with %d of %d times", tt, mode, dealt, want)
			}
		}
	}
}

func TestMissedAreCountedUpToABound(t *testing.T) {
	for _, tt := range []api.Timetable{cron("* * * * *", ""), every(time.Second)} {
		d, _ := table(t, tt).Due(at(t, "2016-01-01T00:00:00Z"), at(t, "2026-01-01T00:00:00Z"), schedule.Rule{CatchUp: api.CatchUpLatest, Window: time.Hour})
		if d.Missed != 100_000 || !d.At.Equal(at(t, "2026-01-01T00:00:00Z")) {
			t.Errorf("%+v: got %+v, want 100,000 missed and a run", tt, d)
		}
	}
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		overlap     api.Overlap
		live, waits bool
		want        schedule.Verdict
	}{
		{api.OverlapSkip, false, false, schedule.Make},
		{api.OverlapSkip, true, false, schedule.Skip},
		{api.OverlapAllow, true, false, schedule.Make},
		{api.OverlapAllow, true, true, schedule.Make},
		{api.OverlapQueue, false, false, schedule.Make},
		{api.OverlapQueue, true, false, schedule.Wait},
		{api.OverlapQueue, true, true, schedule.Skip},
		{api.OverlapQueue, false, true, schedule.Skip},
		{api.OverlapCancel, false, false, schedule.Make},
		{api.OverlapCancel, true, false, schedule.Wait},
		{api.OverlapCancel, true, true, schedule.Replace},
	} {
		if got := schedule.Decide(c.overlap, c.live, c.waits); got != c.want {
			t.Errorf("Decide(%s, live %t, waits %t) = %d, want %d", c.overlap, c.live, c.waits, got, c.want)
		}
	}
}
