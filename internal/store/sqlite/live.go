package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/internal/store"
)

// A run that is not final either is entered in the table live_run, or is not
// below the floor, and then its row says so. An index over live runs would cost
// each run two more pages to write, however short it is. This way only those
// that outlive thousands of younger ones are entered, when the floor rises.

// defaultLag is how far below the newest run the floor is set; that is done when
// it is twice as far. Recovery looks at that many rows which need not be live.
const defaultLag = 1 << 14

// applyLive keeps the entries of the runs below the floor, and raises it.
func (w *writer) applyLive() error {
	w.nextFloor = w.floor
	newest := int64(0)
	for i := range w.batch.Runs {
		r := &w.batch.Runs[i]
		newest = max(newest, r.ID)
		if r.ID >= w.floor || !r.Insert && !r.Update {
			continue
		}
		st := w.enterLive
		if r.Mark.State.Final() {
			st = w.leaveLive
		}
		st.BindInt64(1, r.ID)
		if err := exec(st); err != nil {
			return err
		}
	}
	if newest-w.floor < 2*w.lag {
		return nil
	}
	w.nextFloor = newest - w.lag
	w.outlived.BindInt64(1, w.floor)
	w.outlived.BindInt64(2, w.nextFloor)
	w.setFloor.BindInt64(1, w.nextFloor)
	if err := exec(w.outlived); err != nil {
		return err
	}
	return exec(w.setFloor)
}

// LiveRuns reads runs that are not final.
func (s *Store) LiveRuns(ctx context.Context, after int64, limit int) ([]store.RunRow, error) {
	where := "WHERE id IN (SELECT id FROM live_run WHERE id > ?1 ORDER BY id LIMIT +?2) UNION ALL SELECT " + readRun +
		" FROM run WHERE id > ?1 AND id >= (SELECT value FROM meta WHERE key = 'floor') AND state" + firstFinal("<") +
		" ORDER BY id LIMIT +?2"
	return s.runs(ctx, where, func(st *sqlite.Stmt) {
		st.BindInt64(1, after)
		st.BindInt64(2, int64(max(limit, 0)))
	})
}
