package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

const one = `[{"task":"add","args":[1,2]}]`

// submitTogether submits n times under a key, over several engines, and gives the
// ids, and how many were told that the run was new.
func submitTogether(t *testing.T, n int, key string, engines ...*running) (ids []string, fresh int64) {
	t.Helper()
	ids = make([]string, n)
	var made atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			id, existed, err := engines[i%len(engines)].SubmitKeyed(t.Context(), spec(t, one), "n", key)
			if err != nil {
				t.Errorf("SubmitKeyed: %v", err)
			}
			if !existed {
				made.Add(1)
			}
			ids[i] = id
		})
	}
	all.Wait()
	slices.Sort(ids)
	return slices.Compact(ids), made.Load()
}

func TestOneRunForAKey(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		r := start(t, open())
		r.works()
		for _, key := range []string{"k", "\x00\xff"} {
			ids, fresh := submitTogether(t, 200, key, r)
			if len(ids) != 1 || fresh != 1 {
				t.Errorf("200 times %q: %d runs, %d are new", key, len(ids), fresh)
			}
			h, err := r.Find(t.Context(), ids[0])
			if err != nil {
				t.Fatal(err)
			}
			r.completes(h)
			if id, existed, err := r.SubmitKeyed(t.Context(), spec(t, one), "n", key); id != ids[0] || !existed || err != nil {
				t.Errorf("after its end: %s, %v, %v; want %s", id, existed, err, ids[0])
			}
		}
		if n := len(r.runs(api.RunFilter{})); n != 2 {
			t.Errorf("%d runs, want 2", n)
		}
	})
}

func TestOneRunForAKeyOverProcesses(t *testing.T) {
	onStores(t, func(t *testing.T, open func() store.Store) {
		var engines []*running
		db := open()
		switch s := db.(type) {
		case store.Shared:
			engines = []*running{start(t, db), start(t, open()), start(t, open(), queues())}
		case *memory.Store:
			for i := range 3 {
				engines = append(engines, start(t, s.Join(fmt.Sprint(i), time.Minute, time.Now)))
			}
		default:
			t.Cleanup(func() { _ = db.Close() })
			return // a file is one process's
		}
		for i := range 20 {
			ids, fresh := submitTogether(t, 30, fmt.Sprint("k", i), engines...)
			if len(ids) != 1 || fresh != 1 {
				t.Errorf("%d runs, %d are new", len(ids), fresh)
			}
		}
		if n := len(engines[0].runs(api.RunFilter{})); n != 20 {
			t.Errorf("%d runs, want 20", n)
		}
	})
}

func TestAnotherSubmissionUnderAKey(t *testing.T) {
	r := start(t, memory.Open())
	first, _, err := r.SubmitKeyed(t.Context(), spec(t, one), "n", "k")
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"another argument": second(r.SubmitKeyed(t.Context(), spec(t, `[{"task":"add","args":[1,3]}]`), "n", "k")),
		"another name":     second(r.SubmitKeyed(t.Context(), spec(t, one), "m", "k")),
		"no name":          second(r.SubmitKeyed(t.Context(), spec(t, one), "", "k")),
	} {
		like(t, what, err, api.ErrConflict)
	}
	like(t, "no key", second(r.SubmitKeyed(t.Context(), spec(t, one), "n", "")), api.ErrInvalid)
	like(t, "a long key", second(r.SubmitKeyed(t.Context(), spec(t, one), "n", string(make([]byte, 256)))), api.ErrInvalid)
	like(t, "what can't be", second(r.SubmitKeyed(t.Context(), spec(t, `[{"task":"add","args":[1]}]`), "n", "k2")), api.ErrInvalid)
	if id, existed, err := r.SubmitKeyed(t.Context(), spec(t, one), "n", "k"); id != first || !existed || err != nil {
		t.Errorf("the same: %s, %v, %v; want %s", id, existed, err, first)
	}
	if id, existed, err := r.SubmitKeyed(t.Context(), spec(t, one), "n", "k2"); id == first || existed || err != nil {
		t.Errorf("a key whose submission was refused: %s, %v, %v", id, existed, err)
	}
}

func second(_ string, _ bool, err error) error { return err }

// dying is a store whose process dies in a commit: before it, or after.
type dying struct {
	store.Store
	before, after bool
	dies          chan struct{}
}

func (d *dying) Commit(ctx context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	if d.before {
		d.dies <- struct{}{}
		select {} // nobody hears of it any more
	}
	closed, err := d.Store.Commit(ctx, batch)
	if d.after {
		d.dies <- struct{}{}
		select {}
	}
	return closed, err
}

func TestKeyAfterCrash(t *testing.T) {
	for name, after := range map[string]bool{"before the commit": false, "after the commit": true} {
		t.Run(name, func(t *testing.T) {
			db := memory.Open()
			d := &dying{Store: db, before: !after, after: after, dies: make(chan struct{})}
			e, err := engine.New(t.Context(), engine.Config{Store: d, Registry: signature})
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _, _ = e.SubmitKeyed(context.WithoutCancel(t.Context()), spec(t, one), "n", "k") }()
			<-d.dies
			r := start(t, db)
			id, existed, err := r.SubmitKeyed(t.Context(), spec(t, one), "n", "k")
			if err != nil || existed != after {
				t.Errorf("existed %v (%v), want %v", existed, err, after)
			}
			if all := r.runs(api.RunFilter{}); !slices.Equal(all, []string{id}) {
				t.Errorf("runs %s, want %s", all, id)
			}
		})
	}
}

// slow is a store whose commits wait.
type slow struct {
	store.Store
	gate chan struct{}
}

func (s *slow) Commit(ctx context.Context, batch []*store.Transition) ([]store.FrameRef, error) {
	<-s.gate
	return s.Store.Commit(ctx, batch)
}

// Who does not wait for the commit keeps the next ones waiting for it.
func TestSubmissionThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &slow{Store: memory.Open(), gate: make(chan struct{})}
		r := start(t, db)
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first, _, err := r.SubmitKeyed(hurried, spec(t, one), "n", "k")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("first: %v", err)
		}
		hurried, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := r.SubmitKeyed(hurried, spec(t, one), "n", "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second: %v", err)
		}
		go close(db.gate)
		if id, existed, err := r.SubmitKeyed(t.Context(), spec(t, one), "n", "k"); id != first || !existed || err != nil {
			t.Errorf("third: %s, %v, %v; want %s", id, existed, err, first)
		}
	})
}

// records counts what is kept of keys.
func records(t *testing.T, db store.Store) (n int) {
	t.Helper()
	for _, kind := range []string{"submission", "submission_expiry"} {
		if err := db.Records(t.Context(), kind, "", func(string, []byte) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func TestHowLongAKeyIsKnown(t *testing.T) {
	for _, c := range []struct {
		name      string
		retention time.Duration
		known     time.Duration
	}{
		{"as long as its run", 10 * time.Hour, 10 * time.Hour},
		{"thirty days", 0, 30 * 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := memory.Open()
				r := start(t, db, func(cfg *engine.Config) { cfg.Retention = c.retention })
				r.works()
				again := func() (string, bool) {
					id, existed, err := r.SubmitKeyed(t.Context(), spec(t, one), "n", "k")
					if err != nil {
						t.Fatal(err)
					}
					return id, existed
				}
				first, _ := again()
				wait(c.known - time.Hour)
				if id, existed := again(); id != first || !existed {
					t.Errorf("an hour before: %s, %v, want %s", id, existed, first)
				}
				wait(2*time.Hour + time.Minute)
				next, existed := again()
				if next == first || existed {
					t.Errorf("after it: %s, %v", next, existed)
				}
				wait(31 * 24 * time.Hour)
				if n := records(t, db); n != 0 {
					t.Errorf("%d records are left", n)
				}
			})
		})
	}
}
