package storetest

import (
	"errors"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// expiryOfOthers has two sessions remove the same old runs while one of them makes
// half of these live again: each is removed once and whole, or is live and whole.
func expiryOfOthers(t *testing.T, a, b env, _ func(env)) {
	const runs = 20
	for id := range int64(runs) {
		b.oldRun(id + 1)
	}
	b.commit(newRun(runs + 1)) // it is live in b, and nobody's to remove
	var removed [2]int
	retried := make(map[int64]bool)
	together(3, func(i int64) {
		if i == 2 {
			for id := int64(2); id <= runs; id += 2 {
				_, err := b.s.Commit(t.Context(), []*store.Transition{setRun(id, 1, store.RunSet{State: api.Running, Gen: 1, Epoch: 2})})
				if retried[id] = err == nil; err != nil && !errors.Is(err, store.ErrFenced) {
					t.Errorf("a retry: %v, want nothing or ErrFenced", err)
				}
			}
			return
		}
		for more := true; more; {
			n, again, err := []env{a, b}[i].s.Expire(t.Context(), later, 3)
			if err != nil && !errors.Is(err, store.ErrRetry) {
				t.Errorf("Expire: %v", err)
				return
			}
			removed[i] += n
			more = again || err != nil
		}
	})
	left := 0
	for id := int64(1); id <= runs; id++ {
		tasks, err := taskRows(t.Context(), a.s, id, id*100, id*100+100)
		a.ok("Tasks", err)
		if !retried[id] {
			a.gone(id)
			a.equal("task runs of a removed run", len(tasks), 0)
			continue
		}
		left++
		a.equal("state of a retried run", b.run(id).State, api.Running)
		a.equal("task runs of a retried run", len(tasks), 2)
	}
	a.equal("removed by both", removed[0]+removed[1], runs-left)
	a.equal("state of a live run", a.run(runs+1).State, api.Running)
}
