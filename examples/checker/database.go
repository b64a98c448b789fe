package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// The states that matter here.
const (
	completed = 6 // this one and those above are final
	cancelled = 8
)

// taskRun is a row of the database.
type taskRun struct {
	id, task string
	attempts int // that have ended, as far as is committed
	state    int
	sum      uint32 // of the row's content
}

// database is what the file holds at one moment.
type database struct {
	runs  map[string]int // states by id
	tasks []taskRun
	wrong []string // rows that contradict each other
}

// committed are the task runs with an attempt whose end is committed.
func (d *database) committed() []taskRun {
	var list []taskRun
	for _, t := range d.tasks {
		if t.attempts > 0 {
			list = append(list, t)
		}
	}
	return list
}

// readDatabase reads a copy, so that the program under test finds the file as
// the one that died has left it: opening it would already mend it.
func readDatabase(path string) (*database, error) {
	d := &database{runs: map[string]int{}}
	if strings.Contains(path, "://") {
		return d, d.readPostgres(context.Background(), path)
	}
	dir, err := os.MkdirTemp("", "checker")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	twin := filepath.Join(dir, "copy.db")
	if err := copyFile(path, twin); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return d, nil // killed before it was made
		}
		return nil, err
	}
	if err := copyFile(path+"-wal", twin+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	conn, err := sqlite.OpenConn(twin, sqlite.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("open a copy of %s: %w", path, err)
	}
	defer conn.Close()
	if err := d.read(conn); err != nil {
		return nil, fmt.Errorf("read a copy of %s: %w", path, err)
	}
	return d, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (d *database) read(conn *sqlite.Conn) error {
	tables := 0
	err := query(conn, "SELECT count(*) FROM sqlite_master WHERE name IN ('run', 'task', 'block', 'task_name')",
		func(st *sqlite.Stmt) { tables = st.ColumnInt(0) })
	if err != nil || tables == 0 {
		return err // killed before the tables were made
	}
	if err := query(conn, "PRAGMA integrity_check", func(st *sqlite.Stmt) {
		if s := st.ColumnText(0); s != "ok" {
			d.wrong = append(d.wrong, "integrity check: "+s)
		}
	}); err != nil {
		return err
	}
	if err := query(conn, "SELECT uid, state FROM run", func(st *sqlite.Stmt) {
		d.runs[uuid(st, 0)] = st.ColumnInt(1)
	}); err != nil {
		return err
	}
	if err := sqlitex.ExecuteScript(conn, blocks, nil); err != nil {
		return err
	}
	if err := d.readTasks(conn); err != nil {
		return err
	}
	return d.readBlocks(conn)
}

// blocks makes a table of the blocks of keys. The first one of a run is not in
// the table of the program under test: it begins at the run's base with number
// 0, and ends where the numbers of the others begin.
const blocks = `
	CREATE TEMP TABLE keys AS
		SELECT run, first, count, seq FROM block
		UNION ALL
		SELECT id, base, ifnull((SELECT min(seq) FROM block WHERE run = r.id), 16), 0 FROM run r;
	CREATE INDEX temp.keys_first ON keys (run, first);`

// readBlocks looks for keys and numbers that were given out twice.
func (d *database) readBlocks(conn *sqlite.Conn) error {
	for _, order := range []string{"first", "run, seq"} {
		var run, first, count, seq int64 // of the block before
		err := query(conn, "SELECT run, first, count, seq FROM keys ORDER BY "+order, func(st *sqlite.Stmt) {
			if order == "first" && st.ColumnInt64(1) < first+count || order != "first" && st.ColumnInt64(0) == run && st.ColumnInt64(3) < seq+count {
				d.wrong = append(d.wrong, fmt.Sprintf("the blocks of keys from %d and from %d overlap", first, st.ColumnInt64(1)))
			}
			run, first, count, seq = st.ColumnInt64(0), st.ColumnInt64(1), st.ColumnInt64(2), st.ColumnInt64(3)
			if seq == 0 && count == 16 {
				count = 1 // perhaps more, but that is not known
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readTasks reads the task runs. The id of one is that of the run and the
// number that its key has in the run's blocks of keys.
func (d *database) readTasks(conn *sqlite.Conn) error {
	return query(conn, `SELECT r.uid, b.seq + t.id - b.first, n.name, t.state, t.attempt, t.cell, t.id
		FROM task t LEFT JOIN run r ON r.id = t.run LEFT JOIN task_name n ON n.id = t.name
		LEFT JOIN keys b ON b.run = t.run AND b.first = (
			SELECT max(first) FROM keys WHERE run = t.run AND first <= t.id)
		AND t.id < b.first + b.count`, func(st *sqlite.Stmt) {
		if st.ColumnType(0) == sqlite.TypeNull || st.ColumnType(1) == sqlite.TypeNull || st.ColumnType(2) == sqlite.TypeNull {
			d.wrong = append(d.wrong, fmt.Sprintf("task row %d has no run, name or block of keys", st.ColumnInt64(6)))
			return
		}
		cell := make([]byte, st.ColumnLen(5))
		st.ColumnBytes(5, cell)
		d.add(taskRun{
			id:   fmt.Sprintf("%s/%d", uuid(st, 0), st.ColumnInt64(1)),
			task: st.ColumnText(2), state: st.ColumnInt(3), attempts: st.ColumnInt(4), sum: crc32.ChecksumIEEE(cell),
		})
	})
}

// add takes a task run with the number of its last attempt.
func (d *database) add(t taskRun) {
	if t.state < completed {
		t.attempts-- // the last one is still to come, or to end
	}
	d.tasks = append(d.tasks, t)
}

func uuid(st *sqlite.Stmt, column int) string {
	raw := make([]byte, st.ColumnLen(column))
	st.ColumnBytes(column, raw)
	return idText(raw)
}

// idText is the text of a run's id.
func idText(raw []byte) string {
	if len(raw) != 16 {
		return hex.EncodeToString(raw)
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])
}

func query(conn *sqlite.Conn, text string, row func(*sqlite.Stmt)) error {
	return sqlitex.ExecuteTransient(conn, text, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		row(st)
		return nil
	}})
}
