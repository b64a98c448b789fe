package web

import (
	"testing"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestChartIsDrawn(t *testing.T) {
	five, ten := 5.0, 10.0
	s := &httpapi.MetricSeries{MetricName: httpapi.MetricName{Unit: "ms"}, Times: []int64{0, 10_000, 20_000, 30_000}, Values: []*float64{&five, nil, &ten, &five}}
	c := chart{Lines: []line{{Name: "half"}}}
	c.draw([]*httpapi.MetricSeries{s})
	if want := "M0.0 60.0h0M400.0 0.0h0L600.0 60.0"; c.Lines[0].Path != want {
		t.Errorf("the path is %q, want %q", c.Lines[0].Path, want)
	}
	if c.Top != span(10e6) || len(c.Rows) != 4 || c.Rows[2].Values[0] != "–" || c.Rows[1].Values[0] != c.Top {
		t.Errorf("top is %q, rows are %v", c.Top, c.Rows)
	}
	for x, want := range map[float64]float64{0: 0.001, 0.3: 0.5, 7: 10, 10: 10, 11: 20} {
		if got := roundUp(x); got < want*0.999 || got > want*1.001 {
			t.Errorf("roundUp(%v) = %v, want %v", x, got, want)
		}
	}
}
