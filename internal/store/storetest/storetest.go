// Package storetest holds every store to the promises of package store: one
// suite, run on each of them.
//
// It must not know a store from the inside, nor the engine: it sees a
// store.Store and nothing else.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// Open makes an empty store. The suite closes it.
type Open func(t *testing.T) store.Store

// Reopen makes an empty store, and a function that gives what is there after a
// restart: with the first store closed, or abandoned where that is possible.
type Reopen func(t *testing.T) (s store.Store, reopen func() store.Store)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, group := range [][]check{runChecks, taskChecks, frameChecks, contentChecks, blobChecks, expiryChecks, removalChecks, recordChecks, togetherChecks} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				s := open(t)
				c.run(env{t: t, s: s})
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
	}
}

// check is one promise.
type check struct {
	name string
	run  func(e env)
}

// env is a store under test and the shorthands of the checks.
type env struct {
	t *testing.T
	s store.Store
}

// commit commits and must succeed. The closed frames come back ordered.
func (e env) commit(batch ...*store.Transition) []store.FrameRef {
	e.t.Helper()
	closed, err := e.s.Commit(e.t.Context(), batch)
	if err != nil {
		e.t.Fatalf("Commit: %v", err)
	}
	sortRefs(closed)
	return closed
}

// fenced commits, must be refused, and nothing may have changed.
func (e env) fenced(why string, batch ...*store.Transition) {
	e.t.Helper()
	before := e.content()
	closed, err := e.s.Commit(e.t.Context(), batch)
	if !errors.Is(err, store.ErrFenced) {
		e.t.Fatalf("%s: Commit gave error %v, want ErrFenced", why, err)
	}
	if len(closed) != 0 {
		e.t.Errorf("%s: a fenced Commit closed %v", why, closed)
	}
	e.equal(why+": content after a fenced Commit", e.content(), before)
}

// equal compares with reflect.DeepEqual.
func (e env) equal(what string, got, want any) {
	e.t.Helper()
	if !reflect.DeepEqual(got, want) {
		e.t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func (e env) ok(what string, err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatalf("%s: %v", what, err)
	}
}

// task reads one task row of run 1; it must exist.
func (e env) task(id int64) store.TaskRow {
	e.t.Helper()
	rows, err := taskRows(e.t.Context(), e.s, 1, id, id+1)
	e.ok("Tasks", err)
	if len(rows) != 1 {
		e.t.Fatalf("task run %d: %d rows", id, len(rows))
	}
	return rows[0]
}

// frame reads one frame row; it must exist.
func (e env) frame(run, id int64) store.FrameRow {
	e.t.Helper()
	rows, err := frameRows(e.t.Context(), e.s, run)
	e.ok("Frames", err)
	i := slices.IndexFunc(rows, func(f store.FrameRow) bool { return f.ID == id })
	if i < 0 {
		e.t.Fatalf("run %d has no frame %d", run, id)
	}
	return tidyFrame(rows[i])
}

// content is all that a store holds, but for keyed state.
type content struct {
	Runs   []store.RunRow
	Live   []int64 // the runs that LiveRuns gives
	Tasks  []store.TaskRow
	Frames []store.FrameRow
	Blocks []store.Block
	Logs   []api.LogLine
}

func (e env) content() content {
	e.t.Helper()
	c, err := readContent(e.t.Context(), e.s, 0, 1, math.MaxInt64)
	e.ok("reading everything", err)
	return c
}

// readContent reads the runs after a number, with all that hangs on them, and
// the task rows in a range of keys, of runs that were removed too.
func readContent(ctx context.Context, s store.Store, after, from, to int64) (c content, err error) {
	all, err := s.Runs(ctx, api.RunFilter{}, 0, math.MaxInt32)
	if err != nil {
		return c, err
	}
	for _, r := range all {
		if r.ID <= after {
			break
		}
		c.Runs = append(c.Runs, tidyRun(r))
		frames, err := frameRows(ctx, s, r.ID)
		if err != nil {
			return c, err
		}
		for _, f := range frames {
			c.Frames = append(c.Frames, tidyFrame(f))
		}
		blocks, err := s.Blocks(ctx, r.ID)
		if err != nil {
			return c, err
		}
		c.Blocks = append(c.Blocks, blocks...)
		err = s.Logs(ctx, r.ID, 1, func(l api.LogLine) error {
			l.Time = l.Time.UTC()
			c.Logs = append(c.Logs, l)
			return nil
		})
		if err != nil {
			return c, err
		}
	}
	if c.Live, err = liveNumbers(ctx, s, after); err != nil {
		return c, err
	}
	last, err := s.LastRun(ctx)
	for run := after + 1; run <= last && err == nil; run++ {
		var rows []store.TaskRow
		rows, err = taskRows(ctx, s, run, from, to)
		c.Tasks = append(c.Tasks, rows...)
	}
	return c, err
}

// liveNumbers reads the numbers of the live runs, a few at a time.
func liveNumbers(ctx context.Context, s store.Store, after int64) (ids []int64, err error) {
	for {
		rows, err := s.LiveRuns(ctx, after, 7)
		if err != nil || len(rows) == 0 {
			return ids, err
		}
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		after = ids[len(ids)-1]
	}
}

func taskRows(ctx context.Context, s store.Store, run, from, to int64) (rows []store.TaskRow, err error) {
	err = s.Tasks(ctx, run, from, to, func(r *store.TaskRow) error {
		row := *r
		row.Cell = tidy(row.Cell)
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// tidy copies a cell. No cell and an empty one are the same.
func tidy(b []byte) []byte { return append([]byte(nil), b...) }

func tidyRun(r store.RunRow) store.RunRow {
	r.Plan, r.Cell, r.Alone = tidy(r.Plan), tidy(r.Cell), false
	return r
}

func tidyFrame(f store.FrameRow) store.FrameRow {
	f.Cell = tidy(f.Cell)
	return f
}

func sortRefs(refs []store.FrameRef) {
	slices.SortFunc(refs, func(a, b store.FrameRef) int {
		if a.Run != b.Run {
			return int(a.Run - b.Run)
		}
		return int(a.Frame - b.Frame)
	})
}

// The builders below make the transitions that the checks commit.

// born is the first run's time of creation, in microseconds.
var born = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).UnixMicro()

// newRun makes a run at epoch 1.
func newRun(id int64) *store.Transition {
	return &store.Transition{Run: id, NewRun: &store.RunRow{
		ID: id, UID: [16]byte{1, byte(id)}, Name: fmt.Sprintf("run-%d", id%3), State: api.Running,
		Epoch: 1, Base: id * 100, Created: born + id*1_000_000, Plan: []byte(`{"task":"t"}`),
	}}
}

// at is an empty transition of a run at epoch 1.
func at(run int64) *store.Transition { return &store.Transition{Run: run, Epoch: 1} }

func insertTask(run, id int64, state api.State) *store.Transition {
	t := at(run)
	*t.AddTask() = store.TaskWrite{
		Op: store.InsertTask,
		ID: id, Run: run, Frame: 7, Place: 3, Task: "add", State: state, Attempt: 1, Cell: []byte("new"),
	}
	return t
}

func updateTask(run, id int64, wasAttempt, wasGen int32, state api.State) *store.Transition {
	t := at(run)
	*t.AddTask() = store.TaskWrite{
		Op: store.UpdateTask, WasAttempt: wasAttempt, WasGen: wasGen,
		ID: id, State: state, Attempt: wasAttempt, Gen: wasGen, Cell: []byte("updated"),
	}
	return t
}

func reopenTask(run, id int64, wasAttempt, wasGen int32) *store.Transition {
	t := updateTask(run, id, wasAttempt, wasGen, api.Pending)
	t.Tasks[0].Op, t.Tasks[0].Attempt, t.Tasks[0].Gen = store.ReopenTask, 0, wasGen+1
	t.Tasks[0].Cell = []byte("reopened")
	return t
}

// group makes a group's frame.
func group(run, id, pending int64) *store.Transition {
	t := at(run)
	t.Frames = []store.FrameWrite{{
		Op:  store.InsertFrame,
		Run: run, ID: id, Parent: 2, Place: 1, Kind: store.GroupFrame, State: store.FrameOpen,
		Base: 500, Source: 9, Count: pending, Pending: pending, Cell: []byte("frame"),
	}}
	return t
}

func join(run, frame, ended, failed, low int64) *store.Transition {
	t := at(run)
	t.AddJoin(store.Join{Frame: frame, Ended: ended, Failed: failed, Low: low})
	return t
}

func setRun(run int64, epoch int32, set store.RunSet) *store.Transition {
	return &store.Transition{Run: run, Epoch: epoch, SetRun: &set}
}

// frameRows reads all frames of a run.
func frameRows(ctx context.Context, s store.Store, run int64) (rows []store.FrameRow, err error) {
	err = s.Frames(ctx, run, 0, math.MaxInt64, func(f *store.FrameRow) error {
		row := *f
		row.Cell = bytes.Clone(f.Cell)
		rows = append(rows, row)
		return nil
	})
	return rows, err
}
