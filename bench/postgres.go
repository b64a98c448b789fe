package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// server is the variable with the DSN of the PostgreSQL server to measure on; as
// scripts/with-postgres sets it.
const server = "RUNNEL_POSTGRES"

// onPostgres adds what is measured on PostgreSQL.
func onPostgres(add func(store, name string, n int, do func(context.Context, *meter) error, ceiling string) string) {
	two := add("postgres", "W4-ceiling", 300, ceilingOneByOne, "")
	add("postgres", "W4", 300, oneByOne, two)
	runs := add("postgres", "W1-ceiling", 100_000, ceilingRuns, "")
	add("postgres", "W1-bulk", 100_000, bulk, runs)
	add("postgres", "W1-256", 100_000, from256, runs)
	add("postgres", "W1-three", 99_999, together(3), runs)
	steps := add("postgres", "W2-ceiling", 100_000, ceilingSteps, "")
	add("postgres", "W2-1000", 100_000, chains(1000), steps)
	add("postgres", "W2-20", 2000, chains(20), steps)
	for _, n := range []int{10_000, 100_000} {
		children := add("postgres", "W3-ceiling", n, ceilingChildren, "")
		add("postgres", "W3-each", n, each, children)
	}
	add("postgres", "W5-calls", 10_000, flowCalls, "")
	add("postgres", "W5-submits", 10_000, flowSubmits, "")
}

// inSchema calls f with the DSN of a schema that is there for it alone. What was
// written before is on the disk then, so that nobody pays for it in f.
func inSchema(ctx context.Context, f func(dsn string) error) error {
	dsn := os.Getenv(server)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	name := fmt.Sprintf("bench_%d", os.Getpid())
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	separator := "?"
	if strings.Contains(dsn, "?") {
		separator = "&"
	}
	err = f(dsn + separator + "schema=" + url.QueryEscape(name))
	_, dropped := conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{name}.Sanitize()+" CASCADE")
	return errors.Join(err, dropped)
}
