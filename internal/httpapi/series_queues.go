package httpapi

import (
	"context"
	"maps"
	"slices"
	"time"
)

// queueRates is how many bodies of each queue ended in a second, over the last quarter
// of an hour.
type queueRates struct {
	last  map[string]int64
	at    time.Time
	times []time.Time
	ended map[string][]float64 // by queue, as many as there are times
}

// add takes what has ended so far.
func (q *queueRates) add(s *sample) {
	took := s.At.Sub(q.at)
	before, began := q.last, !q.at.IsZero() && took > 0
	q.last, q.at = s.Ended, s.At
	if !began {
		return
	}
	for name := range s.Ended {
		if q.ended[name] == nil {
			if q.ended == nil {
				q.ended = map[string][]float64{}
			}
			q.ended[name] = make([]float64, len(q.times)) // before, there was nothing
		}
	}
	q.times = append(q.times, s.At)
	cut := max(len(q.times)-resolutions[0].keep, 0)
	q.times = slices.Delete(q.times, 0, cut)
	for name, values := range q.ended {
		values = append(values, max(float64(s.Ended[name]-before[name])/took.Seconds(), 0))
		q.ended[name] = slices.Delete(values, 0, cut)
	}
}

// series gives them by name.
func (q *queueRates) series() []MetricSeries {
	all := []MetricSeries{}
	for _, name := range slices.Sorted(maps.Keys(q.ended)) {
		one := MetricSeries{
			MetricName: MetricName{Name: name, Unit: "1/s", Help: "Bodies of the queue that ended"},
			Step:       resolutions[0].step.Milliseconds(), Times: []int64{}, Values: []*float64{},
		}
		for i, value := range q.ended[name] {
			one.Times, one.Values = append(one.Times, q.times[i].UnixMilli()), append(one.Values, &value)
		}
		all = append(all, one)
	}
	return all
}

func (a *routes) getQueueSeries(context.Context, *empty) (*body[List[MetricSeries]], error) {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	return answer(List[MetricSeries]{Items: a.history.queues.series()}), nil
}
