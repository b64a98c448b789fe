package sqlite

import (
	"strings"

	"zombiezen.com/go/sqlite"
)

// A bulk writes rows of one kind with few calls: prepared statements for 50
// rows, for 12, for 3 and for 1. A statement for each number of rows would be
// kept for good, and one row a call costs a third more.
type bulk struct {
	conn    *sqlite.Conn
	columns int
	sized   []sized
}

type sized struct {
	rows int
	st   *sqlite.Stmt
}

// insertBulk prepares "INSERT INTO table (columns) VALUES (…), …" + suffix.
func insertBulk(conn *sqlite.Conn, table, columns, suffix string) (*bulk, error) {
	n := strings.Count(columns, ",") + 1
	b := &bulk{conn: conn, columns: n}
	for _, rows := range []int{50, 12, 3, 1} {
		query := "INSERT INTO " + table + " (" + columns + ") VALUES " + values(rows, n) + suffix
		if err := b.prepare(rows, query); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// updateBulk prepares "UPDATE table SET set FROM (VALUES (…), …) WHERE where",
// where set and where name the values v.column1, v.column2, … For a few rows
// the form without FROM is cheaper, so there v.columnN stands for a parameter.
// Two rows with the same key would apply once: callers fold those.
func updateBulk(conn *sqlite.Conn, columns int, table, set, where string) (*bulk, error) {
	b := &bulk{conn: conn, columns: columns}
	for _, rows := range []int{50, 12} {
		query := "UPDATE " + table + " SET " + set + " FROM (VALUES " + values(rows, columns) + ") AS v WHERE " + where
		if err := b.prepare(rows, query); err != nil {
			return nil, err
		}
	}
	query := "UPDATE " + table + " SET " + set + " WHERE " + where
	return b, b.prepare(1, strings.ReplaceAll(query, "v.column", "?"))
}

func values(rows, columns int) string {
	row := "(?" + strings.Repeat(",?", columns-1) + ")"
	return row + strings.Repeat(","+row, rows-1)
}

func (b *bulk) prepare(rows int, query string) error {
	st, err := b.conn.Prepare(query)
	b.sized = append(b.sized, sized{rows, st})
	return err
}

// run writes n rows. Bind binds row i, with its first column at param. Each
// statement must change as many rows as it was given: that is the fence.
func (b *bulk) run(n int, bind func(st *sqlite.Stmt, param, i int)) error {
	size := 0
	for i := 0; i < n; {
		for b.sized[size].rows > n-i {
			size++
		}
		s := b.sized[size]
		for k := range s.rows {
			bind(s.st, k*b.columns+1, i+k)
		}
		if _, err := s.st.Step(); err != nil {
			return err
		}
		changed := b.conn.Changes()
		if err := s.st.Reset(); err != nil {
			return err
		}
		if changed != s.rows {
			return errMisfit
		}
		i += s.rows
	}
	return nil
}

// exec runs a statement that gives no rows.
func exec(st *sqlite.Stmt) error {
	if _, err := st.Step(); err != nil {
		return err
	}
	return st.Reset()
}
