package sqlite

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// query runs a statement on a reader's connection. Bind may be nil; row is
// called for each row, until it says stop.
//
// Where a statement says +? SQLite would look at the parameter's value to plan it, and
// prepare it anew for each other value, which takes longer than to run it.
func (s *Store) query(ctx context.Context, sql string, bind func(*sqlite.Stmt), row func(*sqlite.Stmt) (stop bool)) error {
	conn, done, err := s.read.take(ctx)
	if errors.Is(err, errClosed) {
		return s.closedError()
	}
	if err != nil {
		return readError(ctx, s.path, err)
	}
	defer done()
	st, err := conn.Prepare(sql)
	if err != nil {
		return readError(ctx, s.path, err)
	}
	defer func() { _ = st.Reset() }() // it says again what the last step said
	if bind != nil {
		bind(st)
	}
	for {
		found, err := st.Step()
		if err != nil {
			return readError(ctx, s.path, err)
		}
		if !found || row(st) {
			return nil
		}
	}
}

// column copies a cell.
func column(st *sqlite.Stmt, i int) []byte {
	n := st.ColumnLen(i)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	st.ColumnBytes(i, b)
	return b
}

// LastRun gives the highest run number, removed runs included.
func (s *Store) LastRun(ctx context.Context) (id int64, err error) {
	err = s.query(ctx, "SELECT max(value, coalesce((SELECT max(id) FROM run), 0)) FROM meta WHERE key = 'last'", nil, func(st *sqlite.Stmt) bool {
		id = st.ColumnInt64(0)
		return false
	})
	return id, err
}

// readRun are the columns that runs takes.
const readRun = runColumns + ", NOT EXISTS (SELECT 1 FROM block WHERE block.run = run.id)"

func (s *Store) runs(ctx context.Context, where string, bind func(*sqlite.Stmt)) (rows []store.RunRow, err error) {
	err = s.query(ctx, "SELECT "+readRun+" FROM run "+where, bind, func(st *sqlite.Stmt) bool {
		r := store.RunRow{
			ID: st.ColumnInt64(0), Name: st.ColumnText(2), State: api.State(st.ColumnInt64(3)),
			Gen: st.ColumnInt32(4), Epoch: st.ColumnInt32(5), Base: st.ColumnInt64(6),
			Created: st.ColumnInt64(7), Finished: st.ColumnInt64(8), Plan: column(st, 9), Cell: column(st, 10), Alone: st.ColumnBool(11),
		}
		st.ColumnBytes(1, r.UID[:])
		rows = append(rows, r)
		return false
	})
	return rows, err
}

// Run reads one run.
func (s *Store) Run(ctx context.Context, id int64) (store.RunRow, error) {
	rows, err := s.runs(ctx, "WHERE id = ?", func(st *sqlite.Stmt) { st.BindInt64(1, id) })
	if err != nil {
		return store.RunRow{}, err
	}
	if len(rows) == 0 {
		return store.RunRow{}, api.Errorf(api.ErrNotFound, s.path, "no run with number %d", id)
	}
	return rows[0], nil
}

// Runs reads runs, newest first.
func (s *Store) Runs(ctx context.Context, f api.RunFilter, below int64, limit int) ([]store.RunRow, error) {
	const where = `WHERE id < ?1 AND (?2 >> state) & 1 AND (?3 = '' OR name = +?3) AND created >= ?4 AND created < ?5
		ORDER BY id DESC LIMIT +?6`
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
	return s.runs(ctx, where, func(st *sqlite.Stmt) {
		st.BindInt64(1, below)
		st.BindInt64(2, states)
		st.BindText(3, f.Name)
		st.BindInt64(4, micro(f.Since, math.MinInt64))
		st.BindInt64(5, micro(f.Until, math.MaxInt64))
		st.BindInt64(6, int64(max(limit, 0)))
	})
}

func micro(t time.Time, zero int64) int64 {
	if t.IsZero() {
		return zero
	}
	return t.UnixMicro()
}

// Blocks reads the key ranges of a run.
func (s *Store) Blocks(ctx context.Context, run int64) (blocks []store.Block, err error) {
	err = s.query(ctx, "SELECT "+blockColumns+" FROM block WHERE run = +? ORDER BY seq, first",
		func(st *sqlite.Stmt) { st.BindInt64(1, run) },
		func(st *sqlite.Stmt) bool {
			blocks = append(blocks, store.Block{
				Run: st.ColumnInt64(0), First: st.ColumnInt64(1), Count: st.ColumnInt64(2),
				Seq: st.ColumnInt64(3), Frame: st.ColumnInt64(4),
			})
			return false
		})
	return blocks, err
}

// Frames calls yield for the frames of a run in a range of ids, page by page
// as Tasks does.
func (s *Store) Frames(ctx context.Context, run, from, to int64, yield func(*store.FrameRow) error) error {
	var rows []store.FrameRow
	for size := firstPage; ; size = min(4*size, fullPage) {
		rows = rows[:0]
		err := s.query(ctx, "SELECT "+frameColumns+" FROM frame WHERE run = +? AND id >= ? AND id < ? ORDER BY id",
			func(st *sqlite.Stmt) {
				st.BindInt64(1, run)
				st.BindInt64(2, from)
				st.BindInt64(3, to)
			},
			func(st *sqlite.Stmt) bool {
				rows = append(rows, frameRow(st))
				return len(rows) == size
			})
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
		from = rows[len(rows)-1].ID + 1
	}
}

// A page is a number of task rows, with their cells in one piece of memory.
// Tasks reads page by page: an open statement would keep the log from starting
// over for as long as yield takes, and yield may need a connection itself.
type page struct {
	rows  []store.TaskRow
	cells []byte
	ends  []int // of the rows' cells
}

const (
	firstPage = 16
	fullPage  = 1024
	pageBytes = 1 << 20
)

var pages = sync.Pool{New: func() any { return new(page) }}

// Tasks calls yield for the task rows of a run in a range of keys.
func (s *Store) Tasks(ctx context.Context, run, from, to int64, yield func(*store.TaskRow) error) error {
	p := pages.Get().(*page) //nolint:forcetypeassert // see pages
	defer pages.Put(p)
	for size := firstPage; ; size = min(4*size, fullPage) {
		more, err := s.readPage(ctx, p, run, from, to, size)
		if err != nil {
			return err
		}
		for i := range p.rows {
			if err := yield(&p.rows[i]); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		from = p.rows[len(p.rows)-1].ID + 1
	}
}

func (s *Store) readPage(ctx context.Context, p *page, run, from, to int64, size int) (more bool, err error) {
	p.rows, p.cells, p.ends = p.rows[:0], p.cells[:0], p.ends[:0]
	err = s.query(ctx, "SELECT "+taskColumns+" FROM task WHERE id >= ? AND id < ? AND run = +? ORDER BY id",
		func(st *sqlite.Stmt) {
			st.BindInt64(1, from)
			st.BindInt64(2, to)
			st.BindInt64(3, run)
		},
		func(st *sqlite.Stmt) bool {
			p.rows = append(p.rows, store.TaskRow{
				ID: st.ColumnInt64(0), Run: st.ColumnInt64(1), Frame: st.ColumnInt64(2), Place: st.ColumnInt32(3),
				Task:    s.names.name(st.ColumnInt64(4)),
				State:   api.State(st.ColumnInt64(5)),
				Attempt: st.ColumnInt32(6), Gen: st.ColumnInt32(7),
			})
			start := len(p.cells)
			end := start + st.ColumnLen(8)
			if end > cap(p.cells) {
				p.cells = append(make([]byte, 0, max(end, 2*cap(p.cells))), p.cells...)
			}
			p.cells = p.cells[:end]
			st.ColumnBytes(8, p.cells[start:])
			p.ends = append(p.ends, end)
			more = len(p.rows) == size || end >= pageBytes
			return more
		})
	start := 0
	for i, end := range p.ends {
		if end > start {
			p.rows[i].Cell = p.cells[start:end:end]
		}
		start = end
	}
	return more, err
}

// Logs calls yield for the lines of a run, also page by page.
func (s *Store) Logs(ctx context.Context, run, from int64, yield func(api.LogLine) error) error {
	var lines []api.LogLine
	for size := firstPage; ; size = min(4*size, fullPage) {
		lines = lines[:0]
		err := s.query(ctx, "SELECT "+logColumns+" FROM log WHERE run = +? AND line >= ? ORDER BY line",
			func(st *sqlite.Stmt) {
				st.BindInt64(1, run)
				st.BindInt64(2, from)
			},
			func(st *sqlite.Stmt) bool {
				lines = append(lines, api.LogLine{
					Line: st.ColumnInt64(1), TaskRun: st.ColumnText(2), Task: st.ColumnText(3), Attempt: st.ColumnInt(4),
					Time: time.UnixMicro(st.ColumnInt64(5)).UTC(), Level: st.ColumnText(6), Text: st.ColumnText(7),
				})
				from = st.ColumnInt64(1) + 1
				return len(lines) == size
			})
		if err != nil {
			return err
		}
		for _, line := range lines {
			if err := yield(line); err != nil {
				return err
			}
		}
		if len(lines) < size {
			return nil
		}
	}
}

// Keyed reads the state kept under a task id.
func (s *Store) Keyed(ctx context.Context, taskID string) (value []byte, err error) {
	err = s.query(ctx, "SELECT value FROM keyed WHERE task_id = ?",
		func(st *sqlite.Stmt) { st.BindBytes(1, []byte(taskID)) },
		func(st *sqlite.Stmt) bool {
			value = make([]byte, st.ColumnLen(0))
			st.ColumnBytes(0, value)
			return false
		})
	return value, err
}
