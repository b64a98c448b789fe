package api

import "fmt"

// KillSwitch stops a group when too much of it has failed. It does not go with
// FailFast. Kind is one of the kinds below, or "own" for a function that was
// registered under Name.
type KillSwitch struct {
	Kind string `json:"kind"`
	// Count is the failure that trips a "failed_count".
	Count int `json:"count,omitempty"`
	// MinSample and Rate are of a "failure_rate": it trips when, of at least so many
	// children that have ended, this share or more has failed.
	MinSample int     `json:"min_sample,omitempty"`
	Rate      float64 `json:"rate,omitempty"`
	Name      string  `json:"name,omitempty"`
}

// The kinds of a kill switch.
const (
	AnyFailed   = "any_failed"
	FailedCount = "failed_count"
	FailureRate = "failure_rate"
	OwnSwitch   = "own"
)

// BatchCounts is what a kill switch goes by.
type BatchCounts struct {
	// Total is how many calls or children there are; 0 if that is not known.
	Total int `json:"total"`
	// Ended is how many have ended, however.
	Ended int `json:"ended"`
	// Completed, Failed and Cancelled are how many of those ended so. What was
	// cancelled or never ran is no failure.
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
}

// Killed is what became of a group that a kill switch stopped. Total less Ended
// is how many of its children never began.
type Killed struct {
	// Switch is the one that tripped, as in "FailedCount(2)", or its name.
	Switch string `json:"switch"`
	BatchCounts
}

// String gives the switch as Go writes it.
func (k KillSwitch) String() string {
	switch k.Kind {
	case AnyFailed:
		return "AnyFailed"
	case FailedCount:
		return fmt.Sprintf("FailedCount(%d)", k.Count)
	case FailureRate:
		return fmt.Sprintf("FailureRate(%d, %v)", k.MinSample, k.Rate)
	}
	return k.Name
}

// Check reports what is wrong with the switch, nil if nothing is.
func (k KillSwitch) Check() error {
	own := KillSwitch{Kind: k.Kind} // k with nothing but what its kind has
	switch k.Kind {
	case AnyFailed:
	case FailedCount:
		own.Count = k.Count
		if k.Count < 1 {
			return Errorf(ErrInvalid, "", "kill switch %s: want a count of 1 or more", k)
		}
	case FailureRate:
		own.MinSample, own.Rate = k.MinSample, k.Rate
		if k.MinSample < 1 || !(k.Rate > 0 && k.Rate <= 1) {
			return Errorf(ErrInvalid, "", "kill switch %s: want a sample of 1 or more, and a rate above 0, at most 1", k)
		}
	case OwnSwitch:
		own.Name = k.Name
		if k.Name == "" {
			return Errorf(ErrInvalid, "", "an own kill switch has no name")
		}
	default:
		return Errorf(ErrInvalid, "", "kill switch of kind %q; want any_failed, failed_count, failure_rate or own", k.Kind)
	}
	if k != own {
		return Errorf(ErrInvalid, "", "kill switch of kind %q has fields of another kind", k.Kind)
	}
	return nil
}

// Trips reports whether a switch that is not one's own trips.
func (k KillSwitch) Trips(c BatchCounts) bool {
	switch k.Kind {
	case AnyFailed:
		return c.Failed > 0
	case FailedCount:
		return c.Failed >= k.Count
	case FailureRate:
		// Not Failed >= Rate*Ended: 0.1*30 is more than 3.
		return c.Ended >= k.MinSample && float64(c.Failed)/float64(c.Ended) >= k.Rate
	}
	return false
}
