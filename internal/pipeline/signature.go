package pipeline

import "github.com/runnel-dev/runnel/api"

// Signature is what compiling needs to know of a registered task.
type Signature struct {
	// Flow: its body calls tasks. Orchestrator: it may return a pipeline.
	Flow, Orchestrator bool
	// Cached: results are taken from the cache, and kept there.
	Cached bool
	// Told: the worker is told how its runs ended.
	Told bool
	Name string
	// Trips is set of a kill switch, which is no task.
	Trips func(api.BatchCounts) bool
	// Params and Result are JSON kinds: "integer", "number", "string", "boolean",
	// "array", "object", "any", or "none" for no value. A pointer or interface is
	// "any".
	Params []string
	Result string
	// Options are those that the task was declared with.
	Options api.Options
	// Check reports why JSON can't be the i-th argument, in words such as
	// "wants number, got string"; nil if it can.
	Check func(i int, arg []byte) error
}

// Registry finds the signature of a task by its name, nil if it has none.
type Registry func(task string) *Signature
