package engine

import (
	"errors"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/schedule"
	"github.com/runnel-dev/runnel/internal/store"
)

// scheduleLoop looks at the schedules that have something to do.
func (e *Engine) scheduleLoop() {
	var again <-chan time.Time // letters are lost when the database crashes
	if e.peers.node != nil {
		every := time.NewTicker(stateEvery)
		defer every.Stop()
		again = every.C
	}
	for {
		for e.ScheduleStep() {
		}
		select {
		case <-e.schedules.wake:
		case <-again:
			e.schedules.markAll()
		case <-e.closers.ctx.Done():
			return
		}
	}
}

// ScheduleStep looks at one schedule that may have something to do, or reads all of
// them, and reports whether there was something.
func (e *Engine) ScheduleStep() bool {
	s, ctx := &e.schedules, e.closers.ctx
	if ctx.Err() != nil || !e.onDuty() {
		return false
	}
	done, err := e.readSchedules(ctx)
	if err != nil && ctx.Err() == nil {
		e.log.Error("not all schedules can be read", "error", err)
	}
	x, some := s.take()
	if !some {
		return done
	}
	there, err := e.refresh(ctx, x)
	if !there {
		return true
	}
	var next *scheduleStep
	var ids []string
	if err == nil {
		next, ids, err = x.next(e.microsNow(), func() (live []string, err error) {
			return live, e.liveOf(ctx, x.name, func(_, run string) { live = append(live, run) })
		})
	}
	e.cancelOverlapped(ids)
	switch {
	case err != nil:
		s.settle(x, nil, nil, err)
	case next == nil:
		s.rest(x)
	case next.at.IsZero():
		text, err := e.putSchedule(ctx, &x.storedSchedule, &next.rec)
		s.settle(x, &next.rec, text, err)
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
// for their end. Live gives those that are live, whichever process has them.
func (x *sched) next(now time.Time, live func() ([]string, error)) (step *scheduleStep, cancel []string, err error) {
	if x.rec.Paused || x.table == nil {
		return nil, nil, nil
	}
	step = &scheduleStep{rec: x.rec}
	rec := &step.rec
	due, some := x.table.Due(time.UnixMicro(rec.Cursor), now, schedule.Rule{CatchUp: rec.CatchUp, Window: time.Duration(rec.Window)})
	if !some && rec.Queued == 0 {
		return nil, nil, nil
	}
	var runs []string
	if rec.Queued != 0 || rec.Overlap != api.OverlapAllow {
		if runs, err = live(); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case rec.Queued != 0 && len(runs) == 0:
		step.at, rec.Queued, x.told = time.UnixMicro(rec.Queued).In(now.Location()), 0, false
		return step, nil, nil
	case rec.Queued != 0 && rec.Overlap == api.OverlapCancel && !x.told:
		x.told, cancel = true, runs
	}
	if !some {
		return nil, cancel, nil
	}
	rec.Missed += due.Missed
	rec.Cursor = due.Cursor.UnixMicro()
	if due.At.IsZero() {
		return step, cancel, nil
	}
	switch schedule.Decide(rec.Overlap, len(runs) > 0, rec.Queued != 0) {
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
	return step, cancel, nil
}

// cancelOverlapped cancels live runs. That which has ended by now needs it not.
func (e *Engine) cancelOverlapped(ids []string) {
	cancel := func(id string) {
		if err := e.Cancel(e.closers.ctx, id); err != nil && !errors.Is(err, api.ErrConflict) && e.closers.ctx.Err() == nil {
			e.log.Warn("a live run of a schedule was not cancelled", "run", id, "error", err)
		}
	}
	for _, id := range ids {
		if e.peers.node == nil || e.manual {
			cancel(id)
			continue
		}
		e.loops.Go(func() { cancel(id) }) // another process may have it, and stand still
	}
}

// makeRun makes the run of a step. The record is part of its commit: after a
// crash there are both or none.
func (e *Engine) makeRun(x *sched, step *scheduleStep) {
	_, err := e.scheduled(&x.storedSchedule, byTimetable, step.at, &step.rec, func(text []byte, err error) {
		e.schedules.settle(x, &step.rec, text, err)
	})
	switch {
	case err == nil:
	case !notHere(err):
		e.schedules.settle(x, nil, nil, err)
	case e.peers.node == nil || e.manual:
		e.miss(x, step, err)
	default:
		e.loops.Go(func() { e.makeElsewhere(x, step, err) })
	}
}

// notHere reports whether an error says that a run can't be made in this process.
func notHere(err error) bool {
	return errors.Is(err, api.ErrUnknownTask) || errors.Is(err, api.ErrInvalid) || errors.Is(err, api.ErrEncoding)
}

// miss deals with a time for which a run can't be made.
func (e *Engine) miss(x *sched, step *scheduleStep, why error) {
	e.log.Error("schedule could not make a run", "schedule", x.name, "time", step.at, "error", why)
	step.rec.Missed++
	step.rec.Error, step.rec.ErrorAt = why.Error(), e.micros()
	text, err := e.putSchedule(e.closers.ctx, &x.storedSchedule, &step.rec)
	e.schedules.settle(x, &step.rec, text, err)
}

// scheduled queues a run of a schedule. With a record, which notes the run, that
// becomes part of the commit, and told is given its text. Told is called once that
// is durable or refused, unless an error is given.
func (e *Engine) scheduled(x *storedSchedule, by string, at time.Time, rec *scheduleRecord, told func([]byte, error)) (*run, error) {
	zone := x.rec.Timetable.Zone
	if loc, err := time.LoadLocation(zone); err == nil {
		at = at.In(loc)
	}
	m, err := newMade(api.ScheduleTime{Name: x.name, At: at, By: by})
	if err != nil {
		return nil, err
	}
	req := request{spec: x.spec, name: x.name + " " + at.Format(time.RFC3339), made: m}
	var text []byte
	if rec != nil {
		req.records = func(id string) ([]store.RecordWrite, error) {
			rec.ran(id, at)
			w, err := x.write(rec)
			text = w.Value
			return []store.RecordWrite{w}, err
		}
	}
	return e.submit(e.closers.ctx, req, toldBy(func(err error) { told(text, err) }))
}
