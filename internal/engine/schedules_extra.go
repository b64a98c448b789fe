package engine

import (
	"context"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// TriggerSchedule makes a run now, beside the timetable, and gives its id once it
// is durable.
func (e *Engine) TriggerSchedule(ctx context.Context, name string) (id string, err error) {
	err = e.amend(ctx, name, func() error {
		x, err := e.findSchedule(ctx, name)
		if err != nil {
			return err
		}
		if x.spec == nil {
			return x.unreadable()
		}
		done := make(chan error, 1)
		r, err := e.scheduled(x, byTrigger, e.microsNow(), &x.rec, func(_ []byte, err error) { done <- err })
		if err != nil {
			return err
		}
		if id = r.text; e.manual {
			return nil
		}
		return await(ctx, done)
	})
	return id, err
}

func (x *storedSchedule) unreadable() error {
	return api.Errorf(api.ErrStore, "schedule "+x.name, "can't be read here: %s", x.rec.Error)
}

// Backfill makes a run for each time of a schedule from one time up to, and
// without, another, and says how many are durable.
func (e *Engine) Backfill(ctx context.Context, name string, from, to time.Time) (int, error) {
	x, err := e.findSchedule(ctx, name)
	if err != nil {
		return 0, err
	}
	list, err := e.pastTimes(x, from, to)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	type outcome struct {
		place int
		err   error
	}
	told := make(chan outcome, len(list))
	ids, asked := make([]string, len(list)), 0
	for i, at := range list {
		var r *run
		if r, err = e.scheduled(x, byBackfill, at, nil, func(_ []byte, err error) { told <- outcome{i, err} }); err != nil {
			break
		}
		ids[i] = r.text
		asked++
	}
	made := 0
	for range asked { // they exist, or don't, whether ctx has ended or not
		out := <-told
		if out.err != nil {
			ids[out.place], err = "", out.err
			continue
		}
		made++
	}
	if made == 0 {
		return 0, err
	}
	// A crash before this leaves the runs and loses that they were counted.
	noted := e.changeSchedule(context.WithoutCancel(ctx), name, func(_ *storedSchedule, rec *scheduleRecord) bool {
		for i, id := range ids[:asked] {
			if id != "" {
				rec.ran(id, list[i])
			}
		}
		return true
	})
	if err == nil {
		err = noted
	}
	return made, err
}

// BackfillTimes gives the times whose runs Backfill would make.
func (e *Engine) BackfillTimes(ctx context.Context, name string, from, to time.Time) ([]time.Time, error) {
	x, err := e.findSchedule(ctx, name)
	if err != nil {
		return nil, err
	}
	return e.pastTimes(x, from, to)
}

// pastTimes gives the times of a schedule in a stretch that is over.
func (e *Engine) pastTimes(x *storedSchedule, from, to time.Time) (list []time.Time, err error) {
	where := "schedule " + x.name
	switch {
	case x.table == nil:
		return nil, x.unreadable()
	case !from.Before(to):
		return nil, api.Errorf(api.ErrInvalid, where, "backfill from %s to %s: the end must be later", from, to)
	case to.After(e.now()):
		return nil, api.Errorf(api.ErrInvalid, where, "backfill to %s: times to come make their runs themselves", to)
	}
	for at := x.table.Next(from.Add(-1)); !at.IsZero() && at.Before(to); at = x.table.Next(at) {
		if len(list) == MaxTimes {
			return nil, api.Errorf(api.ErrInvalid, where, "backfill from %s to %s: these are more than %d times; do it in parts", from, to, MaxTimes)
		}
		list = append(list, at)
	}
	return list, nil
}
