package filter

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// thing is a run or a task run, as fields see it.
type thing struct {
	run  *api.Run // nil for a task run
	task *api.TaskRun
	of   *api.Run // the run itself, or that of the task run; nil if it is not known
	now  time.Time
}

// field is one that things may be chosen by.
type field struct {
	name string
	of   []Target
	doc  string
	read func(*value) error
	// holds reports whether the thing is as the value says. Values that compare
	// nothing may not hold for what a thing has not.
	holds func(thing, *value) bool
	// ofRun says that it looks at the run, also for a task run.
	ofRun bool
}

var both = []Target{Runs, TaskRuns}

// fields are in the order in which users are told of them.
var fields = []field{
	{name: "state", of: both, doc: "a state such as failed or running; of task runs also cached, awaiting_retry, timed_out; problems are failed and crashed, live what has not ended, final what has", read: readState, holds: holdsState},
	{name: "name", of: both, doc: "part of the name", read: readText, holds: func(t thing, v *value) bool { return containsFold(t.name(), v.text) }},
	{name: "task", of: both, doc: "the name of a task: of runs, one that they have called", read: readText, holds: holdsTask},
	{name: "flow", of: both, doc: "the name of a flow, or task, that the run has called", read: readText, holds: holdsFlow, ofRun: true},
	{name: "id", of: both, doc: "the beginning of the id", read: readText, holds: func(t thing, v *value) bool { return strings.HasPrefix(t.id(), v.text) }},
	{name: "run", of: []Target{TaskRuns}, doc: "the beginning of the run's id", read: readText, holds: func(t thing, v *value) bool { return strings.HasPrefix(t.task.Run, v.text) }},
	{name: "tag", of: []Target{TaskRuns}, doc: "a tag", read: readText, holds: holdsTag},
	{name: "schedule", of: both, doc: "the name of the schedule that made the run", read: readText, holds: holdsSchedule, ofRun: true},
	{name: "attempt", of: []Target{TaskRuns}, doc: "how many attempts there were, as in >1", read: readNumber, holds: func(t thing, v *value) bool { return v.compare(int64(t.task.Attempt)) }},
	{name: "retries", of: []Target{Runs}, doc: "how many attempts of its task runs were tried again", read: readNumber, holds: holdsRetries},
	{name: "duration", of: both, doc: "how long it took, or takes by now, as in >30s", read: readDuration, holds: holdsDuration},
	{name: "created", of: both, doc: "when the run was submitted: a day, a time, one..another, or >24h for longer ago", read: readTime, holds: holdsCreated, ofRun: true},
	{name: "since", of: both, doc: "the run was submitted at most so long ago, as in 24h, or since a time", read: readSince, holds: holdsCreated, ofRun: true},
	{name: "started", of: []Target{TaskRuns}, doc: "when its first attempt began", read: readTime, holds: func(t thing, v *value) bool { return v.compareTime(t.task.Started, t.now) }},
	{name: "ended", of: both, doc: "when it ended", read: readTime, holds: func(t thing, v *value) bool { return v.compareTime(t.ended(), t.now) }},
	{name: "error", of: both, doc: "part of the failure's text", read: readText, holds: holdsError},
	{name: "why", of: []Target{TaskRuns}, doc: "the kind of thing it waits for, such as slots, queue or backoff", read: readText, holds: holdsWhy},
	{name: "limit", of: []Target{TaskRuns}, doc: "the tag whose slot it waits for", read: readText, holds: holdsLimit},
	{name: "queue", of: []Target{TaskRuns}, doc: "the queue that nobody serves, for which it waits", read: readText, holds: func(t thing, v *value) bool { return t.task.Waiting != nil && t.task.Waiting.Queue == v.text }},
	{name: "worker", of: []Target{TaskRuns}, doc: "part of the name of the worker that its body began on last", read: readText, holds: func(t thing, v *value) bool { return t.task.Worker != "" && containsFold(t.task.Worker, v.text) }},
	{name: "cached", of: []Target{TaskRuns}, doc: "yes or no: its result was taken from the cache", read: readYes, holds: func(t thing, v *value) bool { return (t.task.StateName == "Cached") == (v.from == 1) }},
}

// textField is that of a text without a field.
var textField = &field{read: readText, holds: func(t thing, v *value) bool {
	return containsFold(t.name(), v.text) || strings.HasPrefix(t.id(), v.text)
}}

func (t thing) name() string {
	if t.run != nil {
		return t.run.Name
	}
	return t.task.Name
}

func (t thing) id() string {
	if t.run != nil {
		return t.run.ID
	}
	return t.task.ID
}

func (t thing) ended() time.Time {
	if t.run != nil {
		return t.run.Finished
	}
	return t.task.Finished
}

func (t thing) began() time.Time {
	if t.run != nil {
		return t.run.Created
	}
	return t.task.Started
}

func (t thing) failure() *api.Failure {
	if t.run != nil {
		return t.run.Failure
	}
	return t.task.Failure
}

// containsFold is strings.Contains for which capitals are as small letters, without
// making any.
func containsFold(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

var errBackwards = errors.New("a range begins with the smaller one")

var errNoCompare = errors.New("there is nothing to compare; want a value alone")

func readText(v *value) error {
	if v.op != "" {
		return errNoCompare
	}
	return nil
}

func readYes(v *value) error {
	switch strings.ToLower(v.text) {
	case "yes", "true":
		v.from = 1
	case "no", "false":
	default:
		return fmt.Errorf("%q is neither yes nor no", v.text)
	}
	return readText(v)
}

// groups of states that have a name of their own.
var stateGroups = map[string][]api.State{
	"problems": {api.Failed, api.Crashed},
	"live":     {api.Pending, api.Scheduled, api.Running, api.Paused, api.Cancelling},
	"final":    {api.Completed, api.Failed, api.Cancelled, api.Crashed, api.Skipped},
}

// subStates are names of states that say more, as they are written here.
var subStates = map[string]string{
	"cached": "Cached", "awaiting_retry": "AwaitingRetry", "retrying": "Retrying", "timed_out": "TimedOut",
}

// stateNames are all that readState takes, groups first.
func stateNames() []string {
	names := slices.Sorted(maps.Keys(stateGroups))
	for s := api.Pending; s <= api.Skipped; s++ {
		names = append(names, strings.ToLower(s.String()))
	}
	return append(names, slices.Sorted(maps.Keys(subStates))...)
}

func readState(v *value) error {
	name := strings.ToLower(v.text)
	if states, ok := stateGroups[name]; ok {
		v.states = states
		return readText(v)
	}
	if sub, ok := subStates[name]; ok {
		v.name = sub
		return readText(v)
	}
	var s api.State
	if s.UnmarshalText([]byte(strings.ToUpper(v.text))) != nil {
		return fmt.Errorf("%q is no state: want one of %s", v.text, strings.Join(stateNames(), ", "))
	}
	v.states = []api.State{s}
	return readText(v)
}

func holdsState(t thing, v *value) bool {
	switch {
	case v.name != "":
		return t.task != nil && t.task.StateName == v.name
	case t.run != nil:
		return slices.Contains(v.states, t.run.State)
	}
	return slices.Contains(v.states, t.task.State)
}

func holdsTask(t thing, v *value) bool {
	if t.task != nil {
		return t.task.Task == v.text
	}
	_, ok := t.run.Tasks[v.text]
	return ok
}

func holdsTag(t thing, v *value) bool {
	return slices.Contains(t.task.Tags, v.text)
}

func holdsFlow(t thing, v *value) bool {
	_, ok := t.of.Tasks[v.text]
	return ok
}

func holdsSchedule(t thing, v *value) bool {
	return t.of.Schedule != nil && t.of.Schedule.Name == v.text
}

func holdsCreated(t thing, v *value) bool { return v.compareTime(t.of.Created, t.now) }

func holdsRetries(t thing, v *value) bool {
	var n int64
	for _, c := range t.run.Tasks {
		n += c.Retries
	}
	return v.compare(n)
}

func holdsDuration(t thing, v *value) bool {
	began, ended := t.began(), t.ended()
	if began.IsZero() {
		return false
	}
	if ended.IsZero() {
		ended = t.now
	}
	return v.compare(int64(ended.Sub(began)))
}

func holdsError(t thing, v *value) bool {
	f := t.failure()
	return f != nil && containsFold(f.Error(), v.text)
}

func holdsWhy(t thing, v *value) bool {
	return t.task.Waiting != nil && strings.EqualFold(string(t.task.Waiting.Kind), v.text)
}

func holdsLimit(t thing, v *value) bool {
	if t.task.Waiting == nil {
		return false
	}
	for i := range t.task.Waiting.Slots {
		if t.task.Waiting.Slots[i].Tag == v.text {
			return true
		}
	}
	return false
}

// readNumber reads a number, or a range of them.
func readNumber(v *value) error {
	return readRange(v, func(text string) (int64, error) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no number", text)
		}
		return n, nil
	})
}

func readDuration(v *value) error { return readRange(v, duration) }

func readRange(v *value, read func(string) (int64, error)) (err error) {
	low, high, ok := strings.Cut(v.text, "..")
	if v.from, err = read(low); err != nil || !ok {
		return err
	}
	if v.op != "" {
		return errors.New("a range is not compared")
	}
	v.op = ".."
	if v.to, err = read(high); err == nil && v.to < v.from {
		err = errBackwards
	}
	return err
}

// maxDays is what a duration can hold, less than a hundred years of it.
const maxDays = 100_000

// duration reads Go's durations, and days as in 7d.
func duration(text string) (int64, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 32); err == nil && n >= 0 && n <= maxDays {
			return n * int64(24*time.Hour), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: want one as in 30s, 5m, 24h or 7d", text)
	}
	return int64(d), nil
}

// compare reports whether a number is as the value says.
func (v *value) compare(n int64) bool {
	switch v.op {
	case ">":
		return n > v.from
	case ">=":
		return n >= v.from
	case "<":
		return n < v.from
	case "<=":
		return n <= v.from
	case "..":
		return v.from <= n && n <= v.to
	}
	return n == v.from
}
