package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/schedule"
	"github.com/runnel-dev/runnel/internal/store"
)

// scheduleLoop looks at the schedules that have something to do.
func (e *Engine) scheduleLoop() {
	for {
		for e.ScheduleStep() {
		}
		select {
		case <-e.schedules.wake:
		case <-e.closers.ctx.Done():
			return
		}
	}
}

// ScheduleStep looks at one schedule that may have something to do, and reports
// whether there was one.
func (e *Engine) ScheduleStep() bool {
	s := &e.schedules
	s.mu.Lock()
	if len(s.todo) == 0 || e.closers.ctx.Err() != nil {
		s.mu.Unlock()
		return false
	}
	x := s.todo[0]
	s.todo = slices.Delete(s.todo, 0, 1)
	x.asked = false
	next, ids := x.next(e.microsNow(), s.live[x.name])
	switch {
	case next != nil:
		x.busy = true
	case !x.busy && !x.gone && !x.rec.Paused && x.table != nil:
		if at := x.table.Next(time.UnixMicro(x.rec.Cursor)); !at.IsZero() {
			s.at(x, e.noLater(at))
		}
	}
	s.mu.Unlock()
	e.cancelOverlapped(ids)
	switch {
	case next == nil:
	case next.at.IsZero():
		s.settle(x, &next.rec, e.putSchedule(e.closers.ctx, x.name, &next.rec))
	default:
		e.makeRun(x, next)
	}
	return true
}

// lookAgain is how late a time may be after the clock was set, or the machine has
// slept. Nobody tells of that.
const lookAgain = 10 * time.Minute

// noLater gives when to look for a time: timers sleep by another clock than the
// one that shows it.
func (e *Engine) noLater(at time.Time) time.Time {
	if again := e.now().Add(lookAgain); again.Before(at) && !e.manual {
		return again
	}
	return at
}

// microsNow is the time, as fine as it is stored.
func (e *Engine) microsNow() time.Time { return e.now().Truncate(time.Microsecond) }

// scheduleStep is what is done next: a run is made for a time, or none, and the
// record becomes another.
type scheduleStep struct {
	at  time.Time // zero: no run
	rec scheduleRecord
}

// next decides what is done next, and which runs are cancelled since a time waits
// for their end. Called with schedules.mu.
func (x *sched) next(now time.Time, live map[int64]string) (step *scheduleStep, cancel []string) {
	if x.busy || x.gone || x.rec.Paused || x.table == nil {
		return nil, nil
	}
	step = &scheduleStep{rec: x.rec}
	rec := &step.rec
	switch {
	case rec.Queued != 0 && len(live) == 0:
		step.at, rec.Queued, x.told = time.UnixMicro(rec.Queued).In(now.Location()), 0, false
		return step, nil
	case rec.Queued != 0 && rec.Overlap == api.OverlapCancel && !x.told:
		x.told = true
		for _, id := range live {
			cancel = append(cancel, id)
		}
		slices.Sort(cancel)
	}
	due, some := x.table.Due(time.UnixMicro(rec.Cursor), now, schedule.Rule{CatchUp: rec.CatchUp, Window: time.Duration(rec.Window)})
	if !some {
		return nil, cancel
	}
	rec.Missed += due.Missed
	rec.Cursor = due.Cursor.UnixMicro()
	if due.At.IsZero() {
		return step, cancel
	}
	switch schedule.Decide(rec.Overlap, len(live) > 0, rec.Queued != 0) {
	case schedule.Make:
		step.at = due.At
	case schedule.Skip:
		rec.Skipped++
	case schedule.Replace:
		rec.Skipped++
		rec.Queued = due.At.UnixMicro()
	case schedule.Wait:
		rec.Queued = due.At.UnixMicro()
	}
	return step, cancel
}

// cancelOverlapped cancels live runs. That which has ended by now needs it not.
func (e *Engine) cancelOverlapped(ids []string) {
	for _, id := range ids {
		if err := e.Cancel(e.closers.ctx, id); err != nil && !errors.Is(err, api.ErrConflict) && e.closers.ctx.Err() == nil {
			e.log.Warn("a live run of a schedule was not cancelled", "run", id, "error", err)
		}
	}
}

// makeRun makes the run of a step. The record is part of its commit: after a
// crash there are both or none.
func (e *Engine) makeRun(x *sched, step *scheduleStep) {
	_, err := e.scheduled(x, byTimetable, step.at, &step.rec, func(err error) { e.schedules.settle(x, &step.rec, err) })
	switch {
	case err == nil:
	case errors.Is(err, api.ErrUnknownTask), errors.Is(err, api.ErrInvalid), errors.Is(err, api.ErrEncoding):
		e.log.Error("schedule could not make a run", "schedule", x.name, "time", step.at, "error", err)
		step.rec.Missed++
		step.rec.Error, step.rec.ErrorAt = err.Error(), e.micros()
		e.schedules.settle(x, &step.rec, e.putSchedule(e.closers.ctx, x.name, &step.rec))
	default:
		e.schedules.settle(x, nil, err)
	}
}

// scheduled queues a run of a schedule whose turn the caller has. With a record,
// which notes the run, that becomes part of the commit. Told is called once that
// is durable or refused, unless an error is given.
func (e *Engine) scheduled(x *sched, by string, at time.Time, rec *scheduleRecord, told func(error)) (*run, error) {
	zone := x.rec.Timetable.Zone
	if loc, err := time.LoadLocation(zone); err == nil {
		at = at.In(loc)
	}
	m, err := newMade(api.ScheduleTime{Name: x.name, At: at, By: by})
	if err != nil {
		return nil, err
	}
	req := request{spec: x.spec, name: x.name + " " + at.Format(time.RFC3339), made: m}
	if rec != nil {
		req.records = func(id string) ([]store.RecordWrite, error) {
			rec.ran(id, at)
			w, err := rec.write(x.name)
			return []store.RecordWrite{w}, err
		}
	}
	return e.submit(e.closers.ctx, req, told)
}
