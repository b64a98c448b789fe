package storetest

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var taskChecks = []check{
	{"task is read as written", taskAsWritten},
	{"task key that exists fences", taskExists},
	{"attempt and generation fence", attemptFences},
	{"final task fences", finalTaskFences},
	{"unknown task fences", unknownTaskFences},
	{"task is reopened only when final", taskReopened},
	{"task written several times in a batch", taskSeveralTimes},
	{"a wide batch of tasks, in any order", wideBatch},
	{"one misfit fences a wide batch", wideBatchFenced},
	{"task names of a refused batch", namesOfRefused},
	{"tasks come by range, in order", tasksByRange},
	{"tasks end early, with the error given", tasksEndEarly},
	{"tasks may be read from within", tasksNested},
	{"tasks with a cancelled context", tasksCancelled},
	{"tasks keep their workers, whose names come with them", tasksKeepWorkers},
}

func taskAsWritten(e env) {
	w := insertTask(1, 10, api.Running)
	e.commit(newRun(1), w)
	w.Tasks[0].Cell[0] = 'X' // what was committed is the store's own
	want := store.TaskRow{ID: 10, Run: 1, Frame: 7, Place: 3, Task: "add", State: api.Running, Attempt: 1, Cell: []byte("new")}
	e.equal("task", e.task(10), want)

	u := updateTask(1, 10, 1, 0, api.Scheduled)
	u.Tasks[0].Attempt, u.Tasks[0].Gen = 2, 1
	u.Tasks[0].Frame, u.Tasks[0].Place, u.Tasks[0].Task = 8, 4, "sub" // these do not change
	e.commit(u)
	want.State, want.Attempt, want.Gen, want.Cell = api.Scheduled, 2, 1, []byte("updated")
	e.equal("updated task", e.task(10), want)

	big := updateTask(1, 10, 2, 1, api.Completed)
	big.Tasks[0].Cell = make([]byte, 64<<10)
	big.Tasks[0].Cell[60000] = 9
	e.commit(big)
	e.equal("large cell", e.task(10).Cell, big.Tasks[0].Cell)
	none := insertTask(1, 11, api.Completed)
	none.Tasks[0].Cell, none.Tasks[0].Task = nil, ""
	e.commit(none)
	e.equal("no cell", e.task(11).Cell, []byte(nil))
}

func taskExists(e env) {
	e.commit(newRun(1), insertTask(1, 10, api.Running))
	e.fenced("a key that exists", insertTask(1, 9, api.Running), insertTask(1, 10, api.Running))
	e.fenced("twice in a batch", insertTask(1, 11, api.Running), insertTask(1, 11, api.Running))
	e.commit(insertTask(1, 9, api.Running))
}

func attemptFences(e env) {
	e.commit(newRun(1), insertTask(1, 10, api.Running))
	e.fenced("another attempt", updateTask(1, 10, 2, 0, api.Completed))
	e.fenced("another generation", updateTask(1, 10, 1, 1, api.Completed))
	next := updateTask(1, 10, 1, 0, api.Running)
	next.Tasks[0].Attempt, next.Tasks[0].Gen = 2, 0
	e.commit(next)
	e.fenced("the attempt before", updateTask(1, 10, 1, 0, api.Completed))
	e.commit(updateTask(1, 10, 2, 0, api.Completed))
}

func finalTaskFences(e env) {
	e.commit(newRun(1))
	for i, final := range []api.State{api.Completed, api.Failed, api.Cancelled} {
		id := int64(10 + i)
		e.commit(insertTask(1, id, api.Running))
		e.commit(updateTask(1, id, 1, 0, final))
		e.fenced("a final task", updateTask(1, id, 1, 0, api.Completed))
	}
}

func unknownTaskFences(e env) {
	e.commit(newRun(1))
	e.fenced("unknown", updateTask(1, 10, 1, 0, api.Completed))
	e.fenced("unknown, reopened", reopenTask(1, 10, 1, 0))
	e.fenced("inserted later in the batch", updateTask(1, 10, 1, 0, api.Completed), insertTask(1, 10, api.Running))
}

func taskReopened(e env) {
	e.commit(newRun(1), insertTask(1, 10, api.Running))
	e.fenced("a task in progress", reopenTask(1, 10, 1, 0))
	e.commit(updateTask(1, 10, 1, 0, api.Failed))
	e.fenced("another attempt", reopenTask(1, 10, 2, 0))
	e.fenced("another generation", reopenTask(1, 10, 1, 1))
	e.commit(reopenTask(1, 10, 1, 0))
	got := e.task(10)
	e.equal("state, attempt, generation, cell",
		[]any{got.State, got.Attempt, got.Gen, string(got.Cell)}, []any{api.Pending, int32(0), int32(1), "reopened"})
	e.fenced("reopened twice", reopenTask(1, 10, 0, 1))
}

func taskSeveralTimes(e env) {
	e.commit(newRun(1))
	second := updateTask(1, 10, 1, 0, api.Running)
	second.Tasks[0].Attempt = 2
	e.commit(insertTask(1, 10, api.Running), second, updateTask(1, 10, 2, 0, api.Completed))
	want := store.TaskRow{ID: 10, Run: 1, Frame: 7, Place: 3, Task: "add", State: api.Completed, Attempt: 2, Cell: []byte("updated")}
	e.equal("inserted and updated twice", e.task(10), want)

	e.fenced("the second update does not fit the first", insertTask(1, 11, api.Running),
		updateTask(1, 11, 1, 0, api.Completed), updateTask(1, 11, 1, 0, api.Failed))
	e.fenced("the update does not fit the insert", insertTask(1, 11, api.Running), updateTask(1, 11, 2, 0, api.Failed))
	e.commit(reopenTask(1, 10, 2, 0), updateTask(1, 10, 0, 1, api.Failed))
	e.equal("reopened and ended", e.task(10).State, api.Failed)
	e.commit(reopenTask(1, 10, 0, 1))
	e.commit(updateTask(1, 10, 0, 2, api.Failed), reopenTask(1, 10, 0, 2))
	e.equal("ended and reopened", []any{e.task(10).State, e.task(10).Gen}, []any{api.Pending, int32(3)})

	// Also within one transition.
	one := insertTask(1, 12, api.Running)
	*one.AddTask() = updateTask(1, 12, 1, 0, api.Completed).Tasks[0]
	e.commit(one)
	e.equal("inserted and ended in one transition", e.task(12).State, api.Completed)
}

// wide gives n transitions in an order that is not that of the keys.
func wide(n int64, one func(id int64) *store.Transition) (batch []*store.Transition) {
	for i := range n {
		batch = append(batch, one(1000+(i*619)%n)) // 619 is prime to the n used here
	}
	return batch
}

func wideBatch(e env) {
	const n = 1237
	e.commit(newRun(1))
	e.commit(wide(n, func(id int64) *store.Transition { return insertTask(1, id, api.Running) })...)
	mixed := wide(n, func(id int64) *store.Transition { return updateTask(1, id, 1, 0, api.Completed) })
	for i := range int64(177) {
		mixed = append(mixed, insertTask(1, 5000-i, api.Running))
	}
	e.commit(mixed...)
	rows, err := taskRows(e.t.Context(), e.s, 1, 1000, 6000)
	e.ok("Tasks", err)
	e.equal("rows", len(rows), n+177)
	for i, r := range rows {
		want := api.Completed
		if r.ID > 1000+n {
			want = api.Running
		}
		if r.State != want || i > 0 && rows[i-1].ID >= r.ID {
			e.t.Fatalf("row %d is %+v, want %s", i, r, want)
		}
	}
}

func wideBatchFenced(e env) {
	const n = 307
	e.commit(newRun(1))
	e.commit(wide(n, func(id int64) *store.Transition { return insertTask(1, id, api.Running) })...)
	e.commit(updateTask(1, 1100, 1, 0, api.Failed))
	update := func(id int64) *store.Transition { return updateTask(1, id, 1, 0, api.Completed) }
	e.fenced("one is final", wide(n, update)...)
	e.fenced("one does not exist", append(wide(n, func(id int64) *store.Transition {
		return updateTask(1, id+5000, 1, 0, api.Completed)
	}), insertTask(1, 4000, api.Running))...)
	e.fenced("one key exists", wide(n, func(id int64) *store.Transition {
		return insertTask(1, id+n-1, api.Running)
	})...)
}

// A store that keeps names apart must not believe that it stored one.
func namesOfRefused(e env) {
	e.commit(newRun(1), insertTask(1, 10, api.Running))
	named := func(id int64, name string) *store.Transition {
		t := insertTask(1, id, api.Running)
		t.Tasks[0].Task = name
		return t
	}
	e.fenced("a key that exists", named(8, "b"), named(9, "c"), insertTask(1, 10, api.Running))
	e.commit(named(8, "c"), named(9, "d"))
	e.fenced("a key that exists", named(7, "e"), insertTask(1, 10, api.Running))
	e.commit(named(7, "b"), named(6, ""), named(5, "c"))
	rows, err := taskRows(e.t.Context(), e.s, 1, 0, 100)
	e.ok("Tasks", err)
	var got []string
	for _, r := range rows {
		got = append(got, r.Task)
	}
	e.equal("names", got, []string{"c", "", "b", "c", "d", "add"})
}

func tasksByRange(e env) {
	e.commit(newRun(1))
	ids := []int64{1, 63, 64, 65, 127, 128, 1000, 1001, 50_000, 1 << 40}
	others := []int64{2, 62, 66, 129, 50_001}
	e.commit(newRun(2))
	for _, id := range others {
		e.commit(insertTask(2, id, api.Completed))
	}
	for _, id := range slices.Backward(ids) {
		e.commit(insertTask(1, id, api.Completed))
	}
	for _, c := range []struct {
		from, to int64
		want     []int64
	}{
		{0, math.MaxInt64, ids},
		{1, 2, ids[:1]},
		{2, 63, nil},
		{63, 65, ids[1:3]},
		{64, 128, ids[2:5]},
		{1001, 1001, nil},
		{1001, 1000, nil},
		{1001, 1 << 40, ids[7:9]},
		{1 << 40, 1<<40 + 1, ids[9:]},
		{1<<40 + 1, math.MaxInt64, nil},
		{-5, 1, nil},
	} {
		rows, err := taskRows(e.t.Context(), e.s, 1, c.from, c.to)
		e.ok("Tasks", err)
		var got []int64
		for _, r := range rows {
			got = append(got, r.ID)
		}
		if len(got) != len(c.want) {
			e.t.Fatalf("from %d to %d: %v, want %v", c.from, c.to, got, c.want)
		}
		for i := range got {
			e.equal("id", got[i], c.want[i])
		}
	}
}

func tasksEndEarly(e env) {
	e.commit(newRun(1))
	e.commit(wide(1237, func(id int64) *store.Transition { return insertTask(1, id, api.Running) })...)
	stop := errors.New("stop")
	for _, after := range []int{1, 2, 1200} {
		n := 0
		err := e.s.Tasks(e.t.Context(), 1, 0, math.MaxInt64, func(*store.TaskRow) error {
			if n++; n == after {
				return stop
			}
			return nil
		})
		if err != stop || n != after { //nolint:errorlint // as it is
			e.t.Errorf("Tasks gave %v after %d rows, want %v after %d", err, n, stop, after)
		}
	}
}

func tasksNested(e env) {
	e.commit(newRun(1))
	e.commit(wide(307, func(id int64) *store.Transition { return insertTask(1, id, api.Running) })...)
	blob, err := e.s.PutBlob(e.t.Context(), 1, pattern(10))
	e.ok("PutBlob", err)
	n := 0
	var nest func(depth int) error
	nest = func(depth int) error {
		return e.s.Tasks(e.t.Context(), 1, 1000, 1002, func(*store.TaskRow) error {
			n++
			r, err := e.s.OpenBlob(e.t.Context(), blob)
			if err != nil {
				return err
			}
			if err := r.Close(); err != nil || depth == 0 {
				return err
			}
			return nest(depth - 1)
		})
	}
	e.ok("Tasks within Tasks", nest(7))
	e.equal("calls", n, 2+4+8+16+32+64+128+256)
}

func tasksCancelled(e env) {
	e.commit(newRun(1), insertTask(1, 10, api.Running))
	ctx, cancel := context.WithCancel(e.t.Context())
	cancel()
	err := e.s.Tasks(ctx, 1, 0, 100, func(*store.TaskRow) error { return nil })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, api.ErrCancelled) {
		e.t.Errorf("Tasks with a cancelled context: %v", err)
	}
	// A commit belongs to many callers: the context of one does not end it.
	if _, err := e.s.Commit(ctx, []*store.Transition{insertTask(1, 11, api.Running)}); err != nil {
		e.t.Errorf("Commit with a cancelled context: %v", err)
	}
}

// A row names its worker by a number, and the commit of the first one says what it
// stands for: there is never the one without the other.
func tasksKeepWorkers(e env) {
	cell := store.TaskCell{Worker: 1 << 26, Started: 5, Begun: 5, Ended: 6}
	ended := func(id int64) *store.Transition {
		t := insertTask(1, id, api.Completed)
		t.Tasks[0].Cell = cell.Append(nil)
		t.Records = []store.RecordWrite{{Kind: "worker", Key: "67108864", Value: []byte(`{"name":"gpu-7"}`)}}
		return t
	}
	e.commit(newRun(1))
	e.fenced("a misfit after it", ended(10), updateTask(1, 11, 1, 0, api.Completed))
	e.equal("names of a refused batch", len(e.records("worker")), 0)
	e.commit(ended(10), ended(11))
	for id := range int64(2) {
		var got store.TaskCell
		e.ok("Decode", got.Decode(e.task(10+id).Cell))
		e.equal("worker", got.Worker, cell.Worker)
	}
	e.equal("its name", e.records("worker"), []record{{"67108864", []byte(`{"name":"gpu-7"}`)}})
}
