package sqlite_test

import (
	"flag"
	"os"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/memory"
	"github.com/runnel-dev/runnel/internal/store/sqlite"
	"github.com/runnel-dev/runnel/internal/store/storetest"
)

var update = flag.Bool("update", false, "write testdata of the present schema version")

// fillV1 writes something of everything there was in schema version 1. It does
// not change: testdata/v1.db was written by it.
func fillV1(t *testing.T, s store.Store) {
	t.Helper()
	full := func(run int64) *store.Transition {
		tr := &store.Transition{Run: run, NewRun: &store.RunRow{
			ID: run, UID: [16]byte{1, 15: byte(run)}, Name: "order", State: api.Running, Gen: 1, Epoch: 2,
			Base: run * 16, Created: 1_790_000_000_000_000 + run, Plan: []byte(`{"task":"add"}`), Cell: []byte{1},
		}}
		for i := range int64(5) {
			*tr.AddTask() = store.TaskWrite{
				ID: run*16 + i, Frame: run * 100, Place: int32(i), Task: []string{"add", "mul"}[i%2],
				State: api.Running, Attempt: 1, Gen: 1, Cell: []byte("cell"),
			}
		}
		tr.Frames = []store.FrameWrite{{
			ID: run * 100, Parent: 1, Place: 2, Kind: store.GroupFrame, State: store.FrameOpen, Base: run * 16,
			Source: 3, Count: 9, Pending: 5, Failed: 1, Low: 2, Cell: []byte("frame"),
		}}
		tr.Blocks = []store.Block{{First: run * 16, Count: 16, Seq: 1, Frame: run * 100}}
		tr.Keyed = []store.KeyedWrite{{TaskID: "counter", Value: []byte("7")}}
		tr.Logs = []store.LogWrite{{TaskRun: "r/0", Task: "add", Attempt: 1, Level: "INFO", Text: "hello"}}
		return tr
	}
	commit(t, s, full(1), full(2))
	commit(t, s, &store.Transition{Run: 2, Epoch: 2, SetRun: &store.RunSet{State: api.Failed, Gen: 1, Epoch: 2, Finished: 5, Cell: []byte("end")}})
	if err := s.PutRecords(t.Context(), store.RecordWrite{Kind: "limit", Key: "db", Value: []byte("10")}); err != nil {
		t.Fatal(err)
	}
	if first, err := s.ReserveKeys(t.Context(), 100); err != nil || first != 1 {
		t.Fatalf("ReserveKeys gave %d, %v", first, err)
	}
	if b, err := s.PutBlob(t.Context(), 1, zeros(1000)); err != nil || b.ID != 1 {
		t.Fatalf("PutBlob gave %v, %v", b, err)
	}
}

// A database of each older schema version opens, with all that was in it.
func TestOldVersions(t *testing.T) {
	const fixture = "testdata/v1.db"
	path := newPath(t)
	if *update {
		s := open(t, path, sqlite.Options{PageSize: 1024})
		fillV1(t, s)
		closeStore(t, s)
		copyFile(t, fixture, path)
	}
	copyFile(t, path, fixture)
	s := open(t, path, small)
	m := memory.Open()
	fillV1(t, m)
	storetest.Same(t, s, m)
	if v, err := s.Keyed(t.Context(), "counter"); err != nil || string(v) != "7" {
		t.Errorf("keyed state is %q, %v", v, err)
	}
	kept := map[string]string{}
	err := s.Records(t.Context(), "limit", "", func(key string, value []byte) error {
		kept[key] = string(value)
		return nil
	})
	if err != nil || len(kept) != 1 || kept["db"] != "10" {
		t.Errorf("records are %v, %v", kept, err)
	}
	if first, err := s.ReserveKeys(t.Context(), 1); err != nil || first <= 100 {
		t.Errorf("ReserveKeys gave %d, %v", first, err)
	}
	r, err := s.OpenBlob(t.Context(), store.Blob{ID: 1, Size: 1000})
	if err != nil {
		t.Fatalf("OpenBlob: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	// And it goes on.
	next := &store.Transition{Run: 1, Epoch: 2}
	next.AddJoin(store.Join{Frame: 100, Ended: 5})
	*next.AddTask() = store.TaskWrite{Op: store.UpdateTask, WasAttempt: 1, WasGen: 1, ID: 16, State: api.Completed}
	commit(t, s, next)
	commit(t, m, next)
	storetest.Same(t, s, m)
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
