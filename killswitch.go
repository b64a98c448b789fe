package runnel

import "github.com/runnel-dev/runnel/api"

// KillSwitch stops a batch, or a group of a pipeline, when too much of it has
// failed: [AnyFailed], [FailedCount], [FailureRate], or one of one's own,
// [CountSwitch] and, for batches, [Switch]. It holds no counts: each Map and each
// group counts anew. Every end is counted, the last one too; what was cancelled,
// or never ran, is no failure.
//
// As a [GroupOption] it cancels what is in flight of the group, which then fails
// with ErrKillSwitch and the failures as causes, also under [Settle]; Killed of
// the [Failure] says how the children ended. That is durable with the end that
// tripped it. When the run is retried, the children that completed stay and count
// as such, and failures count from zero. It does not go with [FailFast].
//
// Of one's own there are two kinds. A [CountSwitch] goes by numbers and is for
// groups and batches: a group's numbers are stored, so it can be asked again after
// a restart. A [Switch] has a memory, as for three failures in a row, and is for
// batches only: the order in which a group's children ended is not stored, that
// of a flow's calls is.
type KillSwitch interface {
	GroupOption
	AnyTask

	begin() counting
}

// counting is a switch in one Map.
type counting struct {
	name string
	// trips is told of each call that has ended, and of all until then.
	trips func(state api.State, c api.BatchCounts) bool
}

type killSwitch struct {
	spec  api.KillSwitch
	own   func(api.BatchCounts) bool
	begun func() func(state api.State) bool // of Switch
	err   error
}

// Name gives the name of a switch of one's own, "" for the others.
func (k killSwitch) Name() string { return k.spec.Name }

// Err gives what is wrong with the switch, nil if nothing is.
func (k killSwitch) Err() error {
	if k.err != nil {
		return k.err
	}
	return k.spec.Check()
}

func (k killSwitch) declared() *declaration {
	return &declaration{name: k.spec.Name, trips: k.own}
}

func (k killSwitch) begin() counting {
	switch {
	case k.begun != nil:
		trips := k.begun()
		return counting{k.spec.Name, func(state api.State, _ api.BatchCounts) bool { return trips(state) }}
	case k.own != nil:
		return counting{k.spec.Name, func(_ api.State, c api.BatchCounts) bool { return k.own(c) }}
	}
	return counting{k.spec.String(), func(_ api.State, c api.BatchCounts) bool { return k.spec.Trips(c) }}
}

func (k killSwitch) group(o *api.GroupOptions) error {
	o.KillSwitches = append(o.KillSwitches, k.spec)
	if k.begun != nil {
		return api.Errorf(ErrInvalid, "", "Switch(%q) is for batches in flows; a group wants a CountSwitch", k.spec.Name)
	}
	return k.Err()
}

// AnyFailed trips at the first failure.
func AnyFailed() KillSwitch { return killSwitch{spec: api.KillSwitch{Kind: api.AnyFailed}} }

// FailedCount trips at the n-th failure.
func FailedCount(n int) KillSwitch {
	return killSwitch{spec: api.KillSwitch{Kind: api.FailedCount, Count: n}}
}

// FailureRate trips when, of at least minSample that have ended, this share or more
// has failed: FailureRate(10, 0.5) at half.
func FailureRate(minSample int, rate float64) KillSwitch {
	return killSwitch{spec: api.KillSwitch{Kind: api.FailureRate, MinSample: minSample, Rate: rate}}
}

// CountSwitch is a kill switch of one's own, by what has ended and failed until
// then. It must depend on nothing else, and not wait: it is asked at each end. In
// a group of a pipeline it is known by its name, and must be named to [Register];
// there it trips if it panics.
func CountSwitch(name string, trips func(c api.BatchCounts) bool) KillSwitch {
	k := killSwitch{spec: api.KillSwitch{Kind: api.OwnSwitch, Name: name}, own: trips}
	if trips == nil {
		k.err = api.Errorf(ErrInvalid, "", "CountSwitch(%q): the function is nil", name)
	}
	return k
}

// Switch is a kill switch of one's own for batches. Begin is called for each Map
// and gives a function that is told how each call ended, in the order of the ends,
// and says whether to stop. It must depend on nothing else, since a flow may run
// again.
func Switch(name string, begin func() (trips func(state api.State) bool)) KillSwitch {
	k := killSwitch{spec: api.KillSwitch{Kind: api.OwnSwitch, Name: name}, begun: begin}
	if begin == nil {
		k.err = api.Errorf(ErrInvalid, "", "Switch(%q): the function is nil", name)
	}
	return k
}
