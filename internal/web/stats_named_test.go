package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// TestLongestWaits: a chart has lines of the tags that were waited for longest at one time,
// and none of those that nobody waited for.
func TestLongestWaits(t *testing.T) {
	all := make([]httpapi.MetricSeries, 0, 6)
	for i, values := range [][]float64{{0, 0}, {1, 1}, {9, 0}, {2, 7}, {8, 8}} {
		s := httpapi.MetricSeries{MetricName: httpapi.MetricName{Name: fmt.Sprint(i)}, Values: []*float64{nil}}
		for _, y := range values {
			s.Values = append(s.Values, &y)
		}
		all = append(all, s)
	}
	var names []string
	for _, s := range longest(all) {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "2 4 3" {
		t.Errorf("lines are of %s, want 2 4 3", got)
	}
	if found := longest(all[:1]); len(found) != 0 {
		t.Errorf("nobody waited, and there are %d lines", len(found))
	}
}

// TestLengths: bars are as long as 95 of 100 runs of the one that takes longest, and tasks
// have them only while no flow has run.
func TestLengths(t *testing.T) {
	row := func(name, kind string, of int, median, p95 time.Duration) flowRow {
		r := flowRow{Of: of, usual: usual{median, p95}}
		r.Name, r.Kind = name, kind
		return r
	}
	rows := []flowRow{
		row("a", "flow", 0, 0, 0), row("b", "flow", 3, time.Second, 2*time.Second), row("c", "task", 9, time.Hour, time.Hour),
		row("d", "flow", 5, 3*time.Second, 4*time.Second), row("e", "flow", 1, 0, time.Nanosecond),
	}
	said := func(all []length) string {
		var b strings.Builder
		for _, l := range all {
			fmt.Fprintf(&b, "%s of %d: %d %d; ", l.Name, l.Of, l.Half, l.Most)
		}
		return b.String()
	}
	if got, want := said(lengths(rows)), "d of 5: 750 1000; b of 3: 250 500; e of 1: 12 12; "; got != want {
		t.Errorf("bars are %s want %s", got, want)
	}
	if got, want := said(lengths(rows[2:3])), "c of 9: 1000 1000; "; got != want {
		t.Errorf("bars are %s want %s", got, want)
	}
	if got := said(lengths(rows[:1])); got != "" {
		t.Errorf("nothing has run, and there are bars: %s", got)
	}
}
