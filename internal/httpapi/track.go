package httpapi

import (
	"slices"
	"time"
)

// track is what was so of things with a name, a value each step, and no
// more than are kept.
type track[T any] struct {
	step   time.Duration
	keep   int
	times  []time.Time
	values map[string][]T
}

// due reports whether it has nothing of so late a time.
func (k *track[T]) due(at time.Time) bool {
	if len(k.times) == 0 {
		return true
	}
	took := at.Sub(k.times[len(k.times)-1])
	return took < 0 || took >= k.step-k.step/20 // tickers are not exact
}

// add takes what is so at a time. What it does not name, or did not before, has T's zero.
func (k *track[T]) add(at time.Time, now map[string]T) {
	for name := range now {
		if k.values[name] == nil {
			if k.values == nil {
				k.values = map[string][]T{}
			}
			k.values[name] = make([]T, len(k.times))
		}
	}
	k.times = append(k.times, at)
	cut := max(len(k.times)-k.keep, 0)
	k.times = slices.Delete(k.times, 0, cut)
	for name, values := range k.values {
		k.values[name] = slices.Delete(append(values, now[name]), 0, cut)
	}
}

// forget leaves out whatever all values of which are gone.
func (k *track[T]) forget(gone func(T) bool) {
	for name, values := range k.values {
		if !slices.ContainsFunc(values, func(v T) bool { return !gone(v) }) {
			delete(k.values, name)
		}
	}
}

// series gives what value makes of those of a name; nil for nothing.
func (k *track[T]) series(name string, as MetricName, value func(T) *float64) MetricSeries {
	s := MetricSeries{MetricName: as, Step: k.step.Milliseconds(), Times: []int64{}, Values: []*float64{}}
	for i, v := range k.values[name] {
		s.Times, s.Values = append(s.Times, k.times[i].UnixMilli()), append(s.Values, value(v))
	}
	return s
}
