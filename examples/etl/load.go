package main

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel"
)

// create makes the table of the second database, if there is none.
var create = runnel.NewTask1("create", func(ctx context.Context, db string) (runnel.None, error) {
	conn, err := open(ctx, db)
	if err != nil {
		return runnel.None{}, err
	}
	defer conn.Close()
	return runnel.None{}, sqlitex.ExecuteTransient(conn, `CREATE TABLE IF NOT EXISTS sale (id INTEGER PRIMARY KEY, customer INTEGER, cents INTEGER)`, nil)
})

func createTable(f runnel.Flow, db string) error {
	_, err := create.Call(f, db)
	return err
}

func open(ctx context.Context, db string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(db, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		return nil, err
	}
	conn.SetBlockOnBusy()
	conn.SetInterrupt(ctx.Done())
	return conn, nil
}

// loadFile writes the rows of a file, in one transaction. A row that is there stays
// as it is, so a body that runs twice changes nothing.
func loadFile(ctx context.Context, path, db string) (n int64, err error) {
	conn, err := open(ctx, db)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return 0, err
	}
	defer end(&err)
	st, err := conn.Prepare("INSERT OR IGNORE INTO sale (id, customer, cents) VALUES (?, ?, ?)")
	if err != nil {
		return 0, err
	}
	err = eachRow(ctx, path, func(r row) error {
		st.BindInt64(1, r.id)
		st.BindInt64(2, int64(r.customer))
		st.BindInt64(3, r.cents)
		if _, err := st.Step(); err != nil {
			return err
		}
		n++
		return st.Reset()
	})
	return n, err
}

// stored checks that the second database has each row once.
func stored(ctx context.Context, db string, want int) error {
	conn, err := open(ctx, db)
	if err != nil {
		return err
	}
	defer conn.Close()
	got := int64(0)
	err = sqlitex.ExecuteTransient(conn, "SELECT count(*) FROM sale", &sqlitex.ExecOptions{
		ResultFunc: func(st *sqlite.Stmt) error { got = st.ColumnInt64(0); return nil },
	})
	if err == nil && got != int64(want) {
		err = fmt.Errorf("the second database has %d rows, want %d", got, want)
	}
	return err
}
