package runnel_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func ExampleEngine_Schedules() {
	report := runnel.NewTask1("report", func(ctx context.Context, team string) (string, error) {
		// The time that the run stands for, however late it begins.
		day := runnel.TaskRun(ctx).Schedule.At.Format(time.DateOnly)
		return team + " on " + day, nil
	})
	eng := begin(report)
	defer end(eng)

	// At nine on working days, where the team is.
	err := eng.Schedules().Create(ctx, "morning", runnel.Cron("0 9 * * MON-FRI").In("Europe/Berlin"), report.Send("sales"))
	if err != nil {
		log.Fatal(err)
	}
	schedule, err := eng.Schedules().Read(ctx, "morning")
	fmt.Println(schedule.Name, schedule.Timetable.Cron, len(schedule.Next), schedule.Overlap, err)
	// Output: morning 0 9 * * MON-FRI 5 skip <nil>
}

func ExampleSchedules_Create() {
	clean := runnel.NewTask0("clean", func(context.Context) (runnel.None, error) { return runnel.None{}, nil })
	eng := begin(clean)
	defer end(eng)

	// Each time the program starts: what is the same stays as it is.
	for range 2 {
		err := eng.Schedules().Create(ctx, "clean", runnel.Every(15*time.Minute), clean.Send(),
			runnel.Tags("disk"), runnel.Overlap(api.OverlapQueue), runnel.CatchUp(api.CatchUpNone, 0))
		if err != nil {
			log.Fatal(err)
		}
	}
	for schedule, err := range eng.Schedules().List(ctx) {
		fmt.Println(schedule.Name, schedule.Tags, schedule.Overlap, schedule.CatchUp, err)
	}
	// Output: clean [disk] queue none <nil>
}

func ExampleSchedules_Trigger() {
	eng := begin(double)
	defer end(eng)
	if err := eng.Schedules().Create(ctx, "nightly", runnel.Cron("@daily"), double.Send(21)); err != nil {
		log.Fatal(err)
	}

	id, err := eng.Schedules().Trigger(ctx, "nightly")
	if err != nil {
		log.Fatal(err)
	}
	run, err := eng.Attach[int](ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: 42 <nil>
}

func ExampleSchedules_Backfill() {
	export := runnel.NewTask0("export", func(ctx context.Context) (string, error) {
		return "sales of " + runnel.TaskRun(ctx).Schedule.At.Format("Monday, January 2"), nil
	})
	eng := begin(export)
	defer end(eng)
	if err := eng.Schedules().Create(ctx, "export", runnel.Cron("0 18 * * MON-FRI"), export.Send()); err != nil {
		log.Fatal(err)
	}

	// The week before there was a schedule.
	from := time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)
	made, err := eng.Schedules().Backfill(ctx, "export", from, from.AddDate(0, 0, 7))
	fmt.Println(made, err)
	schedule, err := eng.Schedules().Read(ctx, "export")
	if err != nil {
		log.Fatal(err)
	}
	for _, last := range schedule.Last[:2] {
		run, err := eng.Attach[string](ctx, last.Run)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(run.Wait(ctx))
	}
	// Output:
	// 5 <nil>
	// sales of Friday, March 8 <nil>
	// sales of Thursday, March 7 <nil>
}

func ExampleSchedules_Pause() {
	eng := begin(double)
	defer end(eng)
	schedules := eng.Schedules()
	if err := schedules.Create(ctx, "nightly", runnel.Cron("@daily"), double.Send(21)); err != nil {
		log.Fatal(err)
	}
	for _, act := range []func(context.Context, string) error{schedules.Pause, schedules.Resume, schedules.Delete} {
		if err := act(ctx, "nightly"); err != nil {
			log.Fatal(err)
		}
		schedule, err := schedules.Read(ctx, "nightly")
		fmt.Println(schedule.Paused, errors.Is(err, runnel.ErrNotFound))
	}
	// Output:
	// true false
	// false false
	// false true
}

func ExampleSchedules_Next() {
	eng := begin(double)
	defer end(eng)
	start := time.Date(2999, 12, 31, 0, 0, 0, 0, time.UTC)
	if err := eng.Schedules().Create(ctx, "far", runnel.Every(36*time.Hour).From(start), double.Send(21)); err != nil {
		log.Fatal(err)
	}
	times, err := eng.Schedules().Next(ctx, "far", 2)
	fmt.Println(times[0].Format(time.DateTime), times[1].Format(time.DateTime), err)
	// Output: 2999-12-31 00:00:00 3000-01-01 12:00:00 <nil>
}

func ExampleCron() {
	// On the last Sunday of March Berlin has no 02:30.
	saturday := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	times, err := runnel.Cron("30 2 * * *").In("Europe/Berlin").Next(saturday, 3)
	for _, at := range times {
		fmt.Println(at.Format(time.RFC1123))
	}
	fmt.Println(err)
	_, err = runnel.Cron("30 2 * *").Next(saturday, 1)
	fmt.Println(errors.Is(err, runnel.ErrInvalid))
	// Output:
	// Sat, 28 Mar 2026 02:30:00 CET
	// Sun, 29 Mar 2026 03:00:00 CEST
	// Mon, 30 Mar 2026 02:30:00 CEST
	// <nil>
	// true
}

func ExampleEvery() {
	at := time.Date(2026, 11, 25, 10, 7, 0, 0, time.UTC)
	for _, timetable := range []runnel.Timetable{runnel.Every(20 * time.Minute), runnel.Every(20 * time.Minute).From(at)} {
		times, err := timetable.Next(at, 2)
		fmt.Println(times[0].Format(time.TimeOnly), times[1].Format(time.TimeOnly), err)
	}
	// Output:
	// 10:20:00 10:40:00 <nil>
	// 10:27:00 10:47:00 <nil>
}

func ExampleOverlap() {
	load := runnel.NewTask0("load", func(context.Context) (runnel.None, error) { return runnel.None{}, nil })
	eng := begin(load)
	defer end(eng)

	// A load that takes longer than a minute ends before the next one begins.
	err := eng.Schedules().Create(ctx, "load", runnel.Cron("* * * * *"), load.Send(), runnel.Overlap(api.OverlapQueue))
	fmt.Println(err)
	err = eng.Schedules().Create(ctx, "load", runnel.Cron("* * * * *"), load.Send(), runnel.Overlap("later"))
	fmt.Println(err)
	// Output:
	// <nil>
	// schedule load: overlap "later": want skip, allow, queue or cancel
}

func ExampleCatchUp() {
	bill := runnel.NewTask0("bill", func(context.Context) (runnel.None, error) { return runnel.None{}, nil })
	eng := begin(bill)
	defer end(eng)

	// No day is left out, were the program not to run for a month.
	err := eng.Schedules().Create(ctx, "bill", runnel.Cron("@daily"), bill.Send(),
		runnel.CatchUp(api.CatchUpAll, 31*24*time.Hour), runnel.Overlap(api.OverlapAllow))
	fmt.Println(err)
	// Output: <nil>
}
