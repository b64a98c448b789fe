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
