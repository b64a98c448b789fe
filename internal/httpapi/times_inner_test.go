package httpapi

import (
	"testing"
	"time"

	"github.com/runnel-dev/runnel/api"
)

func TestTimesOf(t *testing.T) {
	for _, c := range []struct {
		n                    int
		median, p95, longest time.Duration
	}{
		{1, 1, 1, 1}, {2, 2, 2, 2}, {20, 11, 19, 20}, {100, 51, 95, 100},
	} {
		s := &spans{}
		for i := c.n; i > 0; i-- {
			s.took = append(s.took, time.Duration(i))
		}
		got := s.times()
		if got.Median != api.Duration(c.median) || got.P95 != api.Duration(c.p95) || got.Longest != api.Duration(c.longest) {
			t.Errorf("of 1 to %d: %d, %d, %d", c.n, got.Median, got.P95, got.Longest)
		}
	}
	var none *spans
	if got := none.times(); got.Median != 0 || got.States != nil {
		t.Errorf("of nothing: %+v", got)
	}
}

// TestTimesAreKept: those of a run that has ended for good, those of a live one for as
// long as it took to find them many times over, and none of a run that was retried.
func TestTimesAreKept(t *testing.T) {
	var c timed
	at := time.Unix(1000, 0)
	live, done := timesKey{"a", 0, false}, timesKey{"a", 0, true}
	c.keep(live, RunTimes{}, at, at.Add(time.Second))
	c.keep(done, RunTimes{More: true}, at, at.Add(time.Second))
	for _, k := range []struct {
		key   timesKey
		after time.Duration
		want  bool
	}{
		{live, 20 * time.Second, true},
		{live, 22 * time.Second, false},
		{done, 30 * time.Minute, true},
		{timesKey{"a", 1, true}, 0, false},
	} {
		if _, ok := c.find(k.key, at.Add(k.after)); ok != k.want {
			t.Errorf("%v after %v: %v", k.key, k.after, ok)
		}
	}
}
