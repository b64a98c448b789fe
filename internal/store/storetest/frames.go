package storetest

import (
	"errors"
	"fmt"
	"math"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

var frameChecks = []check{
	{"frame is read as written", frameAsWritten},
	{"frames come by range, in order", framesByRange},
	{"frame key that exists fences", frameExists},
	{"frame that is done or unknown fences", frameDoneFences},
	{"frame is reopened whatever its state", frameReopened},
	{"frame written several times in a batch", frameSeveralTimes},
	{"many frames in one batch", manyFrames},
	{"join counts down", joinCountsDown},
	{"joins of one frame in a batch add up", joinsAddUp},
	{"join of more than is pending fences", joinTooMuch},
	{"join of a frame that is not open fences", joinNotOpen},
	{"join on a frame of the same batch", joinSameBatch},
	{"join on a frame reopened in the same batch", joinReopened},
	{"join never lowers Low", joinLow},
	{"closed frames are told once", closedOnce},
	{"a fenced batch closes nothing", fencedJoin},
}

func writeFrame(run int64, op store.FrameOp, row store.FrameRow) *store.Transition {
	t := at(run)
	t.Frames = []store.FrameWrite{{Op: op, FrameRow: row}}
	return t
}

func frameAsWritten(e env) {
	e.commit(newRun(1), newRun(2))
	w := group(1, 20, 5)
	f := &w.Frames[0].FrameRow
	f.Failed, f.Low, f.Count = 1, 2, 8
	want := tidyFrame(*f)
	chain := store.FrameRow{Run: 1, ID: 19, Kind: store.ChainFrame, State: store.FrameOpen, Base: 1 << 40}
	e.commit(w, writeFrame(1, store.InsertFrame, chain))
	f.Cell[0] = 'X' // what was committed is the store's own
	rows, err := frameRows(e.t.Context(), e.s, 1)
	e.ok("Frames", err)
	for i := range rows {
		rows[i] = tidyFrame(rows[i])
	}
	e.equal("frames, by ID", rows, []store.FrameRow{tidyFrame(chain), want})

	u := store.FrameRow{ID: 20, State: store.FrameDone, Cell: []byte("done"), Pending: 99, Failed: 99, Low: 99, Base: 9}
	e.commit(writeFrame(1, store.UpdateFrame, u))
	want.State, want.Cell = store.FrameDone, []byte("done") // and nothing else
	e.equal("updated frame", e.frame(1, 20), want)
}

func framesByRange(e env) {
	const n = 1237
	e.commit(newRun(1), newRun(2), group(2, 5, 1))
	e.commit(wide(n, func(id int64) *store.Transition { return group(1, id, 1) })...)
	stop := errors.New("stop")
	for _, c := range []struct{ from, to, first, count, stopAfter int64 }{
		{0, math.MaxInt64, 1000, n, 0},
		{1001, 1002, 1001, 1, 0},
		{0, 1000, 0, 0, 0},
		{1005, 1001, 0, 0, 0},
		{1100, 1300, 1100, 200, 0},
		{2230, 5000, 2230, 7, 0},
		{0, 5000, 1000, 20, 20},
	} {
		seen := int64(0)
		err := e.s.Frames(e.t.Context(), 1, c.from, c.to, func(f *store.FrameRow) error {
			if f.ID != c.first+seen || f.Run != 1 {
				e.t.Fatalf("from %d to %d: frame %d of run %d at place %d", c.from, c.to, f.ID, f.Run, seen)
			}
			if seen++; seen == c.stopAfter {
				return stop
			}
			return nil
		})
		if seen != c.count || c.stopAfter == 0 && err != nil || c.stopAfter != 0 && err != stop { //nolint:errorlint // as it is
			e.t.Errorf("from %d to %d: %d frames and error %v, want %d", c.from, c.to, seen, err, c.count)
		}
	}
}

func frameExists(e env) {
	e.commit(newRun(1), newRun(2), group(1, 20, 5))
	e.fenced("a frame that exists", group(1, 21, 5), group(1, 20, 5))
	e.fenced("twice in a batch", group(1, 21, 5), group(1, 21, 5))
	e.commit(group(2, 20, 5)) // another run's
}

func frameDoneFences(e env) {
	e.commit(newRun(1), group(1, 20, 5))
	done := writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 20, State: store.FrameDone})
	e.commit(done)
	e.fenced("a frame that is done", done)
	e.fenced("a frame that is not there", writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 21, State: store.FrameDone}))
	e.fenced("one that comes later", writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 22, State: store.FrameOpen}), group(1, 22, 1))
}

func frameReopened(e env) {
	e.commit(newRun(1), group(1, 20, 5), join(1, 20, 5, 2, 5))
	for _, from := range []store.FrameState{store.FrameClosing, store.FrameDone, store.FrameOpen} {
		e.commit(writeFrame(1, store.ReopenFrame, store.FrameRow{ID: 20, State: from}))
		want := group(1, 20, 5).Frames[0].FrameRow
		want.State, want.Pending, want.Failed, want.Low, want.Cell = store.FrameOpen, 3, 1, 2, []byte("again")
		again := want
		again.Base, again.Count = 9, 9 // these do not change
		e.commit(writeFrame(1, store.ReopenFrame, again))
		e.equal("reopened frame", e.frame(1, 20), want)
	}
	ins := group(1, 21, 4).Frames[0].FrameRow
	e.commit(writeFrame(1, store.ReopenFrame, ins))
	e.equal("frame that was not there", e.frame(1, 21), ins)
}

func frameSeveralTimes(e env) {
	e.commit(newRun(1))
	e.commit(group(1, 20, 5), writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 20, State: store.FrameClosing, Cell: []byte("c")}),
		writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 20, State: store.FrameDone, Cell: []byte("d")}))
	want := group(1, 20, 5).Frames[0].FrameRow
	want.State, want.Cell = store.FrameDone, []byte("d")
	e.equal("frame", e.frame(1, 20), want)
	e.fenced("done within the batch", group(1, 21, 5),
		writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 21, State: store.FrameDone}),
		writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 21, State: store.FrameDone}))
	e.commit(group(1, 22, 5))
	e.commit(writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 22, State: store.FrameOpen, Cell: []byte("e")}),
		writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 22, State: store.FrameOpen, Cell: []byte("f")}))
	e.equal("updated twice", string(e.frame(1, 22).Cell), "f")
}

func manyFrames(e env) {
	const n = 157
	e.commit(newRun(1))
	var made, ended, joined []*store.Transition
	for i := int64(n); i > 0; i-- {
		made = append(made, group(1, i, 1))
		joined = append(joined, join(1, i, 1, 0, 0))
		ended = append(ended, writeFrame(1, store.UpdateFrame, store.FrameRow{ID: i, State: store.FrameDone}))
	}
	e.commit(made...)
	e.equal("closed frames", len(e.commit(joined...)), n)
	e.fenced("one is not there", append(ended[:n:n], writeFrame(1, store.UpdateFrame, store.FrameRow{ID: n + 1}))...)
	e.commit(ended...)
	for i := int64(1); i <= n; i++ {
		e.equal("state", e.frame(1, i).State, store.FrameDone)
	}
}

func joinCountsDown(e env) {
	e.commit(newRun(1), group(1, 20, 3))
	e.equal("closed", len(e.commit(join(1, 20, 1, 0, 1))), 0)
	e.equal("closed", len(e.commit(join(1, 20, 1, 1, 2))), 0)
	e.equal("frame", fmt.Sprint(counts(e.frame(1, 20))), "[1 1 1 2]")
	e.equal("closed", e.commit(join(1, 20, 1, 1, 3)), []store.FrameRef{{Run: 1, Frame: 20}})
	e.equal("frame", fmt.Sprint(counts(e.frame(1, 20))), "[2 0 2 3]")
}

// counts gives state, pending, failed and low.
func counts(f store.FrameRow) []int64 {
	return []int64{int64(f.State), f.Pending, f.Failed, f.Low}
}

func joinsAddUp(e env) {
	const n = 1237
	e.commit(newRun(1), newRun(2), group(1, 20, n), group(1, 21, n), group(2, 20, 2*n))
	var batch []*store.Transition
	for i := range int64(n) {
		one := join(1, 20, 1, i%2, i)
		one.AddJoin(store.Join{Frame: 21, Ended: 1, Low: n - i})
		batch = append(batch, one, join(2, 20, 1, 0, 0))
	}
	half := len(batch) / 2
	e.equal("closed by the first half", len(e.commit(batch[:half]...)), 0)
	e.equal("closed by the second half", e.commit(batch[half:]...), []store.FrameRef{{Run: 1, Frame: 20}, {Run: 1, Frame: 21}})
	e.equal("frame 20", counts(e.frame(1, 20)), []int64{int64(store.FrameClosing), 0, n / 2, n - 1})
	e.equal("frame 21", counts(e.frame(1, 21)), []int64{int64(store.FrameClosing), 0, 0, n})
	e.equal("other run's", counts(e.frame(2, 20)), []int64{int64(store.FrameOpen), n, 0, 0})
}

func joinTooMuch(e env) {
	e.commit(newRun(1), group(1, 20, 3))
	e.fenced("more than pending", join(1, 20, 4, 0, 0))
	e.fenced("more than pending, together", join(1, 20, 2, 0, 0), join(1, 20, 2, 0, 0))
	e.fenced("after the last", join(1, 20, 3, 0, 0), join(1, 20, 1, 0, 0))
	e.fenced("fewer than none", join(1, 20, -1, 0, 0))
	e.fenced("more than pending, of a new frame", group(1, 21, 3), join(1, 21, 4, 0, 0))
	e.commit(join(1, 20, 2, 0, 0))
	e.fenced("more than is left", join(1, 20, 2, 0, 0))
}

func joinNotOpen(e env) {
	e.commit(newRun(1), newRun(2), group(1, 20, 3))
	e.fenced("not there", join(1, 21, 1, 0, 0))
	e.fenced("another run's", join(2, 20, 1, 0, 0))
	e.fenced("made later in the batch", join(1, 21, 1, 0, 0), group(1, 21, 1))
	e.commit(writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 20, State: store.FrameClosing}))
	e.fenced("closing", join(1, 20, 1, 0, 0))
	e.commit(writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 20, State: store.FrameDone}))
	e.fenced("done", join(1, 20, 1, 0, 0))
	e.commit(group(1, 22, 3))
	e.fenced("done within the batch",
		writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 22, State: store.FrameDone}), join(1, 22, 1, 0, 0))
}

func joinSameBatch(e env) {
	e.commit(newRun(1))
	e.equal("closed", len(e.commit(group(1, 20, 3), join(1, 20, 1, 1, 1))), 0)
	e.equal("frame", counts(e.frame(1, 20)), []int64{int64(store.FrameOpen), 2, 1, 1})
	e.equal("closed", e.commit(group(1, 21, 2), join(1, 21, 1, 0, 0), join(1, 21, 1, 1, 2)), []store.FrameRef{{Run: 1, Frame: 21}})
	e.equal("frame", counts(e.frame(1, 21)), []int64{int64(store.FrameClosing), 0, 1, 2})
	// Within one transition frames come before joins.
	one := group(1, 22, 1)
	one.AddJoin(store.Join{Frame: 22, Ended: 1})
	e.equal("closed", e.commit(one), []store.FrameRef{{Run: 1, Frame: 22}})
	// A stored frame that is both joined and changed.
	e.equal("closed", len(e.commit(join(1, 20, 1, 0, 2),
		writeFrame(1, store.UpdateFrame, store.FrameRow{ID: 20, State: store.FrameOpen, Cell: []byte("u")}))), 0)
	e.equal("cell", string(e.frame(1, 20).Cell), "u")
	e.equal("closed", len(e.commit(join(1, 20, 1, 0, 2))), 1)
}

func joinReopened(e env) {
	e.commit(newRun(1), group(1, 20, 1), join(1, 20, 1, 1, 1))
	reopen := writeFrame(1, store.ReopenFrame, store.FrameRow{ID: 20, State: store.FrameOpen, Pending: 2})
	e.equal("closed", len(e.commit(reopen, join(1, 20, 1, 0, 0))), 0)
	e.equal("frame", counts(e.frame(1, 20)), []int64{int64(store.FrameOpen), 1, 0, 0})
	e.equal("closed", len(e.commit(join(1, 20, 1, 0, 0))), 1)
}

func joinLow(e env) {
	e.commit(newRun(1), group(1, 20, 9))
	e.commit(join(1, 20, 1, 0, 5))
	e.commit(join(1, 20, 1, 0, 3))
	e.equal("Low", e.frame(1, 20).Low, int64(5))
	e.commit(join(1, 20, 0, 0, 6)) // no child at all
	e.commit(join(1, 20, 1, 0, 7), join(1, 20, 1, 0, 2))
	e.equal("frame", counts(e.frame(1, 20)), []int64{int64(store.FrameOpen), 5, 0, 7})
}

func closedOnce(e env) {
	e.commit(newRun(1), newRun(2), group(1, 20, 2), group(2, 20, 1), group(1, 21, 9))
	closed := e.commit(join(1, 20, 1, 0, 0), join(2, 20, 1, 0, 0), join(1, 21, 1, 0, 0), join(1, 20, 1, 0, 0))
	e.equal("closed", closed, []store.FrameRef{{Run: 1, Frame: 20}, {Run: 2, Frame: 20}})
	e.equal("closed by a later commit", len(e.commit(join(1, 21, 1, 0, 0), insertTask(1, 10, api.Running))), 0)
	e.fenced("no child is left", join(1, 20, 0, 0, 0))
}

func fencedJoin(e env) {
	e.commit(newRun(1), group(1, 20, 2), group(1, 21, 1))
	e.fenced("a misfit after joins", join(1, 20, 1, 0, 0), join(1, 21, 1, 0, 0), updateTask(1, 99, 1, 0, api.Failed))
	e.fenced("a key that exists after joins", join(1, 20, 1, 0, 0), join(1, 21, 1, 0, 0), group(1, 20, 1))
	e.equal("closed", len(e.commit(join(1, 20, 1, 0, 0), join(1, 21, 1, 0, 0))), 1)
}
