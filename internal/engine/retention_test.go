package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// fullDisk is a store that takes nothing while it is full, and notes what it is
// asked to remove.
type fullDisk struct {
	store.Store
	full            atomic.Bool
	expired, before atomic.Int64
}

// Commit is the store's, unless it is full.
func (f *fullDisk) Commit(ctx context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	if f.full.Load() {
		return nil, fmt.Errorf("full: %w", store.ErrRetry)
	}
	return f.Store.Commit(ctx, batch)
}

// Expire is the store's, unless it is full.
func (f *fullDisk) Expire(ctx context.Context, before int64, limit int) (int, bool, error) {
	f.expired.Add(1)
	f.before.Store(before)
	if f.full.Load() {
		return 0, false, fmt.Errorf("full: %w", store.ErrRetry)
	}
	return f.Store.Expire(ctx, before, limit)
}

// Old runs are looked for at open and every hour.
func TestWhenOldRunsAreRemoved(t *testing.T) {
	now := time.Unix(1e9, 0)
	db := &fullDisk{Store: memory.Open()}
	e, err := engine.New(t.Context(), engine.Config{
		Store: db, Registry: signature, Manual: true, Retention: 30 * 24 * time.Hour,
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	step := func(after time.Duration, full bool, want int64) {
		t.Helper()
		now = now.Add(after)
		db.full.Store(full)
		db.expired.Store(0)
		for e.ExpireStep() {
		}
		if n := db.expired.Load(); n != want {
			t.Errorf("after %s the store was asked %d times, want %d", after, n, want)
		}
	}
	step(0, false, 1)
	if want := now.Add(-30 * 24 * time.Hour).UnixMicro(); db.before.Load() != want {
		t.Errorf("asked for what ended before %d, want %d", db.before.Load(), want)
	}
	step(0, false, 0)
	step(59*time.Minute, false, 0)
	step(time.Minute, false, 1)
	step(time.Hour, true, 1) // refused: again in an hour
	step(time.Minute, false, 0)
	step(59*time.Minute, false, 1)
}

func TestOldRunsStayWhileTheStoreIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &fullDisk{Store: memory.Open()}
		e, err := engine.New(t.Context(), engine.Config{Store: db, Registry: signature, Retention: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		spec, err := api.ParseSpec([]byte(`{"runnel":1,"steps":[{"task":"add","args":[1,2]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		h, err := e.Submit(t.Context(), spec, "")
		if err != nil {
			t.Fatal(err)
		}
		job, _, err := e.Claim(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		db.full.Store(true)
		e.Finish(job, api.Answer{Result: []byte("3")})
		wait(0) // the commit is refused
		db.expired.Store(0)
		wait(5 * time.Hour)
		if n := db.expired.Load(); n != 0 {
			t.Errorf("a full store was asked %d times to remove old runs", n)
		}
		db.full.Store(false)
		if _, err := h.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		wait(2 * time.Hour)
		if _, err := e.Status(t.Context(), h.ID()); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("two hours after the end: %v, want ErrNotFound", err)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// wait lets fake time pass.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
