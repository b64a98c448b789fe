package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/store/postgres"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
)

// groupSize is how many tasks a bare writer commits at a time.
const groupSize = 1000

// withStore opens a fresh database and closes it again.
func withStore(ctx context.Context, m *meter, f func(s store.Store) error) error {
	var s store.Store = memory.Open()
	var err error
	switch m.w.store {
	case "sqlite":
		s, err = sqlite.Open(ctx, m.file(), sqlite.Options{})
	case "postgres":
		return inSchema(ctx, func(dsn string) error {
			s, err := postgres.Open(ctx, dsn, postgres.Options{})
			if err != nil {
				return err
			}
			return errors.Join(f(s), s.Close())
		})
	}
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}

// writer commits what it is given in groups.
type writer struct {
	ctx   context.Context //nolint:containedctx // for one measurement
	m     *meter
	s     store.Store
	batch []*store.Transition
	pool  []store.Transition // of the batch, used again for each
	cells []byte
}

// next gives an empty transition of the run.
func (w *writer) next(run int64) *store.Transition {
	if w.pool == nil {
		w.pool = make([]store.Transition, 2*groupSize+1)
	}
	t := &w.pool[len(w.batch)]
	*t = store.Transition{Run: run}
	w.batch = append(w.batch, t)
	return t
}

func (w *writer) commit() error {
	began := time.Now()
	_, err := w.s.Commit(w.ctx, w.batch)
	w.m.lap(time.Since(began))
	w.batch, w.cells = w.batch[:0], w.cells[:0]
	return err
}

// cell gives an encoded cell's bytes, which are good until the next commit.
func (w *writer) cell(appendTo func([]byte) []byte) []byte {
	from := len(w.cells)
	w.cells = appendTo(w.cells)
	return w.cells[from:len(w.cells):len(w.cells)]
}

// task adds the row of a finished task to a transition.
func (w *writer) task(t *store.Transition, key int64, place int, result int, now int64) {
	var digits [20]byte
	c := store.TaskCell{
		Result:  store.Payload{Data: strconv.AppendInt(digits[:0], int64(result), 10)},
		Started: now - 100, Begun: now - 100, Ended: now,
	}
	t.AddTask().TaskRow = store.TaskRow{
		ID: key, Run: t.Run, Place: int32(place), Task: "inc", State: api.Completed, Attempt: 1,
		Cell: w.cell(c.Append),
	}
}

func newRun(number, base, now int64, plan []byte) *store.RunRow {
	r := &store.RunRow{ID: number, Name: "inc", State: api.Running, Base: base, Created: now, Plan: plan}
	for i := range r.UID {
		r.UID[i] = byte(number >> (i % 8 * 8))
	}
	return r
}

// bareCommit is W0: one finished task a commit.
func bareCommit(ctx context.Context, m *meter) error {
	return withStore(ctx, m, func(s store.Store) error {
		w := &writer{ctx: ctx, m: m, s: s}
		now := time.Now().UnixMicro()
		w.next(1).NewRun = newRun(1, 1, now, []byte("{}"))
		one := func(i int) error {
			w.task(w.next(1), int64(i)+1, i, i, now)
			return w.commit()
		}
		return warmed(m, warmUp, one)
	})
}

// runWriter writes what W1 and W4 leave behind.
type runWriter struct {
	writer
	plans  [groupSize][]byte
	sets   [groupSize]store.RunSet
	counts []byte
}

func newRunWriter(ctx context.Context, m *meter, s store.Store) (*runWriter, error) {
	w := &runWriter{writer: writer{ctx: ctx, m: m, s: s}}
	for i := range w.plans {
		p, err := json.Marshal(inc.Send(m.w.n + i))
		if err != nil {
			return nil, err
		}
		w.plans[i] = p
	}
	var err error
	w.counts, err = json.Marshal(map[string]api.TaskCounts{"inc": {Completed: 1}})
	return w, err
}

// begin writes the k-th run of a group.
func (w *runWriter) begin(number int64, k int, now int64) {
	w.next(number).NewRun = newRun(number, number, now, w.plans[k])
}

// end writes its task and its end.
func (w *runWriter) end(number int64, k int, now int64) {
	t := w.next(number)
	w.task(t, number, 0, int(number), now)
	cell := store.RunCell{Result: store.Payload{Data: strconv.AppendInt(nil, number, 10)}, Counts: w.counts}
	w.sets[k] = store.RunSet{State: api.Completed, Finished: now, Cell: w.cell(cell.Append)}
	t.SetRun = &w.sets[k]
}

// ceilingRuns is W1's: a run's row, and one group later its task's row and its
// end.
func ceilingRuns(ctx context.Context, m *meter) error {
	return withStore(ctx, m, func(s store.Store) error {
		w, err := newRunWriter(ctx, m, s)
		if err != nil {
			return err
		}
		return timed(m, func() error {
			begun, ended := 0, 0
			for ended < m.w.n {
				now := time.Now().UnixMicro()
				from, before := begun, ended
				for begun < min(m.w.n, from+groupSize) {
					begun++
					w.begin(int64(begun), begun-from-1, now)
				}
				for ended < from {
					ended++
					w.end(int64(ended), ended-before-1, now)
				}
				if err := w.commit(); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// ceilingOneByOne is W4's: the two commits of one run after the other.
func ceilingOneByOne(ctx context.Context, m *meter) error {
	return withStore(ctx, m, func(s store.Store) error {
		w, err := newRunWriter(ctx, m, s)
		if err != nil {
			return err
		}
		return warmed(m, warmUp, func(i int) error {
			number, now := int64(i)+1, time.Now().UnixMicro()
			w.begin(number, 0, now)
			if err := w.commit(); err != nil {
				return err
			}
			w.end(number, 0, now)
			if err := w.commit(); err != nil {
				return err
			}
			last := len(m.latencies) - 1
			m.latencies[last-1] += m.latencies[last]
			m.latencies = m.latencies[:last]
			return nil
		})
	})
}

// ceilingSteps writes what W2 leaves behind: the rows of steps that are done,
// and a block of keys for every 16.
func ceilingSteps(ctx context.Context, m *meter) error {
	return withStore(ctx, m, func(s store.Store) error {
		w := &writer{ctx: ctx, m: m, s: s}
		const pipelines, block = 100, 16
		for run := range int64(pipelines) {
			w.next(run + 1).NewRun = newRun(run+1, run+1, 1, []byte("{}"))
		}
		if err := w.commit(); err != nil {
			return err
		}
		m.latencies = m.latencies[:0]
		return timed(m, func() error {
			key := int64(1)
			for done := 0; done < m.w.n; {
				now := time.Now().UnixMicro()
				for range min(groupSize, m.w.n-done) {
					step, run := done/pipelines, int64(done%pipelines)+1
					t := w.next(run)
					at := key + (run-1)*block + int64(step%block)
					if step > 0 && step%block == 0 { // the first one's keys come with the run
						t.Blocks = []store.Block{{Run: run, First: at, Count: block, Seq: int64(step), Frame: at}}
					}
					w.task(t, at, step, step, now)
					if done++; done%(pipelines*block) == 0 {
						key += pipelines * block
					}
				}
				if err := w.commit(); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// ceilingChildren is W3's: the rows of children inserted, and one group later
// completed, with a join that takes them off their frame.
func ceilingChildren(ctx context.Context, m *meter) error {
	return withFrame(ctx, m, func(w *writer) error {
		made, ended := 0, 0
		for ended < m.w.n {
			now := time.Now().UnixMicro()
			from := made
			for made < min(m.w.n, from+groupSize) {
				w.child(made, now)
				t := &w.batch[len(w.batch)-1].Tasks[0]
				t.State, t.Cell = api.Running, nil
				made++
			}
			if before := ended; from > before {
				for ended < from {
					w.child(ended, now)
					t := &w.batch[len(w.batch)-1].Tasks[0]
					t.Op, t.WasAttempt = store.UpdateTask, t.Attempt
					ended++
				}
				w.join(ended-before, ended)
			}
			if err := w.commit(); err != nil {
				return err
			}
		}
		return nil
	})
}

// finishedChildren inserts the same rows as they are at the end, once: what the
// engine comes to where each body is over before its row is written.
func finishedChildren(ctx context.Context, m *meter) error {
	return withFrame(ctx, m, func(w *writer) error {
		for done := 0; done < m.w.n; {
			now := time.Now().UnixMicro()
			group := min(groupSize, m.w.n-done)
			for range group {
				w.child(done, now)
				done++
			}
			w.join(group, done)
			if err := w.commit(); err != nil {
				return err
			}
		}
		return nil
	})
}

// child writes the finished row of a child of the frame.
func (w *writer) child(i int, now int64) {
	t := w.next(1)
	w.task(t, int64(i)+2, i, i, now)
	t.Tasks[0].Frame = 1
}

// join takes children off the frame.
func (w *writer) join(ended, low int) {
	w.batch[len(w.batch)-1].AddJoin(store.Join{Frame: 1, Ended: int64(ended), Low: int64(low)})
}

// withFrame measures what f writes to a run with one open group.
func withFrame(ctx context.Context, m *meter, f func(w *writer) error) error {
	return withStore(ctx, m, func(s store.Store) error {
		w := &writer{ctx: ctx, m: m, s: s}
		t := w.next(1)
		t.NewRun = newRun(1, 1, 1, []byte("{}"))
		t.Frames = []store.FrameWrite{{FrameRow: store.FrameRow{
			Run: 1, ID: 1, Kind: store.GroupFrame, State: store.FrameOpen, Base: 2, Count: int64(m.w.n), Pending: int64(m.w.n),
		}}}
		if err := w.commit(); err != nil {
			return err
		}
		m.latencies = m.latencies[:0]
		return timed(m, func() error { return f(w) })
	})
}
