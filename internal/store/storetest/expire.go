package storetest

import (
	"errors"
	"io"
	"math"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var expiryChecks = []check{
	{"old runs go with all that hangs on them", expiryTakesAll},
	{"live runs stay, however old", expiryKeepsLive},
	{"a run finished at the limit stays", expiryLimit},
	{"a retried run is live again", expiryOfRetried},
	{"last run does not go back", expiryKeepsLast},
	{"keyed state stays", expiryKeepsKeyed},
	{"a removed run is fenced", expiryFences},
	{"a wide run goes in many calls", expiryOfWide},
	{"a run of many blocks goes in many calls", expiryOfMany},
	{"blobs go with their run", expiryOfBlobs},
	{"young runs in the way", expiryBehindYoung},
	{"a limit of one", expiryOneByOne},
}

// later is after all that newRun makes; ended before it by default.
const later = math.MaxInt64

// oldRun makes a run that has ended, with one of each kind of row in its first
// keys and in a block.
func (e env) oldRun(id int64) {
	e.t.Helper()
	base := id * 100
	own := full(id, base+20)
	own.Keyed = nil
	own.Blocks = []store.Block{{Run: id, First: base + 20, Count: 20, Seq: 16}}
	*own.AddTask() = insertTask(id, base+3, api.Completed).Tasks[0]
	e.commit(newRun(id), own, ended(id))
}

func ended(id int64) *store.Transition {
	return setRun(id, 1, store.RunSet{State: api.Completed, Epoch: 1, Finished: born + id})
}

// expire calls until there is no more.
func (e env) expire(before int64, limit int) (removed int) {
	e.t.Helper()
	for calls := 0; ; calls++ {
		n, more, err := e.s.Expire(e.t.Context(), before, limit)
		e.ok("Expire", err)
		removed += n
		if !more {
			return removed
		}
		if calls > 100_000 {
			e.t.Fatal("Expire does not come to an end")
		}
	}
}

func (e env) gone(id int64) {
	e.t.Helper()
	if _, err := e.s.Run(e.t.Context(), id); !errors.Is(err, api.ErrNotFound) {
		e.t.Errorf("Run %d: %v, want ErrNotFound", id, err)
	}
}

func expiryTakesAll(e env) {
	e.equal("removed of nothing", e.expire(later, 100), 0)
	e.oldRun(2)
	want := e.content()
	e.oldRun(1)
	e.oldRun(3)
	e.equal("removed", e.expire(born, 100), 0)
	e.commit(newRun(4))
	four := e.content()
	e.equal("removed", e.expire(born+5, 100), 0) // created after that
	e.equal("content", e.content(), four)
	e.commit(setRun(2, 1, store.RunSet{State: api.Running, Epoch: 1}), setRun(4, 1, store.RunSet{State: api.Failed, Epoch: 1}))
	e.equal("removed", e.expire(later, 100), 3)
	e.commit(ended(2))
	e.equal("content", e.content(), want)
	e.equal("removed", e.expire(later, 100), 1)
	e.equal("content", e.content(), content{})
	e.gone(1)
	frames, err := frameRows(e.t.Context(), e.s, 1)
	e.ok("Frames", err)
	blocks, err := e.s.Blocks(e.t.Context(), 3)
	e.ok("Blocks", err)
	e.equal("frames and blocks", len(frames)+len(blocks), 0)
}

func expiryKeepsLive(e env) {
	states := []api.State{api.Pending, api.Running, api.Paused, api.Cancelling, api.Scheduled}
	for i, state := range states {
		e.oldRun(int64(2*i + 1))
		live := newRun(int64(2*i + 2))
		live.NewRun.State = state
		e.commit(live, insertTask(live.Run, live.Run*100, api.Completed))
	}
	e.equal("removed", e.expire(later, 3), len(states))
	c := e.content()
	e.equal("runs and tasks", []int{len(c.Runs), len(c.Live), len(c.Tasks)}, []int{5, 5, 5})
}

func expiryLimit(e env) {
	e.oldRun(1) // created a second after born
	e.commit(newRun(2), setRun(2, 1, store.RunSet{State: api.Failed, Epoch: 1, Finished: born + 9_000_000}))
	e.equal("removed at the limit", e.expire(born+9_000_000, 100), 1)
	e.equal("removed after it", e.expire(born+9_000_001, 100), 1)
}

func expiryOfRetried(e env) {
	e.oldRun(1)
	e.commit(newRun(2), setRun(2, 1, store.RunSet{State: api.Failed, Epoch: 1, Finished: born}))
	e.commit(setRun(2, 1, store.RunSet{State: api.Running, Gen: 1, Epoch: 2}))
	e.equal("removed", e.expire(later, 100), 1)
	e.equal("generation", e.run(2).Gen, int32(1))
	next := insertTask(2, 210, api.Completed)
	next.Epoch = 2
	e.commit(next, setRun(2, 2, store.RunSet{State: api.Failed, Gen: 1, Epoch: 2, Finished: born + 1}))
	e.equal("removed", e.expire(later, 100), 1)
	e.equal("content", e.content(), content{})
}

func (e env) last() int64 {
	e.t.Helper()
	last, err := e.s.LastRun(e.t.Context())
	e.ok("LastRun", err)
	return last
}

func expiryKeepsLast(e env) {
	for id := int64(1); id <= 9; id++ {
		e.oldRun(id)
	}
	key, err := e.s.ReserveKeys(e.t.Context(), 10)
	e.ok("ReserveKeys", err)
	e.equal("removed", e.expire(later, 4), 9)
	e.equal("last run", e.last(), int64(9))
	next, err := e.s.ReserveKeys(e.t.Context(), 10)
	e.ok("ReserveKeys", err)
	if next < key+10 {
		e.t.Errorf("key %d is given out again", next)
	}
	e.oldRun(10)
	e.equal("last run", e.last(), int64(10))
	e.oldRun(12)
	e.equal("removed", e.expire(later, 100), 2)
	e.commit(newRun(11))
	e.equal("last run", e.last(), int64(12))
}

func expiryKeepsKeyed(e env) {
	e.commit(newRun(1), keyed(1, store.KeyedWrite{TaskID: "a", Value: []byte("1")}), ended(1))
	e.equal("removed", e.expire(later, 100), 1)
	v, err := e.s.Keyed(e.t.Context(), "a")
	e.ok("Keyed", err)
	e.equal("keyed state", string(v), "1")
}

func expiryFences(e env) {
	e.oldRun(1)
	e.oldRun(2)
	e.equal("removed", e.expire(later, 100), 2)
	e.fenced("a retry of a removed run", setRun(1, 1, store.RunSet{State: api.Running, Gen: 1, Epoch: 2}))
	e.fenced("a task of a removed run", insertTask(2, 999, api.Running))
}

// After the first call nobody sees the run; what is left of it does no harm.
func expiryOfWide(e env) {
	const children = 1200
	t := at(1)
	t.Blocks = []store.Block{{Run: 1, First: 1000, Count: children, Seq: 16}}
	t.Logs = logs(1, slices.Repeat([]string{"line"}, 300)...).Logs
	for i := range int64(children) {
		*t.AddTask() = insertTask(1, 1000+i, api.Completed).Tasks[0]
		t.Frames = append(t.Frames, group(1, 1000+i, 1).Frames[0])
	}
	e.commit(newRun(1), t, ended(1), newRun(2), insertTask(2, 205, api.Running))
	n, more, err := e.s.Expire(e.t.Context(), later, 400)
	e.ok("Expire", err)
	e.equal("removed", n, 1)
	if c := e.content(); len(c.Tasks) < children/2 || !more {
		e.t.Errorf("%d of %d task runs are left after a call for 400, more %t", len(c.Tasks), children, more)
	}
	e.gone(1)
	e.equal("runs", e.runIDs(api.RunFilter{}, 0, 10), []int64{2})
	e.fenced("a retry", setRun(1, 1, store.RunSet{State: api.Running, Gen: 1, Epoch: 2}))
	e.equal("last run", e.last(), int64(2))
	e.commit(updateTask(2, 205, 1, 0, api.Completed))
	e.equal("removed later", e.expire(0, 1000), 0) // goes on whatever the time
	c := e.content()
	e.equal("task runs, frames, lines left", []int{len(c.Tasks), len(c.Frames), len(c.Logs)}, []int{1, 0, 0})
}

func expiryOfMany(e env) {
	const rounds = 500
	t := at(1)
	for i := range int64(rounds) {
		first := 1000 + i*16
		t.Blocks = append(t.Blocks, store.Block{Run: 1, First: first, Count: 16, Seq: 16 + i*16})
		*t.AddTask() = insertTask(1, first, api.Completed).Tasks[0]
	}
	e.commit(newRun(1), t, ended(1))
	e.equal("removed", e.expire(later, 40), 1)
	e.equal("content", e.content(), content{})
}

func expiryOfBlobs(e env) {
	e.oldRun(1)
	e.commit(newRun(2))
	var old []store.Blob
	for _, n := range blobLengths {
		b, err := e.s.PutBlob(e.t.Context(), 1, pattern(n))
		e.ok("PutBlob", err)
		old = append(old, b)
	}
	b, err := e.s.PutBlob(e.t.Context(), 2, pattern(600_000))
	e.ok("PutBlob", err)
	e.equal("removed", e.expire(later, 1000), 1)
	for _, b := range old {
		r, err := e.s.OpenBlob(e.t.Context(), b)
		if !errors.Is(err, api.ErrNotFound) {
			e.t.Errorf("OpenBlob of a removed run: %v, want ErrNotFound", err)
		}
		if r != nil {
			_, _ = io.Copy(io.Discard, r)
		}
	}
	e.blobIs(b, 600_000)
	if next := e.put(1); next.ID <= b.ID {
		e.t.Errorf("blob number %d is given out again", next.ID)
	}
}

// A clock that was ahead for a while keeps its runs, but not those after them.
func expiryBehindYoung(e env) {
	for id := int64(1); id <= 20; id++ {
		n := newRun(id)
		if id > 3 && id < 9 {
			n.NewRun.Created += 1 << 60
		}
		e.commit(n, ended(id))
	}
	e.equal("removed", e.expire(born+100_000_000, 6), 15)
	e.equal("runs", e.runIDs(api.RunFilter{}, 0, 100), []int64{8, 7, 6, 5, 4})
	e.equal("removed", e.expire(later, 6), 5)
}

func expiryOneByOne(e env) {
	for id := int64(1); id <= 5; id++ {
		e.oldRun(id)
	}
	e.commit(newRun(6))
	e.equal("removed", e.expire(later, 1), 5)
	e.equal("runs", e.runIDs(api.RunFilter{}, 0, 10), []int64{6})
	e.equal("task runs", len(e.content().Tasks), 0)
}

func expiryGoesOn(e env, reopen func() env) {
	t := at(2)
	t.Blocks = []store.Block{{Run: 2, First: 1000, Count: 500, Seq: 16}}
	for i := range int64(500) {
		*t.AddTask() = insertTask(2, 1000+i, api.Completed).Tasks[0]
	}
	e.commit(newRun(1), newRun(2), t, ended(2))
	for calls := 0; ; calls++ {
		n, more, err := e.s.Expire(e.t.Context(), later, 50)
		e.ok("Expire", err)
		e.equal("removed", n == 1, calls == 0)
		e = reopen()
		e.gone(2)
		e.equal("last run", e.last(), int64(2))
		if !more {
			break
		}
	}
	e.equal("task runs", len(e.content().Tasks), 0)
	e.commit(newRun(3), insertTask(3, 1000, api.Running), updateTask(3, 1000, 1, 0, api.Completed))
}
