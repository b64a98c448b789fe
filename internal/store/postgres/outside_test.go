package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// in runs statements in a transaction.
func in(tx pgx.Tx) store.Statement {
	return func(ctx context.Context, sql string, args ...any) (int64, error) {
		tag, err := tx.Exec(ctx, sql, args...)
		return tag.RowsAffected(), err
	}
}

func begin(t *testing.T, conn *pgx.Conn) pgx.Tx {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// A run that somebody's transaction inserts is there from its commit, for whoever
// adopts it, and so is the letter; a transaction that is open keeps nobody
// waiting; one that is rolled back leaves nothing.
func TestInsertRun(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, pgtest.DSN(t))
	insert := func(tx pgx.Tx) int64 {
		t.Helper()
		n, err := s.ReserveRuns(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		row := newRun(n).NewRun
		if err := s.InsertRun(ctx, in(tx), row, store.Letter{To: s.Session(), Body: []byte("[]")}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	<-s.Bell() // it is listened to
	kept, dropped := begin(t, pgtest.Connect(t)), begin(t, pgtest.Connect(t))
	first, second := insert(kept), insert(dropped)

	// Both are open.
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	own, err := s.ReserveRuns(bounded, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(bounded, []*store.Transition{newRun(own)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Expire(bounded, time.Now().UnixMicro(), 100); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Orphans(bounded, 0, 10); err != nil || len(list) != 0 {
		t.Fatalf("before the commit: %v, %v", list, err)
	}
	if list, err := s.Receive(bounded, nil, 10); err != nil || len(list) != 0 {
		t.Fatalf("letters before the commit: %v, %v", list, err)
	}

	if err := errors.Join(kept.Commit(ctx), dropped.Rollback(ctx)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Bell():
	case <-time.After(time.Minute):
		t.Error("no bell rang")
	}
	if list, err := s.Receive(ctx, nil, 10); err != nil || len(list) != 1 {
		t.Errorf("letters: %v, %v", list, err)
	}
	list, err := s.Orphans(ctx, 0, 10)
	if err != nil || len(list) != 1 || list[0].ID != first || list[0].Name != newRun(first).NewRun.Name {
		t.Fatalf("orphans: %v, %v, want run %d", list, err, first)
	}
	if adopted, err := s.Adopt(ctx, []int64{first, second}); err != nil || len(adopted) != 1 {
		t.Errorf("adopted %v, %v", adopted, err)
	}
	if _, err := s.Run(ctx, second); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the run that was rolled back: %v", err)
	}
}

// The role that inserts a run needs no more rights than these, and no fewer.
func TestInsertRunRights(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dsn := pgtest.DSN(t)
	s, schema := open(t, dsn), pgtest.Schema(t, dsn)
	role := fmt.Sprintf("shop_%d", os.Getpid())
	pgtest.Exec(t, "CREATE ROLE "+role)
	t.Cleanup(func() { pgtest.Exec(t, "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	insert := func() error {
		conn := pgtest.Connect(t)
		tx := begin(t, conn)
		if _, err := tx.Exec(ctx, "SET LOCAL ROLE "+role); err != nil {
			t.Fatal(err)
		}
		err := s.InsertRun(ctx, in(tx), newRun(1).NewRun, store.Letter{To: s.Session(), Body: []byte("[]")})
		return errors.Join(err, tx.Rollback(ctx))
	}
	for _, right := range []string{"USAGE ON SCHEMA " + schema, "INSERT ON " + schema + ".run", "INSERT ON " + schema + ".letter", "SELECT ON " + schema + ".counter"} {
		if err := insert(); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("without %s: %v", right, err)
		}
		pgtest.Exec(t, "GRANT "+right+" TO "+role)
	}
	if err := insert(); err != nil {
		t.Error(err)
	}
}

// A transaction of another database, even one with a schema of the same name, gets
// no run.
func TestInsertRunElsewhere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dsn := pgtest.DSN(t)
	s := open(t, dsn)
	pgtest.Exec(t, `CREATE DATABASE elsewhere`)
	t.Cleanup(func() { pgtest.Exec(t, "DROP DATABASE elsewhere") })
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/elsewhere"
	other := open(t, u.String())
	server, err := url.Parse(pgtest.Server(t))
	if err != nil {
		t.Fatal(err)
	}
	server.Path = "/elsewhere"
	conn, err := pgx.Connect(ctx, server.String())
	if err != nil {
		t.Fatal(err)
	}
	tx := begin(t, conn)
	if err := s.InsertRun(ctx, in(tx), newRun(1).NewRun, store.Letter{To: s.Session()}); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("InsertRun: %v, want ErrInvalid", err)
	}
	if err := errors.Join(tx.Commit(ctx), conn.Close(ctx)); err != nil {
		t.Error(err)
	}
	if list, err := other.Orphans(ctx, 0, 10); err != nil || len(list) != 0 {
		t.Errorf("elsewhere: %v, %v", list, err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}
