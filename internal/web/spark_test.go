package web

import (
	"testing"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestSpark(t *testing.T) {
	value := func(x float64) *float64 { return &x }
	s := &httpapi.MetricSeries{MetricName: httpapi.MetricName{Unit: "1/s"}, Values: []*float64{value(0), value(4), nil, value(2)}}
	if got, want := *sparkOf(s), (spark{Path: "M87 19.0L88 1.0M90 10.0", Now: "2", Most: "4"}); got != want {
		t.Errorf("it is drawn as %+v, want %+v", got, want)
	}
	s.Values = []*float64{value(0), value(0)}
	if got := sparkOf(s); got.Path != "M89 19.0L90 19.0" {
		t.Errorf("nothing at all is drawn as %q", got.Path)
	}
	if s.Values = s.Values[:1]; sparkOf(s) != nil {
		t.Error("one point is drawn")
	}
}
