package runnel_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/runneltest"
)

func TestScheduleRefused(t *testing.T) {
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		hourly := runnel.Every(time.Hour)
		for _, c := range []struct {
			name string
			when runnel.Timetable
			what runnel.Runnable[int]
			opts []runnel.ScheduleOption
			kind error
			says string
		}{
			{"", hourly, double.Send(1), nil, runnel.ErrInvalid, "want a name"},
			{"a\nb", hourly, double.Send(1), nil, runnel.ErrInvalid, "printed text"},
			{strings.Repeat("x", 201), hourly, double.Send(1), nil, runnel.ErrInvalid, "200 bytes"},
			{"s", runnel.Timetable{}, double.Send(1), nil, runnel.ErrInvalid, "schedule s: every 0s"},
			{"s", runnel.Every(0), double.Send(1), nil, runnel.ErrInvalid, "Every(0s)"},
			{"s", runnel.Every(time.Millisecond), double.Send(1), nil, runnel.ErrInvalid, "at least 1s"},
			{"s", runnel.Cron(""), double.Send(1), nil, runnel.ErrInvalid, `Cron("")`},
			{"s", runnel.Cron("0 0 * *"), double.Send(1), nil, runnel.ErrInvalid, `schedule s: cron expression "0 0 * *"`},
			{"s", runnel.Cron("@daily").In("Mars/Base"), double.Send(1), nil, runnel.ErrInvalid, `no time zone "Mars/Base"`},
			{"s", runnel.Cron("@daily").In("Local"), double.Send(1), nil, runnel.ErrInvalid, `"Local"`},
			{"s", hourly, runnel.Ref1[int, int]("nobody").Send(1), nil, runnel.ErrUnknownTask, "nobody"},
			{"s", hourly, runnel.Pipeline[int]{}, nil, runnel.ErrInvalid, "no steps"},
			{"s", hourly, runnel.Value(strings.Repeat("x", 70_000)).ContinueWith(runnel.NewTask1("length", func(_ context.Context, s string) (int, error) { return len(s), nil })), nil, runnel.ErrUnknownTask, "length"},
			{"s", hourly, runnel.Value(make([]int, 40_000)).ContinueWith(runnel.Each(double)).ContinueWith(average2), nil, runnel.ErrInvalid, "up to 65536"},
			{"s", hourly, double.Send(1), []runnel.ScheduleOption{runnel.Overlap("sometimes")}, runnel.ErrInvalid, `overlap "sometimes"`},
			{"s", hourly, double.Send(1), []runnel.ScheduleOption{runnel.CatchUp("sometimes", 0)}, runnel.ErrInvalid, `catch-up "sometimes"`},
			{"s", hourly, double.Send(1), []runnel.ScheduleOption{runnel.CatchUp("", 0)}, runnel.ErrInvalid, "CatchUp wants"},
			{"s", hourly, double.Send(1), []runnel.ScheduleOption{runnel.CatchUp(api.CatchUpAll, -1)}, runnel.ErrInvalid, "window"},
			{"s", hourly, double.Send(1), []runnel.ScheduleOption{runnel.Name("other")}, runnel.ErrInvalid, "Name"},
			{"s", hourly, double.Send(1), []runnel.ScheduleOption{runnel.Retries(1)}, runnel.ErrInvalid, "Overlap, CatchUp and Tags"},
			{"s", hourly, double.Send(1), []runnel.ScheduleOption{runnel.Tags("")}, runnel.ErrInvalid, "tag is empty"},
		} {
			err := eng.Schedules().Create(t.Context(), c.name, c.when, c.what, c.opts...)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Create(%.20q, %v): %v, want %v with %q", c.name, c.when, err, c.kind, c.says)
			}
		}
		for s, err := range eng.Schedules().List(t.Context()) {
			t.Errorf("made %v (%v)", s, err)
		}
	}, runnel.Register(double, average2))
}

var average2 = runnel.NewTask1("average2", func(_ context.Context, xs []int) (int, error) { return len(xs), nil })

func TestScheduleNext(t *testing.T) {
	runneltest.Run(t, func(t *testing.T, eng *runnel.Engine) {
		s := eng.Schedules()
		start := time.Now().Add(90*time.Minute + 500)
		do(t, s.Create(t.Context(), "from", runnel.Every(time.Hour).From(start), double.Send(1)))
		times, err := s.Next(t.Context(), "from", 2)
		do(t, err)
		want := time.Now().Add(90 * time.Minute).UTC()
		wants(t, "times", times, []time.Time{want, want.Add(time.Hour)})
		for _, n := range []int{-1, 1001} {
			if _, err := s.Next(t.Context(), "from", n); !errors.Is(err, runnel.ErrInvalid) {
				t.Errorf("Next of %d: %v", n, err)
			}
			if _, err := runnel.Cron("@daily").Next(time.Now(), n); !errors.Is(err, runnel.ErrInvalid) {
				t.Errorf("Next of %d: %v", n, err)
			}
		}
		if _, err := runnel.Every(0).Next(time.Now(), 1); !errors.Is(err, runnel.ErrInvalid) {
			t.Errorf("Next of a wrong timetable: %v", err)
		}
		times, err = runnel.Cron("0 0 29 2 *").Next(time.Date(2096, 2, 1, 0, 0, 0, 0, time.UTC), 2)
		do(t, err)
		wants(t, "years", []int{times[0].Year(), times[1].Year()}, []int{2096, 2104})
		runneltest.Advance(4 * time.Hour) // nothing before its start
		x, err := s.Read(t.Context(), "from")
		do(t, err)
		wants(t, "made", x.Made, 3)
	}, runnel.Register(double))
}

// A program that does not register a schedule's tasks any more keeps it, says why
// it makes no runs, and goes on when they are there again.
func TestScheduleOfAForgottenTask(t *testing.T) {
	dsn := dsnOf(t, "sqlite")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.WithoutCancel(t.Context())
		var eng *runnel.Engine
		read := func(made, missed int64) api.Schedule {
			t.Helper()
			synctest.Wait()
			x, err := eng.Schedules().Read(ctx, "s")
			do(t, err)
			if x.Made != made || x.Missed != missed {
				t.Errorf("made %d, missed %d; want %d, %d", x.Made, x.Missed, made, missed)
			}
			return x
		}
		eng = reopen(t, dsn, seed)
		do(t, eng.Schedules().Create(ctx, "s", runnel.Every(time.Hour), double.Send(1)))
		runneltest.Advance(90 * time.Minute)
		wants(t, "error", read(1, 0).Error, "")
		shut(t, eng)

		eng = reopen(t, dsn, runnel.Register(multiply))
		runneltest.Advance(2 * time.Hour)
		x := read(1, 2)
		says(t, x.Error, "double")
		wants(t, "at", x.ErrorAt.Format("15:04"), "03:00")
		if _, err := eng.Schedules().Trigger(ctx, "s"); !errors.Is(err, runnel.ErrUnknownTask) {
			t.Errorf("Trigger: %v", err)
		}
		made, err := eng.Schedules().Backfill(ctx, "s", time.Now().Add(-2*time.Hour), time.Now())
		if !errors.Is(err, runnel.ErrUnknownTask) || made != 0 {
			t.Errorf("Backfill: %d, %v", made, err)
		}
		do(t, eng.Schedules().Pause(ctx, "s")) // it still does what it can
		do(t, eng.Schedules().Resume(ctx, "s"))
		shut(t, eng)

		eng = reopen(t, dsn, seed)
		runneltest.Advance(time.Hour)
		wants(t, "error", read(2, 2).Error, "")
		shut(t, eng)
	})
}

// A run keeps what made it when it is paused, retried and over.
func TestScheduleOfARunThatIsRetried(t *testing.T) {
	inFiles(t, func(t *testing.T, s *suite) {
		do(t, s.eng.Schedules().Create(t.Context(), "s", runnel.Every(time.Hour), s.slow.Send("x", time.Hour).Wait().ContinueWith(s.refusing)))
		<-time.After(61 * time.Minute)
		id := listed(t, s.eng)[0]
		check := func(state api.State, live int) {
			t.Helper()
			synctest.Wait()
			run, err := s.eng.Attach[string](t.Context(), id)
			do(t, err)
			status, err := run.Status(t.Context())
			do(t, err)
			if status.State != state || status.Schedule == nil || status.Schedule.At.Format("15:04") != "01:00" {
				t.Errorf("%s: %+v, schedule %+v", state, status, status.Schedule)
			}
			x, err := s.eng.Schedules().Read(t.Context(), "s")
			do(t, err)
			wants(t, state.String()+": live", x.Live, live)
		}
		check(api.Running, 1)
		do(t, s.eng.Pause(t.Context(), id))
		check(api.Paused, 1)
		s.restarted(t, 0)
		check(api.Paused, 1)
		do(t, s.eng.Resume(t.Context(), id))
		runneltest.Advance(2 * time.Hour)
		check(api.Paused, 1) // of itself
		do(t, s.eng.Resume(t.Context(), id))
		check(api.Failed, 0)
		do(t, s.eng.Schedules().Pause(t.Context(), "s"))
		s.restarted(t, 0)
		do(t, s.eng.Retry(t.Context(), id))
		check(api.Failed, 0)
		s.schedule(t, "s", 1, 2, 0)
	})
}
