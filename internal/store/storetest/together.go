package storetest

import (
	"math"
	"sync"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var togetherChecks = []check{
	{"commits from several goroutines", commitsTogether},
	{"joins from several goroutines close once", joinsTogether},
	{"keys from several goroutines", keysTogether},
	{"readers beside a writer", readersBeside},
}

// together runs f in n goroutines and waits.
func together(n int64, f func(i int64)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func commitsTogether(e env) {
	const workers, rounds = 8, 20
	together(workers, func(i int64) {
		run := i + 1
		for k := range int64(rounds) {
			batch := []*store.Transition{insertTask(run, run*1000+k, api.Running), updateTask(run, run*1000+k, 1, 0, api.Completed)}
			if k == 0 {
				batch = append([]*store.Transition{newRun(run)}, batch...)
			}
			if _, err := e.s.Commit(e.t.Context(), batch); err != nil {
				e.t.Errorf("Commit: %v", err)
			}
		}
	})
	e.equal("tasks", len(e.content().Tasks), workers*rounds)
}

func joinsTogether(e env) {
	const workers, rounds = 8, 20
	e.commit(newRun(1), group(1, 20, workers*rounds))
	closed := make([]int, workers)
	together(workers, func(i int64) {
		for range rounds {
			refs, err := e.s.Commit(e.t.Context(), []*store.Transition{join(1, 20, 1, 0, 0)})
			if err != nil {
				e.t.Errorf("Commit: %v", err)
			}
			closed[i] += len(refs)
		}
	})
	sum := 0
	for _, n := range closed {
		sum += n
	}
	e.equal("times closed", sum, 1)
}

func keysTogether(e env) {
	const workers, rounds = 8, 20
	var mu sync.Mutex
	seen := map[int64]bool{}
	together(workers, func(i int64) {
		for range rounds {
			first, err := e.s.ReserveKeys(e.t.Context(), i+1)
			if err != nil {
				e.t.Errorf("ReserveKeys: %v", err)
			}
			mu.Lock()
			for k := first; k <= first+i; k++ {
				if seen[k] {
					e.t.Errorf("key %d was given out twice", k)
				}
				seen[k] = true
			}
			mu.Unlock()
		}
	})
}

// Readers see a batch entirely or not at all, and what they are given is theirs
// while they look at it.
func readersBeside(e env) {
	e.commit(newRun(1), insertTask(1, 10, api.Running), insertTask(1, 11, api.Running))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var seen []int32
				err := e.s.Tasks(e.t.Context(), 1, 0, math.MaxInt64, func(r *store.TaskRow) error {
					seen = append(seen, r.Attempt, int32(r.Cell[0]))
					return nil
				})
				if err != nil || len(seen) != 4 || seen[0] != seen[2] || seen[1] != seen[3] {
					e.t.Errorf("a reader saw attempts and cells %v, error %v", seen, err)
					return
				}
				if _, err := e.s.Runs(e.t.Context(), api.RunFilter{}, 0, 10); err != nil {
					e.t.Errorf("Runs: %v", err)
				}
			}
		})
	}
	for n := int32(1); n < 200; n++ {
		both := at(1)
		for id := int64(10); id < 12; id++ {
			*both.AddTask() = store.TaskWrite{
				Op: store.UpdateTask, WasAttempt: n,
				ID: id, State: api.Running, Attempt: n + 1, Cell: []byte{byte(n)},
			}
		}
		e.commit(both)
	}
	close(stop)
	wg.Wait()
}
