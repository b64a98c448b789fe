package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/staging"
)

// writer is a connection that writes for a session: one of them commits, another
// one does what is said between sessions.
//
// A transaction is one message to the server: the statements of a transaction, each
// of which fails if it does not find the rows that it should. So it takes one
// round trip, and the server, not this process, decides whether it counts.
//
// If the connection breaks before the answer is there, nobody knows. Then the
// writer connects anew and takes its row in the table writer: it is its turn now.
// That waits for a transaction that is still in progress, and one that comes later
// does not find that it is its turn. The row says which one was the last.
type writer struct {
	s     *Store
	id    int
	mu    sync.Mutex
	batch staging.Batch

	conn    *pgx.Conn // nil: none at the moment
	turn    int64
	applied int64 // number of the last transaction that counts
}

// The writers of a session, and rows that count what it writes beside them: one for each
// that goes on at the same time.
const (
	commits = iota
	letters
	emptied  // letters that were taken out
	numbered // run numbers
	aside    // all else
	writers  // how many
)

// writeTimeout is how long a transaction, or a connection, may take until the
// connection is taken for broken. One that was only slow is found then.
const writeTimeout = 20 * time.Second

// connect connects, and takes the writer's row.
func (w *writer) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	conn, err := w.s.connect(ctx)
	if err != nil {
		return err
	}
	take := `WITH w AS (UPDATE @.writer SET turn = turn + 1 WHERE process = $1 AND id = $2
		AND EXISTS (SELECT 1 FROM @.process p WHERE p.id = $1 AND p.started = $3) RETURNING turn, applied) SELECT turn, applied, ` + behind + " FROM w"
	if !w.s.pooled {
		take += ", (SELECT " + always + ") s"
	}
	var applied int64
	var back bool
	err = conn.QueryRow(ctx, w.s.sql(take), w.s.Session(), w.id, w.s.started.Load(), w.s.knows()).Scan(&w.turn, &applied, &back)
	switch {
	case isNoRows(err):
		err = w.s.lost()
	case err == nil && back:
		err = w.s.forgotten()
	}
	if err != nil {
		_ = conn.Close(ctx) // it is of no use
		return err
	}
	w.conn, w.applied = conn, applied
	w.s.knew(w.id, applied)
	return nil
}

// discard ends the connection.
func (w *writer) discard() {
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.s.ctx), time.Second)
	defer cancel()
	_ = w.conn.Close(ctx) // nobody waits for anything from it
	w.conn = nil
}

// Commit applies a batch in one transaction. It looks at no context: a batch
// belongs to many callers.
func (s *Store) Commit(_ context.Context, transitions []*store.Transition) ([]store.FrameRef, error) {
	w := s.commits
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return nil, err
	}
	b := &w.batch
	if err := b.Stage(transitions, w); err != nil {
		return nil, w.refused(err)
	}
	if b.Empty() && len(b.CheckRuns) == 0 {
		return nil, nil
	}
	var closed []store.FrameRef
	err := w.apply(s.ctx, func(st *statements) {
		st.addBatch(b, func(ref store.FrameRef) { closed = append(closed, ref) })
	}, func() (err error) {
		closed, err = w.closedBy(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	return append(b.Closed, closed...), nil
}

// PutRecords keeps values under kinds and keys, as a commit does.
func (s *Store) PutRecords(_ context.Context, writes ...store.RecordWrite) error {
	w := s.commits
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return err
	}
	if len(writes) == 0 {
		return nil
	}
	writes, dropped, err := staging.FoldRecords(writes)
	if err != nil {
		return err
	}
	return w.apply(s.ctx, func(st *statements) { st.addRecords(writes, dropped) }, nil)
}

// ready sees to a connection.
func (w *writer) ready() error {
	if w.s.closed.Load() {
		return w.s.closedError()
	}
	if w.conn != nil && !w.conn.IsClosed() {
		return nil
	}
	return w.s.writeError(w.s.ctx, w.connect(w.s.ctx))
}

// apply sends statements as one transaction, and finds out what became of it. If
// that counts but its answers were lost, reread has to find them; nil: there are
// none of interest.
func (w *writer) apply(ctx context.Context, fill func(*statements), reread func() error) error {
	number := w.applied + 1
	st := &statements{s: w.s}
	text := takeTurn
	if w.s.pooled {
		text = takeTurnPooled
	}
	st.add(1, text, nil, w.s.Session(), w.id, w.turn, number)
	fill(st)
	err := w.send(st)
	if err == nil {
		w.applied = number
		w.s.knew(w.id, number)
		return nil
	}
	if st.step == 0 && sqlState(err) == divisionByZero { // it is not this one's turn, or the session's
		w.discard()
		if err := w.ready(); err != nil {
			return err
		}
		return w.s.writeError(w.s.ctx, store.ErrRetry)
	}
	if !unknown(err) {
		return w.refused(err)
	}
	return w.resolve(ctx, number, reread, err)
}

// refused gives the error of a transaction that was not applied. A connection that
// can't be used, such as one to a server that is a standby now, is given up.
func (w *writer) refused(err error) error {
	if w.conn.IsClosed() || sqlState(err) == readOnly {
		w.discard()
	}
	return w.s.writeError(w.s.ctx, err)
}

// unknown reports whether a transaction may have been applied in spite of an
// error: always, but when the server said that it failed or when nothing was sent.
func unknown(err error) bool {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.SeverityUnlocalized != "ERROR" && pe.Severity != "ERROR" || pe.Code == completionUnknown
	}
	return !pgconn.SafeToRetry(err)
}

// resolve finds out whether a transaction was applied whose answer was lost; no
// error if it was. It does not come back before it knows, but when the context or
// the store ends: to whoever committed, "try again" means that nothing was applied.
func (w *writer) resolve(ctx context.Context, number int64, reread func() error, cause error) error {
	w.s.log.Warn("the connection broke during a transaction; finding out whether it counts", "store", w.s.location, "error", cause)
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		w.discard()
		err := w.connect(ctx)
		counts := err == nil && w.applied == number
		if counts && reread != nil {
			err = reread()
		}
		switch {
		case w.s.closed.Load():
			return w.s.closedError()
		case errors.Is(err, store.ErrLost):
			return err
		case err == nil && counts:
			w.s.log.Info("the transaction counts", "store", w.s.location)
			return nil
		case err == nil:
			w.s.log.Info("the transaction does not count and is done again", "store", w.s.location)
			return w.s.writeError(w.s.ctx, errors.Join(store.ErrRetry, cause))
		case ctx.Err() != nil:
			return w.s.writeError(ctx, cause)
		}
		again := time.NewTimer(delay)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
		}
	}
}

// numbers reads some of a query.
func (w *writer) numbers(ctx context.Context, text string, args ...any) ([]int64, error) {
	rows, err := w.conn.Query(ctx, w.s.sql(text), args...)
	if err != nil {
		return nil, w.refused(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, w.refused(err)
	}
	return list, nil
}

// closedBy finds the frames that the batch's joins have closed, once it is
// known that it was applied. All of them were open before it, and nobody has
// written since.
func (w *writer) closedBy(b *staging.Batch) (closed []store.FrameRef, err error) {
	refs := make([]store.FrameRef, 0, len(b.JoinedFrames))
	for i := range b.JoinedFrames {
		refs = append(refs, store.FrameRef{Run: b.JoinedFrames[i].Run, Frame: b.JoinedFrames[i].ID})
	}
	rows, err := w.Frames(refs)
	for _, f := range rows {
		if f.State == store.FrameClosing {
			closed = append(closed, store.FrameRef{Run: f.Run, Frame: f.ID})
		}
	}
	return closed, err
}

// The writer says what is stored: nothing about runs, which the statements check
// themselves, as they number the lines.
var _ staging.Facts = (*writer)(nil)

// Mark knows no run; the key will say of a new one.
func (w *writer) Mark(_ int64, isNew bool) (m staging.Mark, known bool, err error) {
	return m, isNew, nil
}

// Lines leaves the numbers to the statement that inserts the lines.
func (w *writer) Lines(int64) (int64, error) { return 0, nil }

// Frames reads some frames.
func (w *writer) Frames(refs []store.FrameRef) ([]store.FrameRow, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(w.s.ctx, writeTimeout)
	defer cancel()
	const look = "SELECT f.run, f.id, f.parent, f.place, f.kind, f.state, f.base, f.source, f.count, f.pending, f.failed, f.low, f.cell" +
		" FROM unnest($1::bigint[], $2::bigint[]) AS v(run, id) JOIN @.frame f ON f.run = v.run AND f.id = v.id"
	rows, err := w.conn.Query(ctx, w.s.sql(look),
		column(refs, func(r *store.FrameRef) int64 { return r.Run }), column(refs, func(r *store.FrameRef) int64 { return r.Frame }))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, frameRow)
}

// column gives one value of each row.
func column[R, T any](rows []R, value func(*R) T) []T {
	list := make([]T, len(rows))
	for i := range rows {
		list[i] = value(&rows[i])
	}
	return list
}
