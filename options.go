package runnel

import (
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// TaskOption is an option of a task's declaration. Those that hold functions
// are nothing else; those that are plain data are a [CallOption] as well.
type TaskOption interface{ declare(*declaration) error }

// CallOption is an option that is plain data: it may be given where a task is
// declared, by WithOptions and Set for single calls, where it travels with the
// pipeline, and to the calls of a flow.
type CallOption interface {
	TaskOption
	SubmitOption
	ScheduleOption
	call(*api.Options) error
}

// GroupOption bounds a group or an [Each].
type GroupOption interface{ group(*api.GroupOptions) error }

// SubmitOption is an option of a flow's calls. [Engine.Submit] takes [Name]
// only.
type SubmitOption interface{ submit(*submission) }

// callOption is data that is applied to the options of a call, or to those
// that a task is declared with.
type callOption func(*api.Options) error

func (o callOption) call(into *api.Options) error { return o(into) }

func (o callOption) declare(d *declaration) error { return o(&d.options) }

func (o callOption) submit(s *submission) {
	s.calls = true
	if err := o(&s.options); err != nil && s.err == nil {
		s.err = err
	}
}

// checkedOption is applied to a declaration only, and may refuse.
type checkedOption func(*declaration) error

func (o checkedOption) declare(d *declaration) error { return o(d) }

// taskOption is applied to a declaration only.
type taskOption func(*declaration)

func (o taskOption) declare(d *declaration) error {
	o(d)
	return nil
}

type groupOption func(*api.GroupOptions) error

func (o groupOption) group(into *api.GroupOptions) error { return o(into) }

type nameOption string

func (o nameOption) call(into *api.Options) error {
	into.Name = string(o)
	return nil
}

func (o nameOption) declare(d *declaration) error { return o.call(&d.options) }

func (o nameOption) submit(s *submission) { s.name = string(o) }

// submission is what the options of Submit say.
type submission struct {
	name    string
	options api.Options
	waitFor []AnyFuture
	calls   bool // one of them is for calls of flows only
	key     *string
	err     error
}

type submitOption func(*submission)

func (o submitOption) submit(s *submission) { o(s) }

// WaitFor lets a call of a flow wait for other calls, whose results it does not
// take. Like those whose results it takes, they must complete, or it is SKIPPED;
// see [AllowFailure] for another way.
func WaitFor(futures ...AnyFuture) SubmitOption {
	return submitOption(func(s *submission) {
		s.calls = true
		s.waitFor = append(s.waitFor, futures...)
	})
}

// SubmitKey has [Engine.Submit] and [Engine.Run] submit once for each key: the run of
// the first call, in whichever process, is that of all. Another pipeline or name under
// a key is an [ErrConflict]. A key, of up to 255 bytes, is known for 30 days, or until
// its run is removed. So who does not know whether a submission has arrived submits
// again. Default: each call makes a run.
func SubmitKey(key string) SubmitOption {
	return submitOption(func(s *submission) { s.key = &key })
}

// Name is the name of the run, if given to Submit. Given to a task it is that of
// its task runs, which their bodies find in [TaskRun] and the lists of the engine
// show. Default: the first task's for a run; for a task run what [RunName] gives,
// in a flow the call's key, and else the task's name with the number of the task
// run in its run, as in "add-3".
func Name(name string) CallOption { return nameOption(name) }

// Timeout bounds one attempt, and the wait for an answer from outside. The
// body's context is cancelled then. Default 0: no bound.
func Timeout(d time.Duration) CallOption {
	return callOption(func(o *api.Options) error {
		o.Timeout = api.Duration(d)
		return notNegative("Timeout", d)
	})
}

// HeartbeatTimeout bounds the time between two calls of [Heartbeat], and that
// before the first. Default 0: no bound.
func HeartbeatTimeout(d time.Duration) CallOption {
	return callOption(func(o *api.Options) error {
		o.HeartbeatTimeout = api.Duration(d)
		return notNegative("HeartbeatTimeout", d)
	})
}

// TaskID names an instance. Calls with the same id run one after the other,
// whichever tasks and runs they belong to, and share the state of [Keyed].
// Default "": none.
func TaskID(id string) CallOption {
	return callOption(func(o *api.Options) error {
		o.TaskID = id
		return nil
	})
}

// Tags label a task's runs: to find them by, see [api.TaskRunFilter], and to
// bound how many of them run at a time, see [Limits]. Given to
// WithOptions or Set they replace those that the task was declared with.
// Default: none.
func Tags(tags ...string) CallOption {
	return callOption(func(o *api.Options) error {
		o.Tags = slices.Compact(slices.Sorted(slices.Values(tags)))
		if o.Tags == nil {
			o.Tags = []string{}
		}
		if slices.Contains(tags, "") {
			return api.Errorf(ErrInvalid, "", "Tags: a tag is empty")
		}
		return nil
	})
}

// MaxParallelism is how many branches of a group may be in flight, each from
// its first task to its last. Default 0: no limit.
func MaxParallelism(n int) GroupOption {
	return groupOption(func(o *api.GroupOptions) error {
		o.MaxParallelism = n
		if n < 0 {
			return api.Errorf(ErrInvalid, "", "MaxParallelism(%d): want 0 for no limit, or more", n)
		}
		return nil
	})
}

// NumStages cuts the branches of a group into that many stages. Seed 001 has it
// since its engine gathers a wide group in one place; Runnel does not, so it is
// checked and kept with the pipeline, and changes neither results, limits nor
// speed. Default 1.
func NumStages(n int) GroupOption {
	return groupOption(func(o *api.GroupOptions) error {
		o.NumStages = n
		if n < 1 {
			return api.Errorf(ErrInvalid, "", "NumStages(%d): want 1 or more", n)
		}
		return nil
	})
}

// FailFast cancels the other branches of a group once one has failed. Default:
// they run to their end. It does not go with a [KillSwitch]; [AnyFailed] stops at
// the first failure too, and says so.
func FailFast() GroupOption {
	return groupOption(func(o *api.GroupOptions) error {
		o.FailFast = true
		return nil
	})
}

var settled GroupOption = groupOption(func(o *api.GroupOptions) error {
	o.Settle = true
	return nil
})

func notNegative(option string, d time.Duration) error {
	if d < 0 {
		return api.Errorf(ErrInvalid, "", "%s(%s): want 0 or more", option, d)
	}
	return nil
}

// applyCall gives what the options say; the first error counts.
func applyCall(opts []CallOption) (o api.Options, err error) {
	for _, option := range opts {
		if option == nil {
			continue
		}
		if wrong := option.call(&o); wrong != nil && err == nil {
			err = wrong
		}
	}
	return o, err
}

func applyGroup(opts []GroupOption) (o api.GroupOptions, err error) {
	for _, option := range opts {
		if option == nil {
			continue
		}
		if wrong := option.group(&o); wrong != nil && err == nil {
			err = wrong
		}
	}
	switch {
	case err != nil:
	case o.FailFast && o.Settle:
		err = api.Errorf(ErrInvalid, "", "Settle waits for every branch; FailFast does not")
	case o.FailFast && len(o.KillSwitches) > 0:
		err = api.Errorf(ErrInvalid, "", "FailFast stops at the first failure, before kill switch %s could: want one of the two", o.KillSwitches[0])
	}
	return o, err
}

// merged gives a copy of options with what is set in changed; nil if both say
// nothing.
func merged(options *api.Options, changed api.Options) *api.Options {
	var base api.Options
	if options != nil {
		base = *options
	}
	out := changed.Over(base)
	if out.IsZero() {
		return nil
	}
	return &out
}
