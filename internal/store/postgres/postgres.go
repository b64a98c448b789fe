// Package postgres keeps a store in a schema of a PostgreSQL database.
//
// It must not know the engine, nor what a transition means: it checks the
// fences, writes the rows and reads them back. The schema belongs to one process
// at a time (process.go), whose commits go over one connection (writer.go);
// readers have a pool of their own.
package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Options are choices at Open. The zero value is good.
type Options struct {
	// Lease is after how long without a sign of life a process is given up;
	// 0 means 10 s. The parameter lease of the DSN goes first.
	Lease time.Duration
	// Log is told when the database can't be reached, and when it can again;
	// nil means slog.Default.
	Log *slog.Logger
}

// Store is a store.Store in a schema of a PostgreSQL database.
type Store struct {
	*settings
	log   *slog.Logger
	read  *pgxpool.Pool
	w     *writer
	life  *process
	texts sync.Map // of statements, by the text with @ for the schema

	// ctx ends with the store: commits belong to many callers, so none of theirs
	// bounds one.
	ctx    context.Context //nolint:containedctx // see above
	cancel context.CancelFunc
	closed atomic.Bool

	keys, blobs counter
	expiring    sync.Mutex
	expiry      expiry
}

var _ store.Store = (*Store)(nil)

// Open opens the schema that the DSN names, or makes it, and brings it to the
// present version. Its errors wrap api.ErrStore or api.ErrInvalid and say what
// to do.
func Open(ctx context.Context, dsn string, opts Options) (_ *Store, err error) {
	cfg, err := parse(dsn, opts)
	if err != nil {
		return nil, err
	}
	s := &Store{settings: cfg, log: opts.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.keys = counter{s: s, name: "keys", ahead: 1 << 16}
	s.blobs = counter{s: s, name: "blobs", ahead: 16}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			s.cancel()
			s.release()
		}
	}()
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, s.openError(ctx, err)
	}
	defer conn.Close(s.ctx) //nolint:errcheck // it was for the beginning only
	if err := s.migrate(ctx, conn); err != nil {
		return nil, s.openError(ctx, err)
	}
	if s.read, err = pgxpool.NewWithConfig(s.ctx, s.pool.Copy()); err != nil {
		return nil, s.openError(ctx, err)
	}
	if s.life, err = s.enter(ctx, conn); err != nil {
		return nil, s.openError(ctx, err)
	}
	s.life.start()
	s.w = &writer{s: s}
	if err := s.w.connect(ctx); err != nil {
		return nil, s.openError(ctx, err)
	}
	if err := s.sweepBlobs(ctx); err != nil {
		return nil, s.openError(ctx, err)
	}
	return s, nil
}

// connect opens a connection beside the pool.
func (s *Store) connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.ConnectConfig(ctx, s.pool.ConnConfig.Copy())
}

// sql puts the schema in the place of each @ of a statement.
func (s *Store) sql(text string) string {
	if full, ok := s.texts.Load(text); ok {
		return full.(string) //nolint:forcetypeassert // nothing else is in it
	}
	full := strings.ReplaceAll(text, "@.", s.tables)
	s.texts.Store(text, full)
	return full
}

// Location says which schema of which database it is, without a password.
func (s *Store) Location() string { return s.location }

// Close ends everything that is in progress and gives the schema free.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.cancel()
	s.release()
	return nil
}

// release closes what was opened.
func (s *Store) release() {
	if s.w != nil {
		s.w.mu.Lock()
		s.w.discard()
		s.w.mu.Unlock()
	}
	if s.life != nil {
		s.life.leave()
	}
	if s.read != nil {
		s.read.Close()
	}
}

// tx runs f in a transaction that counts only while this process is not given up.
func (s *Store) tx(ctx context.Context, f func(tx pgx.Tx) error) error {
	if s.closed.Load() {
		return s.closedError()
	}
	err := pgx.BeginFunc(ctx, s.read, func(tx pgx.Tx) error {
		var alive int
		err := tx.QueryRow(ctx, s.sql("SELECT 1 FROM @.process WHERE id = $1 AND NOT dead FOR KEY SHARE"), s.life.id).Scan(&alive)
		if errors.Is(err, pgx.ErrNoRows) {
			return s.lost()
		}
		if err != nil {
			return err
		}
		return f(tx)
	})
	return s.writeError(ctx, err)
}

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
		const take = "UPDATE @.counter SET value = value + $2 WHERE name = $1 AND value <= $3 RETURNING value - $2"
		size := n + c.ahead
		err := c.s.read.QueryRow(ctx, c.s.sql(take), c.name, size, int64(1<<62)-n).Scan(&first)
		if err != nil {
			return 0, c.s.writeError(ctx, err)
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

func (s *Store) closedError() error {
	return api.Errorf(api.ErrClosed, s.location, "the store is closed")
}
