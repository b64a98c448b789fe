package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

var runRoutes = []route{
	{"GET /runs", showRuns},
	{"GET /runs/{id}", showRun},
}

// runsPage is the list of runs.
type runsPage struct {
	sieve

	Rows    []runRow
	Query   string
	Pager   pager
	Strip   *strip
	Columns *columns
	Bulk    *bulkBar // for the rows that are ticked; nil: they can't be
}

// savedView is a saved filter.
type savedView struct {
	link
	Active bool
}

// pager leads through a list by cursors.
type pager struct {
	First, Next string // URLs, "" for none
	Shown       int
}

// runRow is a run in a table.
type runRow struct {
	api.Run

	URL      string
	Progress []part
	Done     int64 // task runs that have ended
	Known    int64 // and those that will, as far as is known
	Failed   int64
	Retries  int64
	Error    string
	Waits    string      // for what, if no body of it runs
	Beside   *comparison // how long it takes beside others; nil: not known
}

// runViews are filters that people want often.
var runViews = []link{
	{"All", ""},
	{"Live", "state:live"},
	{"Problems", "state:problems"},
	{"Failed 24 h", "state:problems since:24h"},
	{"Stuck 24 h", "state:live duration:>24h"},
	{"Slow", "duration:>10m"},
}

func showRuns(v *view) error {
	q := v.r.URL.Query()
	text := strings.TrimSpace(q.Get("q"))
	ask := url.Values{"limit": {cmp.Or(q.Get("limit"), "50")}, "why": {"true"}}
	for _, name := range []string{"q", "cursor", "state"} {
		if values := q[name]; len(values) > 0 && values[0] != "" {
			ask[name] = values
		}
	}
	v.page.Title, v.page.Nav, v.page.Topics, v.page.Query = "Runs", "runs", []string{"runs"}, text
	runs, err := get[list[httpapi.ListedRun]](v, "/runs", ask)
	if err != nil {
		return err
	}
	body := runsPage{Query: text, Columns: v.columns("runs"), Pager: paging(v.r.URL, runs.NextCursor, len(runs.Items))}
	if len(runs.Items) > 0 || text != "" {
		if body.Strip, err = readStrip(v, q.Get("span"), text); err != nil {
			return err
		}
	}
	v.page.Scripts = []string{"strip.js"}
	if err := v.frame(); err != nil {
		return err
	}
	if body.sieve, err = readSieve(v, "runs", text, runViews); err != nil {
		return err
	}
	body.Bulk = bulkRuns.bar(v, choosing(text, q, "state"), "all that match the filter")
	usual, err := v.usual()
	if err != nil {
		return err
	}
	for i := range runs.Items {
		row := rowOf(&runs.Items[i].Run)
		row.Waits = runs.Items[i].Why
		row.Beside = usual[alike(&row.Run)].against(&row.Run, v.site.now())
		body.Rows = append(body.Rows, row)
	}
	return v.render("runs", http.StatusOK, body)
}

// views marks the one that is in use.
func views(list, text string, all []link) []savedView {
	out := make([]savedView, len(all))
	for i, l := range all {
		u := list
		if l.URL != "" {
			u += "?" + url.Values{"q": {l.URL}}.Encode()
		}
		out[i] = savedView{link: link{l.Name, u}, Active: l.URL == text}
	}
	return out
}

// paging makes the links of a list's foot.
func paging(u *url.URL, next *string, shown int) pager {
	p := pager{Shown: shown}
	q := u.Query()
	if q.Has("cursor") {
		q.Del("cursor")
		p.First = "?" + q.Encode()
	}
	if next != nil {
		q.Set("cursor", *next)
		p.Next = "?" + q.Encode()
	}
	return p
}

// choosing is what a list is chosen by as one filter: the text, and the parameters of
// the URL that are named as fields of filters.
func choosing(text string, q url.Values, names ...string) string {
	parts := []string{text}
	for _, name := range names {
		var values []string
		for _, value := range q[name] {
			if value != "" {
				values = append(values, quoted(value))
			}
		}
		if len(values) > 0 {
			parts = append(parts, name+":"+strings.Join(values, ","))
		}
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

func rowOf(r *api.Run) runRow {
	t := totals(r)
	row := runRow{Run: *r, URL: at("runs/%", r.ID), Failed: t.Failed, Retries: t.Retries, Done: t.Ended(), Known: t.Ended() + t.Open()}
	row.Progress = bar(partsOf(&t, ""))
	if r.Failure != nil && r.State != api.Cancelled { // that one only says that it was
		row.Error = firstLine(r.Failure.Error())
	}
	return row
}

// totals adds up the counts of all tasks.
func totals(r *api.Run) api.TaskCounts {
	var t api.TaskCounts
	for _, c := range r.Tasks {
		t.Add(c)
	}
	return t
}

// partsOf gives counts in the order of bars. at, if given, is the list of task runs that
// each leads to, as in "runs/ID?tab=tasks&q=".
func partsOf(t *api.TaskCounts, at string) []part {
	parts := []part{
		{look: looks["COMPLETED"], N: t.Completed},
		{look: looks["RUNNING"], N: t.Running},
		{look: retrying, N: t.Retrying},
		{look: looks["FAILED"], N: t.Failed},
		{look: looks["CANCELLED"], N: t.Cancelled},
		{look: looks["SKIPPED"], N: t.Skipped},
		{look: looks["PENDING"], N: t.Pending},
	}
	for i := range parts {
		if at != "" {
			word := parts[i].Word
			if parts[i].look == retrying {
				word = "awaiting_retry" // not those that run again
			}
			parts[i].URL = at + url.QueryEscape("state:"+word)
		}
	}
	return parts
}
