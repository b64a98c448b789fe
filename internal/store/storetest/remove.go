package storetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var removalChecks = []check{
	{"one run goes with all that hangs on it", removalTakesAll},
	{"what is not final is not removed", removalOfLive},
	{"what is not there is not removed", removalOfNothing},
	{"last run does not go back by a removal", removalKeepsLast},
	{"a wide run goes in many removals", removalOfWide},
	{"what a removal left goes with the old", removalGoesOn},
	{"a removed run is fenced as an old one is", removalFences},
}

// remove calls until there is no more.
func (e env) remove(run int64, limit int) (calls int) {
	e.t.Helper()
	for more := true; more; calls++ {
		var err error
		more, err = e.s.Remove(e.t.Context(), run, limit)
		e.ok("Remove", err)
		e.gone(run)
	}
	return calls
}

func (e env) notRemoved(what string, run int64, want *api.Error) {
	e.t.Helper()
	if more, err := e.s.Remove(e.t.Context(), run, 100); more || !errors.Is(err, want) {
		e.t.Errorf("Remove of %s: more %t, %v; want %s", what, more, err, want.Code)
	}
}

func removalTakesAll(e env) {
	e.oldRun(1)
	e.oldRun(3)
	want := e.content()
	e.oldRun(2)
	blob, err := e.s.PutBlob(e.t.Context(), 2, pattern(300_000))
	e.ok("PutBlob", err)
	e.remove(2, 1000)
	e.equal("content", e.content(), want)
	if _, err := e.s.OpenBlob(e.t.Context(), blob); !errors.Is(err, api.ErrNotFound) {
		e.t.Errorf("OpenBlob of a removed run: %v, want ErrNotFound", err)
	}
	e.equal("removed later", e.expire(later, 100), 2)
	e.equal("content", e.content(), content{})
}

func removalOfLive(e env) {
	for i, state := range []api.State{api.Pending, api.Running, api.Paused, api.Cancelling, api.Scheduled} {
		id := int64(i + 1)
		live := newRun(id)
		live.NewRun.State = state
		e.commit(live, insertTask(id, id*100, api.Completed))
		before := e.content()
		e.notRemoved(state.String(), id, api.ErrConflict)
		e.equal("content", e.content(), before)
	}
	// A retry makes it live.
	e.commit(setRun(1, 1, store.RunSet{State: api.Failed, Epoch: 1}), setRun(1, 1, store.RunSet{State: api.Running, Gen: 1, Epoch: 2}))
	e.notRemoved("a retried run", 1, api.ErrConflict)
}

func removalOfNothing(e env) {
	e.notRemoved("what never was", 1, api.ErrNotFound)
	e.oldRun(2)
	e.notRemoved("what is before all", 1, api.ErrNotFound)
	e.notRemoved("what is after all", 3, api.ErrNotFound)
	e.remove(2, 100)
	e.notRemoved("what was removed", 2, api.ErrNotFound)
}

func removalKeepsLast(e env) {
	e.oldRun(1)
	e.oldRun(2)
	e.remove(2, 100)
	e.equal("last run", e.last(), int64(2))
	e.remove(1, 100)
	e.equal("last run", e.last(), int64(2))
}

// wideRun makes a run that has ended and takes many calls to remove.
func (e env) wideRun(id int64, children int64) {
	e.t.Helper()
	t := at(id)
	first := id * 10_000
	t.Blocks = []store.Block{{Run: id, First: first, Count: children, Seq: 16}}
	t.Logs = logs(id, slices.Repeat([]string{"line"}, 50)...).Logs
	for i := range children {
		*t.AddTask() = insertTask(id, first+i, api.Completed).Tasks[0]
	}
	e.commit(newRun(id), t, ended(id))
}

func removalOfWide(e env) {
	e.wideRun(1, 1200)
	e.wideRun(2, 10)
	two := e.content()
	more, err := e.s.Remove(e.t.Context(), 1, 300)
	e.ok("Remove", err)
	if c := e.content(); !more || len(c.Tasks) < 600 {
		e.t.Errorf("%d task runs are left after a call for 300, more %t", len(c.Tasks), more)
	}
	e.gone(1)
	e.commit(insertTaskOfNew(3)...)
	if calls := e.remove(1, 300); calls > 20 {
		e.t.Errorf("it took %d calls", calls)
	}
	c := e.content()
	e.equal("task runs and lines left", []int{len(c.Tasks), len(c.Logs)}, []int{len(two.Tasks) - 1200 + 1, 50})
	e.notRemoved("what was removed", 1, api.ErrNotFound)
}

func insertTaskOfNew(id int64) []*store.Transition {
	return []*store.Transition{newRun(id), insertTask(id, id*100, api.Running)}
}

func removalGoesOn(e env) {
	for id := int64(1); id <= 3; id++ {
		e.wideRun(id, 400)
	}
	for id := int64(1); id <= 2; id++ {
		if more, err := e.s.Remove(e.t.Context(), id, 50); !more || err != nil {
			e.t.Errorf("Remove: more %t, %v", more, err)
		}
	}
	e.equal("removed later", e.expire(0, 1000), 0)
	c := e.content()
	e.equal("runs and task runs", []int{len(c.Runs), len(c.Tasks)}, []int{1, 400})
	e.remove(3, 1)
	e.equal("content", e.content(), content{})
}

func removalFences(e env) {
	e.oldRun(1)
	e.remove(1, 100)
	e.fenced("a retry of a removed run", setRun(1, 1, store.RunSet{State: api.Running, Gen: 1, Epoch: 2}))
	e.fenced("a task of a removed run", insertTask(1, 999, api.Running))
}

// removalOfOthers has two sessions remove the same runs, while one of them makes half of
// these live again, and the old are removed: each goes whole, or is live and whole.
func removalOfOthers(t *testing.T, a, b env, _ func(env)) {
	const runs = 20
	for id := range int64(runs) {
		b.oldRun(id + 1)
	}
	retried := make(map[int64]bool)
	together(3, func(i int64) {
		for id := int64(1); id <= runs; id++ {
			if i == 2 {
				if id%2 > 0 {
					continue
				}
				_, err := b.s.Commit(t.Context(), []*store.Transition{setRun(id, 1, store.RunSet{State: api.Running, Gen: 1, Epoch: 2})})
				if retried[id] = err == nil; err != nil && !errors.Is(err, store.ErrFenced) {
					t.Errorf("a retry: %v, want nothing or ErrFenced", err)
				}
				continue
			}
			for more := true; more; {
				var err error
				more, err = []env{a, b}[i].s.Remove(t.Context(), id, 2)
				switch {
				case errors.Is(err, store.ErrRetry):
					more = true
				case err != nil && !errors.Is(err, api.ErrNotFound) && !errors.Is(err, api.ErrConflict):
					t.Errorf("Remove: %v", err)
				}
			}
		}
	})
	for id := int64(1); id <= runs; id++ {
		tasks, err := taskRows(t.Context(), a.s, id, id*100, id*100+100)
		a.ok("Tasks", err)
		if !retried[id] {
			a.gone(id)
			a.equal("task runs of a removed run", len(tasks), 0)
			continue
		}
		a.equal("state of a retried run", b.run(id).State, api.Running)
		a.equal("task runs of a retried run", len(tasks), 2)
	}
}
