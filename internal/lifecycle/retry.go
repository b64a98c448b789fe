package lifecycle

import (
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Failed is a failed attempt.
type Failed struct {
	Policy  *api.RetryPolicy // nil for none
	Attempt int              // from 1
	Names   []string         // under which the error is registered
	NoRetry bool             // refused by the worker
	// Since is the time since the first attempt began.
	Since time.Duration
	// Random is in [0, 1).
	Random float64
}

// Retry decides whether another attempt follows, and after which delay.
func Retry(f Failed) (delay time.Duration, again bool) {
	p := f.Policy
	if p == nil || f.NoRetry || f.Attempt > p.Max || !matches(p.On, f.Names) {
		return 0, false
	}
	delay = Delay(p, f.Attempt)
	delay += time.Duration(float64(delay) * p.Jitter * f.Random)
	if p.For > 0 && f.Since+delay > time.Duration(p.For) {
		return 0, false
	}
	return delay, true
}

// Delay is the wait after the given attempt, without jitter: the listed delays
// in order, then the last one again, doubled each time if exponential; bounded
// by the cap.
func Delay(p *api.RetryPolicy, attempt int) time.Duration {
	if len(p.Delays) == 0 {
		return 0
	}
	listed := min(attempt, len(p.Delays))
	delay := time.Duration(p.Delays[listed-1])
	if p.Exponential {
		for i := listed; i < attempt && delay < maxDelay; i++ {
			delay *= 2
		}
	}
	if p.Cap > 0 {
		delay = min(delay, time.Duration(p.Cap))
	}
	return min(delay, maxDelay)
}

// maxDelay keeps doubling from overflowing: a year.
const maxDelay = 365 * 24 * time.Hour

func matches(on, names []string) bool {
	return len(on) == 0 || slices.ContainsFunc(names, func(name string) bool {
		return slices.Contains(on, name)
	})
}
