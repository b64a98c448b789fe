package runnel_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

var (
	twice = runnel.NewTask1("twice", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	plus  = runnel.NewTask2("plus", func(_ context.Context, a, b int) (int, error) { return a + b, nil })
	sumOf = runnel.NewTask1("total", func(_ context.Context, list []int) (sum int, err error) {
		for _, n := range list {
			sum += n
		}
		return sum, nil
	})
	ofTwice = runnel.NewFlow1("of twice", func(f runnel.Flow, n int) (int, error) { return twice.Call(f, n) })
)

// inBoth runs test with a transaction of pgx, and with one of database/sql.
func inBoth(t *testing.T, test func(t *testing.T, eng *runnel.Engine, begin func() userTx)) {
	for name, connect := range map[string]func(t *testing.T) func() userTx{"pgx": pgxTx, "database/sql": sqlTx} {
		t.Run(name, func(t *testing.T) {
			test(t, openTx(t, pgtest.DSN(t)), connect(t))
		})
	}
}

// userTx is a transaction of somebody who submits.
type userTx struct {
	submit           func(eng *runnel.Engine, p runnel.Runnable[int], opts ...runnel.SubmitOption) (string, error)
	exec             func(text string) error
	commit, rollback func() error
}

func pgxTx(t *testing.T) func() userTx {
	t.Helper()
	ctx := t.Context()
	pool, err := pgxpool.New(ctx, pgtest.Server(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return func() userTx {
		t.Helper()
		tx, err := pool.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return userTx{
			submit: func(eng *runnel.Engine, p runnel.Runnable[int], opts ...runnel.SubmitOption) (string, error) {
				return eng.SubmitTx(ctx, tx, p, opts...)
			},
			exec:     func(text string) error { _, err := tx.Exec(ctx, text); return err },
			commit:   func() error { return tx.Commit(ctx) },
			rollback: func() error { return tx.Rollback(ctx) },
		}
	}
}

func sqlTx(t *testing.T) func() userTx {
	t.Helper()
	ctx := t.Context()
	db, err := sql.Open("pgx", pgtest.Server(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return func() userTx {
		t.Helper()
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return userTx{
			submit: func(eng *runnel.Engine, p runnel.Runnable[int], opts ...runnel.SubmitOption) (string, error) {
				return eng.SubmitSQLTx(ctx, tx, p, opts...)
			},
			exec:     func(text string) error { _, err := tx.ExecContext(ctx, text); return err },
			commit:   tx.Commit,
			rollback: tx.Rollback,
		}
	}
}

func openTx(t *testing.T, dsn string) *runnel.Engine {
	t.Helper()
	eng, err := runnel.Open(t.Context(), dsn, runnel.Register(twice, plus, sumOf, ofTwice))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return eng
}

// A run that was submitted in a transaction exists if and only if that commits.
func TestSubmitTx(t *testing.T) {
	inBoth(t, func(t *testing.T, eng *runnel.Engine, begin func() userTx) {
		ctx := t.Context()
		table := pgtest.Schema(t, pgtest.DSN(t)) + ".orders"
		pgtest.Exec(t, "CREATE SCHEMA "+strings.TrimSuffix(table, ".orders"))
		pgtest.Exec(t, "CREATE TABLE "+table+" (id int)")
		large := make([]int, 100_000)
		large[0] = 21
		for name, p := range map[string]runnel.Runnable[int]{
			"task":  twice.Send(21),
			"chain": twice.Send(7).ContinueWith(plus.With(28)),
			"group": runnel.Value(large[:500]).ContinueWith(runnel.Each(twice)).ContinueWith(sumOf),
			"large": runnel.Value(large).ContinueWith(sumOf).ContinueWith(twice),
			"flow":  ofTwice.Send(21),
		} {
			committed, dropped := begin(), begin()
			id, err := committed.submit(eng, p, runnel.Name(name))
			other, err2 := dropped.submit(eng, p)
			err3 := committed.exec("INSERT INTO " + table + " VALUES (1)")
			if err := errors.Join(err, err2, err3); err != nil {
				t.Fatal(name, err)
			}
			if _, err := eng.Attach[int](ctx, id); !errors.Is(err, runnel.ErrNotFound) {
				t.Errorf("%s: before the commit: %v, want ErrNotFound", name, err)
			}
			// Nobody waits for transactions that are open.
			if n, err := eng.Run(ctx, twice.Send(1)); n != 2 || err != nil {
				t.Errorf("%s: another run: %d, %v", name, n, err)
			}
			if err := errors.Join(committed.commit(), dropped.rollback()); err != nil {
				t.Fatal(name, err)
			}
			run, err := eng.Attach[int](ctx, id)
			if err != nil {
				t.Fatal(name, err)
			}
			if n, err := run.Wait(ctx); n != 42 || err != nil {
				t.Errorf("%s: %d, %v, want 42", name, n, err)
			}
			if _, err := eng.Attach[int](ctx, other); !errors.Is(err, runnel.ErrNotFound) {
				t.Errorf("%s: rolled back: %v, want ErrNotFound", name, err)
			}
			for r, err := range eng.Runs(ctx, api.RunFilter{Limit: 1, Name: name}) {
				if err != nil || r.ID != id || r.State != api.Completed {
					t.Errorf("%s: listed as %+v, %v", name, r, err)
				}
			}
		}
		if n := pgtest.Number(t, "SELECT count(*) FROM "+table); n != 5 {
			t.Errorf("%d orders, want 5", n)
		}
	})
}

// Many transactions at a time, of which every third is rolled back.
func TestSubmitTxMany(t *testing.T) {
	inBoth(t, func(t *testing.T, eng *runnel.Engine, begin func() userTx) {
		ctx := t.Context()
		var all sync.WaitGroup
		var mu sync.Mutex
		var want []string
		for worker := range 8 {
			all.Go(func() {
				for i := range 30 {
					tx := begin()
					id, err := tx.submit(eng, twice.Send(i))
					if err == nil && (worker+i)%3 == 0 {
						err = tx.rollback()
					} else if err == nil {
						err = tx.commit()
						mu.Lock()
						want = append(want, id)
						mu.Unlock()
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		for _, id := range want {
			run, err := eng.Attach[int](ctx, id)
			if err == nil {
				_, err = run.Wait(ctx)
			}
			if err != nil {
				t.Errorf("run %s: %v", id, err)
			}
		}
		n := 0
		for _, err := range eng.Runs(ctx, api.RunFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != len(want) {
			t.Errorf("%d runs, %d were committed", n, len(want))
		}
	})
}

// The process that submitted has gone when the transaction commits: another one
// takes the run.
func TestSubmitTxOfOneThatHasGone(t *testing.T) {
	dsn := pgtest.With(pgtest.DSN(t), "lease", "2s")
	first, err := runnel.Open(t.Context(), dsn, runnel.Register(twice))
	if err != nil {
		t.Fatal(err)
	}
	second := openTx(t, dsn)
	tx := pgxTx(t)()
	id, err := tx.submit(first, twice.Send(21))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Close(t.Context()), tx.commit()); err != nil {
		t.Fatal(err)
	}
	run, err := second.Attach[int](t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := run.Wait(t.Context()); n != 42 || err != nil {
		t.Errorf("%d, %v, want 42", n, err)
	}
}

func TestSubmitTxRefuses(t *testing.T) {
	inBoth(t, func(t *testing.T, eng *runnel.Engine, begin func() userTx) {
		tx := begin()
		for name, p := range map[string]runnel.Runnable[int]{
			"nil": nil, "unknown": runnel.Ref1[int, int]("nobody").Send(1), "unencodable": runnel.Value(make(chan int)).ContinueWith(runnel.Ref1[chan int, int]("twice")),
		} {
			if id, err := tx.submit(eng, p); id != "" || !errors.Is(err, runnel.ErrInvalid) && !errors.Is(err, runnel.ErrEncoding) && !errors.Is(err, runnel.ErrUnknownTask) {
				t.Errorf("%s: %q, %v", name, id, err)
			}
		}
		if id, err := tx.submit(eng, twice.Send(1), runnel.WaitFor()); id != "" || !errors.Is(err, runnel.ErrInvalid) {
			t.Errorf("an option of calls: %q, %v", id, err)
		}
		if err := tx.exec("SELECT 1/0"); err == nil {
			t.Fatal("1/0 did not fail")
		}
		if id, err := tx.submit(eng, twice.Send(1)); id != "" || !errors.Is(err, runnel.ErrStore) || !strings.Contains(err.Error(), "aborted") {
			t.Errorf("after an error: %q, %v", id, err)
		}
		for _, dsn := range []string{"memory:", "sqlite:" + filepath.Join(t.TempDir(), "runnel.db")} {
			if id, err := tx.submit(openTx(t, dsn), twice.Send(1)); id != "" || !errors.Is(err, runnel.ErrInvalid) || !strings.Contains(err.Error(), "PostgreSQL") {
				t.Errorf("%s: %q, %v", dsn, id, err)
			}
		}
		if err := tx.rollback(); err != nil {
			t.Error(err)
		}
	})
}
