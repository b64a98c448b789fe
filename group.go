package runnel

import (
	"encoding/json"
	"slices"

	"github.com/runnel-dev/runnel/api"
)

// InParallel runs pipelines at the same time and gives their results in the
// order of the list. All of them run to their end; if any failed the group
// fails then, with the failures in that order as causes.
//
// Without any pipeline, or with none that runs anything, the result is the
// empty list.
func InParallel[R any](pipelines []Pipeline[R], opts ...GroupOption) Pipeline[[]R] {
	return Pipeline[[]R]{grouped(plans(pipelines), opts)}
}

// InParallel2 runs two pipelines of different types at the same time.
func InParallel2[A, B any](a Pipeline[A], b Pipeline[B], opts ...GroupOption) Pipeline[Pair[A, B]] {
	return Pipeline[Pair[A, B]]{grouped([]plan{a.plan, b.plan}, opts)}
}

// InParallel3 runs three pipelines of different types at the same time.
func InParallel3[A, B, C any](a Pipeline[A], b Pipeline[B], c Pipeline[C], opts ...GroupOption) Pipeline[Triple[A, B, C]] {
	return Pipeline[Triple[A, B, C]]{grouped([]plan{a.plan, b.plan, c.plan}, opts)}
}

// Settle runs pipelines at the same time and gives the outcome of each, good or
// bad. It does not fail.
func Settle[R any](pipelines []Pipeline[R], opts ...GroupOption) Pipeline[[]Outcome[R]] {
	return Pipeline[[]Outcome[R]]{grouped(plans(pipelines), append(slices.Clip(opts), settled))}
}

// List is its arguments as a list: InParallel(List(a, b), MaxParallelism(10)).
func List[R any](pipelines ...Pipeline[R]) []Pipeline[R] { return pipelines }

// Fan gives one input to many steps at the same time; their results are in the
// order of the list.
func Fan[A, B any](branches []Step[A, B], opts ...GroupOption) Step[A, []B] {
	all := make([]plan, len(branches))
	for i := range branches {
		all[i] = branches[i].plan
	}
	return Step[A, []B]{grouped(all, opts)}
}

// Each runs a step for each element of the list that arrives; the results are
// in the order of the elements. The list's length is known at run time only.
func Each[A, B any](do Stepper[A, B], opts ...GroupOption) Step[[]A, []B] {
	p := stepPlan(do)
	options, err := applyGroup(opts)
	if err == nil {
		err = childError(p)
	}
	if err != nil {
		return Step[[]A, []B]{failed(err)}
	}
	each := &api.Each{Do: child(p), GroupOptions: options}
	return Step[[]A, []B]{planOf(api.Step{Each: each})}
}

func plans[R any](pipelines []Pipeline[R]) []plan {
	all := make([]plan, len(pipelines))
	for i := range pipelines {
		all[i] = pipelines[i].plan
	}
	return all
}

func grouped(children []plan, opts []GroupOption) plan {
	options, err := applyGroup(opts)
	if err != nil {
		return failed(err)
	}
	group := &api.Group{Children: make([]api.Spec, len(children)), GroupOptions: options}
	for i := range children {
		if err := childError(children[i]); err != nil {
			return failed(api.Errorf(ErrInvalid, "", "branch %d of a group: %w", i, err))
		}
		group.Children[i] = child(children[i])
	}
	return planOf(api.Step{Group: group})
}

func childError(p plan) error {
	err := p.problem()
	switch {
	case err != nil:
	case p.state != nil:
		err = api.Errorf(ErrInvalid, "", "a pipeline with an initial state can't be in a group")
	case p.finally != nil:
		err = api.Errorf(ErrInvalid, "", "a pipeline with a finally can't be in a group")
	}
	return err
}

func child(p plan) api.Spec { return api.Spec{Steps: p.steps.list} }

// Outcome is what became of one branch of [Settle]: its value or its failure.
// As JSON it is {"value":…} or {"failure":{…}}.
type Outcome[R any] struct {
	Value   R
	Failure *Failure // nil if it went well
}

// Get gives the value, or the failure as an error.
func (o Outcome[R]) Get() (R, error) {
	if o.Failure != nil {
		return o.Value, o.Failure
	}
	return o.Value, nil
}

// MarshalJSON gives {"value":…} or {"failure":{…}}.
func (o Outcome[R]) MarshalJSON() ([]byte, error) {
	if o.Failure != nil {
		return json.Marshal(map[string]*Failure{"failure": o.Failure})
	}
	return json.Marshal(map[string]R{"value": o.Value})
}

// UnmarshalJSON reads {"value":…} or {"failure":{…}}.
func (o *Outcome[R]) UnmarshalJSON(data []byte) error {
	var raw struct {
		Value   json.RawMessage `json:"value"`
		Failure *Failure        `json:"failure"`
	}
	err := json.Unmarshal(data, &raw)
	*o = Outcome[R]{Failure: raw.Failure}
	if raw.Value != nil && err == nil {
		o.Value, err = decode[R](raw.Value)
	}
	return err
}
