package engine_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/engine"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// An estimate is close, though runs are missing, and costs the same for few and many.
func TestEstimate(t *testing.T) {
	db := &counted{Store: memory.Open()}
	begin := time.Unix(1_700_000_000, 0)
	now := begin
	e, err := engine.New(t.Context(), engine.Config{Store: db, Registry: signature, Manual: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	estimate := func(f api.RunFilter) (int64, bool) {
		t.Helper()
		db.reads, db.rows = 0, 0
		n, exact, err := e.Estimate(t.Context(), f, func(*api.Run) int64 { return 1 })
		if err != nil {
			t.Fatal(err)
		}
		if db.reads > 120 || db.rows > 2200 {
			t.Errorf("%+v: %d reads of %d runs", f, db.reads, db.rows)
		}
		return n, exact
	}
	if n, exact := estimate(api.RunFilter{}); n != 0 || !exact {
		t.Errorf("of nothing: %d, exact %v", n, exact)
	}
	var ids []string
	const all = 12_000
	for i := range all {
		name := "often"
		if i%5 == 0 {
			name = "seldom"
		}
		id, err := e.Enqueue(t.Context(), spec(t, `[{"value":1}]`), name)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		now = now.Add(time.Minute)
		for e.CommitStep() || e.AdvanceStep() {
		}
		if i == 700 {
			if n, exact := estimate(api.RunFilter{}); n != 701 || !exact {
				t.Errorf("of 701: %d, exact %v", n, exact)
			}
			if n, exact := estimate(api.RunFilter{Name: "seldom"}); n != 141 || !exact {
				t.Errorf("of 701 seldom are 141: %d, exact %v", n, exact)
			}
		}
	}
	about := func(what string, f api.RunFilter, want float64) {
		t.Helper()
		n, exact := estimate(f)
		if exact || float64(n) < 0.85*want || float64(n) > 1.15*want {
			t.Errorf("%s: %d, exact %v; want about %g", what, n, exact, want)
		}
	}
	about("all", api.RunFilter{}, all)
	about("by name", api.RunFilter{Name: "seldom"}, all/5)
	about("by state", api.RunFilter{States: []api.State{api.Completed, api.Failed}}, all)
	about("until a time", api.RunFilter{Until: begin.Add(3000 * time.Minute)}, 3000)
	about("since a time", api.RunFilter{Since: begin.Add(3000 * time.Minute)}, all-3000)
	if n, exact := estimate(api.RunFilter{Since: now.Add(-100 * time.Minute)}); n != 100 || !exact {
		t.Errorf("the last hundred: %d, exact %v", n, exact)
	}
	if n, _ := estimate(api.RunFilter{States: []api.State{api.Failed}}); n != 0 {
		t.Errorf("none failed: %d", n)
	}
	// The oldest third goes, and some of the others.
	left := all
	for i, id := range ids {
		if i < all/3 || rand.IntN(4) == 0 {
			if err := e.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			left--
		}
	}
	about("of those that are left", api.RunFilter{}, float64(left))
}
