package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// Signature is what compiling needs to know of a registered task.
type Signature struct {
	// Flow: its body calls tasks. Orchestrator: it may return a pipeline.
	Flow, Orchestrator bool
	// Cached: results are taken from the cache, and kept there.
	Cached bool
	// Told: the worker is told how its runs ended.
	Told bool
	// Away: no process that shares the store has the body, only workers elsewhere.
	Away bool
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

// kinds are those that a parameter or a result may have.
const kinds = " integer number string boolean array object any none "

// CheckSignature looks at what was told of a task by who has its body.
func CheckSignature(sig *Signature) error {
	if sig.Name == "" {
		return api.Errorf(api.ErrInvalid, "", "a task has no name")
	}
	for i, p := range append(slices.Clip(sig.Params), sig.Result) {
		if !strings.Contains(kinds, " "+p+" ") || p == "" {
			what := fmt.Sprintf("parameter %d", i+1)
			if i == len(sig.Params) {
				what = "the result"
			}
			return api.Errorf(api.ErrInvalid, "", "task %q: %s is of kind %q; want one of%s", sig.Name, what, p, strings.TrimRight(kinds, " "))
		}
	}
	at := place{}
	return checkOptions(&sig.Options, sig.Name, &at)
}

// CheckKind reports why JSON can't be an argument of a kind, nil if it can.
func CheckKind(want string, arg []byte) error {
	if got := kindOf(arg); !got.fits(kind(want)) {
		return fmt.Errorf("wants %s, got %s", want, got)
	}
	return nil
}
