package sqlite

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/staging"
)

// writer is the one connection that writes, with its statements and with what
// is known of the file because nobody else does. It is used under Store.mu.
type writer struct {
	conn  *sqlite.Conn
	names *names
	batch staging.Batch

	// live are the runs that are not final and were used since Open.
	live map[int64]staging.Mark
	// See live.go. nextFloor is the floor once the transaction is committed.
	floor, nextFloor, lag int64
	// nameIDs are the numbers of task names; those of the present transaction
	// are in newNames too, and go if it fails. A number is not used twice, so
	// that a reader never sees another name under it.
	nameIDs  map[string]int64
	newNames []string

	begin, commit, rollback                          *sqlite.Stmt
	selectMark, selectFrame                          *sqlite.Stmt
	insertName, joinFrame                            *sqlite.Stmt
	putKeyed, deleteKeyed                            *sqlite.Stmt
	putRecord, deleteRecord                          *sqlite.Stmt
	ownBlob, dropBlob, buryBlobs                     *sqlite.Stmt
	isRecord, dropID                                 *sqlite.Stmt
	enterLive, leaveLive, outlived, setFloor         *sqlite.Stmt
	setKeys, insertBlob, insertChunk, setBlob        *sqlite.Stmt
	deleteBlob, deleteChunks, selectLine             *sqlite.Stmt
	newRuns, setRuns, newTasks, setTasks, reopen     *bulk
	newFrames, setFrames, putFrames, newBlocks, logs *bulk

	expiry expiry
	expiryStatements
}

// query is a statement to prepare.
type query struct {
	st   **sqlite.Stmt
	text string
}

func newWriter(s *Store, conn *sqlite.Conn) (*writer, error) {
	w := &writer{conn: conn, names: &s.names, live: map[int64]staging.Mark{}, lag: defaultLag, nameIDs: map[string]int64{}}
	// A program beside the engine, such as a sqlite3 shell, may hold a lock.
	conn.SetBusyTimeout(busyTimeout)
	for _, q := range append(w.queries(), []query{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.selectMark, "SELECT epoch, state FROM run WHERE id = ?"},
		{&w.selectFrame, "SELECT " + frameColumns + " FROM frame WHERE run = ? AND id = ?"},
		{&w.insertName, "INSERT INTO task_name (id, name) VALUES (?, ?)"},
		{&w.joinFrame, fmt.Sprintf(`UPDATE frame SET pending = pending - ?3, failed = failed + ?4, low = max(low, ?5),
			state = CASE WHEN pending = ?3 THEN %d ELSE state END
			WHERE run = ?1 AND id = ?2 AND state = %d AND pending >= ?3 RETURNING pending`,
			store.FrameClosing, store.FrameOpen)},
		{&w.putKeyed, "INSERT INTO keyed (task_id, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"},
		{&w.deleteKeyed, "DELETE FROM keyed WHERE task_id = ?"},
		{&w.putRecord, `INSERT INTO record (kind, key, value, blob) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET value = excluded.value, blob = excluded.blob`},
		{&w.dropBlob, "UPDATE blob SET run = -1 WHERE id = (SELECT blob FROM record WHERE kind = ? AND key = ? AND blob <> 0)"},
		{&w.dropID, "UPDATE blob SET run = -1 WHERE id = ?"},
		{&w.isRecord, "SELECT (SELECT value FROM record WHERE kind = ? AND key = ?) IS ?"},
		{&w.ownBlob, "UPDATE blob SET run = -2 WHERE id = ?"},
		{&w.buryBlobs, "INSERT OR IGNORE INTO gone_run (id, base) VALUES (-1, 0)"},
		{&w.deleteRecord, "DELETE FROM record WHERE kind = ? AND key = ?"},
		{&w.enterLive, "INSERT OR IGNORE INTO live_run (id) VALUES (?)"},
		{&w.leaveLive, "DELETE FROM live_run WHERE id = ?"},
		{&w.outlived, "INSERT OR IGNORE INTO live_run (id) SELECT id FROM run WHERE id >= ? AND id < ? AND state" + firstFinal("<")},
		{&w.setFloor, "UPDATE meta SET value = ? WHERE key = 'floor'"},
		{&w.setKeys, "UPDATE meta SET value = ? WHERE key = 'keys'"},
		{&w.insertBlob, "INSERT INTO blob (id, run, size) VALUES (?, ?, ?)"},
		{&w.insertChunk, "INSERT INTO blob_chunk (id, data) VALUES (?, ?)"},
		{&w.setBlob, "UPDATE blob SET size = ?2 WHERE id = ?1"},
		{&w.deleteBlob, "DELETE FROM blob WHERE id = ?"},
		{&w.deleteChunks, "DELETE FROM blob_chunk WHERE id >= ? AND id < ?"},
		{&w.selectLine, "SELECT coalesce(max(line), 0), 0 FROM log WHERE run = ?"},
	}...) {
		st, err := conn.Prepare(q.text)
		if err != nil {
			return nil, err
		}
		*q.st = st
	}
	if err := w.prepareBulks(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *writer) prepareBulks() error {
	var errs [10]error
	w.newRuns, errs[0] = insertBulk(w.conn, "run", runColumns, "")
	w.setRuns, errs[1] = updateBulk(w.conn, 6, "run",
		"state=v.column2, gen=v.column3, epoch=v.column4, finished=v.column5, cell=v.column6", "run.id=v.column1")
	w.newTasks, errs[2] = insertBulk(w.conn, "task", taskColumns, "")
	const setTask = "state=v.column2, attempt=v.column3, gen=v.column4, cell=v.column5"
	const isTask = "task.id=v.column1 AND task.attempt=v.column6 AND task.gen=v.column7 AND task.state"
	w.setTasks, errs[3] = updateBulk(w.conn, 7, "task", setTask, isTask+firstFinal("<"))
	w.reopen, errs[4] = updateBulk(w.conn, 7, "task", setTask, isTask+firstFinal(">="))
	w.newFrames, errs[5] = insertBulk(w.conn, "frame", frameColumns, "")
	w.setFrames, errs[6] = updateBulk(w.conn, 4, "frame", "state=v.column3, cell=v.column4",
		fmt.Sprintf("frame.run=v.column1 AND frame.id=v.column2 AND frame.state<>%d", store.FrameDone))
	w.putFrames, errs[7] = insertBulk(w.conn, "frame", frameColumns, ` ON CONFLICT DO UPDATE SET state=excluded.state,
		pending=excluded.pending, failed=excluded.failed, low=excluded.low, cell=excluded.cell`)
	w.newBlocks, errs[8] = insertBulk(w.conn, "block", blockColumns, "")
	w.logs, errs[9] = insertBulk(w.conn, "log", logColumns, "")
	return errors.Join(errs[:]...)
}

// transaction runs f between BEGIN and COMMIT. If it fails, nothing is left of
// it, in the file or in memory.
func (w *writer) transaction(f func() error) error {
	if !w.conn.AutocommitEnabled() { // the rollback before failed as well
		if err := exec(w.rollback); err != nil {
			return err
		}
	}
	err := exec(w.begin)
	if err == nil {
		if err = f(); err == nil {
			err = exec(w.commit)
		}
	}
	if err != nil {
		for _, name := range w.newNames {
			delete(w.nameIDs, name)
		}
		// SQLite has rolled back by itself after some errors, such as a full disk.
		if !w.conn.AutocommitEnabled() {
			if back := exec(w.rollback); back != nil {
				err = fmt.Errorf("%w (and rolling back: %w)", err, back)
			}
		}
	}
	clear(w.newNames)
	w.newNames = w.newNames[:0]
	return err
}

// nameID gives the number of a task name, a new one if need be.
func (w *writer) nameID(name string) (int64, error) {
	if id, ok := w.nameIDs[name]; ok {
		return id, nil
	}
	id := int64(len(*w.names.list.Load())) + 1
	w.insertName.BindInt64(1, id)
	w.insertName.BindText(2, name)
	if err := exec(w.insertName); err != nil {
		return 0, err
	}
	w.names.set(id, name) // before the commit: a reader may see the row at once
	w.nameIDs[name] = id
	w.newNames = append(w.newNames, name)
	return id, nil
}

// Commit applies a batch in one transaction. It looks at no context: a batch
// belongs to many callers.
func (s *Store) Commit(_ context.Context, transitions []*store.Transition) ([]store.FrameRef, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, s.closedError()
	}
	w := s.w
	if err := w.batch.Stage(transitions, w); err != nil {
		return nil, writeError(s.path, err)
	}
	if w.batch.Empty() {
		return nil, nil
	}
	if err := w.transaction(w.apply); err != nil {
		s.check.note(0) // on a full disk, there is room in a log that starts over
		return nil, writeError(s.path, err)
	}
	w.floor = w.nextFloor
	for i := range w.batch.Runs {
		if r := &w.batch.Runs[i]; r.Mark.State.Final() {
			delete(w.live, r.ID)
		} else {
			w.live[r.ID] = r.Mark
		}
	}
	s.check.note(size(&w.batch))
	return w.batch.Closed, nil
}
