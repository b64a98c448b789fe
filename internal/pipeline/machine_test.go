package pipeline_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/pipeline"
)

// tasks is a registry whose signatures stand in the names: as many arguments as
// the digit says, and "l" for a list, "n" for no result: "sum2", "list0l". And two
// kill switches.
func tasks(name string) *pipeline.Signature {
	switch name {
	case "second":
		return &pipeline.Signature{Name: name, Trips: func(c api.BatchCounts) bool { return c.Ended == 2 }}
	case "panics":
		return &pipeline.Signature{Name: name, Trips: func(api.BatchCounts) bool { panic("no counts") }}
	}
	s := &pipeline.Signature{Name: name, Result: "any", Check: func(int, []byte) error { return nil }}
	rest := strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz_")
	if rest == "" || rest[0] < '0' || rest[0] > '4' {
		return nil
	}
	for range rest[0] - '0' {
		s.Params = append(s.Params, "any")
	}
	switch rest[1:] {
	case "":
	case "l":
		s.Result = "array"
	case "n":
		s.Result = "none"
	default:
		return nil
	}
	return s
}

// machine drives the pure functions as an engine would: children of a group start
// as soon as MaxParallelism allows, and its kill switches are asked at each end.
type machine struct {
	root   *pipeline.Frame
	ready  []*started // tasks in flight, in order of their start
	groups map[*pipeline.Frame]*ends
	names  map[*pipeline.Frame]string
	tries  map[*pipeline.Task]int // of RetryChild
	log    []string
	over   bool
	most   int // tasks that may be started; 0: no bound
	count  int
}

type started struct {
	number int
	effect pipeline.Effect
}

// ends is how the children of a group ended.
type ends struct {
	pending  int
	values   []string
	causes   []*api.Failure
	outcomes []pipeline.Outcome
	state    pipeline.State
	stopped  bool
	list     []json.RawMessage
	next     int // child to start
	active   int
	counts   api.BatchCounts
	trip     *pipeline.Trip
}

func begin(spec *api.Spec) (*machine, error) {
	plan, err := pipeline.Compile(spec, tasks)
	if err != nil {
		return nil, err
	}
	m := &machine{
		root: &pipeline.Frame{Chain: plan.Root}, groups: map[*pipeline.Frame]*ends{},
		names: map[*pipeline.Frame]string{}, tries: map[*pipeline.Task]int{},
	}
	m.names[m.root] = "root"
	return m, nil
}

func (m *machine) say(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

// do carries out effects.
func (m *machine) do(effects []pipeline.Effect) {
	for i := 0; i < len(effects); i++ {
		eff := effects[i]
		switch eff.Kind {
		case pipeline.Start:
			m.count++
			m.ready = append(m.ready, &started{m.count, eff})
			m.say("start #%d %s at %s.%d given %s, state %s", m.count, eff.Task.Name, m.names[eff.Frame], eff.Place, show(eff.Input), orDash(eff.Frame.State.Data))
		case pipeline.Open:
			m.names[eff.Frame] = fmt.Sprintf("%s.%d", m.names[eff.Frame.Parent], eff.Frame.Place)
			m.say("open %s", m.names[eff.Frame])
			if eff.Frame.Group != nil {
				effects = append(effects, m.children(eff.Frame)...)
			}
		case pipeline.Tail:
			m.say("tail %s", m.names[eff.Frame])
		case pipeline.Close:
			m.say("close %s: %s, state %s", m.names[eff.Frame], outcome(eff.Outcome), orDash(eff.State.Data))
		case pipeline.Join:
			m.say("join %s.%d: %s", m.names[eff.Frame], eff.Place, outcome(eff.Outcome))
			effects = append(effects, m.join(eff.Frame, eff.Place, eff.Outcome, eff.State)...)
		case pipeline.Pause:
			m.say("pause")
		case pipeline.TryAgain:
			effects = m.tryAgain(effects, eff)
		case pipeline.Finish:
			m.say("finish: %s, state %s", outcome(eff.Outcome), orDash(eff.State.Data))
			m.over = true
		}
	}
}

// tryAgain starts the task again whose pipeline failed, as often as its policy
// says.
func (m *machine) tryAgain(effects []pipeline.Effect, try pipeline.Effect) []pipeline.Effect {
	f, place := try.Frame.Parent, try.Frame.Place
	task := f.Task(place)
	if m.tries[task]++; m.tries[task] > task.Options.Retry.Max {
		m.say("give up %s: %s", m.names[try.Frame], outcome(try.Outcome))
		return pipeline.GiveUp(effects, try)
	}
	m.say("try again %s.%d: %s", m.names[f], place, outcome(try.Outcome))
	pipeline.Restore(f, pipeline.State{})
	return append(effects, pipeline.Effect{Kind: pipeline.Start, Frame: f, Place: place, Task: task, Input: f.In})
}

// children starts the children of a group.
func (m *machine) children(g *pipeline.Frame) []pipeline.Effect {
	var list []json.RawMessage
	if g.Group.Each != nil {
		if err := json.Unmarshal(g.In.Data, &list); err != nil || g.In.Failure != nil {
			return pipeline.GroupEnded(nil, g, pipeline.Outcome{Status: pipeline.Failed, Failure: &api.Failure{Message: "no list"}}, g.State)
		}
		g.Count = len(list)
	}
	e := &ends{pending: g.Count, outcomes: make([]pipeline.Outcome, g.Count), list: list}
	m.groups[g] = e
	for i := range g.Count {
		if out, ok := g.Group.Child(i).Immediate(e.given(g, i)); ok {
			e.ended(i, out, g.State)
		}
	}
	if e.pending == 0 {
		return m.closed(g, e)
	}
	return m.fill(nil, g, e)
}

// given is what child i gets.
func (e *ends) given(g *pipeline.Frame, i int) pipeline.Value {
	if g.Group.Each != nil {
		return pipeline.Value{Data: e.list[i]}
	}
	return g.In
}

// fill starts children while there is room.
func (m *machine) fill(effects []pipeline.Effect, g *pipeline.Frame, e *ends) []pipeline.Effect {
	limit := g.Group.MaxParallelism
	for ; e.next < g.Count && (limit == 0 || e.active < limit); e.next++ {
		in := e.given(g, e.next)
		if _, ok := g.Group.Child(e.next).Immediate(in); ok {
			continue
		}
		if m.most > 0 && m.count+len(effects) > m.most {
			e.stopped = true
			break
		}
		e.active++
		effects = pipeline.Child(effects, g, e.next, in)
	}
	return effects
}

// ended takes note of an end.
func (e *ends) ended(i int, out pipeline.Outcome, state pipeline.State) {
	e.outcomes[i] = out
	if state.Set && !e.state.Set {
		e.state = state
	}
	e.pending--
	e.counts.Ended++
	switch out.Status {
	case pipeline.Done:
		e.counts.Completed++
	case pipeline.Failed:
		e.counts.Failed++
	case pipeline.Cancelled:
		e.counts.Cancelled++
	}
}

func (m *machine) join(g *pipeline.Frame, i int, out pipeline.Outcome, state pipeline.State) (effects []pipeline.Effect) {
	e := m.groups[g]
	e.ended(i, out, state)
	e.active--
	if !g.Cancelled && g.Group.HasSwitch() {
		if e.trip = g.Group.Tripped(g.Count, e.counts.Ended, e.counts.Failed); e.trip != nil {
			m.say("trip %s: %s", m.names[g], e.trip.Switch)
			g.Cancelled = true
			effects = m.stop(g)
		}
	}
	switch {
	case e.pending == 0:
		return append(effects, m.closed(g, e)...)
	case g.Cancelled:
		return effects
	}
	return m.fill(effects, g, e)
}

// stop cancels what stands under cancelled frames, Finally apart: their groups
// start nothing more, and those that are over with that end. Now does so itself.
func (m *machine) stop(now *pipeline.Frame) (effects []pipeline.Effect) {
	frames := slices.SortedFunc(maps.Keys(m.names), func(a, b *pipeline.Frame) int { return cmp.Compare(m.names[a], m.names[b]) })
	for _, f := range frames { // what stands above comes first
		if f.Parent != nil && f.Parent.Cancelled && (f.Parent.Chain == nil || f.Place < len(f.Parent.Chain.Steps)) {
			f.Cancelled = true
		}
		e := m.groups[f]
		if e == nil || !f.Cancelled || e.pending == 0 {
			continue
		}
		for ; e.next < f.Count; e.next++ {
			if _, ok := f.Group.Child(e.next).Immediate(e.given(f, e.next)); !ok {
				e.pending--
			}
		}
		if e.pending == 0 && f != now {
			effects = append(effects, m.closed(f, e)...)
		}
	}
	return effects
}

// closed puts a group's outcomes together, as far as scripts need it.
func (m *machine) closed(g *pipeline.Frame, e *ends) []pipeline.Effect {
	for _, out := range e.outcomes {
		switch {
		case out.Status == pipeline.Failed:
			e.causes = append(e.causes, out.Failure)
		case out.Value.Data == nil:
			e.values = append(e.values, "null")
		default:
			e.values = append(e.values, string(out.Value.Data))
		}
	}
	out := pipeline.Outcome{Value: pipeline.Value{Data: []byte("[" + strings.Join(e.values, ",") + "]")}}
	switch {
	case g.Cancelled && (e.trip == nil || g.Parent.Cancelled):
		out = pipeline.Outcome{Status: pipeline.Cancelled}
	case e.trip != nil:
		e.counts.Total = g.Count
		out = pipeline.Outcome{Status: pipeline.Failed, Failure: e.trip.Failure(e.counts, e.causes)}
	case len(e.causes) > 0:
		out = pipeline.Outcome{Status: pipeline.Failed, Failure: pipeline.GroupFailure(e.causes, len(e.causes), g.Count)}
	}
	state := g.State
	if e.state.Set {
		state = e.state
	}
	return pipeline.GroupEnded(nil, g, out, state)
}

// end answers task number n.
func (m *machine) end(n int, end pipeline.End) error {
	for i, s := range m.ready {
		if s.number == n {
			m.ready = append(m.ready[:i:i], m.ready[i+1:]...)
			m.do(pipeline.Ended(nil, s.effect.Frame, s.effect.Place, end))
			return nil
		}
	}
	return fmt.Errorf("task #%d is not in flight", n)
}

// cancel marks the run as cancelled; what is in flight ends as such.
func (m *machine) cancel() {
	m.root.Cancelled = true
	m.do(m.stop(nil))
}

func show(v pipeline.Value) string {
	if v.Failure != nil {
		return "failure(" + v.Failure.Error() + ")"
	}
	return orDash(v.Data)
}

func outcome(out pipeline.Outcome) string {
	switch out.Status {
	case pipeline.Failed:
		return "failure(" + out.Failure.Error() + ")"
	case pipeline.Cancelled:
		return "cancelled"
	case pipeline.Done:
	}
	return show(out.Value)
}

func orDash(data []byte) string {
	if data == nil {
		return "-"
	}
	return string(data)
}
