package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// readStore counts what is read of the cache.
type readStore struct {
	*memory.Store
	calls, records int
}

func (s *readStore) Records(ctx context.Context, kind, from string, yield func(string, []byte) error) error {
	if kind != cacheKind {
		return s.Store.Records(ctx, kind, from, yield)
	}
	s.calls++
	return s.Store.Records(ctx, kind, from, func(key string, value []byte) error {
		s.records++
		return yield(key, value)
	})
}

// A look-up reads at most one record, however many entries there are, and an
// entry leaves nothing in the process: what is cached is in the store alone.
func TestCacheLookUps(t *testing.T) {
	s := &readStore{Store: memory.Open()}
	e, err := New(t.Context(), Config{
		Store: s, Manual: true, Now: func() time.Time { return time.Unix(1e9, 0) },
		Registry: func(name string) *pipeline.Signature {
			return &pipeline.Signature{Name: name, Result: "none", Cached: true}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &slotRig{Engine: e, t: t}
	ask := func(key string) (id string, ran bool) {
		t.Helper()
		run, err := e.Enqueue(t.Context(), &api.Spec{Steps: []api.Step{{Call: &api.Call{Task: "t"}}}}, "")
		if err != nil {
			t.Fatal(err)
		}
		r.steps()
		job, err := e.TryClaim(t.Context())
		if err != nil || job == nil {
			t.Fatalf("no job: %v", err)
		}
		s.calls, s.records = 0, 0
		use := api.CacheUse{Key: key, Parts: []api.CachePart{{Name: "n", Value: key}}}
		if ran = e.Cached(job, use); ran {
			e.Begin(job, func(error) {})
			e.Finish(job, api.Answer{})
		}
		looks := 1
		if ran { // and once more when it has its turn
			looks++
		}
		if s.calls != looks || s.records > looks {
			t.Fatalf("%d look-ups of %q read %d records in %d reads", looks, key, s.records, s.calls)
		}
		r.steps()
		return run + "/0", ran
	}
	const entries = 2000
	key := func(i int) string { return fmt.Sprintf("key %04d", i) }
	for i := range entries {
		if _, ran := ask(key(i)); !ran {
			t.Fatalf("%s was taken from an empty cache", key(i))
		}
	}
	for _, i := range []int{0, entries / 2, entries - 1} {
		if _, ran := ask(key(i)); ran {
			t.Errorf("%s ran again", key(i))
		}
	}
	id, _ := ask("another")
	report, err := e.ExplainCache(t.Context(), id)
	if err != nil || report.Nearest == nil || len(report.Differs) != 1 {
		t.Errorf("explained as %+v (%v)", report, err)
	}
	if n := e.Turns(); n > 0 || len(e.runs) > 0 {
		t.Errorf("%d turns and %d runs are left in memory", n, len(e.runs))
	}
}
