package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

// RunRandom commits random batches to a store and to a model, which must
// answer alike and hold the same afterwards. Both stores serve for the whole
// test; each sequence of batches has runs and keys of its own.
func RunRandom(t *testing.T, open, model Open) {
	t.Helper()
	s, m := open(t), model(t)
	run, key := int64(0), int64(0)
	rapid.Check(t, func(r *rapid.T) {
		g := &generator{r: r, run: run, key: key, shadow: newShadow()}
		g.walk(s, m)
		run, key = run+genRuns, key+genKeys
	})
	if err := errors.Join(s.Close(), m.Close()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

const (
	genRuns = 2  // runs of a sequence
	genKeys = 64 // keys of a sequence
)

// A generator makes batches of which most fit: it keeps a shadow of what would
// be stored if all of them did.
type generator struct {
	r        *rapid.T
	run, key int64 // all numbers are above these
	shadow   shadow
}

type shadow struct {
	runs   map[int64]store.RunRow
	tasks  map[int64]store.TaskRow
	frames map[store.FrameRef]store.FrameRow
	blocks map[store.FrameRef]bool
	record map[string][]byte // of one kind, shared by all sequences
}

func newShadow() shadow {
	return shadow{map[int64]store.RunRow{}, map[int64]store.TaskRow{}, map[store.FrameRef]store.FrameRow{}, map[store.FrameRef]bool{}, map[string][]byte{}}
}

func (s shadow) clone() shadow {
	c := newShadow()
	maps.Copy(c.runs, s.runs)
	maps.Copy(c.tasks, s.tasks)
	maps.Copy(c.frames, s.frames)
	maps.Copy(c.blocks, s.blocks)
	maps.Copy(c.record, s.record)
	return c
}

func (g *generator) walk(s, m store.Store) {
	for _, key := range recordKeys {
		clean := store.RecordWrite{Kind: randomKind, Key: key}
		if err := errors.Join(s.PutRecords(g.r.Context(), clean), m.PutRecords(g.r.Context(), clean)); err != nil {
			g.r.Fatalf("PutRecords: %v", err)
		}
	}
	for range g.int("batches", 1, 12) {
		before := g.shadow.clone()
		var batch []*store.Transition
		for range g.int("transitions", 1, 5) {
			batch = append(batch, g.transition())
		}
		got, gotErr := s.Commit(g.r.Context(), batch)
		want, wantErr := m.Commit(g.r.Context(), batch)
		if errors.Is(gotErr, store.ErrFenced) != errors.Is(wantErr, store.ErrFenced) ||
			(gotErr == nil) != (wantErr == nil) {
			g.r.Fatalf("Commit gave %v, the model %v\nbatch: %s", gotErr, wantErr, show(batch))
		}
		if wantErr != nil {
			g.shadow = before
		}
		sortRefs(got)
		sortRefs(want)
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			g.r.Fatalf("Commit closed %v, with the model %v\nbatch: %s", got, want, show(batch))
		}
		g.same(s, m, batch)
		if g.oneIn(5, "expire") {
			g.expire(s, m)
			g.same(s, m, nil)
		}
		if g.oneIn(5, "remove") {
			g.remove(s, m)
			g.same(s, m, nil)
		}
	}
}

// expire removes what has ended, whatever the number of calls.
func (g *generator) expire(s, m store.Store) {
	limit := g.int("limit", 1, 20)
	var removed [2]int
	for i, s := range []store.Store{s, m} {
		for more := true; more; {
			n, again, err := s.Expire(g.r.Context(), math.MaxInt64, limit)
			if err != nil {
				g.r.Fatalf("Expire: %v", err)
			}
			removed[i] += n
			more = again
		}
	}
	if removed[0] != removed[1] {
		g.r.Fatalf("Expire removed %d runs, with the model %d", removed[0], removed[1])
	}
	for id, row := range g.shadow.runs {
		if row.State.Final() {
			g.shadow.drop(id)
		}
	}
}

func (s shadow) drop(run int64) {
	delete(s.runs, run)
	maps.DeleteFunc(s.tasks, func(_ int64, t store.TaskRow) bool { return t.Run == run })
	maps.DeleteFunc(s.frames, func(ref store.FrameRef, _ store.FrameRow) bool { return ref.Run == run })
	maps.DeleteFunc(s.blocks, func(ref store.FrameRef, _ bool) bool { return ref.Run == run })
}

// remove removes one run, whatever the number of calls, or is refused.
func (g *generator) remove(s, m store.Store) {
	limit := g.int("limit", 1, 20)
	for _, id := range slices.Sorted(maps.Keys(g.shadow.runs)) {
		if !g.oneIn(3, "this") {
			continue
		}
		got, want := removeWhole(g.r.Context(), s, id, limit), removeWhole(g.r.Context(), m, id, limit)
		for _, like := range []error{api.ErrConflict, api.ErrNotFound} {
			if errors.Is(got, like) != errors.Is(want, like) || (got == nil) != (want == nil) {
				g.r.Fatalf("Remove gave %v, the model %v", got, want)
			}
		}
		if want == nil {
			g.shadow.drop(id)
		}
	}
}

func removeWhole(ctx context.Context, s store.Store, run int64, limit int) (err error) {
	for more := true; more && err == nil; {
		more, err = s.Remove(ctx, run, limit)
	}
	return err
}

func (g *generator) same(s, m store.Store, batch []*store.Transition) {
	from, to := g.key, g.key+genKeys
	got, err := readContent(g.r.Context(), s, g.run, from, to)
	want, wantErr := readContent(g.r.Context(), m, g.run, from, to)
	if err != nil || wantErr != nil {
		g.r.Fatalf("reading: %v, the model %v", err, wantErr)
	}
	if !reflect.DeepEqual(got, want) {
		g.r.Fatalf("content:\n got %+v\nwant %+v\nbatch: %s", got, want, show(batch))
	}
	for _, id := range []string{"a", "b"} {
		v, err := s.Keyed(g.r.Context(), id)
		w, wantErr := m.Keyed(g.r.Context(), id)
		if err != nil || wantErr != nil || !reflect.DeepEqual(v, w) {
			g.r.Fatalf("state of %q: %q %v, the model %q %v", id, v, err, w, wantErr)
		}
	}
	var records [2][]record
	for i, s := range []store.Store{s, m} {
		err := s.Records(g.r.Context(), randomKind, "", func(key string, value []byte) error {
			records[i] = append(records[i], record{key, value})
			return nil
		})
		if err != nil {
			g.r.Fatalf("Records: %v", err)
		}
	}
	if !reflect.DeepEqual(records[0], records[1]) {
		g.r.Fatalf("records: %+v, the model %+v\nbatch: %s", records[0], records[1], show(batch))
	}
}

func show(batch []*store.Transition) string {
	var text strings.Builder
	for _, t := range batch {
		fmt.Fprintf(&text, "\n  %+v", *t)
		if t.NewRun != nil {
			fmt.Fprintf(&text, " new %+v", *t.NewRun)
		}
		if t.SetRun != nil {
			fmt.Fprintf(&text, " set %+v", *t.SetRun)
		}
	}
	return text.String()
}

func (g *generator) int(what string, from, to int) int {
	return rapid.IntRange(from, to).Draw(g.r, what)
}

// one in n. Shrinking makes it rarer.
func (g *generator) oneIn(n int, what string) bool { return g.int(what, 1, n) == n }

func (g *generator) cell() []byte { return []byte{byte(g.int("cell", 0, 3))} }

var states = []api.State{api.Running, api.Scheduled, api.Completed, api.Pending, api.Failed}

func (g *generator) state() api.State { return rapid.SampledFrom(states).Draw(g.r, "state") }

func (g *generator) transition() *store.Transition {
	id := g.run + int64(g.int("run", 1, genRuns))
	row, exists := g.shadow.runs[id]
	t := &store.Transition{Run: id, Epoch: row.Epoch}
	if !exists || g.oneIn(30, "new again") {
		t.NewRun = &store.RunRow{ID: id, Name: "r", State: api.Running, Base: g.key, Epoch: int32(g.int("epoch", 0, 2)), Cell: g.cell()}
		row = *t.NewRun
	}
	if row.State.Final() && !g.oneIn(10, "final") || g.oneIn(8, "set") {
		set := &store.RunSet{State: api.Running, Epoch: row.Epoch + int32(g.int("rise", 0, 1)), Finished: 3, Cell: g.cell()}
		if !row.State.Final() && g.oneIn(4, "end") {
			set.State = api.Failed
		}
		t.SetRun = set
		row.State, row.Epoch = set.State, set.Epoch
	}
	if g.oneIn(30, "wrong epoch") {
		t.Epoch++
	}
	g.shadow.runs[id] = row
	for range g.int("writes", 0, 3) {
		g.write(t)
	}
	return t
}

func (g *generator) write(t *store.Transition) {
	switch g.int("write", 0, 11) {
	case 0, 1, 2:
		g.task(t)
	case 3, 4:
		g.frame(t)
	case 5, 6:
		g.join(t)
	case 7:
		ref := store.FrameRef{Run: t.Run, Frame: g.key + int64(g.int("block", 1, 9))}
		if !g.shadow.blocks[ref] || g.oneIn(10, "block again") {
			g.shadow.blocks[ref] = true
			t.Blocks = append(t.Blocks, store.Block{Run: t.Run, First: ref.Frame, Count: 4, Seq: ref.Frame * 2})
		}
	case 8:
		w := store.KeyedWrite{TaskID: rapid.SampledFrom([]string{"a", "b"}).Draw(g.r, "id")}
		if g.oneIn(2, "value") {
			w.Value = g.cell()
		}
		t.Keyed = append(t.Keyed, w)
	case 9:
		t.Logs = append(t.Logs, logs(t.Run, "line").Logs[0])
	case 10, 11:
		g.record(t)
	}
}

const randomKind = "random"

var recordKeys = []string{"a", "b", "c"}

func (g *generator) record(t *store.Transition) {
	w := store.RecordWrite{Kind: randomKind, Key: rapid.SampledFrom(recordKeys).Draw(g.r, "key")}
	if g.oneIn(2, "value") {
		w.Value = g.cell()
	}
	if g.oneIn(2, "check") {
		w.Check, w.Was = true, g.shadow.record[w.Key]
		if g.oneIn(10, "another value") {
			w.Was = g.cell()
		}
	}
	g.shadow.record[w.Key] = w.Value
	t.Records = append(t.Records, w)
}

func (g *generator) task(t *store.Transition) {
	id := g.key + 6*(t.Run-g.run) + int64(g.int("task", 1, 6)) // each run has keys of its own
	row, exists := g.shadow.tasks[id]
	w := store.TaskWrite{
		Op: store.UpdateTask, WasAttempt: row.Attempt, WasGen: row.Gen,
		ID: id, Run: t.Run, Frame: 1, Task: rapid.SampledFrom([]string{"x", "y", "z"}).Draw(g.r, "name"),
		State: g.state(), Attempt: row.Attempt + int32(g.int("attempt", 0, 1)), Gen: row.Gen, Cell: g.cell(),
	}
	switch {
	case !exists:
		w.Op = store.InsertTask
	case row.State.Final():
		w.Op, w.Gen = store.ReopenTask, row.Gen+1
	}
	if g.oneIn(20, "another op") {
		w.Op = store.TaskOp(g.int("op", 0, 2))
	}
	if g.oneIn(30, "another attempt") {
		w.WasAttempt++
	}
	g.shadow.tasks[id] = w.TaskRow
	*t.AddTask() = w
}

func (g *generator) ref(t *store.Transition) store.FrameRef {
	return store.FrameRef{Run: t.Run, Frame: g.key + int64(g.int("frame", 1, 3))}
}

func (g *generator) frame(t *store.Transition) {
	ref := g.ref(t)
	row, exists := g.shadow.frames[ref]
	w := store.FrameWrite{
		Op:  store.UpdateFrame,
		Run: t.Run, ID: ref.Frame, Kind: store.GroupFrame, State: store.FrameState(g.int("frame state", 1, 3)),
		Pending: row.Pending, Failed: row.Failed, Low: row.Low, Cell: g.cell(),
	}
	switch {
	case !exists:
		w.Op = store.InsertFrame
		w.State, w.Pending = store.FrameOpen, int64(g.int("pending", 0, 5))
	case row.State == store.FrameDone || g.oneIn(6, "reopen"):
		w.Op, w.State, w.Pending, w.Low = store.ReopenFrame, store.FrameOpen, 3, int64(g.int("low", 0, 3))
	}
	if g.oneIn(20, "another op") {
		w.Op = store.FrameOp(g.int("op", 0, 2))
	}
	g.shadow.frames[ref] = w.FrameRow
	t.Frames = append(t.Frames, w)
}

func (g *generator) join(t *store.Transition) {
	ref := g.ref(t)
	row, exists := g.shadow.frames[ref]
	if (!exists || row.State != store.FrameOpen) && !g.oneIn(10, "not open") {
		return
	}
	j := store.Join{Frame: ref.Frame, Ended: int64(g.int("ended", 0, 2)), Failed: int64(g.int("failed", 0, 1)), Low: int64(g.int("low", 0, 4))}
	if j.Ended > row.Pending && !g.oneIn(10, "too much") {
		return
	}
	row.Pending -= j.Ended
	row.Failed += j.Failed
	row.Low = max(row.Low, j.Low)
	if row.Pending == 0 {
		row.State = store.FrameClosing
	}
	g.shadow.frames[ref] = row
	t.AddJoin(j)
}
