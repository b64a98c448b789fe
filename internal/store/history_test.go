package store_test

import (
	"slices"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
)

func TestHistoryRoundTrip(t *testing.T) {
	lines := []store.Line{
		{State: api.Running, Attempt: 1, At: 1_700_000_000_000_000},
		{State: api.Failed, Name: "TimedOut", Attempt: 300, At: -1, Message: "timed out after 1s"},
		{State: api.Scheduled, At: 5, Message: "until then"},
	}
	var b []byte
	ends := []int{0}
	for i := range lines {
		b = store.AppendHistory(b, &lines[i])
		ends = append(ends, len(b))
	}
	for n := range len(b) + 1 { // what is cut off in the middle of a line is damaged
		var got []store.Line
		err := store.History(b[:n], func(l *store.Line) { got = append(got, *l) })
		whole := slices.Contains(ends, n)
		if (err == nil) != whole {
			t.Errorf("History of the first %d bytes gives error %v, lines end at %v", n, err, ends)
		}
		if k, _ := slices.BinarySearch(ends, n+1); !slices.Equal(got, lines[:k-1]) {
			t.Errorf("History of the first %d bytes gives %+v, want %+v", n, got, lines[:k-1])
		}
	}
}
