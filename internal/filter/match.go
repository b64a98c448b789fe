package filter

import (
	"slices"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// Run reports whether a run is chosen, at a time.
func (q *Query) Run(r *api.Run, now time.Time) bool { return q.holds(thing{run: r, of: r, now: now}) }

// TaskRun reports whether a task run is chosen, at a time. Its run may be nil unless the
// query needs it; then no field that looks at it holds.
func (q *Query) TaskRun(t *api.TaskRun, of *api.Run, now time.Time) bool {
	return q.holds(thing{task: t, of: of, now: now})
}

// Empty reports whether the query chooses everything.
func (q *Query) Empty() bool { return len(q.terms) == 0 }

// NeedsRun reports whether the query looks at the runs of task runs.
func (q *Query) NeedsRun() bool {
	return slices.ContainsFunc(q.terms, func(t term) bool { return t.field.ofRun })
}

func (q *Query) holds(t thing) bool {
	for i := range q.terms {
		if q.terms[i].holds(t) == q.terms[i].not {
			return false
		}
	}
	return true
}

func (t *term) holds(of thing) bool {
	if t.field.ofRun && of.of == nil {
		return false
	}
	for i := range t.values {
		if t.field.holds(of, &t.values[i]) {
			return true
		}
	}
	return false
}

// NarrowRuns gives a store's filter what it can do of the query by itself, so that
// less has to be looked at. The query is to be asked about what comes, all the same.
func (q *Query) NarrowRuns(f *api.RunFilter, now time.Time) {
	for i := range q.terms {
		t := &q.terms[i]
		if t.not || len(t.values) == 0 {
			continue
		}
		switch t.field.name {
		case "state":
			f.States = narrowStates(f.States, t)
		case "since":
			if len(t.values) == 1 {
				f.Since = later(f.Since, t.values[0].earliest(now))
			}
		}
	}
}

// Oldest gives a time before which no run that is chosen was submitted, nor the run of
// a task run; zero if there is none.
func (q *Query) Oldest(now time.Time) time.Time {
	var f api.RunFilter
	q.NarrowRuns(&f, now)
	return f.Since
}

// NarrowTaskRuns is NarrowRuns for task runs. Whole says that the store's filter chooses
// just what the query does.
func (q *Query) NarrowTaskRuns(f *api.TaskRunFilter) (whole bool) {
	whole = true
	for i := range q.terms {
		t := &q.terms[i]
		switch {
		case t.not:
			whole = false
		case t.field.name == "state":
			whole = whole && len(f.States) == 0
			f.States = narrowStates(f.States, t)
			whole = whole && len(f.States) > 0
		case t.field.name == "task" && len(t.values) == 1 && f.Task == "":
			f.Task = t.values[0].text
		case t.field.name == "tag" && len(t.values) == 1:
			f.Tags = append(slices.Clone(f.Tags), t.values[0].text)
		default:
			whole = false
		}
	}
	return whole
}

// narrowStates gives states that were chosen already, but for those that the term
// excludes; they stay as they are if it can't be said.
func narrowStates(states []api.State, t *term) []api.State {
	var want []api.State
	for i := range t.values {
		if t.values[i].name != "" {
			return states
		}
		want = append(want, t.values[i].states...)
	}
	if len(states) == 0 {
		return want
	}
	both := slices.DeleteFunc(slices.Clone(states), func(s api.State) bool { return !slices.Contains(want, s) })
	if len(both) == 0 {
		return states // none is chosen, which an empty list would not say
	}
	return both
}

// earliest is the first time that a value of since allows.
func (v *value) earliest(now time.Time) time.Time {
	if v.ago {
		return now.Add(-time.Duration(v.from))
	}
	return v.at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
