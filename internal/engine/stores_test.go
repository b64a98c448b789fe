package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
	"github.com/runnel-dev/runnel/internal/store/postgres"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
)

// onStores tests on each store. What opens it may be called again once it was closed;
// of PostgreSQL also before, as by another process.
func onStores(t *testing.T, test func(t *testing.T, open func() store.Store)) {
	t.Run("memory", func(t *testing.T) {
		db := memory.Open()
		test(t, func() store.Store { return db })
	})
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "runnel.db")
		test(t, func() store.Store {
			db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return db
		})
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := pgtest.DSN(t)
		test(t, func() store.Store {
			db, err := postgres.Open(context.WithoutCancel(t.Context()), dsn, postgres.Options{Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			return db
		})
	})
}

// running is an engine on the real clock, with workers while it works.
type running struct {
	*engine.Engine
	t    *testing.T
	db   store.Store
	stop context.CancelFunc
	work sync.WaitGroup
}

func start(t *testing.T, db store.Store, more ...func(*engine.Config)) *running {
	t.Helper()
	cfg := engine.Config{Store: db, Registry: askSignature, Places: 2, Tasks: peerTasks, Beat: 200 * time.Millisecond}
	for _, change := range more {
		change(&cfg)
	}
	e, err := engine.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Engine: e, t: t, db: db}
	t.Cleanup(r.close)
	return r
}

// works has two workers do what body does.
func (r *running) works() {
	ctx, stop := context.WithCancel(r.t.Context())
	r.stop = stop
	for range 2 {
		r.work.Go(func() {
			for {
				job, from, err := r.Claim(ctx)
				if err != nil {
					return
				}
				body, cancel := context.WithCancelCause(ctx)
				from.Begin(job, cancel)
				from.Log(job, api.LogLine{TaskRun: job.ID, Task: job.Task, Attempt: job.Attempt, Time: time.Now(), Level: "INFO", Text: job.Task})
				from.Finish(job, answer(body, from, job))
				cancel(nil)
			}
		})
	}
}

// rests ends the workers.
func (r *running) rests() {
	if r.stop != nil {
		r.stop()
	}
	r.work.Wait()
}

func (r *running) close() {
	if r.Engine == nil {
		return
	}
	r.rests()
	if err := r.Close(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	if err := r.db.Close(); err != nil {
		r.t.Errorf("Close of the store: %v", err)
	}
	r.Engine = nil
}

func (r *running) submit(steps string) *engine.Handle {
	r.t.Helper()
	h, err := r.Submit(r.t.Context(), spec(r.t, steps), "")
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

// completes waits for the end of a run.
func (r *running) completes(h *engine.Handle) {
	r.t.Helper()
	if out, err := h.Wait(r.t.Context()); err != nil || out.State != api.Completed {
		r.t.Fatalf("run %s: %s %v %v", h.ID(), out.State, out.Failure, err)
	}
}

func (r *running) runs(f api.RunFilter) (ids []string) {
	r.t.Helper()
	for run, err := range r.Runs(r.t.Context(), f) {
		if err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, run.ID)
	}
	return ids
}

func (r *running) tasks(f api.TaskRunFilter) (ids []string) {
	r.t.Helper()
	for run, err := range r.TaskRuns(r.t.Context(), f) {
		if err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, run.ID)
	}
	return ids
}

func spec(t *testing.T, steps string) *api.Spec {
	t.Helper()
	s, err := api.ParseSpec([]byte(`{"runnel":1,"steps":` + steps + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// like holds an error to its kind.
func like(t *testing.T, what string, err error, want *api.Error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %s", what, err, want.Code)
	}
}

// cancelled is a context that has ended.
func cancelled(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}
