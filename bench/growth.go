package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5"
)

// growthEach is how many tasks each process does of what is counted.
const growthEach = 20_000

// grown is what a server was asked to do, by so many processes at a time, for each
// task: counts, which do not depend on how fast the machine is.
type grown struct {
	Workload  string `json:"workload"`
	Processes int    `json:"processes"`
	Tasks     int    `json:"tasks"`
	// Statements are all that the server was sent, Commits those transactions of a
	// process that change runs, and Rows how many task runs one of them inserts.
	Statements float64 `json:"statements_per_task"`
	Commits    float64 `json:"commits_per_task"`
	Rows       float64 `json:"tasks_per_commit"`
	Letters    float64 `json:"letters_per_task"`
	WAL        float64 `json:"wal_bytes_per_task"`
	// LockWait is for how long connections have waited for what others had locked,
	// Extend for the end of a table's file, to which another one was just adding.
	LockWait  float64 `json:"lock_wait_us_per_task"`
	Extend    float64 `json:"extend_wait_us_per_task"`
	Deadlocks int64   `json:"deadlocks"`
	Rollbacks int64   `json:"rollbacks"` // those and conflicts; also what a process has cut off as it ended

	// Beside one process alone.
	StatementsRatio float64 `json:"statements_ratio"`
	WALRatio        float64 `json:"wal_ratio"`
}

// growth counts what the server does for each task, with more and more processes, and
// prints a line for each.
func growth(ctx context.Context, each int, counts []int, out io.Writer) (all []grown, err error) {
	if err := countStatements(ctx); err != nil {
		return nil, err
	}
	for _, processes := range counts {
		g, err := grow(ctx, processes, each)
		if err != nil {
			return nil, fmt.Errorf("%d processes: %w", processes, err)
		}
		one := &g
		if len(all) > 0 {
			one = &all[0]
		}
		g.StatementsRatio, g.WALRatio = round(g.Statements/one.Statements, 2), round(g.WAL/one.WAL, 2)
		all = append(all, g)
		if err := json.NewEncoder(out).Encode(g); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// countStatements has the server count statements, which takes a restart.
func countStatements(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, os.Getenv(server))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	const extension = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"
	var loaded bool
	const look = "SELECT current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'"
	if err := conn.QueryRow(ctx, look).Scan(&loaded); err != nil {
		return err
	}
	if loaded {
		_, err := conn.Exec(ctx, extension)
		return err
	}
	restart := os.Getenv(server + "_RESTART")
	if restart == "" {
		return errors.New("statements can't be counted: start the server with shared_preload_libraries = 'pg_stat_statements'")
	}
	if _, err := conn.Exec(ctx, "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'"); err != nil {
		return err
	}
	if said, err := exec.CommandContext(ctx, restart).CombinedOutput(); err != nil {
		return fmt.Errorf("restarting the server: %w\n%s", err, said)
	}
	again, err := pgx.Connect(ctx, os.Getenv(server))
	if err != nil {
		return err
	}
	defer again.Close(ctx)
	_, err = again.Exec(ctx, extension)
	return err
}

// grow counts while so many processes do so many tasks each, on a schema of theirs.
func grow(ctx context.Context, processes, each int) (g grown, err error) {
	conn, err := pgx.Connect(ctx, os.Getenv(server))
	if err != nil {
		return g, err
	}
	defer conn.Close(ctx)
	tasks := processes * each
	g = grown{Workload: "growth", Processes: processes, Tasks: tasks}
	var before, after serverCounts
	err = inSchema(ctx, func(dsn string) error {
		err := inParts(ctx, dsn, processes, each, func(do func() error) error {
			if err := before.read(ctx, conn); err != nil {
				return err
			}
			waits := make(chan waited)
			watching, stop := context.WithCancel(ctx)
			go func() { waits <- watchLocks(watching) }()
			if _, err := conn.Exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
				stop()
				return errors.Join(err, (<-waits).err)
			}
			err := do()
			stop()
			w := <-waits
			g.LockWait, g.Extend = perTask(w.rows.Seconds()*1e6, tasks, 3), perTask(w.extend.Seconds()*1e6, tasks, 3)
			return errors.Join(err, w.err, g.read(ctx, conn), after.read(ctx, conn))
		})
		if err != nil {
			return err
		}
		g.WAL = perTask(float64(after.wal-before.wal), tasks, 1)
		// What they have counted is there to be read when they have ended.
		return after.read(ctx, conn)
	})
	g.Deadlocks, g.Rollbacks = after.deadlocks-before.deadlocks, after.rollbacks-before.rollbacks
	return g, err
}

func perTask(sum float64, tasks, digits int) float64 { return round(sum/float64(tasks), digits) }

// serverCounts are those that only rise.
type serverCounts struct{ wal, deadlocks, rollbacks int64 }

func (c *serverCounts) read(ctx context.Context, conn *pgx.Conn) error {
	const text = `SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, deadlocks, xact_rollback FROM pg_stat_database WHERE datname = current_database()`
	return conn.QueryRow(ctx, text).Scan(&c.wal, &c.deadlocks, &c.rollbacks)
}

// read reads how often statements were run, but for those that look.
func (g *grown) read(ctx context.Context, conn *pgx.Conn) error {
	const text = `SELECT coalesce(sum(calls), 0)::float8,
			coalesce(sum(calls) FILTER (WHERE query LIKE 'WITH u AS (UPDATE %.writer SET %'), 0)::float8,
			coalesce(sum(calls) FILTER (WHERE query LIKE 'INSERT INTO %.letter %'), 0)::float8,
			coalesce(sum(calls) FILTER (WHERE query LIKE 'INSERT INTO %.task\_%'), 0)::float8,
			coalesce(sum(rows) FILTER (WHERE query LIKE 'INSERT INTO %.task\_%'), 0)::bigint
		FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database() WHERE query !~ 'pg_stat_'`
	var calls, turns, letters, inserts float64
	var rows int
	if err := conn.QueryRow(ctx, text).Scan(&calls, &turns, &letters, &inserts, &rows); err != nil {
		return err
	}
	if rows < g.Tasks || rows > g.Tasks+g.Tasks/100 { // a transaction that is done again counts twice
		return fmt.Errorf("the server has counted %d task runs, want %d", rows, g.Tasks)
	}
	g.Statements, g.Commits = perTask(calls, g.Tasks, 5), perTask(turns-letters, g.Tasks, 5)
	g.Letters, g.Rows = perTask(letters, g.Tasks, 5), round(float64(rows)/inserts, 1)
	return nil
}

// waited is for how long, of all connections together.
type waited struct {
	rows, extend time.Duration
	err          error
}

// watchLocks looks again and again who waits for a lock, until the context ends.
func watchLocks(ctx context.Context) (w waited) {
	if ctx.Err() != nil {
		return w
	}
	open := context.WithoutCancel(ctx)
	conn, err := pgx.Connect(open, os.Getenv(server))
	if err != nil {
		return waited{err: err}
	}
	defer conn.Close(open)
	const text = `SELECT count(*) FILTER (WHERE wait_event <> 'extend'), count(*) FILTER (WHERE wait_event = 'extend')
		FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return w
		case <-every.C:
		}
		var rows, extend int64
		if w.err = conn.QueryRow(open, text).Scan(&rows, &extend); w.err != nil {
			return w
		}
		now := time.Now()
		w.rows += time.Duration(rows) * now.Sub(last)
		w.extend += time.Duration(extend) * now.Sub(last)
		last = now
	}
}
