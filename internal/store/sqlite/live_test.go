package sqlite_test

import (
	"slices"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Runs that outlive many younger ones stay among the live, until they end, and
// are again when they are retried, also over a crash.
func TestLiveRunsBelowTheFloor(t *testing.T) {
	const lag, count = 10, 100
	path := newPath(t)
	s := open(t, path, small)
	s.SetLag(lag)
	set := func(id int64, from, to int32, state api.State) *store.Transition {
		return &store.Transition{Run: id, Epoch: from, SetRun: &store.RunSet{State: state, Epoch: to}}
	}
	live := func(want ...int64) {
		t.Helper()
		for range 2 { // then once more by another process
			rows, err := s.LiveRuns(t.Context(), 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, r := range rows {
				got = append(got, r.ID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("live are %v, want %v", got, want)
			}
			closeStore(t, s)
			s = open(t, path, small)
			s.SetLag(lag)
		}
	}

	for id := int64(1); id <= count; id++ {
		commit(t, s, newRun(id))
		if id%40 != 3 {
			commit(t, s, set(id, 0, 1, api.Completed))
		}
	}
	live(3, 43, 83)
	if n := rows(t, path, "live_run"); n != 2 { // the floor is at 81
		t.Errorf("%d runs have an entry, want 2", n)
	}
	commit(t, s, set(3, 0, 1, api.Paused), set(43, 0, 1, api.Failed), set(83, 0, 1, api.Failed))
	live(3)
	commit(t, s, set(43, 1, 2, api.Running), set(50, 1, 2, api.Running))
	live(3, 43, 50)
	// All of it in one batch, the rise of the floor too.
	batch := []*store.Transition{set(3, 1, 2, api.Cancelled)}
	for id := int64(count + 1); id <= 2*count; id++ {
		batch = append(batch, newRun(id), set(id, 0, 1, api.Failed))
	}
	commit(t, s, append(batch, set(120, 1, 2, api.Running))...)
	live(43, 50, 120)
	commit(t, s, set(120, 2, 3, api.Completed), set(43, 2, 3, api.Completed), set(50, 2, 3, api.Completed))
	live()
	if n := rows(t, path, "live_run"); n != 0 {
		t.Errorf("%d runs have an entry, want none", n)
	}
}
