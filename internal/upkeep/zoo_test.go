package upkeep_test

import (
	"context"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/demo"
	"github.com/runnel-dev/runnel/internal/store/pgtest"
)

// Runs in every state, and with every reason to wait, look the same in the other kind of
// store.
func TestZoo(t *testing.T) {
	from, to, back := file(t), pgtest.DSN(t), file(t)
	d, err := demo.New("zoo", "deep:50")
	if err != nil {
		t.Fatal(err)
	}
	eng, err := runnel.Open(t.Context(), from, d.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Seed(t.Context(), eng); err != nil {
		t.Fatal(err)
	}
	d.End()
	killed, kill := context.WithCancel(t.Context())
	kill()
	_ = eng.Close(killed) // bodies that are held up run again
	first := export(t, from)
	fillFrom(t, to, first)
	second := export(t, to)
	sameContent(t, second, first)
	fillFrom(t, back, second)
	sameContent(t, export(t, back), first)

	want := listed(t, from)
	for _, dsn := range []string{to, back} {
		got := listed(t, dsn)
		if len(got) != len(want) || len(want) < 20 {
			t.Errorf("there are %d runs, want %d", len(got), len(want))
		}
		for id, state := range want {
			if got[id] != state {
				t.Errorf("run %s is %s, want %s", id, got[id], state)
			}
		}
	}
}

// listed gives the states of all runs, without running anything.
func listed(t *testing.T, dsn string) map[string]api.State {
	t.Helper()
	eng, err := runnel.Open(t.Context(), dsn, runnel.Queues())
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]api.State{}
	for r, err := range eng.Runs(t.Context(), api.RunFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if states[r.ID] = r.State; r.State.Final() {
			continue
		}
		if states[r.ID] = 0; r.State == api.Paused { // what is in progress may go on at once
			states[r.ID] = r.State
		}
	}
	end(t, eng)
	return states
}
