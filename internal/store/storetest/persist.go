package storetest

import (
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// RunReopen runs what is about a restart.
func RunReopen(t *testing.T, open Reopen) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(e env, reopen func() env)
	}{
		{"all is there after a restart", allThere},
		{"fences hold after a restart", fencesHold},
		{"keys go on after a restart", keysGoOn},
		{"blobs are there after a restart", blobsThere},
		{"a removal goes on after a restart", expiryGoesOn},
		{"records are there after a restart", recordsThere},
		{"blobs of records are there after a restart", blobsOwned},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, reopen := open(t)
			last := s
			c.run(env{t: t, s: s}, func() env {
				t.Helper()
				last = reopen()
				return env{t: t, s: last}
			})
			if err := last.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func allThere(e env, reopen func() env) {
	e.commit(newRun(1), full(1, 10), newRun(2), full(2, 20))
	e.commit(updateTask(1, 10, 1, 0, api.Completed), join(2, 20, 1, 1, 2),
		setRun(2, 1, store.RunSet{State: api.Failed, Epoch: 1, Finished: 5}))
	misnamed := insertTask(1, 11, api.Running)
	misnamed.Tasks[0].Task = "mul"
	e.fenced("a misfit", misnamed, updateTask(1, 10, 1, 0, api.Failed))
	want := e.content()
	for range 2 {
		e = reopen()
		e.equal("content", e.content(), want)
		last, err := e.s.LastRun(e.t.Context())
		e.ok("LastRun", err)
		e.equal("last run", last, int64(2))
		v, err := e.s.Keyed(e.t.Context(), "k")
		e.ok("Keyed", err)
		e.equal("keyed state", string(v), "20")
	}
	// New names and lines go behind the old.
	more := insertTask(1, 30, api.Running)
	more.Tasks[0].Task = "mul"
	more.Logs = logs(1, "last").Logs
	e.commit(more)
	e.equal("old and new task name", e.task(10).Task+e.task(30).Task, "addmul")
	lines := e.content().Logs
	e.equal("last line", lines[len(lines)-1].Text, "last")
}

// Same holds one store to having the content of another.
func Same(t *testing.T, got, want store.Store) {
	t.Helper()
	e := env{t: t, s: got}
	e.equal("content", e.content(), env{t: t, s: want}.content())
}

func fencesHold(e env, reopen func() env) {
	e.commit(newRun(1), newRun(2), newRun(3), full(1, 10))
	e.commit(setRun(1, 1, store.RunSet{State: api.Running, Epoch: 5}))
	e.commit(setRun(2, 1, store.RunSet{State: api.Completed, Epoch: 1}))
	e = reopen()
	e.fenced("an old epoch", insertTask(1, 11, api.Running))
	e.fenced("a final run", insertTask(2, 11, api.Running))
	e.fenced("a run that exists", newRun(3))
	next, again := insertTask(1, 11, api.Running), insertTask(1, 10, api.Running)
	next.Epoch, again.Epoch = 5, 5
	e.fenced("a key that exists", again)
	e.commit(next, insertTask(3, 12, api.Running))
}

func keysGoOn(e env, reopen func() env) {
	next := int64(1)
	for _, n := range []int64{1, 16, 100_000, 3} {
		first, err := e.s.ReserveKeys(e.t.Context(), n)
		e.ok("ReserveKeys", err)
		if first < next {
			e.t.Fatalf("ReserveKeys(%d) gave %d, but all below %d are given out", n, first, next)
		}
		next = first + n
		e = reopen()
	}
}

func blobsThere(e env, reopen func() env) {
	e.commit(newRun(1))
	var blobs []store.Blob
	for _, n := range blobLengths {
		blobs = append(blobs, e.put(n))
	}
	e = reopen()
	for i, n := range blobLengths {
		e.blobIs(blobs[i], n)
	}
	e.put(1)
	for i, n := range blobLengths {
		e.blobIs(blobs[i], n)
	}
}
