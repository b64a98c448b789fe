package httpapi

import (
	"math"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/internal/vital"
)

// TestQueueRates: what came into each queue and ended, from one sample to another, for as long as
// the finest series goes back.
func TestQueueRates(t *testing.T) {
	h, now := newHistory(), time.Unix(1e9, 0)
	for i := range int64(100) {
		ended := map[string]int64{"default": 50 * i}
		if i >= 98 {
			ended["late"] = i - 97
		}
		came := map[string]int64{"default": 60 * i, "late": ended["late"]}
		h.add(&sample{Snapshot: vital.Snapshot{At: now, Ended: ended, Came: came}})
		now = now.Add(sampleEvery)
	}
	all, came := h.queues.series("ended"), h.queues.series("came")
	if len(all) != 2 || all[0].Name != "default" || all[1].Name != "late" {
		t.Fatalf("series of %+v", all)
	}
	for i, s := range all {
		if len(s.Values) != 90 || len(s.Times) != 90 || s.Step != 10_000 {
			t.Errorf("%s has %d values at %d times", s.Name, len(s.Values), len(s.Times))
		}
		for j, want := range [][2][3]float64{{{5, 5, 5}, {6, 6, 6}}, {{0, 0.1, 0.1}, {0, 0.1, 0.1}}}[i] {
			v := [][]MetricSeries{all, came}[j][i].Values
			if got := [3]float64{*v[87], *v[88], *v[89]}; got != want {
				t.Errorf("%s: series %d is %v a second, want %v", s.Name, j, got, want)
			}
		}
	}
}

// TestLimitSeries: a limit that comes and goes has values while it is there, and is
// forgotten with the last of them.
func TestLimitSeries(t *testing.T) {
	a, now := routes{history: newHistory()}, time.Unix(1e9, 0)
	for i := range 4 {
		limits := map[string]limitUse{"always": {there: true}}
		if i == 1 || i == 2 {
			limits["db"] = limitUse{limit: 10, used: 3 * i, waiting: i - 1, there: true}
		}
		a.history.add(&sample{Snapshot: vital.Snapshot{At: now}, limits: limits})
		now = now.Add(sampleEvery)
	}
	out, err := a.getLimitSeries(t.Context(), &limitSeriesInput{Tag: "db"})
	if err != nil || len(out.Body.Items) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	for i, s := range out.Body.Items {
		want := [][2]float64{{3, 6}, {0, 1}, {10, 10}}[i]
		if len(s.Values) != 4 || s.Values[0] != nil || s.Values[3] != nil || *s.Values[1] != want[0] || *s.Values[2] != want[1] {
			t.Errorf("%s is %v, want nothing, %v, nothing", s.Name, s.Values, want)
		}
	}
	for range 90 {
		a.history.add(&sample{Snapshot: vital.Snapshot{At: now}, limits: map[string]limitUse{"always": {there: true}}})
		now = now.Add(sampleEvery)
	}
	if len(a.history.limits.values) != 1 {
		t.Errorf("a limit that is long gone is still kept: %v", a.history.limits.values)
	}
}

// TestLimitWaits: how long was waited for a limit has a point each minute, for an hour.
func TestLimitWaits(t *testing.T) {
	a, now := routes{history: newHistory()}, time.Unix(1e9, 0)
	for i := range 7 * 60 {
		waits := map[string]limitWait{"db": {took: time.Duration(i) * time.Second, there: true}}
		if i < 30 {
			waits["gone"] = limitWait{there: true}
		}
		a.history.add(&sample{Snapshot: vital.Snapshot{At: now}, waits: waits})
		now = now.Add(sampleEvery)
	}
	out, err := a.getLimitWaits(t.Context(), nil)
	if err != nil || len(out.Body.Items) != 1 || out.Body.Items[0].Name != "db" {
		t.Fatalf("%+v, %v", out, err)
	}
	s := out.Body.Items[0]
	if n := len(s.Values); n != 60 || s.Step != 60_000 || s.Times[59]-s.Times[0] != 59*60_000 || *s.Values[58]-*s.Values[57] != 6000 {
		t.Errorf("%d points from %d to %d, every %d ms", n, s.Times[0], s.Times[n-1], s.Step)
	}
}

func seriesAt(t *testing.T, name string) int {
	for i, k := range seriesKinds {
		if k.name == name {
			return i
		}
	}
	t.Fatalf("no series %q", name)
	return -1
}

// Eight days of samples: each resolution keeps what it says, and rates and quantiles are
// those of the time that a point spans.
func TestSeries(t *testing.T) {
	h, now := newHistory(), time.Unix(1e9, 0)
	var s vital.Totals
	for i := range 8 * 24 * 360 {
		now = now.Add(sampleEvery)
		s.TasksCompleted += 50
		s.Attempts += 50
		for range 9 {
			s.Wait.Add(1000)
		}
		if i%2 == 0 { // every other sample is slow; coarse points have both
			s.Wait.Add(800_000)
			s.Wait.Add(800_000)
		}
		h.add(&sample{Snapshot: vital.Snapshot{At: now, Totals: s}, clients: 3})
	}
	for _, c := range []struct {
		span, step time.Duration
		points     int
		every      time.Duration
	}{
		{15 * time.Minute, sampleEvery, 90, sampleEvery},
		{time.Minute, sampleEvery, 7, sampleEvery},
		{15 * time.Minute, time.Minute, 15, time.Minute},
		{6 * time.Hour, sampleEvery, 360, time.Minute},
		{24 * time.Hour, sampleEvery, 288, 5 * time.Minute},
		{7 * 24 * time.Hour, sampleEvery, 336, 30 * time.Minute},
		{7 * 24 * time.Hour, time.Hour, 336, 30 * time.Minute}, // there is nothing coarser
	} {
		got := h.series(seriesAt(t, "tasks_finished"), c.step, c.span, now)
		if n := len(got.Values); n != c.points || len(got.Times) != n || got.Step != c.every.Milliseconds() {
			t.Errorf("over %s by %s: %d points every %d ms, want %d every %s", c.span, c.step, n, got.Step, c.points, c.every)
			continue
		}
		for i, v := range got.Values {
			if v == nil || math.Abs(*v-5) > 0.01 {
				t.Errorf("over %s: point %d is %v, want 5 a second", c.span, i, v)
				break
			}
		}
		p50 := h.series(seriesAt(t, "wait_p50"), c.step, c.span, now).Values
		p95 := h.series(seriesAt(t, "wait_p95"), c.step, c.span, now).Values
		last := *p95[len(p95)-1]
		if mid := *p50[len(p50)-1]; mid < 0.8 || mid > 1.3 {
			t.Errorf("over %s: p50 is %g ms, want about 1", c.span, mid)
		}
		if c.every > sampleEvery && (last < 600 || last > 1050) {
			t.Errorf("over %s: p95 is %g ms, want about 800", c.span, last)
		}
	}
	if v := h.series(seriesAt(t, "cache_hit_rate"), sampleEvery, time.Minute, now).Values; v[0] != nil {
		t.Errorf("nobody looked into the cache, the rate is %g", *v[0])
	}
	if v := h.series(seriesAt(t, "sse_clients"), sampleEvery, time.Minute, now).Values; *v[0] != 3 {
		t.Errorf("%g event streams, want 3", *v[0])
	}
	if got := h.series(0, sampleEvery, time.Minute, now.Add(time.Hour)).Times; len(got) != 0 {
		t.Errorf("an hour later the last minute has %d points", len(got))
	}
}

// A clock that is set back begins anew, and no point has a negative rate.
func TestSeriesOfAClockSetBack(t *testing.T) {
	h, now := newHistory(), time.Unix(1e9, 0)
	for i, by := range []time.Duration{0, sampleEvery, -time.Hour, sampleEvery, sampleEvery} {
		now = now.Add(by)
		h.add(&sample{Snapshot: vital.Snapshot{At: now, Totals: vital.Totals{TasksCompleted: int64(10 * i)}}})
	}
	for _, v := range h.series(seriesAt(t, "tasks_finished"), sampleEvery, 2*time.Hour, now).Values {
		if *v != 1 {
			t.Errorf("%g a second, want 1", *v)
		}
	}
}

func TestSeriesFit(t *testing.T) {
	if n := len(point{}.values); len(seriesKinds) > n {
		t.Errorf("%d series, a point has room for %d", len(seriesKinds), n)
	}
}
