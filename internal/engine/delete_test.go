package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

func TestDelete(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		r.works()
		keep, gone := r.submit(wide), r.submit(wide)
		r.completes(keep)
		r.completes(gone)
		live := r.submit(`[{"task":"ask"}]`)
		like(t, "Delete of a live run", r.Delete(t.Context(), live.ID()), api.ErrConflict)
		if err := r.Delete(t.Context(), gone.ID()); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"Delete again": r.Delete(t.Context(), gone.ID()),
			"Retry":        r.Retry(t.Context(), gone.ID()),
			"Cancel":       r.Cancel(t.Context(), gone.ID()),
		} {
			like(t, what, err, api.ErrNotFound)
		}
		_, err := r.Status(t.Context(), gone.ID())
		like(t, "Status", err, api.ErrNotFound)
		_, err = r.Find(t.Context(), gone.ID())
		like(t, "Find", err, api.ErrNotFound)
		for _, err := range r.Logs(t.Context(), api.LogFilter{Run: gone.ID()}) {
			like(t, "Logs", err, api.ErrNotFound)
		}
		if ids := r.runs(api.RunFilter{}); !slices.Equal(ids, []string{live.ID(), keep.ID()}) {
			t.Errorf("runs %s", ids)
		}
		if n := len(r.tasks(api.TaskRunFilter{Run: keep.ID()})); n != 22 {
			t.Errorf("another run has %d task runs left", n)
		}
		if err := r.Cancel(t.Context(), live.ID()); err != nil {
			t.Fatal(err)
		}
		if out, err := live.Wait(t.Context()); err != nil || out.State != api.Cancelled {
			t.Fatal(out, err)
		}
		if err := r.Delete(t.Context(), live.ID()); err != nil {
			t.Error(err)
		}
		like(t, "Delete of nobody's id", r.Delete(t.Context(), "x"), api.ErrNotFound)
	})
}

// A run that has just ended for who reads it can be deleted.
func TestDeleteAtOnce(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		r.works()
		for range 100 {
			id := r.submit(one).ID()
			for {
				run, err := r.Status(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if run.State.Final() {
					break
				}
			}
			if err := r.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(r.runs(api.RunFilter{})); n != 0 {
			t.Errorf("%d runs are left", n)
		}
	})
}

// What is left of a wide run goes beside.
func TestDeleteOfAWideRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memory.Open()
		r := start(t, db)
		r.works()
		run := r.submit(`[{"task":"list","args":[5000]},{"each":{"steps":[{"task":"dbl"}]}},{"task":"sum"}]`)
		r.completes(run)
		left := func() (n int) {
			err := db.Tasks(t.Context(), 1, 0, 1<<62, func(*store.TaskRow) error { n++; return nil })
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := r.Delete(t.Context(), run.ID()); err != nil {
			t.Fatal(err)
		}
		if n := left(); n < 3000 || n > 4600 {
			t.Errorf("%d of 5002 task runs are left after the call", n)
		}
		wait(1e9)
		if n := left(); n != 0 {
			t.Errorf("%d task runs are left", n)
		}
	})
}

// A key is free once its run was deleted.
func TestKeyOfADeletedRun(t *testing.T) {
	r := start(t, memory.Open())
	r.works()
	for i := range 3 {
		id, existed, err := r.SubmitKeyed(t.Context(), spec(t, fmt.Sprintf(`[{"task":"dbl","args":[%d]}]`, i)), "", "k")
		if err != nil || existed {
			t.Fatalf("%v, %v", existed, err)
		}
		h, err := r.Find(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		r.completes(h)
		if err := r.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}

// Of a deletion and a retry one has its way.
func TestDeleteBesideRetry(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		r.works()
		for range 30 {
			h := r.submit(`[{"task":"boom","args":[1]}]`)
			if _, err := h.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			retried := make(chan error, 1)
			go func() { retried <- r.Retry(context.WithoutCancel(t.Context()), h.ID()) }()
			deleted := r.Delete(t.Context(), h.ID())
			again := <-retried
			switch {
			case deleted == nil && again == nil: // it ended in between
			case deleted != nil:
				like(t, "Delete", deleted, api.ErrConflict)
			default:
				like(t, "Retry", again, api.ErrNotFound)
			}
			if deleted == nil {
				continue
			}
			h, err := r.Find(t.Context(), h.ID())
			if err != nil {
				t.Fatal(err)
			}
			if out, err := h.Wait(t.Context()); err != nil || out.State != api.Failed {
				t.Errorf("the retry: %s, %v", out.State, err)
			}
		}
	})
}
