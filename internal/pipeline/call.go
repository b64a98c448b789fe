package pipeline

import (
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/lifecycle"
)

// kind is the JSON kind of a value as far as it is known before the run.
type kind string

const (
	none     kind = "none"
	anything kind = "any"
	array    kind = "array"
	object   kind = "object"
)

// kindOf tells the kind of JSON by its first byte.
func kindOf(data []byte) kind {
	for _, c := range data {
		switch c {
		case ' ', '\t', '\n', '\r':
			continue
		case '[':
			return array
		case '{':
			return object
		case '"':
			return "string"
		case 't', 'f':
			return "boolean"
		case 'n':
			return anything
		}
		return "number"
	}
	return anything
}

// fits reports whether a value of the kind may be an argument of kind want.
func (k kind) fits(want kind) bool {
	return k == want || k == anything || want == anything || k.numeric() && want.numeric()
}

func (k kind) numeric() bool { return k == "integer" || k == "number" }

// call compiles a task that is given a value of the kind, and gives that of its result.
func (c *compiler) call(out *Task, spec *api.Call, at *place, given kind) (kind, error) {
	if c.shape {
		out.Options = &shapeOptions
		return anything, nil
	}
	sig := c.tasks(spec.Task)
	if sig == nil {
		return none, api.Errorf(api.ErrUnknownTask, at.String(), "task %q is not registered", spec.Task)
	}
	if sig.Trips != nil {
		return none, api.Errorf(api.ErrUnknownTask, at.String(), "%q is a kill switch, not a task", spec.Task)
	}
	if err := checkArgs(sig, spec, at, given); err != nil {
		return none, err
	}
	options, err := effective(sig, spec.Options, at)
	if err != nil {
		return none, err
	}
	*out = Task{
		Name:     spec.Task,
		Args:     spec.Args,
		Spread:   spec.Spread,
		Options:  options,
		NoResult: kind(sig.Result) == none,
		Flow:     sig.Flow,
		Cached:   sig.Cached,
		Alone:    sig.Cached && !sig.Flow && !sig.Orchestrator,
		Told:     sig.Told,
		Lane:     laneOf(sig, options),
	}
	return kind(sig.Result), nil
}

// checkArgs checks number and kinds: what arrives first, then the bound ones.
func checkArgs(sig *Signature, spec *api.Call, at *place, given kind) error {
	arriving, spread := 1, spec.Spread
	switch {
	case spread != 0 && spread != 2 && spread != 3:
		return at.invalid("task %q: spread is %d; want 2 or 3", sig.Name, spread)
	case spread > 0 && given == none:
		return at.invalid("task %q: spread wants an array, and nothing arrives", sig.Name)
	case given == none:
		arriving = 0
	case spread > 0 && given != array && given != anything:
		return at.invalid("task %q: spread wants an array, got %s", sig.Name, given)
	case spread > 0:
		arriving = spread
	}
	params := sig.Params
	if given == none && len(params) > 0 && kind(params[0]) == none {
		params = params[1:]
	}
	if got := arriving + len(spec.Args); got != len(params) {
		return at.invalid("task %q wants %d arguments, got %d", sig.Name, len(params), got)
	}
	if arriving == 1 && spread == 0 && !given.fits(kind(params[0])) {
		return at.invalid("task %q wants %s, got %s", sig.Name, params[0], given)
	}
	skipped := len(sig.Params) - len(params)
	for i, arg := range spec.Args {
		param := skipped + arriving + i
		if err := sig.Check(param, arg); err != nil {
			return at.invalid("task %q %w", sig.Name, err)
		}
	}
	return nil
}

// effective gives the call's options over the declared ones; a retry policy
// replaces the other whole.
func effective(sig *Signature, call *api.Options, at *place) (*api.Options, error) {
	if call == nil {
		return &sig.Options, nil
	}
	o := call.Over(sig.Options)
	if len(o.AddTags) > 0 {
		o.Tags, o.AddTags = slices.Compact(slices.Sorted(slices.Values(slices.Concat(o.Tags, o.AddTags)))), nil
	}
	return &o, checkOptions(&o, sig.Name, at)
}

// CallOf gives the one call that a spec is, with its options over those of its
// task, without a look at its arguments; ok is false if it is more than one, or
// can't be called.
func CallOf(spec *api.Spec, tasks Registry) (call api.Call, ok bool) {
	if len(spec.Steps) != 1 || spec.Steps[0].Call == nil || spec.Finally != nil || spec.State != nil {
		return call, false
	}
	call = *spec.Steps[0].Call
	sig := tasks(call.Task)
	if sig == nil {
		return call, false
	}
	options, err := effective(sig, call.Options, &place{})
	call.Options = options
	return call, err == nil
}

func checkOptions(o *api.Options, task string, at *place) error {
	switch {
	case o.Timeout < 0:
		return at.invalid("task %q: timeout is negative", task)
	case o.HeartbeatTimeout < 0:
		return at.invalid("task %q: heartbeat timeout is negative", task)
	case IsAway(o.Queue):
		return at.invalid("task %q: queue %q has a character that no name may have", task, o.Queue)
	case o.Priority != nil && !ValidPriority(*o.Priority):
		return at.invalid("task %q: priority is %d; want -%d to %d", task, *o.Priority, MaxPriority, MaxPriority)
	case o.StartAfter < 0 || time.Duration(o.StartAfter) > lifecycle.MaxStartAfter:
		return at.invalid("task %q: start_after is %s; want more than 0, and at most ten years", task, time.Duration(o.StartAfter))
	case o.StartAfter != 0 && !o.StartAt.IsZero():
		return at.invalid("task %q: has start_at and start_after; want one of them", task)
	}
	return checkRetry(o.Retry, task, at)
}

func checkRetry(p *api.RetryPolicy, task string, at *place) error {
	switch {
	case p == nil:
		return nil
	case p.Max < 0:
		return at.invalid("task %q: retries is %d; want 0 for none, or more", task, p.Max)
	case p.Jitter < 0:
		return at.invalid("task %q: retry jitter is negative", task)
	case p.Cap < 0 || p.For < 0:
		return at.invalid("task %q: retry cap or total time is negative", task)
	}
	for _, d := range p.Delays {
		if d < 0 {
			return at.invalid("task %q: retry delay is negative", task)
		}
	}
	return nil
}
