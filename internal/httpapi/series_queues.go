package httpapi

import (
	"context"
	"maps"
	"slices"
	"time"
)

// queueRate is how much came into a queue in a second, and how many of its bodies ended.
type queueRate struct{ came, ended float64 }

// queueRates is that of each queue.
type queueRates struct {
	track[queueRate]

	came, ended map[string]int64 // so far
	at          time.Time
}

// add takes what has come and ended so far.
func (q *queueRates) add(s *sample) {
	took, came, ended := s.At.Sub(q.at), q.came, q.ended
	began := !q.at.IsZero() && took > 0
	q.came, q.ended, q.at = s.Came, s.Ended, s.At
	if !began {
		return
	}
	now := make(map[string]queueRate, len(s.Came))
	for name, n := range s.Came {
		now[name] = queueRate{came: perSecond(n-came[name], took)}
	}
	for name, n := range s.Ended {
		now[name] = queueRate{came: now[name].came, ended: perSecond(n-ended[name], took)}
	}
	q.track.add(s.At, now)
}

func perSecond(n int64, in time.Duration) float64 { return max(float64(n)/in.Seconds(), 0) }

type queueSeriesInput struct {
	Of string `query:"of" enum:"ended,came" default:"ended" doc:"What is counted: bodies that ended, or what came into the queue, to be tried again too"`
}

// series gives them by name.
func (q *queueRates) series(of string) []MetricSeries {
	help, value := "Bodies of the queue that ended", func(r queueRate) *float64 { return &r.ended }
	if of == "came" {
		help, value = "What came into the queue", func(r queueRate) *float64 { return &r.came }
	}
	all := []MetricSeries{}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		all = append(all, q.track.series(name, MetricName{Name: name, Unit: "1/s", Help: help}, value))
	}
	return all
}

func (a *routes) getQueueSeries(_ context.Context, in *queueSeriesInput) (*body[List[MetricSeries]], error) {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	return answer(List[MetricSeries]{Items: a.history.queues.series(in.Of)}), nil
}
