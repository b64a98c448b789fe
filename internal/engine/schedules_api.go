package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
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
	x := &storedSchedule{name: want.Name, spec: spec}
	if err := x.define(want, e.registry); err != nil {
		return err
	}
	return e.amend(ctx, want.Name, func() error {
		old, err := e.readSchedule(ctx, want.Name)
		if err != nil {
			return err
		}
		rec, now := old.rec, e.micros()
		switch {
		case old.text == nil:
			rec.Created, rec.Cursor = now, now
		case rec.same(&x.rec.scheduleDefinition) && old.table != nil:
			return nil
		case rec.Timetable != x.rec.Timetable || old.table == nil: // times of the new one before it was made are none
			rec.Cursor = max(rec.Cursor, now)
		}
		rec.scheduleDefinition, rec.Updated, rec.Error, rec.ErrorAt = x.rec.scheduleDefinition, now, "", 0
		_, err = e.putSchedule(ctx, old, &rec)
		return err
	})
}

// amend changes a schedule, over and over until nobody else does meanwhile, and
// tells who makes its runs.
func (e *Engine) amend(ctx context.Context, name string, change func() error) error {
	for {
		if e.isClosed() {
			return api.ErrClosed
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := change()
		if err == nil {
			e.lookAt(name)
		}
		switch {
		case errors.Is(err, store.ErrLost):
			return ErrLost
		case !errors.Is(err, store.ErrFenced):
			return err
		}
	}
}

// define checks a definition and makes it that of x.
func (x *storedSchedule) define(want api.Schedule, tasks pipeline.Registry) error {
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
	return e.amend(ctx, name, func() error {
		x, err := e.findSchedule(ctx, name)
		if err == nil {
			_, err = e.putSchedule(ctx, x, nil)
		}
		return err
	})
}

// PauseSchedule lets a schedule make no runs until it is resumed, durably.
func (e *Engine) PauseSchedule(ctx context.Context, name string) error {
	return e.changeSchedule(ctx, name, func(x *storedSchedule, rec *scheduleRecord) bool {
		rec.Paused = true
		return !x.rec.Paused
	})
}

// ResumeSchedule goes on with a paused schedule, durably. The times that have
// passed meanwhile make no runs.
func (e *Engine) ResumeSchedule(ctx context.Context, name string) error {
	return e.changeSchedule(ctx, name, func(x *storedSchedule, rec *scheduleRecord) bool {
		now := e.microsNow()
		if x.table != nil {
			rec.Missed += x.table.Passed(time.UnixMicro(rec.Cursor), now)
		}
		rec.Cursor, rec.Paused = max(rec.Cursor, now.UnixMicro()), false
		return x.rec.Paused
	})
}

// SkipSchedule makes no run for the next time of a schedule, durably.
func (e *Engine) SkipSchedule(ctx context.Context, name string) error {
	var none error
	err := e.changeSchedule(ctx, name, func(x *storedSchedule, rec *scheduleRecord) bool {
		next := x.following(e.microsNow(), 1)
		if none = nil; rec.Paused || len(next) == 0 {
			none = api.Errorf(api.ErrConflict, "", "schedule %q has no next time to skip: is it paused?", name)
			return false
		}
		rec.Cursor = next[0].UnixMicro()
		rec.Skipped++
		return true
	})
	return cmp.Or(err, none)
}

// changeSchedule makes a change, unless that reports that there is nothing to do.
func (e *Engine) changeSchedule(ctx context.Context, name string, change func(*storedSchedule, *scheduleRecord) bool) error {
	return e.amend(ctx, name, func() error {
		x, err := e.findSchedule(ctx, name)
		if err != nil {
			return err
		}
		rec := x.rec
		if change(x, &rec) {
			_, err = e.putSchedule(ctx, x, &rec)
		}
		return err
	})
}

// Schedule tells of a schedule.
func (e *Engine) Schedule(ctx context.Context, name string) (api.Schedule, error) {
	x, err := e.findSchedule(ctx, name)
	live := 0
	if err == nil {
		err = e.liveOf(ctx, name, func(string, string) { live++ })
	}
	if err != nil {
		return api.Schedule{}, err
	}
	return x.shown(e.microsNow(), live), nil
}

// shown tells of a schedule that has live runs.
func (x *storedSchedule) shown(now time.Time, live int) api.Schedule {
	r := &x.rec
	out := api.Schedule{
		Name: x.name, Timetable: r.Timetable, Pipeline: slices.Clone(r.Pipeline), Tags: slices.Clone(r.Tags),
		Overlap: r.Overlap, CatchUp: r.CatchUp, Window: r.Window, Paused: r.Paused,
		Cursor: at(r.Cursor), Queued: at(r.Queued), Live: live,
		Made: r.Made, Skipped: r.Skipped, Missed: r.Missed,
		Error: r.Error, ErrorAt: at(r.ErrorAt), Created: at(r.Created), Updated: at(r.Updated),
	}
	for _, ref := range r.Last {
		out.Last = append(out.Last, api.ScheduledRun{Run: ref.Run, At: at(ref.At)})
	}
	if !r.Paused {
		out.Next = x.following(now, shownTimes)
	}
	return out
}

// following gives the next n times.
func (x *storedSchedule) following(now time.Time, n int) []time.Time {
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
		live := make(map[string]int)
		err := e.liveOf(ctx, "", func(name, _ string) { live[name]++ })
		if err == nil {
			err = e.store.Records(ctx, scheduleKind, "", func(name string, text []byte) error {
				x, err := e.decodeSchedule(name, text)
				if err == nil && !yield(x.shown(e.microsNow(), live[name]), nil) {
					return errStop
				}
				return err
			})
		}
		if err = ignoreStop(err); err != nil {
			yield(api.Schedule{}, err)
		}
	}
}

// ScheduleTimes gives the next n times of a schedule.
func (e *Engine) ScheduleTimes(ctx context.Context, name string, n int) ([]time.Time, error) {
	if err := checkTimes(n); err != nil {
		return nil, err
	}
	x, err := e.findSchedule(ctx, name)
	if err != nil {
		return nil, err
	}
	return x.following(e.microsNow(), n), nil
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
