package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// counter gives out numbers, some of which it has taken ahead; what was ahead at
// a crash is lost, and is only numbers.
type counter struct {
	s     *Store
	name  string
	ahead int64

	mu        sync.Mutex
	next, end int64
}

// take gives out n numbers in a row.
func (c *counter) take(ctx context.Context, n int64) (first int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > c.end-c.next {
		size := n + c.ahead
		err := c.s.counted(ctx, func(b *pgx.Batch) {
			const take = "UPDATE @.counter SET value = value + $2 WHERE name = $1 RETURNING value - $2"
			b.Queue(c.s.sql(take), c.name, size).QueryRow(func(row pgx.Row) error { return row.Scan(&first) })
		})
		if err != nil {
			return 0, err
		}
		if first != c.end { // another process has taken some
			c.next = first
		}
		c.end = first + size
	}
	first = c.next
	c.next += n
	return first, nil
}

// drop lets go of what was taken ahead.
func (c *counter) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next, c.end = 0, 0
}

// ReserveKeys gives out keys.
func (s *Store) ReserveKeys(ctx context.Context, n int64) (int64, error) {
	switch {
	case s.closed.Load():
		return 0, s.closedError()
	case n < 1 || n > 1<<61:
		return 0, api.Errorf(api.ErrInvalid, s.location, "can't reserve %d keys", n)
	}
	return s.keys.take(ctx, n)
}

// runNumbers are what is left of the block that was taken last.
type runNumbers struct {
	mu        sync.Mutex
	next, end int64
	since     time.Time
}

// A block of run numbers is let go after a while, so that numbers of all processes
// tell about which run was made before which.
const (
	runBlock = 8192 // as in the migration
	runsKept = time.Second
)

// drop lets go of the block.
func (r *runNumbers) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next, r.end = 0, 0
}

// ReserveRuns gives out run numbers of this session's lane, from blocks of a sequence,
// for which nobody waits.
func (s *Store) ReserveRuns(ctx context.Context, n int64) (int64, error) {
	switch {
	case s.closed.Load():
		return 0, s.closedError()
	case n < 1 || n > runBlock/store.Lanes:
		return 0, api.Errorf(api.ErrInvalid, s.location, "can't reserve %d run numbers at once, only up to %d", n, runBlock/store.Lanes)
	}
	r := &s.numbers
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next+(n-1)*store.Lanes >= r.end || time.Since(r.since) > runsKept {
		var first, number int64
		bounded, cancel := s.bounded(ctx)
		defer cancel()
		err := s.calls.QueryRow(bounded, s.sql(countNumbered+", nextval($2::text::regclass)"), s.Session(), s.tables+"run_number").Scan(&number, &first)
		switch {
		case isNoRows(err):
			return 0, s.lost()
		case err != nil:
			return 0, s.writeError(ctx, err)
		}
		s.knew(numbered, number)
		r.next, r.end, r.since = first+laneOf(s.lane.Load()-first), first+runBlock, time.Now()
	}
	first := r.next
	r.next += n * store.Lanes
	return first, nil
}
