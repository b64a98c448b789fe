package api

import "encoding/json"

// SpecVersion is the newest version of the JSON form that this package reads.
const SpecVersion = 1

// Spec is a pipeline as data: steps one after the other, each given the result
// of the one before. Its JSON form has a version and is the contract between
// processes and languages; docs/pipeline-json.md describes it.
type Spec struct {
	Steps []Step
	// Finally runs last, whatever happened, with its own arguments only.
	Finally *Step
	// Inline starts with the state of the pipeline it is returned into, and
	// gives its own back.
	Inline bool
	// State is the initial state; nil for none.
	State *SpecState
}

// SpecState is an initial state. Merge says that it is a map, whose keys are
// merged after a group.
type SpecState struct {
	Value json.RawMessage `json:"value"`
	Merge bool            `json:"merge,omitempty"`
}

// Step is one entry of a pipeline. Exactly one of Call, Value, Group, Each and
// Chain is set.
type Step struct {
	Call  *Call
	Value json.RawMessage
	Group *Group
	Each  *Each
	Chain *Spec
	// OnError makes the step a handler: it is skipped unless the step before it
	// failed, and is given the Failure.
	OnError bool
	// Wait pauses the run when the step has ended, well or not.
	Wait bool
	// Ignore drops what arrives.
	Ignore bool
}

// Call is a task with the arguments that follow what arrives.
type Call struct {
	Task string
	Args Args
	// Spread is how many arguments an arriving array is cut into; 0 leaves it whole.
	Spread  int
	Options *Options
}

// Group runs its children at the same time, each given what arrives. Its result
// is the array of their results, in order.
type Group struct {
	Children []Spec
	GroupOptions
}

// Each runs Do once for each element of the array that arrives.
type Each struct {
	Do Spec
	GroupOptions
}

// GroupOptions bound a Group or an Each.
type GroupOptions struct {
	// MaxParallelism is how many children may be in flight. 0: no limit.
	MaxParallelism int `json:"max_parallelism,omitempty"`
	// NumStages cuts the children into that many stages. 0: one.
	NumStages int `json:"num_stages,omitempty"`
	// FailFast cancels the other children once one has failed. It goes neither with
	// Settle nor with KillSwitches.
	FailFast bool `json:"fail_fast,omitempty"`
	// Settle gives the outcome of each child and does not fail.
	Settle bool `json:"settle,omitempty"`
	// KillSwitches stop the group: what is in flight is cancelled, nothing more
	// starts, and it fails.
	KillSwitches []KillSwitch `json:"kill_switches,omitempty"`
}

// IsZero reports whether nothing is said.
func (o *GroupOptions) IsZero() bool {
	return o.MaxParallelism == 0 && o.NumStages == 0 && !o.FailFast && !o.Settle && o.KillSwitches == nil
}

// HasTask reports whether any step runs a task or gives a value. A group
// without is empty and its result is [].
func (s *Spec) HasTask() bool {
	for i := range s.Steps {
		if s.Steps[i].hasTask() {
			return true
		}
	}
	return false
}

func (s *Step) hasTask() bool {
	switch {
	case s.OnError:
		return false
	case s.Group != nil:
		for i := range s.Group.Children {
			if s.Group.Children[i].HasTask() {
				return true
			}
		}
		return false
	case s.Chain != nil:
		return s.Chain.HasTask()
	}
	return true
}
