package web

import (
	"net/url"
	"slices"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// limitChartsOf are what the page of a limit draws: those who wait may be so many more
// than slots that both in one chart would show neither.
var limitChartsOf = []chart{
	{Name: "Slots, last 15 minutes", ID: "slots", Lines: []line{{Name: "in use"}, {Name: "limit"}}},
	{Name: "Waiting, last 15 minutes", ID: "line", Lines: []line{{Name: "waiting"}}},
}

// limitCharts draws how a limit was used; nothing before it was measured.
func limitCharts(v *view, tag string) ([]chart, error) {
	found, err := get[httpapi.List[httpapi.MetricSeries]](v, "/metrics/limits", url.Values{"tag": {tag}})
	if err != nil {
		return nil, err
	}
	series := map[string]*httpapi.MetricSeries{}
	for i := range found.Items {
		series[found.Items[i].Name] = &found.Items[i]
	}
	var all []chart
	for _, c := range limitChartsOf {
		drawn := make([]*httpapi.MetricSeries, len(c.Lines))
		lines := make([]line, len(c.Lines))
		for i, l := range c.Lines {
			drawn[i] = series[l.Name]
			if drawn[i] == nil {
				return nil, nil
			}
			lines[i] = line{Name: l.Name, Help: drawn[i].Help}
		}
		c.Lines = lines
		if c.draw(drawn); !c.Empty {
			all = append(all, c)
		}
	}
	return all, nil
}

// waitPoints is how many there are in an hour.
const waitPoints = 60

// limitWaits draws by tag how long 95 of 100 waited for a slot, over an hour, if somebody
// did.
func limitWaits(v *view) (map[string]*spark, error) {
	found, err := get[httpapi.List[httpapi.MetricSeries]](v, "/metrics/limit-waits", nil)
	waits := map[string]*spark{}
	for i := range found.Items {
		one := &found.Items[i]
		waited := slices.ContainsFunc(one.Values, func(ms *float64) bool { return ms != nil && *ms > 0 })
		if s := sparkOf(waitPoints, one); s != nil && waited {
			s.Said = "95 of 100 waited at most " + s.Now[0] + ", at worst " + s.Most + " within an hour"
			waits[one.Name] = s
		}
	}
	return waits, err
}
