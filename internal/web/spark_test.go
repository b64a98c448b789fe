package web

import (
	"reflect"
	"slices"
	"testing"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestSpark(t *testing.T) {
	value := func(x float64) *float64 { return &x }
	s := &httpapi.MetricSeries{MetricName: httpapi.MetricName{Unit: "1/s"}, Values: []*float64{value(0), value(4), nil, value(2)}}
	if got, want := sparkOf(90, s), (&spark{Paths: []string{"M87 19.0L88 1.0M90 10.0"}, Now: []string{"2"}, Most: "4", Text: "2"}); !reflect.DeepEqual(got, want) {
		t.Errorf("it is drawn as %+v, want %+v", got, want)
	}
	other := &httpapi.MetricSeries{Values: []*float64{value(8), value(0)}}
	if got, want := sparkOf(45, s, other).Paths, []string{"M84 19.0L86 10.0M90 14.5", "M88 1.0L90 19.0"}; !slices.Equal(got, want) {
		t.Errorf("two are drawn as %q, want %q", got, want)
	}
	s.Values = []*float64{value(0), value(0)}
	if got := sparkOf(90, s); got.Paths[0] != "M89 19.0L90 19.0" {
		t.Errorf("nothing at all is drawn as %q", got.Paths)
	}
	if s.Values = s.Values[:1]; sparkOf(90, s) != nil || sparkOf(90, other, s) != nil {
		t.Error("one point is drawn")
	}
}
