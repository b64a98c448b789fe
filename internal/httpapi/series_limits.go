package httpapi

import "context"

// limitUse is how a limit of a tag was used; there is false while there was none.
type limitUse struct {
	limit, used, waiting int
	there                bool
}

// limitLines are the series of a limit.
var limitLines = []struct {
	MetricName

	of func(limitUse) int
}{
	{MetricName{Name: "in use", Help: "Slots that were taken"}, func(u limitUse) int { return u.used }},
	{MetricName{Name: "waiting", Help: "Task runs that waited for one"}, func(u limitUse) int { return u.waiting }},
	{MetricName{Name: "limit", Help: "Slots that there were"}, func(u limitUse) int { return u.limit }},
}

type limitSeriesInput struct {
	Tag string `query:"tag" required:"true" doc:"Of the limit"`
}

func (a *routes) getLimitSeries(_ context.Context, in *limitSeriesInput) (*body[List[MetricSeries]], error) {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	l := List[MetricSeries]{Items: make([]MetricSeries, 0, len(limitLines))}
	for _, line := range limitLines {
		l.Items = append(l.Items, a.history.limits.series(in.Tag, line.MetricName, func(u limitUse) *float64 {
			if !u.there {
				return nil
			}
			v := float64(line.of(u))
			return &v
		}))
	}
	return answer(l), nil
}
