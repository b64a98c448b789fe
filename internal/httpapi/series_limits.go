package httpapi

import (
	"context"
	"maps"
	"slices"
	"time"
)

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

// limitWait is how long 95 of 100 waited for a slot; there is false while there was no
// limit.
type limitWait struct {
	took  time.Duration
	there bool
}

func (w limitWait) millis() *float64 {
	if !w.there {
		return nil
	}
	ms := float64(w.took) / float64(time.Millisecond)
	return &ms
}

func (a *routes) getLimitWaits(context.Context, *empty) (*body[List[MetricSeries]], error) {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	waits := &a.history.waits
	l := List[MetricSeries]{Items: make([]MetricSeries, 0, len(waits.values))}
	for _, tag := range slices.Sorted(maps.Keys(waits.values)) {
		as := MetricName{Name: tag, Unit: "ms", Help: "95 of 100 who got a slot in the five minutes before had waited no longer"}
		l.Items = append(l.Items, waits.series(tag, as, limitWait.millis))
	}
	return answer(l), nil
}
