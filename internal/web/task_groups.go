package web

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// taskGroups is task runs counted by something that they have in common, in place of
// the list of them.
type taskGroups struct {
	Head   string // of what they have in common
	Rows   []groupRow
	Others int
	More   bool
}

// groupRow is one group. URL is the list of its task runs, "" if no filter tells them.
type groupRow struct {
	Name, URL string
	N         int
	Parts     []part
	Newest    string
	NewestURL string
}

// groupings are what task runs can be counted by: what it is called, what a group
// without it is called, and the field of the filter language.
var groupings = []struct{ by, name, none, field string }{
	{"task", "Name", "", "task"},
	{"state", "State", "", "state"},
	{"error", "Error", "no error", "error"},
	{"tag", "Tag", "no tag", "tag"},
	{"worker", "Worker", "no worker", "worker"},
	{"why", "Reason to wait", "does not wait", "why"},
	{"run", "Run", "", "run"},
}

// groupLinks lead from one way of counting to another, the first to the list itself.
// from is the list's URL with what is chosen of it.
func groupLinks(list string, q url.Values, by string, oneRun bool) []savedView {
	var out []savedView
	add := func(name, value string) {
		q := url.Values(cloned(q))
		q.Del("by")
		q.Del("cursor")
		q.Del("task")
		if value != "" {
			q.Set("by", value)
		}
		u := list
		if len(q) > 0 {
			u += "?" + q.Encode()
		}
		out = append(out, savedView{link: link{name, u}, Active: value == by})
	}
	add("One by one", "")
	for _, g := range groupings {
		if g.by != "run" || !oneRun {
			add("By "+strings.ToLower(g.name), g.by)
		}
	}
	return out
}

func cloned(q url.Values) map[string][]string {
	out := map[string][]string{}
	for name, values := range q {
		out[name] = slices.Clone(values)
	}
	return out
}

// readGroups counts what a filter chooses. list is where the task runs are listed: its
// URL and query.
func readGroups(v *view, by, run, text, list string, keep url.Values) (*taskGroups, error) {
	i := slices.IndexFunc(groupings, func(g struct{ by, name, none, field string }) bool { return g.by == by })
	if i < 0 {
		return nil, missing(v)
	}
	g := groupings[i]
	ask := url.Values{"by": {by}}
	if text != "" {
		ask.Set("q", text)
	}
	if run != "" {
		ask.Set("run", run)
	}
	found, err := get[httpapi.TaskGroups](v, "/groups/tasks", ask)
	if err != nil {
		return nil, err
	}
	out := &taskGroups{Head: g.name, Others: found.Others, More: found.More}
	for _, one := range found.Groups {
		row := groupRow{Name: cmp.Or(one.Key, g.none), N: one.Count, Parts: stateParts(one.States), Newest: one.Newest, NewestURL: taskURL(one.Newest)}
		if one.Key != "" {
			q := url.Values(cloned(keep))
			q.Set("q", strings.TrimSpace(text+" "+g.field+":"+quotedPart(one.Key)))
			row.URL = list + "?" + q.Encode()
		}
		if by == "run" {
			row.Name = short(one.Key)
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// quotedPart is a value for a filter by a part of a text: not more of it than a filter
// takes.
func quotedPart(text string) string {
	const most = 120
	if r := []rune(text); len(r) > most {
		text = string(r[:most])
	}
	return quoted(text)
}

// stateParts is counts by state as a bar.
func stateParts(counts map[string]int) []part {
	var parts []part
	for _, state := range slices.Concat(stripOrder, []string{"SKIPPED"}) {
		if n := counts[state]; n > 0 {
			parts = append(parts, part{look: looks[state], N: int64(n)})
		}
	}
	return bar(parts)
}
