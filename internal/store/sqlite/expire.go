package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Which runs are old is found by their numbers: they are created in order, so
// Expire walks from the lowest and ends where the young ones begin. An index of
// the times at which runs ended would cost every run two more pages to write.
//
// A run that is too much for one transaction leaves the table run at once and
// stands in gone_run until all of its rows are removed. There, run -1 has the blobs
// that were records'.

// expiry is how far Expire has come. It starts over when the store is opened.
type expiry struct {
	cursor int64 // the run that was looked at last
	young  int   // how many in a row were created too late
}

// cellUnit is how many bytes of a value count like a row: those beyond the row's
// own page are read, page by page, to be freed.
const cellUnit = 4 << 10

// sweeper is one call of Expire.
type sweeper struct {
	w       *writer
	expiry  expiry
	before  int64
	limit   int
	budget  int // rows
	removed int
	last    int64 // highest number of a run that was removed
	done    bool
}

// candidate is a run that is looked at.
type candidate struct {
	id, base, created, finished, size int64
	state                             api.State
}

// Expire removes runs that finished before a time.
func (s *Store) Expire(_ context.Context, before int64, limit int) (removed int, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, false, s.closedError()
	}
	x := &sweeper{w: s.w, expiry: s.w.expiry, before: before, limit: limit, budget: limit}
	if err := s.sweep(x, x.run); err != nil {
		return 0, false, err
	}
	s.w.expiry = x.expiry
	return x.removed, !x.done, nil
}

// Remove removes one run that is final.
func (s *Store) Remove(_ context.Context, run int64, limit int) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, s.closedError()
	}
	x := &sweeper{w: s.w, limit: limit, budget: limit}
	if err := s.sweep(x, func() error { return x.remove(s.path, run) }); err != nil {
		return false, err
	}
	return !x.done, nil
}

// sweep does what x has to do, in a transaction.
func (s *Store) sweep(x *sweeper, do func() error) error {
	if err := s.w.transaction(do); err != nil {
		s.check.note(0)
		return writeError(s.path, err)
	}
	if x.budget < x.limit {
		s.check.note(int64(x.limit-x.budget)*rowBytes + defaultPageSize)
	}
	return nil
}

// rowBytes is about what removing a row adds to the log.
const rowBytes = 60

// run removes what there is to remove, in a transaction.
func (x *sweeper) run() error {
	err := x.finish()
	if err == nil && x.budget > 0 {
		err = x.walk()
	}
	if err == nil && x.last > 0 {
		err = x.w.do(x.w.setLast, x.last)
	}
	return err
}

// remove removes a run, or goes on with one that is gone.
func (x *sweeper) remove(path string, run int64) error {
	x.expiry.cursor = run - 1
	list, err := x.page(1)
	if err != nil {
		return err
	}
	if len(list) > 0 && list[0].id == run {
		if c := &list[0]; !c.state.Final() {
			return api.Errorf(api.ErrConflict, path, "run number %d is %s", run, c.state)
		}
		if x.done, err = x.bury(&list[0]); err != nil {
			return err
		}
		return x.w.do(x.w.setLast, run)
	}
	id, base, found, err := x.w.pair(x.w.selectGone, run-1)
	switch {
	case err != nil:
		return err
	case !found || id != run:
		return api.Errorf(api.ErrNotFound, path, "no run with number %d", run)
	}
	if x.done, err = x.clear(id, base); err != nil || !x.done {
		return err
	}
	return x.w.do(x.w.deleteGone, run)
}

// finish goes on with runs that are gone.
func (x *sweeper) finish() error {
	for {
		id, base, found, err := x.w.firstGone()
		if err != nil {
			return err
		}
		if !found {
			return nil
		}
		if done, err := x.clear(id, base); err != nil || !done {
			return err
		}
		if err := x.w.do(x.w.deleteGone, id); err != nil {
			return err
		}
	}
}

// walk looks at the next runs.
func (x *sweeper) walk() error {
	page, err := x.page(x.limit)
	if err != nil {
		return err
	}
	for i := range page {
		if x.budget <= 0 {
			return nil
		}
		if err := x.look(&page[i]); err != nil {
			return err
		}
		if x.expiry.young == x.limit {
			break
		}
	}
	if x.budget > 0 && (len(page) < x.limit || x.expiry.young == x.limit) {
		x.done, x.expiry = true, expiry{}
	}
	return nil
}

// page reads runs to look at.
func (x *sweeper) page(limit int) (page []candidate, err error) {
	st := x.w.selectOld
	st.BindInt64(1, x.expiry.cursor)
	for {
		found, err := st.Step()
		if err != nil {
			return nil, err
		}
		if !found || len(page) == limit {
			return page, st.Reset()
		}
		page = append(page, candidate{
			id: st.ColumnInt64(0), base: st.ColumnInt64(1), state: api.State(st.ColumnInt64(2)),
			created: st.ColumnInt64(3), finished: st.ColumnInt64(4), size: st.ColumnInt64(5),
		})
	}
}

// look removes a run if it is old.
func (x *sweeper) look(c *candidate) error {
	x.expiry.cursor = c.id
	if c.created >= x.before {
		x.expiry.young++
		return nil
	}
	x.expiry.young = 0
	if !c.state.Final() || c.finished >= x.before {
		return nil
	}
	x.last = c.id
	_, err := x.bury(c)
	return err
}

// bury removes a run, with as much of what hangs on it as there is budget for, and
// reports whether that was all of it.
func (x *sweeper) bury(c *candidate) (done bool, err error) {
	// It takes a few statements, also if it has no rows.
	x.budget -= 3 + int(c.size/cellUnit)
	x.removed++
	done, err = x.clear(c.id, c.base)
	if err == nil && !done {
		x.w.insertGone.BindInt64(2, c.base)
		err = x.w.do(x.w.insertGone, c.id)
	}
	if err == nil {
		err = x.w.do(x.w.deleteRun, c.id)
	}
	return done, err
}

// clear removes what hangs on a run, and reports whether that was all of it.
// A block goes when the task runs in it are gone, so that the next call does not
// look there again.
func (x *sweeper) clear(run, base int64) (done bool, err error) {
	if done, err := x.cut(run, base, base+store.FirstBlock, x.w.someTasks, x.w.deleteTasks); err != nil || !done {
		return false, err
	}
	for {
		first, count, found, err := x.w.pair(x.w.firstBlock, run)
		if err != nil {
			return false, err
		}
		if !found {
			break
		}
		if done, err := x.cut(run, first, first+count, x.w.someTasks, x.w.deleteTasks); err != nil || !done {
			return false, err
		}
		x.w.deleteBlock.BindInt64(2, first)
		if err := x.w.do(x.w.deleteBlock, run); err != nil {
			return false, err
		}
		x.budget--
	}
	for _, kind := range [...]struct{ some, remove *sqlite.Stmt }{{x.w.someFrames, x.w.deleteFrames}, {x.w.someLogs, x.w.deleteLogs}} {
		if done, err := x.cut(run, 0, maxKey, kind.some, kind.remove); err != nil || !done {
			return false, err
		}
	}
	for {
		blob, _, found, err := x.w.pair(x.w.firstBlob, run)
		if err != nil || !found {
			return err == nil, err
		}
		if done, err := x.cut(run, blob<<chunkShift, (blob+1)<<chunkShift, x.w.someChunks, x.w.cutChunks); err != nil || !done {
			return false, err
		}
		if err := x.w.do(x.w.deleteBlob, blob); err != nil {
			return false, err
		}
		x.budget--
	}
}

const maxKey = 1<<63 - 1

// cut removes rows of one kind with from <= key < to while there is budget, and
// reports whether none are left.
func (x *sweeper) cut(run, from, to int64, some, remove *sqlite.Stmt) (done bool, err error) {
	if x.budget <= 0 {
		return false, nil
	}
	end, rows := to, 0
	some.BindInt64(1, run)
	some.BindInt64(2, from)
	some.BindInt64(3, to)
	for {
		found, err := some.Step()
		if err != nil {
			return false, err
		}
		if !found {
			break
		}
		rows++
		x.budget -= 1 + int(some.ColumnInt64(1)/cellUnit)
		if x.budget <= 0 {
			end = some.ColumnInt64(0) + 1
			break
		}
	}
	if err := some.Reset(); err != nil || rows == 0 {
		return err == nil, err
	}
	remove.BindInt64(1, run)
	remove.BindInt64(2, from)
	remove.BindInt64(3, end)
	return end == to, exec(remove)
}

// firstGone gives a run that is gone, whose rows are not.
func (w *writer) firstGone() (id, base int64, found bool, err error) { return w.pair(w.selectGone, -2) }

// pair reads the first two numbers that a statement gives for a key.
func (w *writer) pair(st *sqlite.Stmt, key int64) (a, b int64, found bool, err error) {
	st.BindInt64(1, key)
	if found, err = st.Step(); err != nil {
		return 0, 0, false, err
	}
	if found {
		a, b = st.ColumnInt64(0), st.ColumnInt64(1)
	}
	return a, b, found, st.Reset()
}

// do runs a statement about a key.
func (w *writer) do(st *sqlite.Stmt, key int64) error {
	st.BindInt64(1, key)
	return exec(st)
}

// expiryStatements are those of Expire.
type expiryStatements struct {
	selectOld, selectGone, insertGone, deleteGone *sqlite.Stmt
	deleteRun, setLast                            *sqlite.Stmt
	firstBlock, deleteBlock, firstBlob            *sqlite.Stmt
	someTasks, deleteTasks                        *sqlite.Stmt
	someFrames, deleteFrames                      *sqlite.Stmt
	someLogs, deleteLogs                          *sqlite.Stmt
	someChunks, cutChunks                         *sqlite.Stmt
}

// None has a bound limit, with which SQLite would prepare the statement anew for
// each value: who steps ends where it likes.
func (e *expiryStatements) queries() []query {
	const between = " WHERE run = +?1 AND id >= ?2 AND id < ?3"
	const lines = " WHERE run = +?1 AND line >= ?2 AND line < ?3"
	const chunks = " WHERE ?1 <> 0 AND id >= ?2 AND id < ?3"
	return []query{
		{&e.selectOld, "SELECT id, base, state, created, finished, coalesce(length(plan), 0) + coalesce(length(cell), 0) FROM run WHERE id > ? ORDER BY id"},
		{&e.selectGone, "SELECT id, base FROM gone_run WHERE id > ? ORDER BY id LIMIT 1"},
		{&e.insertGone, "INSERT INTO gone_run (id, base) VALUES (?, ?)"},
		{&e.deleteGone, "DELETE FROM gone_run WHERE id = ?"},
		{&e.deleteRun, "DELETE FROM run WHERE id = ?"},
		{&e.setLast, "UPDATE meta SET value = ?1 WHERE key = 'last' AND value < ?1"},
		{&e.firstBlock, "SELECT first, count FROM block WHERE run = +? ORDER BY first LIMIT 1"},
		{&e.deleteBlock, "DELETE FROM block WHERE run = ? AND first = ?"},
		{&e.firstBlob, "SELECT id, 0 FROM blob WHERE run = +? LIMIT 1"},
		{&e.someTasks, "SELECT id, length(cell) FROM task" + between + " ORDER BY id"},
		{&e.deleteTasks, "DELETE FROM task" + between},
		{&e.someFrames, "SELECT id, length(cell) FROM frame" + between + " ORDER BY id"},
		{&e.deleteFrames, "DELETE FROM frame" + between},
		{&e.someLogs, "SELECT line, octet_length(text) FROM log" + lines + " ORDER BY line"},
		{&e.deleteLogs, "DELETE FROM log" + lines},
		{&e.someChunks, "SELECT id, length(data) FROM blob_chunk" + chunks + " ORDER BY id"},
		{&e.cutChunks, "DELETE FROM blob_chunk" + chunks},
	}
}
