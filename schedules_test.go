package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/runneltest"
)

// Fake time begins at midnight of 2000-01-01, UTC.

// timesOf gives the runs of all schedules, oldest first: the time that each stands
// for, what made it unless that is the timetable, when it was made if that is
// another time, and its state unless COMPLETED.
func timesOf(t *testing.T, eng *runnel.Engine) string {
	t.Helper()
	synctest.Wait()
	var lines []string
	for run, err := range eng.Runs(t.Context(), api.RunFilter{}) {
		do(t, err)
		if run.Schedule == nil {
			t.Errorf("run %s (%s) was made by no schedule", run.ID, run.Name)
			continue
		}
		line := run.Schedule.At.Format("15:04")
		if run.Schedule.By != "timetable" {
			line += "/" + run.Schedule.By
		}
		if !run.Created.Equal(run.Schedule.At) {
			line += "@" + run.Created.Format("15:04")
		}
		if run.State != api.Completed {
			line += "=" + run.State.String()
		}
		lines = append(lines, line)
	}
	slices.Reverse(lines)
	return strings.Join(lines, " ")
}

// schedule reads one and checks its counts.
func (s *suite) schedule(t *testing.T, name string, made, skipped, missed int64) api.Schedule {
	t.Helper()
	synctest.Wait()
	x, err := s.eng.Schedules().Read(t.Context(), name)
	do(t, err)
	if x.Made != made || x.Skipped != skipped || x.Missed != missed {
		t.Errorf("schedule %s has made %d, skipped %d, missed %d; want %d, %d, %d", name, x.Made, x.Skipped, x.Missed, made, skipped, missed)
	}
	return x
}

// hourly makes a schedule of a task that takes d, for each hour.
func (s *suite) hourly(t *testing.T, d time.Duration, opts ...runnel.ScheduleOption) {
	t.Helper()
	do(t, s.eng.Schedules().Create(t.Context(), "hourly", runnel.Every(time.Hour), s.slow.Send("x", d), opts...))
}

// restarted closes the engine, lets time pass, and opens another.
func (s *suite) restarted(t *testing.T, after time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Nanosecond)
	defer cancel()
	<-ctx.Done() // bodies in progress are not waited for
	if err := s.eng.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	<-time.After(after)
	s.eng = s.open(t)
	synctest.Wait()
}

// inFiles runs test on a file and fake time, where an engine can be opened again.
func inFiles(t *testing.T, test func(t *testing.T, s *suite)) {
	t.Parallel()
	dsn := dsnOf(t, "sqlite")
	synctest.Test(t, func(t *testing.T) { test(t, opened(t, "sqlite", dsn)) })
}

// sight is what a body of a scheduled run sees of it.
var sight = runnel.NewTask0("sight", func(ctx context.Context) (string, error) {
	task := runnel.TaskRun(ctx)
	if task.Schedule == nil {
		return "nothing", nil
	}
	return fmt.Sprint(task.Schedule.Name, " ", task.Schedule.At.Format(time.RFC3339), " ", task.Schedule.By, " ", task.Tags), nil
})

func TestScheduleMakesRuns(t *testing.T) {
	inBubblesOf(t, forDays, func(t *testing.T, s *suite) {
		create := func(when runnel.Timetable) {
			t.Helper()
			p := sight.Send().ContinueWith(s.val)
			do(t, s.eng.Schedules().Create(t.Context(), "nightly", when, p, runnel.Tags("b", "a")))
		}
		create(runnel.Cron("30 2 * * *").In("Asia/Kolkata"))
		<-time.After(time.Minute)
		create(runnel.Cron("30 2 * * *").In("Asia/Kolkata"))
		x := s.schedule(t, "nightly", 0, 0, 0)
		if !x.Updated.Equal(x.Created) || len(x.Next) != 5 || x.Next[0].Format(time.RFC3339) != "2000-01-02T02:30:00+05:30" {
			t.Errorf("got %+v", x)
		}
		runneltest.Advance(3 * day)
		wants(t, "runs", timesOf(t, s.eng), "02:30 02:30 02:30")
		x = s.schedule(t, "nightly", 3, 0, 0)
		wants(t, "tags", x.Tags, []string{"a", "b"})
		wants(t, "last", len(x.Last), 3)
		for i, date := range []string{"2000-01-04", "2000-01-03", "2000-01-02"} {
			run, err := s.eng.Attach[string](t.Context(), x.Last[i].Run)
			do(t, err)
			status, err := run.Status(t.Context())
			do(t, err)
			wants(t, "name", status.Name, "nightly "+date+"T02:30:00+05:30")
			wants(t, "at", status.Schedule.At.Equal(x.Last[i].At), true)
			ends(t, "V:nightly "+date+"T02:30:00+05:30 timetable [a b]", run)
		}
		create(runnel.Cron("0 3 * * *")) // another timetable: from now on, and in its place
		runneltest.Advance(day)
		x = s.schedule(t, "nightly", 4, 0, 0)
		if !x.Updated.After(x.Created) || x.Timetable.Zone != "" || x.Last[0].At.Format("15:04Z07:00") != "03:00Z" {
			t.Errorf("got %+v", x)
		}
		wants(t, "of a run that was submitted", runneltest.Value(t, s.eng, sight.Send()), "nothing")
	}, runnel.Register(sight))
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		overlap         api.Overlap
		d               time.Duration
		want            string
		skipped, queued int64
	}{
		{"", 2*time.Hour + 30*time.Minute, "01:00 04:00 07:00=RUNNING", 5, 0},
		{api.OverlapSkip, 30 * time.Minute, "01:00 02:00 03:00 04:00 05:00 06:00 07:00 08:00=RUNNING", 0, 0},
		{api.OverlapAllow, 150 * time.Minute, "01:00 02:00 03:00 04:00 05:00 06:00=RUNNING 07:00=RUNNING 08:00=RUNNING", 0, 0},
		{api.OverlapQueue, 150 * time.Minute, "01:00 02:00@03:30 04:00@06:00=RUNNING", 4, 1},
		{api.OverlapCancel, 150 * time.Minute, "01:00=CANCELLED 02:00=CANCELLED 03:00=CANCELLED 04:00=CANCELLED 05:00=CANCELLED 06:00=CANCELLED 07:00=CANCELLED 08:00=RUNNING", 0, 0},
	} {
		t.Run(string(c.overlap), func(t *testing.T) {
			inBubbles(t, func(t *testing.T, s *suite) {
				s.hourly(t, c.d, runnel.Overlap(c.overlap))
				runneltest.Advance(8*time.Hour + 15*time.Minute)
				wants(t, "runs", timesOf(t, s.eng), c.want)
				made := int64(len(strings.Fields(c.want)))
				x := s.schedule(t, "hourly", made, c.skipped, 0)
				wants(t, "all times", made+c.skipped+c.queued, int64(8))
				wants(t, "waits", x.Queued.IsZero(), c.queued == 0)
			})
		})
	}
}

// A run that takes its time to be cancelled keeps the next one waiting, and of the
// times that come meanwhile the last one counts.
func TestOverlapCancelWaits(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		p := s.slow.Send("x", day).FinallyDo(s.slow.Send("end", 150*time.Minute))
		do(t, s.eng.Schedules().Create(t.Context(), "s", runnel.Every(time.Hour), p, runnel.Overlap(api.OverlapCancel)))
		runneltest.Advance(5 * time.Hour)
		wants(t, "runs", timesOf(t, s.eng), "01:00=CANCELLED 04:00@04:30=CANCELLING")
		s.schedule(t, "s", 2, 2, 0)
	})
}

func TestCatchUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		opts   []runnel.ScheduleOption
		down   time.Duration
		want   string
		missed int64
	}{
		{"short outage", nil, 20 * time.Minute, "01:00", 0},
		{"default", nil, 4 * time.Hour, "01:00 05:00@05:30", 3},
		{"latest, long window", []runnel.ScheduleOption{runnel.CatchUp(api.CatchUpLatest, day)}, 4 * time.Hour, "01:00 05:00@05:30", 3},
		{"latest, short window", []runnel.ScheduleOption{runnel.CatchUp(api.CatchUpLatest, 29*time.Minute)}, 4 * time.Hour, "01:00", 4},
		{"all", []runnel.ScheduleOption{runnel.CatchUp(api.CatchUpAll, day), runnel.Overlap(api.OverlapAllow)}, 4 * time.Hour, "01:00 02:00@05:30 03:00@05:30 04:00@05:30 05:00@05:30", 0},
		{"all, short window", []runnel.ScheduleOption{runnel.CatchUp(api.CatchUpAll, 2*time.Hour), runnel.Overlap(api.OverlapAllow)}, 4 * time.Hour, "01:00 04:00@05:30 05:00@05:30", 2},
		{"none", []runnel.ScheduleOption{runnel.CatchUp(api.CatchUpNone, day)}, 4 * time.Hour, "01:00", 4},
		{"none, on time", []runnel.ScheduleOption{runnel.CatchUp(api.CatchUpNone, 0)}, 3*time.Hour + 30*time.Minute + 30*time.Second, "01:00 05:00", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			inFiles(t, func(t *testing.T, s *suite) {
				s.hourly(t, 0, c.opts...)
				runneltest.Advance(90 * time.Minute)
				s.restarted(t, c.down)
				synctest.Wait()
				got := timesOf(t, s.eng)
				wants(t, "runs", strings.TrimSuffix(got, "@05:00"), c.want)
				s.schedule(t, "hourly", int64(len(strings.Fields(c.want))), 0, c.missed)
				runneltest.Advance(time.Hour) // and it goes on
				wants(t, "one more", len(strings.Fields(timesOf(t, s.eng))), len(strings.Fields(c.want))+1)
			})
		})
	}
}

// TestEachTimeOnce restarts at random moments, most of them close to a time.
func TestEachTimeOnce(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inFiles(t, func(t *testing.T, s *suite) {
				rng := rand.New(rand.NewPCG(seed, 3))
				s.hourly(t, 0, runnel.CatchUp(api.CatchUpAll, day), runnel.Overlap(api.OverlapAllow))
				begin := time.Now()
				for range 25 {
					moments := []time.Duration{0, time.Nanosecond, time.Millisecond, 10 * time.Minute, 3 * time.Hour}
					rest := time.Until(time.Now().Truncate(time.Hour).Add(time.Hour))
					<-time.After(rest + moments[rng.IntN(3)]) // not waiting for what that lets happen
					s.restarted(t, moments[rng.IntN(5)])
					s.hourly(t, 0, runnel.CatchUp(api.CatchUpAll, day), runnel.Overlap(api.OverlapAllow))
				}
				runneltest.Advance(time.Minute)
				runs := map[string]int{}
				for run, err := range s.eng.Runs(t.Context(), api.RunFilter{}) {
					do(t, err)
					runs[run.Name]++
					wants(t, run.Name+" made", runs[run.Name], 1)
				}
				n := int64(time.Since(begin) / time.Hour)
				wants(t, "runs", int64(len(runs)), n)
				s.schedule(t, "hourly", n, 0, 0)
			})
		})
	}
}

func TestPauseOverRestart(t *testing.T) {
	inFiles(t, func(t *testing.T, s *suite) {
		s.hourly(t, 0)
		runneltest.Advance(90 * time.Minute)
		do(t, s.eng.Schedules().Pause(t.Context(), "hourly"))
		do(t, s.eng.Schedules().Pause(t.Context(), "hourly"))
		runneltest.Advance(time.Hour)
		s.restarted(t, time.Hour)
		s.hourly(t, 0) // as a program does when it starts
		x := s.schedule(t, "hourly", 1, 0, 0)
		if !x.Paused || x.Next != nil {
			t.Errorf("got %+v", x)
		}
		do(t, s.eng.Schedules().Resume(t.Context(), "hourly"))
		do(t, s.eng.Schedules().Resume(t.Context(), "hourly"))
		s.schedule(t, "hourly", 1, 0, 2)
		runneltest.Advance(time.Hour)
		wants(t, "runs", timesOf(t, s.eng), "01:00 04:00")
		s.schedule(t, "hourly", 2, 0, 2)
	})
}

// What waits for the end of a live run does so over a restart, and paused.
func TestQueuedOverRestart(t *testing.T) {
	inFiles(t, func(t *testing.T, s *suite) {
		s.hourly(t, 90*time.Minute, runnel.Overlap(api.OverlapQueue))
		runneltest.Advance(125 * time.Minute)
		s.restarted(t, 0)
		wants(t, "runs", timesOf(t, s.eng), "01:00=RUNNING")
		do(t, s.eng.Schedules().Pause(t.Context(), "hourly"))
		runneltest.Advance(2 * time.Hour)
		wants(t, "runs", timesOf(t, s.eng), "01:00")
		wants(t, "queued", s.schedule(t, "hourly", 1, 0, 0).Queued.Format("15:04"), "02:00")
		do(t, s.eng.Schedules().Resume(t.Context(), "hourly"))
		wants(t, "runs", timesOf(t, s.eng), "01:00 02:00@04:05=RUNNING")
		s.schedule(t, "hourly", 2, 0, 2)
	})
}

func TestSkip(t *testing.T) {
	inFiles(t, func(t *testing.T, s *suite) {
		s.hourly(t, 0)
		runneltest.Advance(30 * time.Minute)
		do(t, s.eng.Schedules().Skip(t.Context(), "hourly"))
		do(t, s.eng.Schedules().Skip(t.Context(), "hourly"))
		if x := s.schedule(t, "hourly", 0, 2, 0); x.Next[0].Format("15:04") != "03:00" {
			t.Errorf("next are %v", x.Next)
		}
		runneltest.Advance(time.Hour)
		s.restarted(t, 0)
		s.hourly(t, 0) // as a program does when it starts
		runneltest.Advance(3 * time.Hour)
		wants(t, "runs", timesOf(t, s.eng), "03:00 04:00")
		s.schedule(t, "hourly", 2, 2, 0)
		do(t, s.eng.Schedules().Pause(t.Context(), "hourly"))
		isLike(t, s.eng.Schedules().Skip(t.Context(), "hourly"), runnel.ErrConflict, "no next time")
		isLike(t, s.eng.Schedules().Skip(t.Context(), "none"), runnel.ErrNotFound, "none")
	})
}

func TestTrigger(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		s.hourly(t, 40*time.Minute)
		runneltest.Advance(30 * time.Minute)
		id, err := s.eng.Schedules().Trigger(t.Context(), "hourly")
		do(t, err)
		x := s.schedule(t, "hourly", 1, 0, 0)
		wants(t, "last", x.Last[0].Run, id)
		wants(t, "live", x.Live, 1)
		runneltest.Advance(2 * time.Hour) // the triggered one is live at 01:00
		do(t, s.eng.Schedules().Pause(t.Context(), "hourly"))
		_, err = s.eng.Schedules().Trigger(t.Context(), "hourly")
		do(t, err)
		wants(t, "runs", timesOf(t, s.eng), "00:30/trigger 02:00=RUNNING 02:30/trigger=RUNNING")
		s.schedule(t, "hourly", 3, 1, 0)
	})
}

func TestBackfill(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		runneltest.Advance(9 * time.Hour)
		s.hourly(t, time.Minute)
		begin := time.Now().Add(-9 * time.Hour)
		from, to := begin.Add(5*time.Hour), begin.Add(8*time.Hour)
		made, err := s.eng.Schedules().Backfill(t.Context(), "hourly", from, to)
		do(t, err)
		wants(t, "made", made, 3)
		wants(t, "runs", timesOf(t, s.eng), "05:00/backfill@09:00=RUNNING 06:00/backfill@09:00=RUNNING 07:00/backfill@09:00=RUNNING")
		wants(t, "live", s.schedule(t, "hourly", 3, 0, 0).Live, 0)
		for _, c := range []struct {
			from, to time.Time
			says     string
		}{
			{to, from, "end must be later"},
			{from, from, "end must be later"},
			{from, time.Now().Add(time.Second), "times to come"},
			{begin.Add(-1000 * time.Hour), begin.Add(time.Second), "more than 1000"},
		} {
			n, err := s.eng.Schedules().Backfill(t.Context(), "hourly", c.from, c.to)
			if !errors.Is(err, runnel.ErrInvalid) || n != 0 {
				t.Errorf("Backfill from %s to %s gives %d, %v", c.from, c.to, n, err)
				continue
			}
			says(t, err.Error(), "hourly", c.says)
		}
		made, err = s.eng.Schedules().Backfill(t.Context(), "hourly", begin.Add(-1000*time.Hour), begin)
		do(t, err)
		wants(t, "made", made, 1000)
		made, err = s.eng.Schedules().Backfill(t.Context(), "hourly", begin.Add(time.Minute), begin.Add(time.Hour))
		do(t, err)
		wants(t, "made", made, 0)
		s.schedule(t, "hourly", 1003, 0, 0)
	})
}

func TestScheduleThatIsNot(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		all := s.eng.Schedules()
		_, read := all.Read(t.Context(), "none")
		_, trigger := all.Trigger(t.Context(), "none")
		_, backfill := all.Backfill(t.Context(), "none", time.Now().Add(-1), time.Now())
		_, next := all.Next(t.Context(), "none", 1)
		for what, err := range map[string]error{
			"Read": read, "Trigger": trigger, "Backfill": backfill, "Next": next, "Delete": all.Delete(t.Context(), "none"),
			"Pause": all.Pause(t.Context(), "none"), "Resume": all.Resume(t.Context(), "none"),
		} {
			if !errors.Is(err, runnel.ErrNotFound) {
				t.Errorf("%s: %v, want ErrNotFound", what, err)
			}
		}
	})
}

func TestDeleteSchedule(t *testing.T) {
	inBubbles(t, func(t *testing.T, s *suite) {
		s.hourly(t, 90*time.Minute, runnel.Overlap(api.OverlapQueue))
		do(t, s.eng.Schedules().Create(t.Context(), "another", runnel.Cron("@yearly"), s.slow.Send("x", 0)))
		<-time.After(2 * time.Hour) // a time is due, and one run live
		do(t, s.eng.Schedules().Delete(t.Context(), "hourly"))
		runneltest.Advance(4 * time.Hour)
		names := ""
		for x, err := range s.eng.Schedules().List(t.Context()) {
			do(t, err)
			names += x.Name + " "
		}
		wants(t, "left", names, "another ")
		wants(t, "runs", timesOf(t, s.eng), "01:00")
		s.hourly(t, 0) // it is a new one
		s.schedule(t, "hourly", 0, 0, 0)
	})
}
