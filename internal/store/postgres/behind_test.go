package postgres_test

import (
	"errors"
	"testing"

	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
	"github.com/runnel-dev/runnel/internal/store/postgres"
)

// Whatever a session keeps in memory of what was acknowledged: when the database has
// forgotten it, the session is lost, with its next beat and with its next commit. The
// one that begins in its place has what there is.
func TestForgotten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		do   func(t *testing.T, s *postgres.Store) error
	}{
		{"a commit", func(t *testing.T, s *postgres.Store) error {
			_, err := s.Commit(t.Context(), []*store.Transition{newRun(1 << 40)})
			return err
		}},
		{"keys", func(t *testing.T, s *postgres.Store) error {
			_, err := s.ReserveKeys(t.Context(), 1<<30)
			return err
		}},
		{"run numbers", func(t *testing.T, s *postgres.Store) error {
			_, err := s.ReserveRuns(t.Context(), 1)
			return err
		}},
		{"a large value", func(t *testing.T, s *postgres.Store) error {
			_, err := s.PutBlob(t.Context(), 0, zeros(1_000_000))
			return err
		}},
		{"a letter that was sent", func(t *testing.T, s *postgres.Store) error {
			return s.Send(t.Context(), []store.Letter{{To: s.Session(), Body: []byte("x")}})
		}},
		{"that a letter was taken out", func(t *testing.T, s *postgres.Store) error {
			_, err := s.Receive(t.Context(), []int64{1}, 1)
			return err
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.With(pgtest.DSN(t), "lease", "1h")
			schema := pgtest.Schema(t, dsn)
			remember := func() {
				pgtest.Exec(t, "CREATE TABLE "+schema+".was AS SELECT process, id, applied FROM "+schema+".writer")
			}
			forget := func() {
				pgtest.Exec(t, "UPDATE "+schema+".writer w SET applied = o.applied FROM "+schema+".was o WHERE o.process = w.process AND o.id = w.id")
				pgtest.Exec(t, "DROP TABLE "+schema+".was")
			}
			s := open(t, dsn)
			commit(t, s, newRun(1))
			for _, found := range []struct {
				by string
				is func() error
			}{
				{"a beat", func() error { _, _, err := s.Beat(t.Context(), nil); return err }},
				{"a commit", func() error {
					pgtest.Exec(t, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO '||$1||'.run\\_%' OR query LIKE 'WITH w AS (UPDATE '||$1||'.writer %'", schema)
					_, err := s.Commit(t.Context(), []*store.Transition{newRun(1 << 41)})
					if errors.Is(err, store.ErrRetry) { // the end of the connection was not known yet
						_, err = s.Commit(t.Context(), []*store.Transition{newRun(1 << 41)})
					}
					return err
				}},
			} {
				beat(t, s)
				remember()
				if err := c.do(t, s); err != nil {
					t.Fatal(err)
				}
				beat(t, s)
				forget()
				if err := found.is(); !errors.Is(err, store.ErrLost) {
					t.Errorf("%s that was forgotten is found by %s: %v, want ErrLost", c.what, found.by, err)
				}
				pgtest.Exec(t, "DELETE FROM "+schema+".run WHERE id <> 1")
				gone := s.Session()
				if err := s.Rejoin(t.Context()); err != nil {
					t.Fatal(err)
				}
				if sessions, lost := beat(t, s); len(sessions) != 1 || sessions[0] == gone || lost != 0 {
					t.Errorf("then %d sees %v and gave up %d; want only itself, and that %d has ended", s.Session(), sessions, lost, gone)
				}
			}
			commit(t, s, newRun(2))
		})
	}
}

// The number of a session that the database has forgotten is given out again. Its first
// holder takes nothing from the second.
func TestForgottenNumber(t *testing.T) {
	t.Parallel()
	dsn := pgtest.With(pgtest.DSN(t), "lease", "1h")
	schema := pgtest.Schema(t, dsn)
	s := open(t, dsn)
	commit(t, s, newRun(1))
	pgtest.Exec(t, "UPDATE "+schema+".process SET started = started + 1, beat = beat + 1")
	pgtest.Exec(t, "INSERT INTO "+schema+".letter (receiver, sender, body) VALUES ($1, $1, 'x')", s.Session())
	for what, do := range map[string]func() error{
		"Beat":        func() error { _, _, err := s.Beat(t.Context(), nil); return err },
		"Receive":     func() error { _, err := s.Receive(t.Context(), nil, 1); return err },
		"ReserveKeys": func() error { _, err := s.ReserveKeys(t.Context(), 1<<30); return err },
	} {
		if err := do(); !errors.Is(err, store.ErrLost) {
			t.Errorf("%s: %v, want ErrLost", what, err)
		}
	}
	if err := s.Rejoin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sessions, _ := beat(t, s); len(sessions) != 2 {
		t.Errorf("then there are sessions %v, want the other one and this one", sessions)
	}
}
