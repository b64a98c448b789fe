package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Orphans reads live runs whose session has ended: of each owner that has live
// runs, which are few, the next ones.
func (s *Store) Orphans(ctx context.Context, after int64, limit int) ([]store.RunRow, error) {
	live := "state" + firstFinal("<")
	text := `WITH RECURSIVE o AS (
			(SELECT owner FROM @.run WHERE ` + live + ` ORDER BY owner LIMIT 1)
			UNION ALL SELECT (SELECT r.owner FROM @.run r WHERE r.` + live + ` AND r.owner > o.owner ORDER BY r.owner LIMIT 1)
				FROM o WHERE o.owner IS NOT NULL)
		SELECT ` + readRun + ` FROM o CROSS JOIN LATERAL
			(SELECT ` + runStored + ` FROM @.run r WHERE r.owner = o.owner AND r.` + live + ` AND r.id > $1 ORDER BY r.id LIMIT $2) r
		WHERE NOT EXISTS (SELECT 1 FROM @.process p WHERE p.id = o.owner) ORDER BY r.id LIMIT $2`
	return collect(ctx, s, text, runRow, after, max(limit, 0))
}

// Adopt makes orphans this session's. The runs are locked before it is looked who
// lives, so that nobody looks at an owner of before.
func (s *Store) Adopt(ctx context.Context, runs []int64) (adopted []int64, err error) {
	const orphan = " AND NOT EXISTS (SELECT 1 FROM @.process p WHERE p.id = r.owner)"
	live := "r.id = ANY($1) AND r.state" + firstFinal("<")
	w := s.letters
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return nil, err
	}
	// Which they are is read before, so that it can be known if the answer is lost.
	fit, err := w.numbers(ctx, "SELECT r.id FROM @.run r WHERE "+live+orphan+" ORDER BY r.id", runs)
	if err != nil || len(fit) == 0 {
		return nil, err
	}
	err = w.apply(ctx, func(st *statements) {
		st.add(1, "SELECT 1 FROM @.run r WHERE "+live+" ORDER BY r.id FOR NO KEY UPDATE", nil, fit)
		st.add(1, "UPDATE @.run r SET owner = $2 WHERE "+live+orphan+" RETURNING r.id", func(row pgx.Rows) error {
			var id int64
			err := row.Scan(&id)
			adopted = append(adopted, id)
			return err
		}, fit, s.Session())
	}, func() (err error) {
		adopted, err = w.numbers(ctx, "SELECT r.id FROM @.run r WHERE "+live+" AND r.owner = $2 ORDER BY r.id", fit, s.Session())
		return err
	})
	if err != nil {
		return nil, err
	}
	return adopted, nil
}

// Owner is the session that a live run belongs to.
func (s *Store) Owner(ctx context.Context, run int64) (int64, error) {
	text := `SELECT coalesce((SELECT p.id FROM @.process p WHERE p.id = r.owner AND r.state` + firstFinal("<") + `), 0) FROM @.run# r WHERE r.id = $1`
	owner, found, err := one[int64](ctx, s, text, run)
	if err == nil && !found {
		err = api.Errorf(api.ErrNotFound, s.location, "no run with number %d", run)
	}
	return owner, err
}

// Hold takes a duty that no live session has, or lets it go. Mostly one has it.
func (s *Store) Hold(ctx context.Context, duty string, want bool) (holder int64, err error) {
	if s.closed.Load() {
		return 0, s.closedError()
	}
	const look = `SELECT coalesce((SELECT d.holder FROM @.duty d JOIN @.process h ON h.id = d.holder WHERE d.name = $2), 0)
		FROM @.process WHERE id = $1 AND beat > 0`
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	err = s.calls.QueryRow(bounded, s.sql(look), s.Session(), duty).Scan(&holder)
	switch {
	case isNoRows(err):
		return 0, s.lost()
	case err != nil:
		return 0, s.writeError(ctx, err)
	case !want && holder == s.Session():
		_, err = s.calls.Exec(bounded, s.sql("UPDATE @.duty SET holder = 0 WHERE name = $1 AND holder = $2"), duty, holder)
		return 0, s.writeError(ctx, err)
	case holder != 0 || !want:
		return holder, nil
	}
	w := s.letters
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return 0, err
	}
	// As with Adopt, it is looked who lives after the duty was locked.
	scan := func(row pgx.Rows) error { return row.Scan(&holder) }
	err = w.apply(ctx, func(st *statements) {
		st.add(1, "INSERT INTO @.duty (name, holder) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING", nil, duty)
		st.add(1, "SELECT 1 FROM @.duty WHERE name = $1 FOR UPDATE", nil, duty)
		st.add(1, "UPDATE @.duty d SET holder = $2 WHERE name = $1 AND NOT EXISTS (SELECT 1 FROM @.process p WHERE p.id = d.holder)", nil, duty, s.Session())
		st.add(1, "SELECT holder FROM @.duty WHERE name = $1", scan, duty)
	}, nil)
	if err == nil && holder == 0 { // the answer was lost; who asks again is told
		err = s.writeError(ctx, store.ErrRetry)
	}
	return holder, err
}
