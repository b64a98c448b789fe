package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// kill is what is known of a group that a kill switch may have stopped.
type kill struct {
	name    string
	certain bool       // it trips in whatever order the children end
	failed  int        // how many have failed by then; 0: that depends on the order
	causes  []*failure // of all children that could fail
	also    *failure   // a cause that comes last, of a finally
}

// beside is k of a finally that replaces a failure.
func (k *kill) beside(replaced *failure) *kill {
	if k == nil {
		return nil
	}
	both := *k
	both.also = replaced
	return &both
}

// vague reports whether the failure depends on the order of things.
func (f *failure) vague() bool {
	return f != nil && (f.kill != nil || slices.ContainsFunc(f.Causes, (*failure).vague))
}

// matches holds a failure against the one that was foretold.
func (f *failure) matches(got *api.Failure) bool {
	if f.kill != nil && got.Code == api.ErrKillSwitch.Code {
		return f.kill.matches(got)
	}
	if f.kill != nil && f.kill.certain {
		return false
	}
	message, _, _ := strings.Cut(got.Message, "; the body ignores")
	return f.Message == message && f.Attempt == got.Attempt && f.Count == got.Count && canon(encode(f.Killed)) == canon(encode(got.Killed)) &&
		slices.EqualFunc(f.Causes, got.Causes, (*failure).matches)
}

func (k *kill) matches(got *api.Failure) bool {
	c := got.Killed
	if c == nil || c.Switch != k.name || !strings.HasPrefix(got.Message, "kill switch "+k.name+" tripped at ") {
		return false
	}
	causes := got.Causes
	if k.also != nil {
		last := len(causes) - 1
		if last < 0 || !k.also.matches(causes[last]) {
			return false
		}
		causes = causes[:last]
	}
	if k.failed > 0 && c.Failed != k.failed || got.Count != len(got.Causes) || c.Failed != len(causes) {
		return false
	}
	could := k.causes
	for _, cause := range causes { // in the order of the children
		i := slices.IndexFunc(could, func(f *failure) bool { return f.matches(cause) })
		if i < 0 {
			return false
		}
		could = could[i+1:]
	}
	return true
}

// watching is a group under a kill switch.
type watching struct {
	by    *api.KillSwitch // nil: under none
	total int
	known []bool // what needs no task, or completed before a retry
	begun int    // how many of those there are
	// In order: one child runs after the other.
	inOrder    bool
	over, fail int
	trip       string // what the group then says
}

// watch looks at the children of a group that have ended from the beginning.
func (n *naive) watch(o *api.GroupOptions, given []string, child func(int) *api.Spec, old *node) *watching {
	at := &watching{total: len(given), known: make([]bool, len(given))}
	if len(o.KillSwitches) == 0 {
		return at
	}
	at.by = &o.KillSwitches[0]
	for i := range given {
		completed := old != nil && old.kids[i] != nil && old.kids[i].res.fail == nil && !n.on(old.kids[i])
		if at.known[i] = completed || needsNoTask(child(i)); at.known[i] {
			at.begun++
		}
	}
	at.over, at.inOrder = at.begun, o.MaxParallelism == 1 && old == nil
	return at
}

// needsNoTask: values and empty groups are there from the beginning.
func needsNoTask(spec *api.Spec) bool {
	return !slices.ContainsFunc(spec.Steps, func(s api.Step) bool {
		return !s.OnError && (s.Call != nil || s.Chain != nil || s.Each != nil || s.Group != nil && !empty(s.Group))
	})
}

// ended counts child i, if one runs after the other.
func (at *watching) ended(i int, k *node) {
	if !at.inOrder || at.known[i] {
		return
	}
	at.known[i] = true
	at.over++
	if k.res.fail != nil {
		at.fail++
	}
	if trips(at.by, at.over, at.fail) {
		at.trip = fmt.Sprintf("kill switch %s tripped at %d failed of %d ended", at.by, at.fail, at.over)
	}
}

// trips is written from what the switches are said to do; the generator makes two
// kinds.
func trips(by *api.KillSwitch, ended, failed int) bool {
	if by.Kind == api.FailedCount {
		return failed >= by.Count
	}
	return ended >= by.MinSample && float64(failed) >= by.Rate*float64(ended) // rates are of halves
}

// verdict says whether the switch may trip, and whether it must, if so many of
// the children that run fail.
func (at *watching) verdict(failing int) (may, must bool) {
	runs := at.total - at.begun
	for k := 1; k <= runs; k++ { // at worst the failures come first
		may = may || trips(at.by, at.begun+k, min(k, failing))
	}
	return may, runs > 0 && trips(at.by, at.total, failing)
}

// killed changes what comes of a group whose switch trips, or may trip.
func (n *naive) killed(o *api.GroupOptions, me *node, b *bounds, at *watching, state kept, before []string) {
	causes := failures(me.kids)
	if at.trip != "" {
		c := api.BatchCounts{Total: at.total, Ended: at.over, Completed: at.over - at.fail, Failed: at.fail}
		me.res = result{fail: &failure{
			Message: fmt.Sprintf("%s: of %d children %d completed, %d failed, 0 cancelled, %d never began", at.trip, c.Total, c.Completed, c.Failed, c.Total-c.Ended),
			Causes:  causes, Count: len(causes), Killed: &api.Killed{Switch: at.by.String(), BatchCounts: c},
		}}
		return
	}
	if at.by == nil || at.inOrder {
		return
	}
	may, must := at.verdict(len(causes))
	if !may {
		return
	}
	n.loose = true
	n.fuzzy = n.fuzzy || o.Settle && !must
	for _, calls := range b.calls {
		for _, sig := range calls {
			n.calls[sig].maybe = true
		}
	}
	for _, m := range n.within { // whoever was stopped never ends what it was to do
		n.groups[m.group].limit = 0
	}
	for _, k := range me.kids {
		me.state.vague = me.state.vague || k.state != state
	}
	me.after = before
	f := me.res.fail
	if f == nil { // settled
		f = new(failure)
	}
	f.kill = &kill{name: at.by.String(), certain: must, causes: causes}
	if at.by.Kind == api.FailedCount {
		f.kill.failed = at.by.Count
	}
	me.res = result{fail: f}
}

// failures are those of the children.
func failures(kids []*node) (causes []*failure) {
	for _, k := range kids {
		if k != nil && k.res.fail != nil {
			causes = append(causes, k.res.fail)
		}
	}
	return causes
}
