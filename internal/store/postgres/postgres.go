// Package postgres keeps a store in a schema of a PostgreSQL database.
//
// It must not know the engine, nor what a transition means: it checks the
// fences, writes the rows and reads them back. Any number of processes may have
// the schema open, each with a session (session.go). Commits go over one
// connection of the process (writer.go); readers have a pool of their own.
package postgres

import (
	"context"
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
	// Name is what people know the process by; "" means host and process id.
	Name string
	// Log is told when the database can't be reached, and when it can again;
	// nil means slog.Default.
	Log *slog.Logger
}

// Store is a store.Store in a schema of a PostgreSQL database.
type Store struct {
	*settings
	log      *slog.Logger
	name     string        // of the process, for people
	read     *pgxpool.Pool // for readers
	calls    *pgxpool.Pool // for what must not wait for readers
	session  atomic.Int64
	started  atomic.Int64          // when the session began, by the database's clock: tells it from others of its number
	known    [writers]atomic.Int64 // see behind.go
	lane     atomic.Int64          // see lanes.go
	schemaID atomic.Int64          // see schemaNumber; 0: not read yet
	commits  *writer
	letters  *writer // what is said between sessions
	bell     *bell
	texts    sync.Map // of statements, by the text with @ for the schema, and # for the lane

	// ctx ends with the store: commits belong to many callers, so none of theirs
	// bounds one.
	ctx    context.Context //nolint:containedctx // see above
	cancel context.CancelFunc
	closed atomic.Bool

	patience    atomic.Int64 // until then others are not given up, by the database's clock
	keys, blobs counter
	numbers     runNumbers
	expiring    sync.Mutex
	expiry      expiry
}

var _ store.Outside = (*Store)(nil)

// Open opens the schema that the DSN names, or makes it, and brings it to the
// present version. Its errors wrap api.ErrStore or api.ErrInvalid and say what
// to do.
func Open(ctx context.Context, dsn string, opts Options) (_ *Store, err error) {
	cfg, err := parse(dsn, opts)
	if err != nil {
		return nil, err
	}
	s := &Store{settings: cfg, log: opts.Log, name: opts.Name}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.name == "" {
		s.name = store.ProcessName()
	}
	s.keys = counter{s: s, name: "keys", ahead: 1 << 16}
	s.blobs = counter{s: s, name: "blobs", ahead: 16}
	s.commits, s.letters = &writer{s: s, id: commits}, &writer{s: s, id: letters}
	s.bell = &bell{s: s, rings: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			s.cancel()
			s.release()
		}
	}()
	if err := s.open(ctx); err != nil {
		return nil, s.openError(ctx, err)
	}
	if !s.quiet {
		s.bell.start()
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	err = s.migrate(ctx, conn)
	_ = conn.Close(s.ctx) // it was for the beginning only
	if err != nil {
		return err
	}
	if s.read, err = pgxpool.NewWithConfig(s.ctx, s.pool.Copy()); err != nil {
		return err
	}
	calls := s.pool.Copy()
	calls.MaxConns, calls.MinConns, calls.MinIdleConns = callConns, 0, 0
	// They come each second; a broken one is found out by what is to be said.
	calls.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	if s.calls, err = pgxpool.NewWithConfig(s.ctx, calls); err != nil {
		return err
	}
	if err := s.join(ctx); err != nil {
		return err
	}
	if err := s.commits.connect(ctx); err != nil {
		return err
	}
	return s.sweepBlobs(ctx)
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

// Lease is after how long without a beat the session is given up.
func (s *Store) Lease() time.Duration { return s.lease }

// Location says which schema of which database it is, without a password.
func (s *Store) Location() string { return s.location }

// Close ends everything that is in progress, and the session.
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
	s.bell.loop.Wait()
	for _, w := range []*writer{s.commits, s.letters} {
		w.mu.Lock()
		w.discard()
		w.mu.Unlock()
	}
	if s.Session() != 0 {
		s.leave()
	}
	for _, pool := range []*pgxpool.Pool{s.calls, s.read} {
		if pool != nil {
			pool.Close()
		}
	}
}

// fence has a transaction count only while its session lives, and keeps the
// session from ending before it. It divides by zero, as checked does.
const fence = "WITH p AS (SELECT 1 FROM @.process WHERE id = $1 AND beat > 0 AND started = $2 FOR KEY SHARE) SELECT 1 / count(*) FROM p"

// fenced sends statements as one transaction beside the writers.
func (s *Store) fenced(ctx context.Context, fill func(*pgx.Batch)) error {
	if s.closed.Load() {
		return s.closedError()
	}
	b, alive := &pgx.Batch{}, false
	b.Queue(s.sql(fence), s.Session(), s.started.Load()).QueryRow(func(row pgx.Row) error {
		err := row.Scan(nil)
		alive = err == nil
		return err
	})
	fill(b)
	err := s.read.SendBatch(ctx, b).Close()
	if !alive && sqlState(err) == divisionByZero {
		return s.lost()
	}
	return s.writeError(ctx, err)
}

// tx runs f in a transaction beside the writers.
func (s *Store) tx(ctx context.Context, f func(tx pgx.Tx) error) error {
	if s.closed.Load() {
		return s.closedError()
	}
	err := pgx.BeginFunc(ctx, s.read, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, s.sql("SELECT "+untilIdle+" FROM @.process WHERE id = $2 AND beat > 0 FOR KEY SHARE"),
			s.lease.Milliseconds(), s.Session()).Scan(nil)
		if isNoRows(err) {
			return s.lost()
		}
		if err != nil {
			return err
		}
		return f(tx)
	})
	return s.writeError(ctx, err)
}

func (s *Store) closedError() error {
	return api.Errorf(api.ErrClosed, s.location, "the store is closed")
}
