package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

var statsRoutes = []route{{"GET /stats", showStats}}

// charts are what the page of metrics draws, each of series of one unit.
var charts = []struct {
	name  string
	lines []link // labels, and the names of series
}{
	{"Task runs a second", []link{{"begun", "tasks_started"}, {"ended", "tasks_finished"}, {"failed", "tasks_failed"}}},
	{"Wait for a worker", []link{{"half below", "wait_p50"}, {"95 %", "wait_p95"}, {"99 %", "wait_p99"}}},
	{"How long bodies run", []link{{"half below", "run_p50"}, {"95 %", "run_p95"}, {"99 %", "run_p99"}}},
	{"Runs a second", []link{{"submitted", "runs_submitted"}, {"ended", "runs_finished"}}},
	{"Retries a second", []link{{"retries", "retries"}}},
	{"At the moment", []link{{"bodies run", "busy"}, {"wait for a slot", "slot_waiting"}}},
	{"Cache, part that hit", []link{{"hits", "cache_hit_rate"}}},
	{"The database’s commits", []link{{"half below", "commit_p50"}, {"99 %", "commit_p99"}}},
	{"Commits a second", []link{{"commits", "commits"}}},
	{"Changes not durable yet", []link{{"changes", "uncommitted"}}},
	{"Heap", []link{{"bytes", "heap"}}},
	{"Goroutines and streams", []link{{"goroutines", "goroutines"}, {"event streams", "sse_clients"}}},
}

// statSpans are how far back the page looks.
var statSpans = []link{{"15 min", "15m"}, {"1 h", "1h"}, {"6 h", "6h"}, {"24 h", "24h"}, {"7 d", "168h"}}

type statsPage struct {
	Spans  []savedView
	Charts []chart
	Runs   []length
	Step   string
}

// chart is series drawn by the server, with a table that says the same.
type chart struct {
	Name  string
	ID    string
	Top   string // what its upper edge stands for
	Lines []line
	From  time.Time
	To    time.Time
	Rows  []chartRow
	Empty bool
	None  string // what it says then, if that is not that nothing was measured
}

// line is a series in a chart.
type line struct {
	Name string
	Help string
	Last string
	Path string
}

// chartRow is one time in the table of a chart.
type chartRow struct {
	Time   time.Time
	Values []string
}

// Size of a chart, and how many rows its table has.
const (
	chartWidth  = 600
	chartHeight = 120
	chartRows   = 20
)

func showStats(v *view) error {
	span := cmp.Or(v.r.URL.Query().Get("span"), "15m")
	v.page.Title, v.page.Nav, v.page.Topics, v.page.Pace = "Metrics", "metrics", []string{"runs"}, 10_000
	q := url.Values{"span": {span}}
	for _, c := range charts {
		for _, l := range c.lines {
			q.Add("name", l.URL)
		}
	}
	found, err := get[httpapi.List[httpapi.MetricSeries]](v, "/metrics/series", q)
	if err != nil {
		return err
	}
	series := map[string]*httpapi.MetricSeries{}
	for i := range found.Items {
		series[found.Items[i].Name] = &found.Items[i]
	}
	var body statsPage
	for _, s := range statSpans {
		body.Spans = append(body.Spans, savedView{link: link{s.Name, "stats?span=" + s.URL}, Active: s.URL == span})
	}
	for i, c := range charts {
		one := chart{Name: c.name, ID: "chart-" + strconv.Itoa(i)}
		var drawn []*httpapi.MetricSeries
		for _, l := range c.lines {
			if s := series[l.URL]; s != nil {
				drawn = append(drawn, s)
				one.Lines = append(one.Lines, line{Name: l.Name, Help: s.Help})
			}
		}
		one.draw(drawn)
		body.Charts = append(body.Charts, one)
	}
	if err := body.named(v); err != nil {
		return err
	}
	if len(found.Items) > 0 {
		body.Step = (time.Duration(found.Items[0].Step) * time.Millisecond).String()
	}
	return v.show("stats", http.StatusOK, body)
}

// draw makes the paths, the legend's values and the table.
func (c *chart) draw(series []*httpapi.MetricSeries) {
	top, unit := 0.0, ""
	var times []int64
	for _, s := range series {
		unit = s.Unit
		if len(s.Times) > len(times) {
			times = s.Times
		}
		for _, y := range s.Values {
			if y != nil {
				top = max(top, *y)
			}
		}
	}
	c.Empty = len(times) == 0
	if c.Empty {
		return
	}
	top = roundUp(top)
	c.Top, c.From, c.To = amount(top, unit), time.UnixMilli(times[0]), time.UnixMilli(times[len(times)-1])
	for i, s := range series {
		c.Lines[i].Path = pathOf(s, times[0], times[len(times)-1], top)
		c.Lines[i].Last = lastOf(s, unit)
	}
	for j := len(times) - 1; j >= 0 && len(c.Rows) < chartRows; j -= max(1, len(times)/chartRows) {
		row := chartRow{Time: time.UnixMilli(times[j])}
		for _, s := range series {
			row.Values = append(row.Values, valueAt(s, times[j], unit))
		}
		c.Rows = append(c.Rows, row)
	}
}

func valueAt(s *httpapi.MetricSeries, at int64, unit string) string {
	i := slices.Index(s.Times, at)
	if i < 0 || s.Values[i] == nil {
		return "–"
	}
	return amount(*s.Values[i], unit)
}

func lastOf(s *httpapi.MetricSeries, unit string) string {
	for _, y := range slices.Backward(s.Values) {
		if y != nil {
			return amount(*y, unit)
		}
	}
	return "–"
}

// pathOf is a line through the values; where there is none it is broken.
func pathOf(s *httpapi.MetricSeries, from, to int64, top float64) string {
	const dot = "h0" // so that one that stands alone is seen
	return drawn(s.Values, dot, func(i int, y float64) (string, float64) {
		x := float64(chartWidth)
		if to > from {
			x = float64(s.Times[i]-from) / float64(to-from) * chartWidth
		}
		return strconv.FormatFloat(x, 'f', 1, 64), chartHeight - y/top*chartHeight
	})
}

// drawn is a path of SVG through the points of values. First is what the first point of
// each piece is followed by.
func drawn(values []*float64, first string, point func(i int, value float64) (x string, y float64)) string {
	var b strings.Builder
	pen := byte('M')
	for i, value := range values {
		if value == nil {
			pen = 'M'
			continue
		}
		x, y := point(i, *value)
		b.WriteByte(pen)
		b.WriteString(x)
		b.WriteByte(' ')
		b.WriteString(strconv.FormatFloat(y, 'f', 1, 64))
		if pen == 'M' {
			b.WriteString(first)
		}
		pen = 'L'
	}
	return b.String()
}

// roundUp gives the next of 1, 2, 5, 10, … at or above.
func roundUp(x float64) float64 {
	step := 1e-3
	for {
		for _, m := range []float64{1, 2, 5} {
			if step*m >= x {
				return step * m
			}
		}
		step *= 10
	}
}

// amount writes a value with its unit.
func amount(x float64, unit string) string {
	switch {
	case unit == "B":
		return bytesOf(int64(x))
	case unit == "ms":
		return span(time.Duration(x * float64(time.Millisecond)))
	case x >= 100 || x == float64(int64(x)):
		return number(int64(x))
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
