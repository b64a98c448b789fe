package runnel

import (
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Retries is how many attempts may follow a failed first one. Default 0: none.
//
// The options about retries that are given together make one policy. Given to
// WithOptions or Set, it replaces the declared policy whole, so Retries must be
// among them. Never retried: arguments that can't be decoded, and results that
// can't be encoded.
func Retries(n int) CallOption {
	return retryOption(func(p *api.RetryPolicy) error {
		p.Max = n
		if n < 0 {
			return api.Errorf(ErrInvalid, "", "Retries(%d): want 0 for none, or more", n)
		}
		return nil
	})
}

// RetryDelay is the wait before the second attempt, the third and so on; the
// last one repeats. Default: no wait.
func RetryDelay(first time.Duration, more ...time.Duration) CallOption {
	return retryOption(func(p *api.RetryPolicy) error {
		p.Delays = nil
		var err error
		for _, d := range append([]time.Duration{first}, more...) {
			p.Delays = append(p.Delays, api.Duration(d))
			if wrong := notNegative("RetryDelay", d); wrong != nil {
				err = wrong
			}
		}
		return err
	})
}

// ExponentialBackoff waits for first before the second attempt and twice as
// long before each one more, but never longer than most (0: a year),
// before [RetryJitter]. Default:
// the wait stays the same.
func ExponentialBackoff(first, most time.Duration) CallOption {
	return retryOption(func(p *api.RetryPolicy) error {
		p.Delays, p.Exponential, p.Cap = []api.Duration{api.Duration(first)}, true, api.Duration(most)
		if err := notNegative("ExponentialBackoff", first); err != nil {
			return err
		}
		return notNegative("ExponentialBackoff", most)
	})
}

// RetryJitter makes each wait longer by up to this share of it, at random, so
// that tasks that failed together don't come back together: 0.5 for up to half.
// Default 0.
func RetryJitter(share float64) CallOption {
	return retryOption(func(p *api.RetryPolicy) error {
		p.Jitter = share
		if !(share >= 0) {
			return api.Errorf(ErrInvalid, "", "RetryJitter(%v): want 0 or more", share)
		}
		return nil
	})
}

// RetryFor bounds the time since the first attempt began: none starts later.
// Default 0: no bound.
func RetryFor(total time.Duration) CallOption {
	return retryOption(func(p *api.RetryPolicy) error {
		p.For = api.Duration(total)
		return notNegative("RetryFor", total)
	})
}

// RetryOn retries only errors that match one of those named by [Errors] at
// [Open]: RetryOn("declined"). Default: every error.
func RetryOn(names ...string) CallOption {
	return retryOption(func(p *api.RetryPolicy) error {
		p.On = names
		if len(names) == 0 {
			return api.Errorf(ErrInvalid, "", "RetryOn names no error")
		}
		return nil
	})
}

// RetryChild has the policy cover the pipeline that the task returns: if that
// fails, the task's function runs again, as its next attempt, and may return
// another. Each such pipeline starts as if it were the first, with task runs of
// its own. [RetryIf] is not asked about it. Default: retries cover the function
// only.
func RetryChild() CallOption {
	return retryOption(func(p *api.RetryPolicy) error {
		p.Child = true
		return nil
	})
}

// RetryIf asks a function whether an error is worth another attempt, within
// what the policy allows. It runs on the worker. Default: every error is.
func RetryIf(worth func(error) bool) TaskOption {
	return taskOption(func(d *declaration) { d.work.RetryIf = worth })
}

// retryOption changes the policy, which is always one made for these options.
func retryOption(set func(*api.RetryPolicy) error) CallOption {
	return callOption(func(o *api.Options) error {
		if o.Retry == nil {
			o.Retry = new(api.RetryPolicy)
		}
		return set(o.Retry)
	})
}
