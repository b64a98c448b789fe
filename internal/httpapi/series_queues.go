package httpapi

import (
	"context"
	"maps"
	"slices"
	"time"
)

// queueRates is how many bodies of each queue ended in a second.
type queueRates struct {
	track[float64]

	last map[string]int64
	at   time.Time
}

// add takes what has ended so far.
func (q *queueRates) add(s *sample) {
	took := s.At.Sub(q.at)
	before, began := q.last, !q.at.IsZero() && took > 0
	q.last, q.at = s.Ended, s.At
	if !began {
		return
	}
	now := make(map[string]float64, len(s.Ended))
	for name, n := range s.Ended {
		now[name] = max(float64(n-before[name])/took.Seconds(), 0)
	}
	q.track.add(s.At, now)
}

// series gives them by name.
func (q *queueRates) series() []MetricSeries {
	all := []MetricSeries{}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		as := MetricName{Name: name, Unit: "1/s", Help: "Bodies of the queue that ended"}
		all = append(all, q.track.series(name, as, func(v float64) *float64 { return &v }))
	}
	return all
}

func (a *routes) getQueueSeries(context.Context, *empty) (*body[List[MetricSeries]], error) {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	return answer(List[MetricSeries]{Items: a.history.queues.series()}), nil
}
