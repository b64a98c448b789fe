package runnel_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// A worker of one server does what was submitted to another one on the same database:
// each body once, with all that bodies may ask for.
func TestWorkersOfAllServers(t *testing.T) {
	t.Parallel()
	const tasks = 200
	var bodies, failed atomic.Int64
	once := runnel.NewTask1("once", func(ctx context.Context, x int) (int, error) {
		bodies.Add(1)
		if x == 7 && failed.Add(1) == 1 {
			return 0, errors.New("not yet")
		}
		release, err := runnel.Acquire(ctx, "desk")
		if err != nil {
			return 0, err
		}
		defer release()
		runnel.Logger(ctx).Info("done", "x", x)
		return 2 * x, nil
	}, runnel.Retries(1))
	dsn := pgtest.With(pgtest.DSN(t), "lease", "2s")
	urlA, a := serverOn(t, dsn)
	if err := a.GlobalLimits().Create(t.Context(), api.GlobalLimit{Name: "desk", Limit: 3}); err != nil {
		t.Fatal(err)
	}
	first, err := runnel.Open(t.Context(), urlA, runnel.Register(once), runnel.Concurrency(1), silent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Run(t.Context(), once.Send(0)); err != nil { // a knows the task now
		t.Fatal(err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	bodies.Store(0)
	urlB, _ := serverOn(t, dsn)
	works(t, urlB, runnel.Register(once))
	var all []runnel.Pipeline[int]
	for i := range tasks {
		all = append(all, once.Send(i))
	}
	run, err := a.Submit(t.Context(), runnel.InParallel(all))
	if err != nil {
		t.Fatal(err)
	}
	got, err := run.Wait(t.Context())
	if err != nil || len(got) != tasks || got[tasks-1] != 2*(tasks-1) {
		t.Fatal(got, err)
	}
	if n := bodies.Load(); n != tasks+1 {
		t.Errorf("%d bodies ran, want %d and one retry", n, tasks)
	}
	lines := 0
	for _, err := range a.Logs(t.Context(), api.LogFilter{Run: run.ID()}) {
		if err != nil {
			t.Fatal(err)
		}
		lines++
	}
	if lines != tasks {
		t.Errorf("%d lines were kept, want %d", lines, tasks)
	}
}
