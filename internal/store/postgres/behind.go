package postgres

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// A database can forget commits that it has acknowledged: when a standby that follows
// asynchronously takes the primary's place, or with synchronous_commit=off. What a
// session holds in memory rests on them. So it counts, in its rows of the table writer,
// all that it rests on, remembers how many of each were acknowledged, and looks whether
// the database still has them whenever it connects anew to write, and with each beat.
// If not, it is lost, as if the others had given it up, and begins anew from what is
// there.
//
// What is written in one order is forgotten from its end. So a session of which nothing
// is missing has all that it had seen of others, too.

// behind is whether the database has forgotten something: of the session $1, which
// knows $4.
const behind = "EXISTS (SELECT 1 FROM @.writer x WHERE x.process = $1 AND x.applied < ($4::bigint[])[x.id + 1])"

// knows gives how many transactions of each kind were acknowledged.
func (s *Store) knows() []int64 {
	list := make([]int64, writers)
	for i := range list {
		list[i] = s.known[i].Load()
	}
	return list
}

// knew takes note of an acknowledged transaction.
func (s *Store) knew(kind int, number int64) {
	for k := &s.known[kind]; ; {
		if was := k.Load(); was >= number || k.CompareAndSwap(was, number) {
			return
		}
	}
}

// count is how a transaction beside the writers is counted.
func count(kind int) string {
	return "UPDATE @.writer SET applied = applied + 1 WHERE process = $1 AND id = " + strconv.Itoa(kind) + " RETURNING applied"
}

var countAside, countEmptied, countNumbered = count(aside), count(emptied), count(numbered)

// counted is fenced, for what is remembered.
func (s *Store) counted(ctx context.Context, fill func(*pgx.Batch)) error {
	var number int64
	err := s.fenced(ctx, func(b *pgx.Batch) {
		fill(b)
		b.Queue(s.sql(countAside), s.Session()).QueryRow(func(row pgx.Row) error { return row.Scan(&number) })
	})
	if err == nil {
		s.knew(aside, number)
	}
	return err
}

// forgotten is the error of a session that rests on what the database has forgotten.
func (s *Store) forgotten() error {
	err := api.Errorf(api.ErrStore, s.location, "the database has forgotten commits that it had acknowledged to session %d of this process, "+
		"as when a standby takes over that did not follow synchronously; the session is given up: %w", s.Session(), store.ErrLost)
	s.log.Error("the database has gone back: this process begins anew from what it has", "store", s.location, "error", err)
	return err
}

// lostOrForgotten tells why a session can't beat any more.
func (s *Store) lostOrForgotten(ctx context.Context) error {
	const look = "SELECT count(*) FROM @.process p WHERE p.id = $1 AND p.beat > 0 AND p.started = $2"
	var rows int
	if err := s.calls.QueryRow(ctx, s.sql(look), s.Session(), s.started.Load()).Scan(&rows); err == nil && rows > 0 {
		return s.forgotten()
	}
	return s.lost()
}
