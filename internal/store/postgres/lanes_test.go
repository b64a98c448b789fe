package postgres_test

import (
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
	"github.com/runnel-dev/runnel/internal/store/postgres"
)

// Sessions that live together number their runs so that each inserts into a part of the
// tables that none of the others does, and the one that comes after one that has ended
// takes its part.
func TestLanes(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	schema := pgtest.Schema(t, dsn)
	var all []*postgres.Store
	for range store.Lanes {
		all = append(all, open(t, dsn))
	}
	written := func() map[int64]bool {
		pgtest.Exec(t, "DELETE FROM "+schema+".run")
		for _, s := range all {
			beat(t, s)
			first, err := s.ReserveRuns(t.Context(), 3)
			if err != nil {
				t.Fatal(err)
			}
			commit(t, s, newRun(first), newRun(first+store.Lanes), newRun(first+2*store.Lanes))
		}
		parts := map[int64]bool{}
		for part := range int64(store.Lanes) {
			n := pgtest.Number(t, "SELECT count(*) FROM "+schema+".run WHERE tableoid = (SELECT inhrelid FROM pg_inherits WHERE inhparent = '"+
				schema+".run'::regclass ORDER BY inhrelid LIMIT 1 OFFSET $1)", part)
			parts[n] = true
		}
		return parts
	}
	if parts := written(); len(parts) != 1 || !parts[3] {
		t.Errorf("the parts have %v rows, want 3 each", parts)
	}
	if err := all[2].Close(); err != nil {
		t.Fatal(err)
	}
	all[2] = open(t, dsn)
	for _, s := range all {
		beat(t, s)
	}
	lanes := map[int64]bool{}
	for _, s := range all {
		s.Drop()
		n, err := s.ReserveRuns(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		lanes[n%store.Lanes] = true
	}
	if len(lanes) != store.Lanes {
		t.Errorf("lanes of eight sessions, one of them new: %v", lanes)
	}
}

// A batch changes runs of all lanes.
func TestLanesOfABatch(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.DSN(t))
	var begin, end []*store.Transition
	for id := int64(1); id <= 3*store.Lanes; id++ {
		begin = append(begin, newRun(id))
		done := task(id, api.Completed, nil)
		done.Run, done.SetRun = id, &store.RunSet{State: api.Completed}
		end = append(end, done)
	}
	commit(t, s, begin...)
	commit(t, s, end...)
	for _, b := range begin {
		r, err := s.Run(t.Context(), b.Run)
		if err != nil || r.State != api.Completed {
			t.Errorf("run %d: %v, %v", b.Run, r.State, err)
		}
		rows := 0
		if err := s.Tasks(t.Context(), b.Run, 0, 1000, func(*store.TaskRow) error { rows++; return nil }); err != nil || rows != 1 {
			t.Errorf("run %d has %d task runs, %v", b.Run, rows, err)
		}
	}
}
