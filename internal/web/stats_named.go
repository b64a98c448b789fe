package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// named adds what is by name: of a tag, of a flow.
func (p *statsPage) named(v *view) error {
	waits, err := slotWaits(v)
	if err != nil {
		return err
	}
	p.Charts = slices.Insert(p.Charts, 2, waits) // after the wait for a worker
	rows, err := flowRows(v)
	p.Runs = lengths(rows)
	return err
}

// chartLines is how many lines a chart has at most: more can't be told apart.
const chartLines = 3

// slotWaits draws how long was waited for slots, of the tags for which that was longest.
func slotWaits(v *view) (chart, error) {
	c := chart{Name: "Wait for a slot, by tag, last hour", ID: "chart-waits", None: "Nobody who got a slot within the last hour had waited for it."}
	found, err := get[httpapi.List[httpapi.MetricSeries]](v, "/metrics/limit-waits", nil)
	if err != nil {
		return c, err
	}
	worst := longest(found.Items)
	for _, s := range worst {
		c.Lines = append(c.Lines, line{Name: s.Name, Help: s.Help})
	}
	c.draw(worst)
	return c, nil
}

// longest gives the series with the greatest values, at most as many as a chart has lines.
func longest(all []httpapi.MetricSeries) []*httpapi.MetricSeries {
	type peak struct {
		of  *httpapi.MetricSeries
		top float64
	}
	var peaks []peak
	for i := range all {
		p := peak{of: &all[i]}
		for _, y := range all[i].Values {
			if y != nil {
				p.top = max(p.top, *y)
			}
		}
		if p.top > 0 {
			peaks = append(peaks, p)
		}
	}
	slices.SortStableFunc(peaks, func(a, b peak) int { return cmp.Compare(b.top, a.top) })
	var out []*httpapi.MetricSeries
	for _, p := range peaks[:min(len(peaks), chartLines)] {
		out = append(out, p.of)
	}
	return out
}

// length is how long runs take that call a flow or task, as a bar.
type length struct {
	Name, URL   string
	Of          int // runs that have ended
	Median, P95 time.Duration
	// Half and Most are these two, of a thousand; that is the longest of all.
	Half, Most int
}

// chartBars is how many bars there are at most.
const chartBars = 8

// lengths gives those whose runs take longest; flows, and tasks if no flow has run.
func lengths(rows []flowRow) []length {
	ran := func(task bool) []flowRow {
		return slices.DeleteFunc(slices.Clone(rows), func(r flowRow) bool { return r.Of == 0 || (r.Kind == "task") != task })
	}
	used := ran(false)
	if len(used) == 0 {
		used = ran(true)
	}
	slices.SortStableFunc(used, func(a, b flowRow) int { return cmp.Compare(b.P95, a.P95) })
	var out []length
	for _, r := range used[:min(len(used), chartBars)] {
		part := func(d time.Duration) int {
			return max(int(barWidth*d/max(used[0].P95, 1)), leastPart)
		}
		out = append(out, length{Name: r.Name, URL: r.URL, Of: r.Of, Median: r.Median, P95: r.P95, Half: part(r.Median), Most: part(r.P95)})
	}
	return out
}
