package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/runnel-dev/runnel/api"
)

// TimelineLimit is what bounds how many bodies of a run are in progress: the limit of a
// tag that task runs of it have, which others share, or how many children of a group may
// be in flight.
type TimelineLimit struct {
	Tag   string `json:"tag,omitempty" doc:"Absent: it is a group's"`
	Place string `json:"place,omitempty" doc:"Of the group in the pipeline, as in steps[0]"`
	Limit int    `json:"limit"`
}

// Bounds of what a timeline has: limits of tags, limits of groups, and how long a pipeline
// may be to be read for them.
const (
	timelineTags   = 20
	timelineGroups = 20
	timelineSpec   = 1 << 20
)

// limits gives those that the run meets, of the tags that its task runs have.
func (a *routes) limits(ctx context.Context, run string, tags map[string]bool) ([]TimelineLimit, error) {
	all := []TimelineLimit{}
	if len(tags) > 0 {
		for limit, err := range a.svc().Limits(ctx) {
			switch {
			case err != nil:
				return nil, err
			case tags[limit.Tag] && len(all) < timelineTags:
				all = append(all, TimelineLimit{Tag: limit.Tag, Limit: limit.Limit})
			}
		}
	}
	text, err := a.svc().Request(ctx, run)
	if err != nil || len(text) > timelineSpec {
		return all, err
	}
	spec, err := api.ParseSpec(text)
	if err != nil {
		return all, nil // what was taken once is shown as far as it can be read
	}
	groups := groupLimits(nil, spec, "")
	slices.SortStableFunc(groups, func(a, b TimelineLimit) int { return cmp.Compare(b.Limit, a.Limit) })
	return append(all, groups[:min(len(groups), timelineGroups)]...), nil
}

// groupLimits adds those of the groups of a pipeline. Place is where it stands, with a
// full stop, or nothing.
func groupLimits(all []TimelineLimit, spec *api.Spec, place string) []TimelineLimit {
	for i := range spec.Steps {
		all = stepLimits(all, &spec.Steps[i], fmt.Sprintf("%ssteps[%d]", place, i))
	}
	if spec.Finally != nil {
		all = stepLimits(all, spec.Finally, place+"finally")
	}
	return all
}

func stepLimits(all []TimelineLimit, step *api.Step, at string) []TimelineLimit {
	add := func(o *api.GroupOptions) {
		if o.MaxParallelism > 0 {
			all = append(all, TimelineLimit{Place: at, Limit: o.MaxParallelism})
		}
	}
	switch {
	case step.Group != nil:
		add(&step.Group.GroupOptions)
		for k := range step.Group.Children {
			all = groupLimits(all, &step.Group.Children[k], fmt.Sprintf("%s.children[%d].", at, k))
		}
	case step.Each != nil:
		add(&step.Each.GroupOptions)
		all = groupLimits(all, &step.Each.Do, at+".each.")
	case step.Chain != nil:
		all = groupLimits(all, step.Chain, at+".chain.")
	}
	return all
}
