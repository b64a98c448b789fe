package runnel

import (
	"context"
	"iter"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
)

// Schedules make runs of pipelines at the times of a [Timetable]. They are kept in
// the database with how far they have come, and a run is written in the same commit
// as that its time is dealt with: a crash neither loses a time nor makes two runs
// for one.
//
// A run has the schedule's name and its time as its name, as in
// "nightly 2026-11-25T02:00:00+01:00", and both as Schedule in [api.Run] and, for
// the body, in [TaskRun]. A run may begin later than the time it stands for.
//
// Get them with [Engine.Schedules].
type Schedules struct{ eng *Engine }

// Schedules gives the schedules.
func (e *Engine) Schedules() Schedules { return Schedules{e} }

// Create makes a schedule, or replaces what it is: its timetable, pipeline and
// options. How far it has come, its counters and whether it is paused stay; with
// another timetable it goes on from now. If all is as it was nothing is done, so a
// program may create its schedules each time it starts.
//
// The pipeline is kept as data, up to 64 KiB of JSON. Its tasks must be registered
// now, and again whenever a run is made: a time whose run can't be made is missed,
// see Error in [api.Schedule]. What is wrong with the timetable, the options or the
// pipeline is an [ErrInvalid] or [ErrUnknownTask].
func (s Schedules) Create[R any](ctx context.Context, name string, when Timetable, what Runnable[R], opts ...ScheduleOption) error {
	plan := runnablePlan(what)
	if err := plan.problem(); err != nil {
		return err
	}
	if when.err != nil {
		return when.err
	}
	def := api.Schedule{Name: name, Timetable: when.table}
	var o scheduling
	for _, option := range opts {
		if option != nil {
			option.schedule(&o)
		}
	}
	if o.err != nil {
		return o.err
	}
	def.Tags, def.Overlap, def.CatchUp, def.Window = o.tags, o.overlap, o.catchUp, o.window
	spec := plan.spec()
	if len(o.tags) > 0 {
		spec = tagged(spec, o.tags)
	}
	return s.eng.service().CreateSchedule(ctx, def, spec)
}

// Read tells of a schedule, or gives [ErrNotFound].
func (s Schedules) Read(ctx context.Context, name string) (api.Schedule, error) {
	return s.eng.service().Schedule(ctx, name)
}

// List tells of all schedules, ordered by name.
func (s Schedules) List(ctx context.Context) iter.Seq2[api.Schedule, error] {
	return s.eng.service().Schedules(ctx)
}

// Delete removes a schedule, or gives [ErrNotFound]. Its runs stay, and live ones
// go on.
func (s Schedules) Delete(ctx context.Context, name string) error {
	return s.eng.service().DeleteSchedule(ctx, name)
}

// Pause lets a schedule make no runs until it is resumed, also after a restart.
// Live ones go on. The times that pass meanwhile are missed.
func (s Schedules) Pause(ctx context.Context, name string) error {
	return s.eng.service().PauseSchedule(ctx, name)
}

// Resume goes on with a paused schedule, from its next time.
func (s Schedules) Resume(ctx context.Context, name string) error {
	return s.eng.service().ResumeSchedule(ctx, name)
}

// Skip makes no run for the schedule's next time, and goes on from the one after it.
// [ErrConflict] if it has none, as when it is paused.
func (s Schedules) Skip(ctx context.Context, name string) error {
	return s.eng.service().SkipSchedule(ctx, name)
}

// Trigger makes a run now, beside the timetable, whether a run is live or the
// schedule is paused, and gives its id once it is durable. Like a run of the
// timetable it counts as live for [Overlap].
func (s Schedules) Trigger(ctx context.Context, name string) (string, error) {
	return s.eng.service().TriggerSchedule(ctx, name)
}

// Backfill makes a run for each of the schedule's times from one time up to, but
// without, another that must have passed; more than 1,000 are an [ErrInvalid]. It
// says how many were made, and on an error how many before that. All are
// submitted at once and do not look at [Overlap], nor count for it: what they may
// do at the same time is bounded by a limit of a tag, see [Limits]. It does not
// know whether there was a run for a time already: the runs are new ones.
func (s Schedules) Backfill(ctx context.Context, name string, from, to time.Time) (int, error) {
	return s.eng.service().Backfill(ctx, name, from, to)
}

// Next gives the next n times of a schedule, up to 1,000; fewer if there are no
// more. Of a paused one they are those it had if it was resumed now.
func (s Schedules) Next(ctx context.Context, name string, n int) ([]time.Time, error) {
	return s.eng.service().ScheduleTimes(ctx, name, n)
}

// Timetable is a list of times without end, made by [Cron] or [Every]. It is
// immutable: In and From give another one.
type Timetable struct {
	table api.Timetable
	err   error
}

// Cron are the times that fit an expression of five fields: minute, hour, day of
// month, month, day of week. A field is a star, or numbers, ranges and steps with
// commas between, as in "0,30 8-18/2 * * MON-FRI"; months and days have names, and
// 0 and 7 are both Sunday. Where day of month and day of week are both bounded, one
// of them has to fit. "@hourly", "@daily", "@weekly", "@monthly" and "@yearly" are
// short for midnight, or the full hour, of the first. There are no seconds.
//
// Where the zone's clock is put forward, a time that it jumps over is the end of
// the jump, once; where it is put back, a time that comes twice is the first. An
// expression that fits every hour, as "*/15 * * * *", goes by time that passes
// instead: it is neither late in spring nor idle for an hour in autumn.
func Cron(expr string) Timetable {
	t := Timetable{table: api.Timetable{Cron: expr}}
	if expr == "" {
		t.err = api.Errorf(ErrInvalid, "", `Cron(""): want an expression such as "0 9 * * MON-FRI"`)
	}
	return t
}

// Every are the times from one to the next of which it is d: whole microseconds, at
// least a second. They are counted from 1970-01-01 00:00 UTC, or from what
// [Timetable.From] says, so that a restart does not move them: Every(time.Hour) is
// each full hour of UTC. Daylight saving time does not matter to them.
func Every(d time.Duration) Timetable {
	t := Timetable{table: api.Timetable{Every: api.Duration(d)}}
	if d == 0 {
		t.err = api.Errorf(ErrInvalid, "", "Every(0s): want at least 1s")
	}
	return t
}

// In reads a [Cron] expression in a time zone, a name of the IANA database such as
// "Europe/Berlin". Default: UTC. The times of runs are shown in it. Zones are part
// of the program, so they need no files of the machine.
func (t Timetable) In(zone string) Timetable {
	t.table.Zone = zone
	return t
}

// From leaves out what is before start, and counts the times of [Every] from it.
func (t Timetable) From(start time.Time) Timetable {
	t.table.From = start
	return t
}

// Next gives the n times that follow a time, up to 1,000, or an [ErrInvalid] that
// says what is wrong with the timetable.
func (t Timetable) Next(after time.Time, n int) ([]time.Time, error) {
	if t.err != nil {
		return nil, t.err
	}
	return engine.Times(t.table, after, n)
}

// ScheduleOption is an option of [Schedules.Create]: [Overlap], [CatchUp], or
// [Tags], which then are for all tasks of its pipeline, beside their own.
type ScheduleOption interface{ schedule(*scheduling) }

// scheduling is what the options of Create say.
type scheduling struct {
	tags    []string
	overlap api.Overlap
	catchUp api.CatchUp
	window  api.Duration
	err     error
}

type scheduleOption func(*scheduling)

func (o scheduleOption) schedule(s *scheduling) { o(s) }

// Overlap says what happens when a time comes while a run of the schedule is live:
// [api.OverlapSkip] makes no run for it and counts it, [api.OverlapAllow] makes one
// beside, [api.OverlapQueue] makes it when the other has ended, and
// [api.OverlapCancel] cancels the other one before. Default: OverlapSkip.
func Overlap(o api.Overlap) ScheduleOption {
	return scheduleOption(func(s *scheduling) { s.overlap = o })
}

// CatchUp says which of the times that passed while no engine was open make runs
// after all: [api.CatchUpLatest] one for the last of them, [api.CatchUpAll] one for
// each, [api.CatchUpNone] none. Those that are later than window are missed in any
// case; less than a minute is a minute, since no time is dealt with at once.
//
// Default: CatchUpLatest and an hour. So a short outage delays a run, a long one
// does not let a nightly job begin at noon, and no outage starts a crowd.
func CatchUp(c api.CatchUp, window time.Duration) ScheduleOption {
	return scheduleOption(func(s *scheduling) {
		s.catchUp, s.window = c, api.Duration(window)
		if c == "" {
			s.err = api.Errorf(ErrInvalid, "", "CatchUp wants one of api.CatchUpLatest, CatchUpAll and CatchUpNone")
		}
	})
}

func (o callOption) schedule(s *scheduling) {
	var options api.Options
	err := o(&options)
	tags := options.Tags
	if options.Tags = nil; err == nil && !options.IsZero() {
		err = api.Errorf(ErrInvalid, "", "the options of a schedule are Overlap, CatchUp and Tags; others of tasks go to Set or WithOptions")
	}
	if err != nil && s.err == nil {
		s.err = err
	}
	s.tags = union(s.tags, tags)
}

func (o nameOption) schedule(s *scheduling) {
	if s.err == nil {
		s.err = api.Errorf(ErrInvalid, "", "Name(%q): the runs of a schedule have its name and their time as their name", string(o))
	}
}
