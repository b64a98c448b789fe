package engine

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/schedule"
	"github.com/runnel-dev/runnel/internal/store"
)

// MaxTimes is how many times are given, or backfilled, at once.
const MaxTimes = 1000

const (
	maxScheduleName = 200        // bytes
	maxSchedule     = inlineSize // of its pipeline's JSON: it is written with each run
	catchUpWindow   = time.Hour  // unless it is stated
	shownTimes      = 5          // of the next ones
)

// CreateSchedule makes a schedule, or replaces its definition, durably. One that
// is the same already stays as it is.
func (e *Engine) CreateSchedule(ctx context.Context, want api.Schedule, spec *api.Spec) error {
	x := &sched{name: want.Name, spec: spec}
	if err := x.define(want, e.registry); err != nil {
		return err
	}
	s := &e.schedules
	s.writing.Lock()
	defer s.writing.Unlock()
	old, err := s.hold(ctx, want.Name)
	now := e.micros()
	switch {
	case errors.Is(err, api.ErrNotFound):
		x.rec.Created, x.rec.Updated, x.rec.Cursor = now, now, now
		if err := e.putSchedule(ctx, x.name, &x.rec); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.known[x.name] = x
		s.ask(x)
		return nil
	case err != nil:
		return err
	case old.rec.same(&x.rec.scheduleDefinition) && old.table != nil:
		s.release(old)
		return nil
	}
	rec := old.rec
	rec.scheduleDefinition, rec.Updated, rec.Error, rec.ErrorAt = x.rec.scheduleDefinition, now, "", 0
	if old.rec.Timetable != rec.Timetable || old.table == nil { // times of the new one before it was made are none
		rec.Cursor = max(rec.Cursor, now)
	}
	if err := e.putSchedule(ctx, x.name, &rec); err != nil {
		s.release(old)
		return err
	}
	s.mu.Lock()
	old.spec, old.table = spec, x.table
	s.mu.Unlock()
	s.settle(old, &rec, nil)
	return nil
}

// define checks a definition and makes it that of x.
func (x *sched) define(want api.Schedule, tasks pipeline.Registry) error {
	d := &x.rec.scheduleDefinition
	d.Timetable, d.Tags, d.Overlap, d.CatchUp, d.Window = want.Timetable, want.Tags, want.Overlap, want.CatchUp, want.Window
	d.Timetable.From = fine(d.Timetable.From)
	if d.Overlap == "" {
		d.Overlap = api.OverlapSkip
	}
	if d.CatchUp == "" {
		d.CatchUp, d.Window = api.CatchUpLatest, api.Duration(catchUpWindow)
	}
	wrong := func(format string, args ...any) error {
		return api.Errorf(api.ErrInvalid, "schedule "+want.Name, format, args...)
	}
	switch {
	case want.Name == "" || len(want.Name) > maxScheduleName || !utf8.ValidString(want.Name) || strings.ContainsFunc(want.Name, unicode.IsControl):
		return api.Errorf(api.ErrInvalid, "", "schedule %q: want a name of printed text, up to %d bytes", want.Name, maxScheduleName)
	case !slices.Contains([]api.Overlap{api.OverlapSkip, api.OverlapAllow, api.OverlapQueue, api.OverlapCancel}, d.Overlap):
		return wrong("overlap %q: want skip, allow, queue or cancel", d.Overlap)
	case !slices.Contains([]api.CatchUp{api.CatchUpLatest, api.CatchUpAll, api.CatchUpNone}, d.CatchUp):
		return wrong("catch-up %q: want latest, all or none", d.CatchUp)
	case d.Window < 0:
		return wrong("catch-up window %s: want 0 or more", time.Duration(d.Window))
	}
	var err error
	if x.table, err = readTimetable(d.Timetable); err != nil {
		return wrong("%w", err)
	}
	if _, err := pipeline.Compile(x.spec, tasks); err != nil {
		return err
	}
	if d.Pipeline, err = x.spec.AppendJSON(nil); err == nil && len(d.Pipeline) > maxSchedule {
		err = wrong("its pipeline is %d bytes of JSON, up to %d are allowed: let a task make the rest", len(d.Pipeline), maxSchedule)
	}
	return err
}

// fine gives a time as fine as it is stored.
func fine(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Truncate(time.Microsecond).UTC()
}

func (d *scheduleDefinition) same(o *scheduleDefinition) bool {
	return d.Timetable == o.Timetable && bytes.Equal(d.Pipeline, o.Pipeline) && slices.Equal(d.Tags, o.Tags) &&
		d.Overlap == o.Overlap && d.CatchUp == o.CatchUp && d.Window == o.Window
}

// DeleteSchedule removes a schedule, durably. Its runs stay.
func (e *Engine) DeleteSchedule(ctx context.Context, name string) error {
	s := &e.schedules
	s.writing.Lock()
	defer s.writing.Unlock()
	x, err := s.hold(ctx, name)
	if err != nil {
		return err
	}
	if err := e.store.PutRecords(ctx, store.RecordWrite{Kind: scheduleKind, Key: name}); err != nil {
		s.release(x)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, name)
	x.gone, x.busy = true, false
	x.timer.stop()
	s.free.Broadcast()
	return nil
}

// PauseSchedule lets a schedule make no runs until it is resumed, durably.
func (e *Engine) PauseSchedule(ctx context.Context, name string) error {
	return e.changeSchedule(ctx, name, func(x *sched, rec *scheduleRecord) bool {
		rec.Paused = true
		return !x.rec.Paused
	})
}

// ResumeSchedule goes on with a paused schedule, durably. The times that have
// passed meanwhile make no runs.
func (e *Engine) ResumeSchedule(ctx context.Context, name string) error {
	now := e.microsNow()
	return e.changeSchedule(ctx, name, func(x *sched, rec *scheduleRecord) bool {
		if x.table != nil {
			rec.Missed += x.table.Passed(time.UnixMicro(rec.Cursor), now)
		}
		rec.Cursor, rec.Paused = max(rec.Cursor, now.UnixMicro()), false
		return x.rec.Paused
	})
}

// changeSchedule makes a change, unless that reports that there is nothing to do.
func (e *Engine) changeSchedule(ctx context.Context, name string, change func(*sched, *scheduleRecord) bool) error {
	s := &e.schedules
	x, err := s.hold(ctx, name)
	if err != nil {
		return err
	}
	rec := x.rec
	if !change(x, &rec) {
		s.release(x)
		return nil
	}
	if err := e.putSchedule(ctx, name, &rec); err != nil {
		s.release(x)
		return err
	}
	s.settle(x, &rec, nil)
	return nil
}

// Schedule tells of a schedule.
func (e *Engine) Schedule(_ context.Context, name string) (api.Schedule, error) {
	now := e.microsNow()
	s := &e.schedules
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.known[name]
	if x == nil {
		return api.Schedule{}, noSchedule(name)
	}
	r := &x.rec
	out := api.Schedule{
		Name: name, Timetable: r.Timetable, Pipeline: slices.Clone(r.Pipeline), Tags: slices.Clone(r.Tags),
		Overlap: r.Overlap, CatchUp: r.CatchUp, Window: r.Window, Paused: r.Paused,
		Cursor: at(r.Cursor), Queued: at(r.Queued), Live: len(s.live[name]),
		Made: r.Made, Skipped: r.Skipped, Missed: r.Missed,
		Error: r.Error, ErrorAt: at(r.ErrorAt), Created: at(r.Created), Updated: at(r.Updated),
	}
	for _, ref := range r.Last {
		out.Last = append(out.Last, api.ScheduledRun{Run: ref.Run, At: at(ref.At)})
	}
	if !r.Paused {
		out.Next = x.following(now, shownTimes)
	}
	return out, nil
}

// following gives the next n times. Called with schedules.mu.
func (x *sched) following(now time.Time, n int) []time.Time {
	if x.table == nil {
		return nil
	}
	if cursor := time.UnixMicro(x.rec.Cursor); cursor.After(now) {
		now = cursor
	}
	return times(x.table, now, n)
}

func times(table *schedule.Table, after time.Time, n int) (list []time.Time) {
	for len(list) < n {
		if after = table.Next(after); after.IsZero() {
			break
		}
		list = append(list, after)
	}
	return list
}

// Schedules tells of all schedules, by name.
func (e *Engine) Schedules(ctx context.Context) iter.Seq2[api.Schedule, error] {
	return func(yield func(api.Schedule, error) bool) {
		e.schedules.mu.Lock()
		names := slices.Sorted(maps.Keys(e.schedules.known))
		e.schedules.mu.Unlock()
		for _, name := range names {
			s, err := e.Schedule(ctx, name)
			if err != nil { // deleted meanwhile
				continue
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// ScheduleTimes gives the next n times of a schedule.
func (e *Engine) ScheduleTimes(_ context.Context, name string, n int) ([]time.Time, error) {
	if err := checkTimes(n); err != nil {
		return nil, err
	}
	now := e.microsNow()
	e.schedules.mu.Lock()
	defer e.schedules.mu.Unlock()
	x := e.schedules.known[name]
	if x == nil {
		return nil, noSchedule(name)
	}
	return x.following(now, n), nil
}

// Times gives the n times of a timetable that follow a time.
func Times(t api.Timetable, after time.Time, n int) ([]time.Time, error) {
	if err := checkTimes(n); err != nil {
		return nil, err
	}
	t.From = fine(t.From)
	table, err := readTimetable(t)
	if err != nil {
		return nil, err
	}
	return times(table, after, n), nil
}

func checkTimes(n int) error {
	if n < 0 || n > MaxTimes {
		return api.Errorf(api.ErrInvalid, "", "%d times: want 0 to %d", n, MaxTimes)
	}
	return nil
}
