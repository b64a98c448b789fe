package postgres

import (
	"context"
	"errors"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Which runs are old is found by their numbers: they are created in order, so
// Expire walks from the lowest and ends where the young ones begin. An index of
// the times at which runs ended would cost every run.
//
// A run that is too much for one transaction leaves the table run at once and
// stands in gone_run until all of its rows are removed. Blobs that were records'
// have run -1.

// expiry is how far Expire has come. It starts over when the store is opened.
type expiry struct {
	cursor int64 // the run that was looked at last
	young  int   // how many in a row were created too late
}

// sweeper is one call of Expire.
type sweeper struct {
	ctx     context.Context //nolint:containedctx // it ends with the call
	s       *Store
	tx      pgx.Tx
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
	id, base, created, finished int64
	size                        int // in cellUnits
	state                       uint8
}

// Expire removes runs that finished before a time.
func (s *Store) Expire(ctx context.Context, before int64, limit int) (removed int, more bool, err error) {
	s.expiring.Lock()
	defer s.expiring.Unlock()
	x := &sweeper{ctx: ctx, s: s, expiry: s.expiry, before: before, limit: limit, budget: limit}
	err = s.tx(ctx, func(tx pgx.Tx) error {
		x.tx = tx
		return x.run()
	})
	if err != nil {
		return 0, false, err
	}
	s.expiry = x.expiry
	return x.removed, !x.done, nil
}

// Remove removes one run that is final.
func (s *Store) Remove(ctx context.Context, run int64, limit int) (more bool, err error) {
	x := &sweeper{ctx: ctx, s: s, limit: limit, budget: limit}
	err = s.tx(ctx, func(tx pgx.Tx) error {
		x.tx = tx
		return x.remove(run)
	})
	return err == nil && !x.done, err
}

// remove removes a run, or goes on with one that is gone.
func (x *sweeper) remove(run int64) error {
	if _, err := x.tx.Exec(x.ctx, "SELECT "+planner); err != nil {
		return err
	}
	var base int64
	ended, err := x.find("DELETE FROM @.run# WHERE id = $1 AND state"+firstFinal(">=")+" RETURNING base", run, &base)
	if err != nil {
		return err
	}
	if ended {
		x.done, err = x.clear(run, base)
		if err == nil && !x.done {
			err = x.exec("INSERT INTO @.gone_run (id, base) VALUES ($1, $2)", run, base)
		}
		if err == nil {
			err = x.exec(keepLast, run)
		}
		return err
	}
	gone, err := x.find("SELECT base FROM @.gone_run WHERE id = $1", run, &base)
	if err != nil {
		return err
	}
	if !gone {
		return x.refuse(run)
	}
	if x.done, err = x.clear(run, base); err != nil || !x.done {
		return err
	}
	return x.exec("DELETE FROM @.gone_run WHERE id = $1", run)
}

// refuse says why a run is not removed.
func (x *sweeper) refuse(run int64) error {
	var state uint8
	found, err := x.find("SELECT state FROM @.run# WHERE id = $1", run, &state)
	switch {
	case err != nil:
		return err
	case found:
		return api.Errorf(api.ErrConflict, x.s.location, "run number %d is %s", run, api.State(state))
	}
	return api.Errorf(api.ErrNotFound, x.s.location, "no run with number %d", run)
}

const keepLast = "UPDATE @.counter SET value = $1 WHERE name = 'last' AND value < $1"

// run removes what there is to remove, in a transaction.
func (x *sweeper) run() error {
	_, err := x.tx.Exec(x.ctx, "SELECT "+planner)
	if err == nil {
		err = x.finish()
	}
	if err == nil && x.budget > 0 {
		err = x.walk()
	}
	if err == nil && x.last > 0 {
		err = x.exec(keepLast, x.last)
	}
	return err
}

func (x *sweeper) exec(text string, args ...any) error {
	_, err := x.tx.Exec(x.ctx, x.s.sql(text), args...)
	return err
}

// find reads the only row of a query; false if there is none.
func (x *sweeper) find(text string, arg any, values ...any) (found bool, err error) {
	err = x.tx.QueryRow(x.ctx, x.s.sqlFor(text, arg), arg).Scan(values...)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// finish goes on with runs that are gone, and with blobs that were records'.
func (x *sweeper) finish() error {
	for {
		var id, base int64
		found, err := x.find("SELECT id, base FROM @.gone_run WHERE id > $1 ORDER BY id LIMIT 1", 0, &id, &base)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		if done, err := x.clear(id, base); err != nil || !done {
			return err
		}
		if err := x.exec("DELETE FROM @.gone_run WHERE id = $1", id); err != nil {
			return err
		}
	}
	_, err := x.clearBlobs(-1)
	return err
}

// walk looks at the next runs.
func (x *sweeper) walk() error {
	const page = `SELECT id, base, created, finished, (coalesce(octet_length(plan), 0) + coalesce(octet_length(cell), 0)) / 4096, state
		FROM @.run WHERE id > $1 ORDER BY id LIMIT $2`
	rows, err := x.tx.Query(x.ctx, x.s.sql(page), x.expiry.cursor, x.limit)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c candidate, err error) {
		return c, row.Scan(&c.id, &c.base, &c.created, &c.finished, &c.size, &c.state)
	})
	if err != nil {
		return err
	}
	for i := range list {
		if x.budget <= 0 {
			return nil
		}
		if err := x.look(&list[i]); err != nil {
			return err
		}
		if x.expiry.young == x.limit {
			break
		}
	}
	if x.budget > 0 && (len(list) < x.limit || x.expiry.young == x.limit) {
		x.done, x.expiry = true, expiry{}
	}
	return nil
}

// look removes a run if it is old.
func (x *sweeper) look(c *candidate) error {
	x.expiry.cursor = c.id
	if c.created >= x.before {
		x.expiry.young++
		return nil
	}
	x.expiry.young = 0
	if !api.State(c.state).Final() || c.finished >= x.before {
		return nil
	}
	// The run goes first: it may have been retried a moment ago.
	tag, err := x.tx.Exec(x.ctx, x.s.sqlOf(c.id, "DELETE FROM @.run# WHERE id = $1 AND finished < $2 AND state"+firstFinal(">=")), c.id, x.before)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	// It takes a few statements, also if it has no rows.
	x.budget -= 3 + c.size
	x.removed++
	x.last = c.id
	done, err := x.clear(c.id, c.base)
	if err == nil && !done {
		err = x.exec("INSERT INTO @.gone_run (id, base) VALUES ($1, $2)", c.id, c.base)
	}
	return err
}

// clear removes what hangs on a run, and reports whether that was all of it. The
// first keys of a run have no block. A block goes when the task runs in it are
// gone, so that the next call does not look there again.
func (x *sweeper) clear(run, base int64) (done bool, err error) {
	if done, err := x.cut(someTasks, run, base, base+store.FirstBlock); err != nil || !done {
		return false, err
	}
	for {
		var first, count int64
		found, err := x.find("SELECT first, count FROM @.block WHERE run = $1 ORDER BY first LIMIT 1", run, &first, &count)
		if err != nil {
			return false, err
		}
		if !found {
			break
		}
		if done, err := x.cut(someTasks, run, first, first+count); err != nil || !done {
			return false, err
		}
		if err := x.exec("DELETE FROM @.block WHERE run = $1 AND first = $2", run, first); err != nil {
			return false, err
		}
		x.budget--
	}
	for _, kind := range []string{someFrames, someLogs} {
		if done, err := x.cut(kind, run, 0, math.MaxInt64); err != nil || !done {
			return false, err
		}
	}
	return x.clearBlobs(run)
}

// clearBlobs removes the blobs of a run.
func (x *sweeper) clearBlobs(run int64) (done bool, err error) {
	for {
		var id int64
		found, err := x.find("SELECT id FROM @.blob WHERE run = $1 ORDER BY id LIMIT 1", run, &id)
		if err != nil || !found {
			return err == nil, err
		}
		if done, err := x.cut(someChunks, id, 0, maxChunks); err != nil || !done {
			return false, err
		}
		if err := x.exec("DELETE FROM @.blob WHERE id = $1", id); err != nil {
			return false, err
		}
		x.budget--
	}
}

// cut removes rows of one kind with from <= key < to while there is budget, and
// reports whether none are left.
func (x *sweeper) cut(kind string, of, from, to int64) (done bool, err error) {
	if x.budget <= 0 {
		return false, nil
	}
	var cost int
	if err := x.tx.QueryRow(x.ctx, x.s.sqlFor(kind, of), of, from, to, x.budget).Scan(&cost); err != nil {
		return false, err
	}
	x.budget -= cost
	return x.budget > 0, nil
}

// some makes a statement that removes rows of a run in the order of their keys
// until they cost as much as the last parameter says, and gives what they cost:
// one, and one more for each 4 KiB of a value.
func some(table, of, key, value string) string {
	return `WITH x AS (SELECT ` + key + ` AS key, cost, cost_here FROM (
			SELECT ` + key + `, 1 + coalesce(octet_length(` + value + `), 0) / 4096 AS cost_here,
				sum(1 + coalesce(octet_length(` + value + `), 0) / 4096) OVER (ORDER BY ` + key + `) AS cost
			FROM @.` + table + ` WHERE ` + of + ` = $1 AND ` + key + ` >= $2 AND ` + key + ` < $3 ORDER BY ` + key + ` LIMIT $4) c
		WHERE cost - cost_here < $4),
		d AS (DELETE FROM @.` + table + ` t USING x WHERE t.` + of + ` = $1 AND t.` + key + ` = x.key)
		SELECT coalesce(max(cost), 0)::bigint FROM x`
}

var (
	someTasks  = some("task#", "run", "id", "cell")
	someFrames = some("frame", "run", "id", "cell")
	someLogs   = some("log", "run", "line", "text")
	someChunks = some("blob_chunk", "blob", "number", "data")
)
