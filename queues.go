package runnel

import (
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

// Queue names the queue that a task belongs to. Engines that serve it run the
// task, see [Queues]; while there is none it waits, and says so. What a pipeline
// or a flow calls has queues of its own. Default: "default".
func Queue(name string) CallOption {
	return callOption(func(o *api.Options) error {
		o.Queue = name
		if name == "" {
			return api.Errorf(ErrInvalid, "", `Queue(""): want a name; that of tasks without one is %q`, pipeline.DefaultQueue)
		}
		return nil
	})
}

// Priority says what begins first when workers are rare, from -100 to 100: of
// the task runs that could begin, one of the highest priority does, and among
// those the runs take turns. Low ones wait for as long as there are higher ones.
// Who waits for slots of tags has its turn in the order of asking, whatever its
// priority. Default 0.
func Priority(n int) CallOption {
	return callOption(func(o *api.Options) error {
		o.Priority = &n
		if !pipeline.ValidPriority(n) {
			return api.Errorf(ErrInvalid, "", "Priority(%d): want %d to %d", n, -pipeline.MaxPriority, pipeline.MaxPriority)
		}
		return nil
	})
}

// Queues names the queues whose tasks the engine runs. Those of other queues stay
// where they are, for an engine that is opened with them. Without names it runs
// none: pipelines can be submitted and looked at. Where processes share a store
// another one takes them over, and this one may be closed. "default" is the queue of tasks
// without one. Default: all queues.
func Queues(names ...string) OpenOption {
	return openOption(func(cfg *opening) error {
		cfg.queues = append([]string{}, names...)
		cfg.works = cfg.works || len(names) > 0
		if slices.Contains(names, "") {
			return api.Errorf(ErrInvalid, "", "Queues: a name is empty")
		}
		return nil
	})
}
