package lifecycle

import (
	"time"

	"github.com/runnel-dev/runnel/api"
)

// MaxStartAfter is the longest wait for a start: ten years. A longer one is taken
// for a mistake in the unit.
const MaxStartAfter = 10 * 365 * 24 * time.Hour

// Start gives when a task run may begin by its options, given when what comes
// before it had ended.
func Start(o *api.Options, since time.Time) time.Time {
	if o.StartAfter > 0 {
		return since.Add(time.Duration(o.StartAfter))
	}
	return o.StartAt
}
