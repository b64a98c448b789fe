package sqlite_test

import (
	"testing"
	"time"

	zombie "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
)

const later = 1 << 60

// expire calls Expire until there is no more, and gives how long the longest
// call took.
func expire(tb testing.TB, s store.Store, limit int) (runs, calls int, longest time.Duration) {
	tb.Helper()
	for more := true; more; calls++ {
		var n int
		var err error
		began := time.Now()
		if n, more, err = s.Expire(tb.Context(), later, limit); err != nil {
			tb.Fatalf("Expire: %v", err)
		}
		runs += n
		longest = max(longest, time.Since(began))
	}
	return runs, calls, longest
}

// wholeRun is a run that has ended, with some of everything.
func wholeRun(id int64, tasks int) *store.Transition {
	base := id * 1000
	t := newRun(id)
	t.NewRun.Base, t.NewRun.Plan = base, make([]byte, 200)
	t.SetRun = &store.RunSet{State: api.Completed, Finished: 1, Cell: make([]byte, 100)}
	t.Blocks = []store.Block{{First: base + 16, Count: 900, Seq: 16}}
	t.Frames = []store.FrameWrite{{ID: base, Kind: store.GroupFrame, State: store.FrameDone}}
	for i := range int64(tasks) {
		add(t, store.InsertTask, base+i, api.Completed)
		t.Logs = append(t.Logs, store.LogWrite{LogLine: api.LogLine{TaskRun: "r/1", Task: "add", Level: "INFO", Text: "a line of some length"}})
	}
	return t
}

// The file does not grow while as much is removed as comes: what removed rows
// took is used again.
func TestFileStopsGrowing(t *testing.T) {
	const rounds, runsEach, keep = 24, 50, 3
	path := newPath(t)
	s := open(t, path, small)
	var sizes []int64
	for round := range int64(rounds) {
		var batch []*store.Transition
		for i := range int64(runsEach) {
			run := wholeRun(1+round*runsEach+i, 10)
			run.NewRun.Created, run.SetRun.Finished = round, round
			batch = append(batch, run)
		}
		if round%5 == 0 { // one in a while stays
			batch = append(batch, newRun(1_000_000+round))
		}
		commit(t, s, batch...)
		for i := int64(1); i <= 5; i++ {
			if _, err := s.PutBlob(t.Context(), 10*i+round*runsEach, zeros(100_000)); err != nil {
				t.Fatal(err)
			}
		}
		for more := true; more; {
			var err error
			if _, more, err = s.Expire(t.Context(), round-keep, 200); err != nil {
				t.Fatal(err)
			}
		}
		sizes = append(sizes, pageCount(t, path))
	}
	warm, last := sizes[rounds/3], sizes[rounds-1]
	if last > warm+warm/20 {
		t.Errorf("the file grew from %d pages to %d; after round: %v", warm, last, sizes)
	}
	if n, err := s.LastRun(t.Context()); err != nil || n < rounds*runsEach {
		t.Errorf("the last run is %d, %v", n, err)
	}
}

// pageCount gives the length of the file as it will be, in pages.
func pageCount(t *testing.T, path string) (n int64) {
	t.Helper()
	conn, err := zombie.OpenConn(path, zombie.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	err = sqlitex.ExecuteTransient(conn, "PRAGMA page_count", &sqlitex.ExecOptions{
		ResultFunc: func(st *zombie.Stmt) error {
			n = st.ColumnInt64(0)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Nothing of a removed run is left in any table.
func TestExpiredRunsLeaveNothing(t *testing.T) {
	path := newPath(t)
	s := open(t, path, small)
	for id := range int64(30) {
		commit(t, s, wholeRun(id+1, int(id*5)))
		if _, err := s.PutBlob(t.Context(), id+1, zeros(300_000)); err != nil {
			t.Fatal(err)
		}
	}
	if runs, calls, _ := expire(t, s, 100); runs != 30 || calls < 20 {
		t.Errorf("removed %d runs in %d calls", runs, calls)
	}
	closeStore(t, s)
	for _, table := range []string{"run", "gone_run", "live_run", "task", "frame", "block", "log", "blob", "blob_chunk"} {
		if n := rows(t, path, table); n != 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
}

// Removing a run of 100,000 tasks, and 20,000 runs of one task: per row, with
// the longest call beside it.
func BenchmarkExpire(b *testing.B) {
	for _, c := range []struct {
		name        string
		runs, tasks int64
	}{{"wide", 1, 100_000}, {"short", 20_000, 1}} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := open(b, newPath(b), sqlite.Options{})
				for id := int64(1); id <= c.runs; id += 100 {
					var batch []*store.Transition
					for k := id; k < id+100 && k <= c.runs; k++ {
						batch = append(batch, newRun(k))
						batch[len(batch)-1].NewRun.Base = k * c.tasks * 16
						for i := range c.tasks {
							add(batch[len(batch)-1], store.InsertTask, k*c.tasks*16+i, api.Completed)
						}
						batch[len(batch)-1].Blocks = []store.Block{{First: k * c.tasks * 16, Count: c.tasks, Seq: 16}}
						batch = append(batch, &store.Transition{Run: k, SetRun: &store.RunSet{State: api.Completed}})
					}
					commit(b, s, batch...)
				}
				b.StartTimer()
				runs, calls, longest := expire(b, s, 1000)
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(c.runs*c.tasks)/float64(b.N), "us/task")
				b.ReportMetric(float64(longest.Microseconds()), "us-longest")
				b.ReportMetric(float64(calls), "calls")
				if int64(runs) != c.runs {
					b.Fatalf("removed %d of %d", runs, c.runs)
				}
			}
		})
	}
}
