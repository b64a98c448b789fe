package storetest

import (
	"errors"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var runChecks = []check{
	{"run is read as written", runAsWritten},
	{"run that is not there", runMissing},
	{"run number that exists fences", runExists},
	{"epoch fences", epochFences},
	{"unknown run fences", unknownRunFences},
	{"final run fences", finalRunFences},
	{"final run can be retried", finalRunRetried},
	{"runs made and ended in one batch", runInOneBatch},
	{"many runs changed in one batch", manyRunsChanged},
	{"last run", lastRun},
	{"live runs come in pages", liveRuns},
	{"runs come in pages, newest first", runsPaged},
	{"runs are chosen by filter", runsFiltered},
}

func (e env) run(id int64) store.RunRow {
	e.t.Helper()
	r, err := e.s.Run(e.t.Context(), id)
	e.ok("Run", err)
	return tidyRun(r)
}

func runAsWritten(e env) {
	n := newRun(5)
	n.NewRun.Gen, n.NewRun.Cell, n.NewRun.Finished = 2, []byte{0, 1, 2}, 77
	want := *n.NewRun
	want.Plan = tidy(want.Plan)
	e.commit(n)
	n.NewRun.Plan[0] = 'X' // what was committed is the store's own
	e.equal("run", e.run(5), want)

	e.commit(setRun(5, 1, store.RunSet{State: api.Paused, Gen: 3, Epoch: 2, Finished: 78, Cell: []byte("cell")}))
	want.State, want.Gen, want.Epoch, want.Finished, want.Cell = api.Paused, 3, 2, 78, []byte("cell")
	e.equal("changed run", e.run(5), want)
	e.commit(setRun(5, 2, store.RunSet{State: api.Running, Gen: 3, Epoch: 3}))
	want.State, want.Epoch, want.Finished, want.Cell = api.Running, 3, 0, nil
	e.equal("run changed twice", e.run(5), want)
}

func runMissing(e env) {
	if _, err := e.s.Run(e.t.Context(), 9); !errors.Is(err, api.ErrNotFound) {
		e.t.Errorf("Run of an unknown number: %v, want ErrNotFound", err)
	}
	frames, err := frameRows(e.t.Context(), e.s, 9)
	e.ok("Frames", err)
	blocks, err := e.s.Blocks(e.t.Context(), 9)
	e.ok("Blocks", err)
	if len(frames)+len(blocks) != 0 {
		e.t.Errorf("an unknown run has %d frames and %d blocks", len(frames), len(blocks))
	}
}

func runExists(e env) {
	e.commit(newRun(1))
	e.fenced("a live run's number", newRun(2), newRun(1))
	e.commit(setRun(1, 1, store.RunSet{State: api.Completed, Epoch: 1}))
	e.fenced("a final run's number", newRun(2), newRun(1))
	e.fenced("twice in a batch", newRun(3), newRun(3))
	e.commit(newRun(2))
}

func epochFences(e env) {
	e.commit(newRun(1))
	ahead := insertTask(1, 10, api.Running)
	ahead.Epoch = 2
	e.fenced("an epoch ahead", ahead)
	e.commit(setRun(1, 1, store.RunSet{State: api.Running, Epoch: 2}))
	e.fenced("an epoch behind", insertTask(1, 10, api.Running))
	e.commit(ahead)
	// The epoch may rise in the middle of a batch.
	last := updateTask(1, 10, 1, 0, api.Completed)
	last.Epoch = 3
	e.fenced("a rise that comes later", last, setRun(1, 2, store.RunSet{State: api.Running, Epoch: 3}))
	e.commit(setRun(1, 2, store.RunSet{State: api.Running, Epoch: 3}), last)
	e.equal("epoch", e.run(1).Epoch, int32(3))
}

func unknownRunFences(e env) {
	e.fenced("an unknown run", insertTask(1, 10, api.Running))
	e.fenced("a run that comes later in the batch", insertTask(1, 10, api.Running), newRun(1))
	e.commit(newRun(1), insertTask(1, 10, api.Running))
}

func finalRunFences(e env) {
	for i, final := range []api.State{api.Completed, api.Failed, api.Cancelled} {
		id := int64(i + 1)
		e.commit(newRun(id))
		end := setRun(id, 1, store.RunSet{State: final, Epoch: 1, Finished: 5})
		e.fenced("after the end, in one batch", end, insertTask(id, 10, api.Running))
		e.commit(end)
		e.fenced("a task of a final run", insertTask(id, 10, api.Running))
		e.fenced("another end", setRun(id, 1, store.RunSet{State: api.Failed, Epoch: 2}))
	}
}

func finalRunRetried(e env) {
	e.commit(newRun(1), group(1, 20, 2), insertTask(1, 10, api.Failed))
	e.commit(setRun(1, 1, store.RunSet{State: api.Failed, Epoch: 1, Finished: 5}))
	retry := reopenTask(1, 10, 1, 0)
	retry.SetRun = &store.RunSet{State: api.Running, Gen: 1, Epoch: 2}
	retry.Epoch = 7
	e.fenced("a retry at another epoch", retry)
	retry.Epoch = 1
	e.commit(retry)
	r := e.run(1)
	e.equal("state, generation, epoch, end", []any{r.State, r.Gen, r.Epoch, r.Finished},
		[]any{api.Running, int32(1), int32(2), int64(0)})
	done := updateTask(1, 10, 0, 1, api.Completed)
	done.Epoch = 2
	e.commit(done)
	live, err := e.s.LiveRuns(e.t.Context(), 0, 10)
	e.ok("LiveRuns", err)
	if len(live) != 1 {
		e.t.Errorf("a retried run is not among the live: %v", live)
	}
}

func runInOneBatch(e env) {
	end := setRun(1, 1, store.RunSet{State: api.Completed, Epoch: 1, Finished: 9, Cell: []byte("end")})
	*end.AddTask() = insertTask(1, 100, api.Completed).Tasks[0]
	e.commit(newRun(1), end, newRun(2))
	r := e.run(1)
	e.equal("state, end and cell", []any{r.State, r.Finished, string(r.Cell)}, []any{api.Completed, int64(9), "end"})
	e.equal("task", e.task(100).State, api.Completed)
	e.fenced("the run has ended", insertTask(1, 101, api.Running))
	// A run that is made ended, and one transition that makes and changes.
	ended := newRun(3)
	ended.NewRun.State = api.Cancelled
	both := newRun(4)
	both.SetRun = &store.RunSet{State: api.Paused, Epoch: 4}
	e.commit(ended, both)
	e.fenced("the run was born ended", insertTask(3, 101, api.Running))
	e.equal("epoch", e.run(4).Epoch, int32(4))
}

func manyRunsChanged(e env) {
	const n = 157
	var made, ended []*store.Transition
	for id := int64(1); id <= n; id++ {
		made = append(made, newRun(id))
		ended = append(ended, setRun(id, 1, store.RunSet{State: api.Failed, Epoch: 1, Finished: id}))
	}
	e.commit(made...)
	e.fenced("the last one does not fit", append(ended[:n-1:n-1], setRun(n, 3, store.RunSet{State: api.Failed}))...)
	e.commit(ended...)
	for id := int64(1); id <= n; id++ {
		if r := e.run(id); r.State != api.Failed || r.Finished != id {
			e.t.Fatalf("run %d is %s at %d", id, r.State, r.Finished)
		}
	}
}

func lastRun(e env) {
	for _, step := range []struct{ add, want int64 }{{0, 0}, {3, 3}, {9, 9}, {4, 9}} {
		if step.add != 0 {
			e.commit(newRun(step.add))
		}
		got, err := e.s.LastRun(e.t.Context())
		e.ok("LastRun", err)
		e.equal("LastRun", got, step.want)
	}
}

func liveRuns(e env) {
	for id := int64(1); id <= 10; id++ {
		e.commit(newRun(id))
		if id%3 == 0 {
			e.commit(setRun(id, 1, store.RunSet{State: api.Failed, Epoch: 1}))
		}
	}
	e.commit(setRun(2, 1, store.RunSet{State: api.Paused, Epoch: 2}))
	var got []int64
	for after := int64(0); ; {
		rows, err := e.s.LiveRuns(e.t.Context(), after, 3)
		e.ok("LiveRuns", err)
		if len(rows) == 0 {
			break
		}
		if len(rows) > 3 {
			e.t.Fatalf("%d rows, limit 3", len(rows))
		}
		for _, r := range rows {
			e.equal("row of LiveRuns", tidyRun(r), e.run(r.ID))
			got = append(got, r.ID)
		}
		after = rows[len(rows)-1].ID
	}
	e.equal("live runs", got, []int64{1, 2, 4, 5, 7, 8, 10})
}

func (e env) runIDs(f api.RunFilter, below int64, limit int) (ids []int64) {
	e.t.Helper()
	rows, err := e.s.Runs(e.t.Context(), f, below, limit)
	e.ok("Runs", err)
	for _, r := range rows {
		e.equal("row of Runs", tidyRun(r), e.run(r.ID))
		ids = append(ids, r.ID)
	}
	return ids
}

func runsPaged(e env) {
	for _, id := range []int64{1, 2, 5, 4, 3} {
		e.commit(newRun(id))
	}
	e.equal("from the newest", e.runIDs(api.RunFilter{Limit: 1}, 0, 2), []int64{5, 4})
	e.equal("below 4", e.runIDs(api.RunFilter{}, 4, 2), []int64{3, 2})
	e.equal("below 2", e.runIDs(api.RunFilter{}, 2, 2), []int64{1})
	e.equal("below 1", e.runIDs(api.RunFilter{}, 1, 2), []int64(nil))
	e.equal("below a number that is not there", e.runIDs(api.RunFilter{}, 100, 9), []int64{5, 4, 3, 2, 1})
}

func runsFiltered(e env) {
	for id := int64(1); id <= 6; id++ { // named run-1, run-2, run-0, run-1, …
		e.commit(newRun(id))
	}
	e.commit(setRun(2, 1, store.RunSet{State: api.Failed, Epoch: 1}))
	e.commit(setRun(5, 1, store.RunSet{State: api.Completed, Epoch: 1}))
	second := func(id int64) time.Time { return time.UnixMicro(born + id*1_000_000) }
	for _, c := range []struct {
		what  string
		f     api.RunFilter
		below int64
		want  []int64
	}{
		{"name", api.RunFilter{Name: "run-2"}, 0, []int64{5, 2}},
		{"no such name", api.RunFilter{Name: "run-%"}, 0, nil},
		{"state", api.RunFilter{States: []api.State{api.Failed}}, 0, []int64{2}},
		{"states", api.RunFilter{States: []api.State{api.Failed, api.Completed}}, 0, []int64{5, 2}},
		{"since, inclusive", api.RunFilter{Since: second(5)}, 0, []int64{6, 5}},
		{"until, exclusive", api.RunFilter{Until: second(3)}, 0, []int64{2, 1}},
		{"since and until", api.RunFilter{Since: second(2), Until: second(5)}, 0, []int64{4, 3, 2}},
		{"all of it", api.RunFilter{Name: "run-1", Since: second(1), States: []api.State{api.Running}}, 4, []int64{1}},
	} {
		e.equal(c.what, e.runIDs(c.f, c.below, 10), c.want)
	}
}
