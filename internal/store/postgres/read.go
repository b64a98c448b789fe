package postgres

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// readTimeout is how long one read may take until its connection is taken for
// broken, as with writeTimeout. What is read is a page at most.
const readTimeout = writeTimeout

// collect reads all rows of a query, over a connection of the pool. While the
// database is away it tries again, as long as a lease: a restart or a failover is over
// by then, or takes long enough that whoever asks should know. The context of whoever
// asks may end it before.
func collect[R any](ctx context.Context, s *Store, text string, scan pgx.RowToFunc[R], args ...any) ([]R, error) {
	began := time.Now()
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		if s.closed.Load() {
			return nil, s.closedError()
		}
		bounded, cancel := context.WithTimeout(ctx, readTimeout)
		list, err := collectOnce(bounded, s, text, scan, args...)
		cancel()
		if err == nil || !passes(err) || ctx.Err() != nil || time.Since(began)+delay > s.lease {
			return list, s.readError(ctx, err)
		}
		again := time.NewTimer(delay)
		select {
		case <-again.C:
		case <-ctx.Done():
		case <-s.ctx.Done():
		}
		again.Stop()
	}
}

// collectOnce gives the errors of the driver.
func collectOnce[R any](ctx context.Context, s *Store, text string, scan pgx.RowToFunc[R], args ...any) ([]R, error) {
	rows, err := s.read.Query(ctx, s.sqlFor(text, args...), args...)
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows([]R(nil), rows, scan)
}

// one reads the only row of a query; found is false if there is none.
func one[R any](ctx context.Context, s *Store, text string, args ...any) (value R, found bool, err error) {
	list, err := collect(ctx, s, text, pgx.RowTo[R], args...)
	if err != nil || len(list) == 0 {
		return value, false, err
	}
	return list[0], true, nil
}

// The sizes of pages. A page is read entirely before the first of its rows is
// given away: yield may take long, or need a connection itself.
const (
	firstPage = 16
	fullPage  = 1024
	pageBytes = 1 << 20
)

// paged reads page by page until one is not full. The next is larger, but not if
// the rows are.
func paged[R any](size int, read func(size int) (rows []R, bytes int, err error), yield func(*R) error) error {
	for {
		rows, bytes, err := read(size)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := yield(&rows[i]); err != nil {
				return err
			}
		}
		if len(rows) < size {
			return nil
		}
		size = min(4*size, fullPage, max(1, pageBytes*size/max(bytes, 1)))
	}
}

// LastRun gives the highest run number, removed runs included.
func (s *Store) LastRun(ctx context.Context) (int64, error) {
	last, _, err := one[int64](ctx, s, "SELECT greatest(value, (SELECT max(id) FROM @.run)) FROM @.counter WHERE name = 'last'")
	return last, err
}

// readRun are the columns that runRow takes, and runStored those that are a run's.
const (
	readRun   = runStored + ", NOT EXISTS (SELECT FROM @.block b WHERE b.run = r.id)"
	runStored = "r.id, r.uid, r.name, r.state, r.gen, r.epoch, r.base, r.created, r.finished, r.plan, r.cell"
)

func runRow(row pgx.CollectableRow) (r store.RunRow, err error) {
	var uid, name []byte
	err = row.Scan(&r.ID, &uid, &name, (*uint8)(&r.State), &r.Gen, &r.Epoch, &r.Base, &r.Created, &r.Finished, &r.Plan, &r.Cell, &r.Alone)
	r.Name = string(name)
	copy(r.UID[:], uid)
	return r, err
}

func (s *Store) runs(ctx context.Context, where string, args ...any) ([]store.RunRow, error) {
	return collect(ctx, s, "SELECT "+readRun+" FROM @.run r WHERE "+where, runRow, args...)
}

// Run reads one run.
func (s *Store) Run(ctx context.Context, id int64) (store.RunRow, error) {
	rows, err := collect(ctx, s, "SELECT "+readRun+" FROM @.run# r WHERE r.id = $1", runRow, id)
	if err != nil {
		return store.RunRow{}, err
	}
	if len(rows) == 0 {
		return store.RunRow{}, api.Errorf(api.ErrNotFound, s.location, "no run with number %d", id)
	}
	return rows[0], nil
}

// LiveRuns reads runs that are not final.
func (s *Store) LiveRuns(ctx context.Context, after int64, limit int) ([]store.RunRow, error) {
	return s.runs(ctx, "id > $1 AND state"+firstFinal("<")+" ORDER BY id LIMIT $2", after, max(limit, 0))
}

// Runs reads runs, newest first.
func (s *Store) Runs(ctx context.Context, f api.RunFilter, below int64, limit int) ([]store.RunRow, error) {
	const where = `id < $1 AND ($2::bigint >> state) & 1 = 1 AND ($3::bytea = '' OR name = $3) AND created >= $4 AND created < $5
		ORDER BY id DESC LIMIT $6`
	if below == 0 {
		below = math.MaxInt64
	}
	states := int64(0)
	for _, state := range f.States {
		states |= 1 << state
	}
	if states == 0 {
		states = -1
	}
	return s.runs(ctx, where, below, states, []byte(f.Name), micro(f.Since, math.MinInt64), micro(f.Until, math.MaxInt64), max(limit, 0))
}

func micro(t time.Time, zero int64) int64 {
	if t.IsZero() {
		return zero
	}
	return t.UnixMicro()
}

// Blocks reads the key ranges of a run.
func (s *Store) Blocks(ctx context.Context, run int64) ([]store.Block, error) {
	const text = "SELECT " + blockColumns + " FROM @.block WHERE run = $1 ORDER BY seq, first"
	return collect(ctx, s, text, func(row pgx.CollectableRow) (b store.Block, err error) {
		return b, row.Scan(&b.Run, &b.First, &b.Count, &b.Seq, &b.Frame)
	}, run)
}

func frameRow(row pgx.CollectableRow) (f store.FrameRow, err error) {
	err = row.Scan(&f.Run, &f.ID, &f.Parent, &f.Place, (*uint8)(&f.Kind), (*uint8)(&f.State),
		&f.Base, &f.Source, &f.Count, &f.Pending, &f.Failed, &f.Low, &f.Cell)
	return f, err
}

// Frames calls yield for the frames of a run in a range of ids, page by page.
func (s *Store) Frames(ctx context.Context, run, from, to int64, yield func(*store.FrameRow) error) error {
	const page = "SELECT " + frameColumns + " FROM @.frame WHERE run = $1 AND id >= $2 AND id < $3 ORDER BY id LIMIT $4"
	return paged(firstPage, func(size int) ([]store.FrameRow, int, error) {
		rows, err := collect(ctx, s, page, frameRow, run, from, to, size)
		bytes := 0
		for i := range rows {
			from = rows[i].ID + 1
			bytes += len(rows[i].Cell)
		}
		return rows, bytes, err
	}, yield)
}

// Tasks calls yield for the task rows of a run in a range of keys, page by page.
func (s *Store) Tasks(ctx context.Context, run, from, to int64, yield func(*store.TaskRow) error) error {
	const page = "SELECT " + taskColumns + " FROM @.task# WHERE run = $1 AND id >= $2 AND id < $3 ORDER BY id LIMIT $4"
	return paged(firstPage, func(size int) ([]store.TaskRow, int, error) {
		bytes, last := 0, "" // the name of the row before: mostly the same
		rows, err := collect(ctx, s, page, func(row pgx.CollectableRow) (t store.TaskRow, err error) {
			var name []byte
			err = row.Scan(&t.ID, &t.Run, &t.Frame, &t.Place, &name, (*uint8)(&t.State), &t.Attempt, &t.Gen, &t.Cell)
			if last != string(name) {
				last = string(name)
			}
			t.Task = last
			from = t.ID + 1
			bytes += len(t.Cell)
			return t, err
		}, run, from, to, size)
		return rows, bytes, err
	}, yield)
}

// Logs calls yield for the lines of a run, page by page.
func (s *Store) Logs(ctx context.Context, run, from int64, yield func(api.LogLine) error) error {
	const page = "SELECT line, task_run, task, attempt, time, level, text FROM @.log WHERE run = $1 AND line >= $2 ORDER BY line LIMIT $3"
	return paged(firstPage, func(size int) ([]api.LogLine, int, error) {
		bytes := 0
		rows, err := collect(ctx, s, page, func(row pgx.CollectableRow) (l api.LogLine, err error) {
			var taskRun, task, level, text []byte
			var at int64
			err = row.Scan(&l.Line, &taskRun, &task, &l.Attempt, &at, &level, &text)
			l.TaskRun, l.Task, l.Level, l.Text = string(taskRun), string(task), string(level), string(text)
			l.Time = time.UnixMicro(at).UTC()
			from = l.Line + 1
			bytes += len(text)
			return l, err
		}, run, from, size)
		return rows, bytes, err
	}, func(l *api.LogLine) error { return yield(*l) })
}

// Keyed reads the state kept under a task id.
func (s *Store) Keyed(ctx context.Context, taskID string) ([]byte, error) {
	value, _, err := one[[]byte](ctx, s, "SELECT value FROM @.keyed WHERE task_id = $1", []byte(taskID))
	return value, err
}
