package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
)

const benchGroup = 1000

// benchCell is what a task with a short input, a result, three times and a
// history comes to.
var benchCell = make([]byte, 90)

func benchStore(b *testing.B) *sqlite.Store {
	b.Helper()
	return open(b, filepath.Join(b.TempDir(), "runnel.db"), sqlite.Options{})
}

// add adds a task run to a transition.
func add(t *store.Transition, op store.TaskOp, id int64, state api.State) {
	*t.AddTask() = store.TaskWrite{Op: op, WasAttempt: 1, TaskRow: task(id, state, benchCell).Tasks[0].TaskRow}
}

// Tasks come into the file when they have ended, and count down their group.
func BenchmarkFinishedTasks(b *testing.B) {
	s := benchStore(b)
	group := store.FrameWrite{ID: 1, Kind: store.GroupFrame, State: store.FrameOpen, Pending: 1 << 40}
	commit(b, s, newRun(1), &store.Transition{Run: 1, Frames: []store.FrameWrite{group}})
	batch := make([]*store.Transition, benchGroup)
	id := int64(0)
	perTask(b, benchGroup, func() {
		for i := range batch {
			id++
			batch[i] = task(id, api.Completed, benchCell)
			batch[i].AddJoin(store.Join{Frame: 1, Ended: 1, Low: id})
		}
		commit(b, s, batch...)
	})
}

// Tasks come when they begin and change when they end, one commit later.
func BenchmarkInsertThenUpdate(b *testing.B) {
	s := benchStore(b)
	commit(b, s, newRun(1))
	batch := make([]*store.Transition, 2*benchGroup)
	id := int64(0)
	perTask(b, benchGroup, func() {
		for i := range int64(benchGroup) {
			id++
			batch[2*i], batch[2*i+1] = task(id, api.Running, benchCell), &store.Transition{Run: 1}
			if id > benchGroup {
				add(batch[2*i+1], store.UpdateTask, id-benchGroup, api.Completed)
			}
		}
		commit(b, s, batch...)
	})
}

// Runs of one task: the run comes in one commit, its task and its end in the next.
func BenchmarkRuns(b *testing.B) {
	s := benchStore(b)
	batch := make([]*store.Transition, 0, 2*benchGroup)
	plan := []byte(`{"task":"add","input":[1,2]}`)
	id := int64(0)
	perTask(b, benchGroup, func() {
		batch = batch[:0]
		for range benchGroup {
			id++
			batch = append(batch, &store.Transition{Run: id, NewRun: &store.RunRow{
				ID: id, Name: "add", State: api.Running, Base: id * 16, Created: id, Plan: plan,
			}})
			if old := id - benchGroup; old > 0 {
				end := &store.Transition{Run: old, SetRun: &store.RunSet{State: api.Completed, Finished: 5, Cell: benchCell[:40]}}
				add(end, store.InsertTask, old*16, api.Completed)
				batch = append(batch, end)
			}
		}
		commit(b, s, batch...)
	})
}

// One small transition a commit: what a caller waits for at least.
func BenchmarkBareCommit(b *testing.B) {
	s := benchStore(b)
	commit(b, s, newRun(1))
	id := int64(0)
	perTask(b, 1, func() {
		id++
		commit(b, s, task(id, api.Completed, benchCell))
	})
}

func BenchmarkReadTasks(b *testing.B) {
	s := benchStore(b)
	commit(b, s, newRun(1))
	const n = 100_000
	for id := int64(0); id < n; {
		t := &store.Transition{Run: 1}
		for range benchGroup {
			id++
			add(t, store.InsertTask, id, api.Completed)
		}
		commit(b, s, t)
	}
	perTask(b, n, func() {
		if err := s.Tasks(b.Context(), 1, 0, n+1, func(*store.TaskRow) error { return nil }); err != nil {
			b.Fatal(err)
		}
	})
}

// perTask runs f, which handles n tasks, and reports tasks a second.
func perTask(b *testing.B, n int, f func()) {
	b.Helper()
	f() // the first page of everything
	b.ReportAllocs()
	start := time.Now()
	rounds := 0
	for b.Loop() {
		f()
		rounds++
	}
	b.ReportMetric(float64(rounds*n)/time.Since(start).Seconds(), "tasks/s")
}
