package sim

import (
	"errors"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// retention is for how long the engine keeps what has ended.
const retention = 30 * 24 * time.Hour

// age lets a month pass, in which old runs are removed, all of them or only
// some before something else happens.
func (w *world) age() {
	w.quick()
	w.now = w.now.Add(retention + 24*time.Hour)
	w.did("a month passes, to %s", w.now.Format(time.DateTime))
	w.e.Tick()
	w.expire(w.rng.IntN(2) == 0)
}

// expire removes old runs: a batch of them, or whatever there is.
func (w *world) expire(all bool) {
	for w.e.AdvanceStep() { // nobody waits for a month to be told
		w.did("advance")
	}
	for _, r := range w.runs {
		w.see(r)
	}
	if all { // a sweep that is on its way may be past what has grown old since
		w.sweep()
		w.now = w.now.Add(time.Hour)
		w.e.Tick()
		w.sweep()
	} else {
		w.did2(w.e.ExpireStep(), "expire")
	}
	w.reconcile(all)
}

// sweep removes until nothing more is due.
func (w *world) sweep() {
	for w.e.ExpireStep() {
		w.did("expire")
	}
}

// reconcile takes out the runs that were removed, which must be old and at an end.
// All says that no other such run may be left.
func (w *world) reconcile(all bool) {
	before := w.now.Add(-retention).UnixMicro()
	w.runs = slices.DeleteFunc(w.runs, func(r *simRun) bool {
		old := r.stored && r.last.State.Final() && r.last.Finished < before
		_, err := w.store.Run(w.ctx, r.number)
		switch {
		case err == nil:
			if old && all {
				w.broken("run %d is %s since %s and was not removed", r.number, r.last.State, time.UnixMicro(r.last.Finished).UTC())
			}
			return false
		case !errors.Is(err, api.ErrNotFound):
			w.broken("run %d: %v", r.number, err)
		case !r.stored:
			return false
		case !old:
			w.broken("run %d was removed though it is %s", r.number, r.last.State)
		}
		w.counts["removed"]++
		w.removed = append(w.removed, r)
		return true
	})
	w.stayGone()
}

// stayGone holds everything that is asked of a removed run to ErrNotFound.
func (w *world) stayGone() {
	for _, r := range w.removed {
		_, find := w.e.Find(w.ctx, r.id)
		_, status := w.e.Status(w.ctx, r.id)
		_, result := w.e.Result(w.ctx, r.id)
		for _, err := range []error{find, status, result, w.e.Retry(w.ctx, r.id), w.e.Cancel(w.ctx, r.id)} {
			if !errors.Is(err, api.ErrNotFound) {
				w.broken("removed run %d answers: %v", r.number, err)
			}
		}
	}
}

// outlive lets everything grow old at last: nothing of any run may be left.
func (w *world) outlive() {
	if w.err != nil {
		return
	}
	w.now = w.now.Add(2 * retention)
	w.expire(true)
	left := 0
	last, err := w.store.LastRun(w.ctx)
	for run := int64(1); run <= last && err == nil; run++ {
		err = w.store.Tasks(w.ctx, run, 0, 1<<62, func(*store.TaskRow) error {
			left++
			return nil
		})
	}
	if err != nil || left > 0 || len(w.runs) > 0 {
		w.broken("%d task runs and %d runs are left when all are old: %v", left, len(w.runs), err)
	}
	for _, r := range w.removed {
		if err != nil || last < r.number {
			w.broken("the last run is %d, but there was %d: %v", last, r.number, err)
		}
	}
}
