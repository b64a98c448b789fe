package runnel

import (
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
)

// StartAt has a call begin at a time, or later. Once all that comes before it has
// ended it is SCHEDULED, and holds neither a worker nor slots; the time is kept, so
// a restart changes nothing. If the time has passed it begins at once. In a flow
// take the time from [Flow].Now or an argument: it is part of what the call is, and
// must be the same when the flow runs again. Default: at once.
func StartAt(at time.Time) CallOption {
	return callOption(func(o *api.Options) error {
		o.StartAt = at.Round(0).UTC()
		switch year := o.StartAt.Year(); {
		case at.IsZero():
			return api.Errorf(ErrInvalid, "", "StartAt: the time is zero; want one that was set")
		case year < 0 || year > 9999:
			return api.Errorf(ErrInvalid, "", "StartAt: the time is in the year %d; want 9999 at most", year)
		}
		return nil
	})
}

// StartAfter is [StartAt] some time after all that comes before the call has
// ended: the step before it, or the calls of a flow that it is given the results of
// or waits for. For the children of a group that is when the group began. The time
// is settled then, and a restart changes nothing. It does not go with StartAt; of
// a task's option and a call's the call's counts, whichever they are. Default: at
// once.
func StartAfter(d time.Duration) CallOption {
	return callOption(func(o *api.Options) error {
		o.StartAfter = api.Duration(d)
		if d <= 0 || d > lifecycle.MaxStartAfter {
			return api.Errorf(ErrInvalid, "", "StartAfter(%s): want more than 0, and at most ten years", d)
		}
		return nil
	})
}
