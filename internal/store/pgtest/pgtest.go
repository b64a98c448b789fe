// Package pgtest gives tests schemas of their own on the PostgreSQL server of
// RUNNEL_POSTGRES, and servers of their own where they need one.
//
// It must not know the store. Without a server tests fail; none is skipped.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Server gives the DSN of the server that tests may use.
func Server(tb testing.TB) string {
	tb.Helper()
	return env(tb, "RUNNEL_POSTGRES")
}

// RestartCommand gives the command that restarts the server.
func RestartCommand(tb testing.TB) string {
	tb.Helper()
	return env(tb, "RUNNEL_POSTGRES_RESTART")
}

func env(tb testing.TB, name string) string {
	tb.Helper()
	value := os.Getenv(name)
	if value == "" {
		tb.Fatal(name + " is not set: run `make test`, or `scripts/with-postgres go test …`, which start a PostgreSQL of their own")
	}
	return value
}

// With adds a parameter to a DSN.
func With(dsn, name, value string) string {
	sep := "?"
	if strings.Contains(dsn, "?") {
		sep = "&"
	}
	// To PostgreSQL a plus is no space.
	return dsn + sep + name + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

var schemas atomic.Int64

// DSN gives one with a schema of its own, which goes after the test.
func DSN(tb testing.TB) string {
	tb.Helper()
	dsn := With(Server(tb), "schema", fmt.Sprintf("Test \"%d\" %d", os.Getpid(), schemas.Add(1)))
	tb.Cleanup(func() { Exec(tb, "DROP SCHEMA IF EXISTS "+Schema(tb, dsn)+" CASCADE") })
	return dsn
}

// Schema gives the name of a DSN's schema, quoted.
func Schema(tb testing.TB, dsn string) string {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	return pgx.Identifier{u.Query().Get("schema")}.Sanitize()
}

// Connect opens a connection beside the store.
func Connect(tb testing.TB) *pgx.Conn {
	tb.Helper()
	return connect(tb, Server(tb))
}

func connect(tb testing.TB, dsn string) *pgx.Conn {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		tb.Fatalf("connecting: %v", err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(ctx); err != nil {
			tb.Errorf("closing a connection: %v", err)
		}
	})
	return conn
}

// Exec runs a statement beside the store.
func Exec(tb testing.TB, text string, args ...any) {
	tb.Helper()
	if _, err := Connect(tb).Exec(context.WithoutCancel(tb.Context()), text, args...); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
}

// Number runs a query beside the store that gives one.
func Number(tb testing.TB, text string, args ...any) (n int64) {
	tb.Helper()
	if err := Connect(tb).QueryRow(context.WithoutCancel(tb.Context()), text, args...).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return n
}
