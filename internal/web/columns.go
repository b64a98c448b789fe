package web

import (
	"slices"
	"strings"
)

// column is one of a table that can be left out.
type column struct {
	ID, Name string
	Off      bool // it is shown to who has chosen it only
	Shown    bool
}

// columns are those of a table, for who looks at it.
type columns struct {
	Table, Back string
	All         []column
}

// tables are those whose columns can be chosen. What a row is called is always there.
var tables = map[string][]column{
	"runs": {
		{ID: "state", Name: "State"},
		{ID: "tasks", Name: "Tasks"},
		{ID: "ended", Name: "Ended"},
		{ID: "retries", Name: "Retries"},
		{ID: "created", Name: "Created"},
		{ID: "finished", Name: "Finished", Off: true},
		{ID: "took", Name: "Took"},
		{ID: "schedule", Name: "Schedule", Off: true},
		{ID: "why", Name: "Why"},
	},
	"tasks": {
		{ID: "state", Name: "State"},
		{ID: "task", Name: "Task", Off: true},
		{ID: "run", Name: "Run"},
		{ID: "tags", Name: "Tags"},
		{ID: "attempt", Name: "Attempt"},
		{ID: "started", Name: "Started", Off: true},
		{ID: "finished", Name: "Finished", Off: true},
		{ID: "waited", Name: "Waited"},
		{ID: "ran", Name: "Ran"},
		{ID: "worker", Name: "Worker", Off: true},
		{ID: "why", Name: "Why"},
	},
	"names": {
		{ID: "states", Name: "States"},
		{ID: "all", Name: "All"},
		{ID: "completed", Name: "Completed"},
		{ID: "running", Name: "Running"},
		{ID: "pending", Name: "Pending"},
		{ID: "failed", Name: "Failed"},
		{ID: "other", Name: "Other"},
		{ID: "retries", Name: "Retries"},
		{ID: "cached", Name: "Cached"},
		{ID: "median", Name: "Median"},
		{ID: "p95", Name: "p95"},
	},
}

// columns gives those of a table as the browser's cookie has them.
func (v *view) columns(table string) *columns {
	c := &columns{Table: table, Back: relative(v.r.URL), All: slices.Clone(tables[table])}
	chosen, ok := v.chosenColumns()[table]
	for i := range c.All {
		c.All[i].Shown = ok && slices.Contains(chosen, c.All[i].ID) || !ok && !c.All[i].Off
	}
	return c
}

// Has reports whether a column is shown.
func (c *columns) Has(id string) bool {
	return slices.ContainsFunc(c.All, func(one column) bool { return one.ID == id && one.Shown })
}

// chosenColumns reads what the cookie has, as in "runs.state.took~tasks.state": tables,
// and the ids of the columns that each shows.
func (v *view) chosenColumns() map[string][]string {
	chosen := map[string][]string{}
	cookie, err := v.r.Cookie(columnsCookie)
	if err != nil {
		return chosen
	}
	for text := range strings.SplitSeq(cookie.Value, "~") {
		parts := strings.Split(text, ".")
		if _, known := tables[parts[0]]; known {
			chosen[parts[0]] = parts[1:]
		}
	}
	return chosen
}

// chooseColumns keeps what a form has chosen of a table's columns.
func (v *view) chooseColumns(table string) {
	all, known := tables[table]
	if !known {
		return
	}
	chosen := v.chosenColumns()
	delete(chosen, table)
	if form := v.form(); !form.Has("first") {
		ids := []string{}
		for _, c := range all {
			if slices.Contains(form["column"], c.ID) {
				ids = append(ids, c.ID)
			}
		}
		chosen[table] = ids
	}
	var parts []string
	for name := range tables {
		if ids, ok := chosen[name]; ok {
			parts = append(parts, strings.Join(append([]string{name}, ids...), "."))
		}
	}
	slices.Sort(parts)
	v.cookie(columnsCookie, strings.Join(parts, "~"), year, false)
}
