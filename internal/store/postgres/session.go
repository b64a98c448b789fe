package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/runnel-dev/runnel/internal/store"
)

// A session is a row in the table process, and rows for its writers. It ends when
// these rows are deleted, by itself or by others who find that it shows no life.
//
// Whatever it writes changes one of its writers' rows, or holds a lock on its own
// that lets it beat, but not end. So what it writes is there before it ends, or
// never.

const minLease = 100 * time.Millisecond

// now is the database's clock in microseconds: only one clock is compared.
const now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

// join begins a session.
func (s *Store) join(ctx context.Context) error {
	const begin = `WITH p AS (INSERT INTO @.process (name, started, beat, lease) VALUES ($1, ` + now + `, ` + now + `, $2) RETURNING id, started),
		w AS (INSERT INTO @.writer (process, id, turn, applied) SELECT p.id, w.id, 0, 0 FROM p, generate_series(0, $3::int - 1) AS w(id))
		SELECT id, started FROM p`
	var id, started int64
	err := s.calls.QueryRow(ctx, s.sql(begin), s.name, s.lease.Microseconds(), writers).Scan(&id, &started)
	if err == nil {
		s.session.Store(id)
		s.started.Store(started)
		for i := range s.known {
			s.known[i].Store(0)
		}
	}
	return err
}

// Session is the number of this process's session.
func (s *Store) Session() int64 { return s.session.Load() }

// Rejoin begins a new session in place of one that was given up.
func (s *Store) Rejoin(ctx context.Context) error {
	s.commits.mu.Lock()
	defer s.commits.mu.Unlock()
	s.letters.mu.Lock()
	defer s.letters.mu.Unlock()
	if s.closed.Load() {
		return s.closedError()
	}
	s.commits.discard()
	s.letters.discard()
	err := s.quit(ctx)
	if err == nil {
		err = s.join(ctx)
	}
	s.bell.again()
	return s.writeError(ctx, err)
}

// quit ends what is left of the session before another one begins in its place, and
// lets go of what it had taken ahead. It may be there still: after commits that the
// database has forgotten.
func (s *Store) quit(ctx context.Context) error {
	const mine = "SELECT count(*) FROM @.process WHERE id = $1 AND started = $2"
	var rows int
	if err := s.calls.QueryRow(ctx, s.sql(mine), s.Session(), s.started.Load()).Scan(&rows); err != nil {
		return err
	}
	s.keys.drop()
	s.blobs.drop()
	s.numbers.drop()
	if rows == 0 {
		return nil
	}
	_, err := s.end(ctx, s.calls, s.Session())
	return err
}

// leave ends the session. If the database can't be told, others give it up.
func (s *Store) leave() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), min(s.lease, 5*time.Second))
	defer cancel()
	if _, err := s.end(ctx, s.calls, s.Session()); err != nil {
		s.log.Warn("the database was not told that this process has ended; others find out when its lease runs out", "store", s.location, "error", err)
	}
}

// end removes a session with all that is its own, and reports whether it was
// there. It waits for what the session is writing.
func (s *Store) end(ctx context.Context, on sender, session int64) (ended bool, err error) {
	b := &pgx.Batch{}
	b.Queue(s.sql("DELETE FROM @.writer WHERE process = $1"), session)
	b.Queue(s.sql("DELETE FROM @.process WHERE id = $1"), session).Exec(func(tag pgconn.CommandTag) error {
		ended = tag.RowsAffected() > 0
		return nil
	})
	b.Queue(s.sql("DELETE FROM @.duty d WHERE holder = $1 AND NOT EXISTS (SELECT 1 FROM @.process p WHERE p.id = d.holder)"), session)
	// Also letters that came to others when they had just ended.
	b.Queue(s.sql("DELETE FROM @.letter l WHERE NOT EXISTS (SELECT 1 FROM @.process p WHERE p.id = l.receiver)"))
	return ended, on.SendBatch(ctx, b).Close()
}

// Beat renews the lease, and gives up those who did not renew theirs.
func (s *Store) Beat(ctx context.Context, offer []byte) (live []store.Member, lost int, err error) {
	if s.closed.Load() {
		return nil, 0, s.closedError()
	}
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	seen, err := s.beat(bounded, offer)
	if err != nil && passes(err) && bounded.Err() == nil {
		seen, err = s.beat(bounded, offer) // over a new connection
	}
	if err != nil {
		return nil, 0, s.writeError(ctx, err)
	}
	if len(seen) == 0 {
		return nil, 0, s.lostOrForgotten(bounded)
	}
	s.choose(seen)
	patient := s.patient(seen)
	for i := range seen {
		m := &seen[i]
		if m.Session != s.Session() && m.late > 0 && !patient {
			gone, err := s.giveUp(bounded, m)
			if err != nil {
				s.log.Warn("a process that shows no life can't be given up yet", "store", s.location, "session", m.Session, "name", m.Name, "error", err)
			}
			if gone {
				lost++
				continue
			}
		}
		live = append(live, m.Member)
	}
	return live, lost, nil
}

// seen is a session as a beat found it. Times are of the database's clock.
type seen struct {
	store.Member

	beat, late, now int64
}

// beat renews the lease, and reads all sessions; none if this one has ended.
func (s *Store) beat(ctx context.Context, offer []byte) ([]seen, error) {
	const text = `WITH me AS (UPDATE @.process SET beat = ` + now + `, offer = $2 WHERE id = $1 AND beat > 0 AND started = $3 AND NOT ` + behind + ` RETURNING id)
		SELECT p.id, p.name, p.started, CASE p.id WHEN $1 THEN $2 ELSE p.offer END, p.beat, c.now - p.beat - p.lease, c.now
		FROM @.process p, (SELECT ` + now + ` AS now) c WHERE EXISTS (SELECT 1 FROM me) ORDER BY p.id`
	rows, err := s.calls.Query(ctx, s.sql(text), s.Session(), offer, s.started.Load(), s.knows())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m seen, err error) {
		return m, row.Scan(&m.Session, &m.Name, &m.Started, &m.Offer, &m.beat, &m.late, &m.now)
	})
}

// patient reports whether others have some time yet to show life: they have when
// this session could not beat for a while either, since the database was away.
func (s *Store) patient(list []seen) bool {
	half := s.lease.Microseconds() / 2
	for i := range list {
		if m := &list[i]; m.Session == s.Session() { // as it was before this beat
			if m.now-m.beat > half {
				s.patience.Store(m.now + half)
			}
			return m.now < s.patience.Load()
		}
	}
	return true
}

// bounded is for what a process that lives must not wait for.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.lease/2)
}

// giveUp ends a session that shows no life, and reports whether it did.
func (s *Store) giveUp(ctx context.Context, m *seen) (gone bool, err error) {
	// It can't begin anything more.
	tag, err := s.calls.Exec(ctx, s.sql("UPDATE @.process SET beat = 0 WHERE id = $1 AND beat + lease < "+now), m.Session)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	// One session at a time, given up by one other: who waits here waits for the
	// session, so it is clear who is in the way. A context bounds it all.
	err = pgx.BeginFunc(ctx, s.calls, func(tx pgx.Tx) error {
		var pid int32
		first := `SELECT pg_backend_pid(), ` + untilIdle + ` FROM @.counter WHERE name = 'giving' FOR UPDATE SKIP LOCKED`
		if err := tx.QueryRow(ctx, s.sql(first), s.lease.Milliseconds()).Scan(&pid, nil); err != nil {
			return err
		}
		// What it writes is a few milliseconds away from its end, unless its process
		// stood still while it sent it.
		stuck := time.AfterFunc(min(time.Second, s.lease/8), func() { s.unblock(ctx, pid) })
		defer stuck.Stop()
		gone, err = s.end(ctx, tx, m.Session)
		return err
	})
	if isNoRows(err) {
		return false, nil // another session is at it
	}
	if err == nil && gone {
		s.log.Warn("a process that showed no life was given up, and its work is for others", "store", s.location, "session", m.Session, "name", m.Name)
	}
	return gone && err == nil, err
}

// untilIdle has the server end the transaction when it waits for its process for
// as long as a parameter says, in milliseconds.
const untilIdle = "set_config('idle_in_transaction_session_timeout', $1::bigint::text, true)"

// unblock ends the connections for which another one waits.
func (s *Store) unblock(ctx context.Context, pid int32) {
	s.log.Warn("a transaction of a process that shows no life is in the way and is ended", "store", s.location)
	if _, err := s.calls.Exec(ctx, "SELECT pg_terminate_backend(b) FROM unnest(pg_blocking_pids($1)) AS b", pid); err != nil {
		s.log.Warn("it can't be ended", "store", s.location, "error", err)
	}
}

// sender is a connection, a transaction or a pool.
type sender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}
