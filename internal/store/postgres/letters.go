package postgres

import (
	"context"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/internal/store"
)

// Send puts letters into boxes, and rings there once they are durable.
func (s *Store) Send(ctx context.Context, list []store.Letter) error {
	if len(list) == 0 {
		return nil
	}
	const put = `INSERT INTO @.letter (receiver, sender, body) SELECT v.receiver, $1, v.body
		FROM unnest($2::bigint[], $3::bytea[]) WITH ORDINALITY AS v(receiver, body, n)
		WHERE EXISTS (SELECT 1 FROM @.process p WHERE p.id = v.receiver) ORDER BY v.n`
	w := s.letters
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return err
	}
	err := w.apply(ctx, func(st *statements) {
		st.add(len(list), put, nil, s.Session(),
			column(list, func(l *store.Letter) int64 { return l.To }),
			column(list, func(l *store.Letter) []byte { return l.Body }))
	}, nil)
	if err != nil || s.quiet {
		return err
	}
	rung := make(map[string]bool, 1)
	var names []string
	for i := range list {
		if name := s.channel(list[i].To); !rung[name] {
			rung[name] = true
			names = append(names, name)
		}
	}
	// Not in the transaction: those that notify wait for each other's commit. Who
	// is not rung looks into the box before long.
	if w.conn == nil { // it broke
		return nil
	}
	_, err = w.conn.Exec(ctx, "SELECT pg_notify(name, '') FROM unnest($1::text[]) AS name", names)
	if err != nil && w.conn.IsClosed() {
		w.discard()
	}
	return nil
}

// channel is what a session listens to.
func (s *Store) channel(session int64) string {
	return fmt.Sprintf("runnel_%08x_%d", crc32.ChecksumIEEE([]byte(s.schema)), session)
}

// What Receive asks: what is in the box of a session that lives, and before that that
// letters which are done with go.
var (
	box = ` FROM (SELECT 1 FROM @.process WHERE id = $1 AND beat > 0 AND started = $4) p LEFT JOIN
		(SELECT id, sender, body FROM @.letter WHERE receiver = $1 AND id <> ALL($3) ORDER BY id LIMIT $2) l ON true ORDER BY l.id`
	readBox  = "SELECT l.id, l.sender, l.body, 0::bigint" + box
	emptyBox = "WITH d AS (DELETE FROM @.letter WHERE receiver = $1 AND id = ANY($3)), u AS (" + countEmptied +
		") SELECT l.id, l.sender, l.body, (SELECT applied FROM u)" + box
)

// Receive reads the box, and takes out of it what came before.
func (s *Store) Receive(ctx context.Context, done []int64, limit int) ([]store.Letter, error) {
	if s.closed.Load() {
		return nil, s.closedError()
	}
	text := emptyBox
	if len(done) == 0 {
		text, done = readBox, []int64{}
	}
	me, found := s.Session(), false
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	rows, err := s.calls.Query(bounded, s.sql(text), me, max(limit, 0), done, s.started.Load())
	if err != nil {
		return nil, s.writeError(ctx, err)
	}
	var list []store.Letter
	var id, from, number *int64
	var body []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &from, &body, &number}, func() error {
		found = true
		if id != nil {
			list = append(list, store.Letter{ID: *id, From: *from, To: me, Body: body})
			body = nil
		}
		return nil
	})
	if err == nil && (!found || number == nil) {
		return nil, s.lost()
	}
	if err == nil {
		s.knew(emptied, *number)
	}
	return list, s.writeError(ctx, err)
}

// Bell rings when a letter came.
func (s *Store) Bell() <-chan struct{} { return s.bell.rings }

// bell is a connection that is told when letters come.
type bell struct {
	s     *Store
	rings chan struct{}
	loop  sync.WaitGroup

	mu   sync.Mutex
	stop context.CancelFunc // of what is listened to now
}

// start begins to listen, and goes on until the store is closed. Without it, or
// while the connection is broken, letters come when they are looked for.
func (b *bell) start() {
	b.loop.Go(func() {
		delay := time.Duration(0)
		for b.s.ctx.Err() == nil {
			again := time.NewTimer(delay)
			select {
			case <-again.C:
			case <-b.s.ctx.Done():
				again.Stop()
				return
			}
			began := time.Now()
			b.listen()
			if delay = min(max(2*delay, 50*time.Millisecond), 5*time.Second); time.Since(began) > delay {
				delay = 0
			}
		}
	})
}

// again listens for a new session.
func (b *bell) again() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stop != nil {
		b.stop()
	}
}

// listen rings until the connection breaks, or the session is another one.
func (b *bell) listen() {
	ctx, stop := context.WithCancel(b.s.ctx)
	defer stop()
	b.mu.Lock()
	b.stop = stop
	b.mu.Unlock()
	conn, err := b.s.connect(ctx)
	if err != nil {
		return
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // nobody waits for anything from it
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{b.s.channel(b.s.Session())}.Sanitize()); err != nil {
		return
	}
	for b.ring(); ; b.ring() { // something may have come while nobody listened
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return
		}
	}
}

func (b *bell) ring() {
	select {
	case b.rings <- struct{}{}:
	default:
	}
}
