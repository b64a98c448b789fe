package store_test

import (
	"testing"

	"github.com/runnel-dev/runnel/internal/store"
)

// A run's cell keeps its trace, and has nothing of one that is not there.
func TestTraceOfRun(t *testing.T) {
	if b := (&store.RunCell{}).Append(nil); len(b) > 0 {
		t.Errorf("an empty cell has the bytes %x", b)
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 vendor=1"
	want := store.RunCell{Schedule: []byte("{}"), Trace: trace}
	var got store.RunCell
	if err := got.Decode(want.Append(nil)); err != nil || got.Trace != trace || string(got.Schedule) != "{}" {
		t.Errorf("of %+v is read %+v %v", want, got, err)
	}
}

// A task's cell keeps its worker if its body has begun.
func TestWorkerOfTask(t *testing.T) {
	for _, c := range []struct {
		name string
		cell store.TaskCell
		want uint32
	}{
		{"of a body that began", store.TaskCell{Started: 7, Begun: 7, Worker: 1<<32 - 1}, 1<<32 - 1},
		{"of one that began and waits", store.TaskCell{Started: 7, Begun: 9, Worker: 1}, 1},
		{"before a worker was kept", store.TaskCell{Started: 7, Begun: 7}, 0},
		{"of one that has not begun", store.TaskCell{Worker: 1}, 0},
	} {
		var got store.TaskCell
		if err := got.Decode(c.cell.Append(nil)); err != nil || got.Worker != c.want {
			t.Errorf("%s: worker %d, %v; want %d", c.name, got.Worker, err, c.want)
		}
	}
}

// Whether a body waits for an answer is kept, and forgotten with the rest of that.
func TestWaitingOfTask(t *testing.T) {
	var cell, got store.TaskCell
	cell.Put().Waiting = true
	if err := got.Decode(cell.Append(nil)); err != nil || !got.Waiting() {
		t.Errorf("one that waits is read as one that does not (%v)", err)
	}
	got.Settled()
	if got.Waiting() {
		t.Error("one that is settled waits")
	}
}
