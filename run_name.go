package runnel

import (
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/worker"
)

// RunName names the runs of a task after their arguments. The function is called
// on the worker before the first body of a task run, once for all attempts; once
// more after a crash that came before its answer was durable. At most 200 bytes
// are kept.
//
// An error, a panic or "" is logged, and the name is the default then: in a flow
// the call's key, such as "add-0"; else the task's name with the number of the
// task run in its run. The same holds until a body has begun. [Name], given to a
// single call, goes before RunName; a task declared with both is an [ErrInvalid].
func RunName(name func(c CallFacts) (string, error)) TaskOption {
	return checkedOption(func(d *declaration) error {
		if name == nil {
			return api.Errorf(ErrInvalid, "", "RunName: the function is nil")
		}
		d.work.RunName = func(b *worker.Body) (string, error) {
			c, err := factsOf(d, b.Job())
			if err != nil {
				return "", err
			}
			return name(c)
		}
		return nil
	})
}
