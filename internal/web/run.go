package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// runPage is one run. Of the tabs' parts only the one that is shown is filled.
type runPage struct {
	Run      httpapi.RunDetail
	URL      string // of it, relative to the root
	Look     look
	Progress []part
	Actions  []action
	Tabs     []tab
	Tab      string
	Summary  string        // how one that has ended went
	Share    string        // how much of what is known of a live one has ended
	ETA      time.Duration // when the rest will have; 0: nobody can tell

	Overview *overview
	Graph    *graphTab
	Timeline *timelineTab
	Tasks    *tasksTab
	Logs     *logsTab
	Data     *dataTab
	History  *historyTab
	Events   *eventsTab
	Task     *taskPage // the panel beside it
}

// tab is one of a page.
type tab struct {
	ID, Name, URL string
	Active        bool
}

// runTabs are in the order in which they stand; the number of each is its key.
var runTabs = []struct {
	id, name string
	fill     func(*view, *runPage) error
}{
	{"overview", "Overview", fillOverview},
	{"graph", "Graph", fillGraph},
	{"timeline", "Timeline", fillTimeline},
	{"tasks", "Tasks", fillTasks},
	{"logs", "Logs", fillLogs},
	{"data", "Params & result", fillData},
	{"history", "History", fillHistory},
}

func showRun(v *view) error {
	id, q := v.r.PathValue("id"), v.r.URL.Query()
	run, err := get[httpapi.RunDetail](v, at("/runs/%", id), nil)
	if err != nil {
		return err
	}
	body := &runPage{Run: run, URL: at("runs/%", id), Look: lookOf(run.State), Tab: cmp.Or(q.Get("tab"), "overview")}
	v.page.Title, v.page.Nav, v.page.Crumb = run.Name, "runs", []link{{"Runs", "runs"}}
	v.page.State, v.page.Topics, v.page.Pace = body.Look.Word, []string{"run:" + run.ID}, 250
	if err := v.frame(); err != nil {
		return err
	}
	if v.page.CanWrite {
		body.Actions = runActions(&run.Run)
	}
	t := totals(&run.Run)
	body.Progress, body.Summary = bar(partsOf(&t, body.URL+"?tab=tasks&q=")), summary(&run.Run, &t)
	if far := httpapi.SummaryOf(&run.Run, v.site.now()); !run.State.Final() && far.Ended > 0 {
		body.Share = strconv.FormatFloat(100*float64(far.Ended)/float64(far.Known), 'f', 1, 64) + "%"
		body.ETA = time.Duration(far.ETA) * time.Millisecond
	}
	if err := body.fill(v); err != nil {
		return err
	}
	if seq := q.Get("task"); seq != "" {
		if err := body.panel(v, seq); err != nil {
			return err
		}
	}
	return v.render("run", http.StatusOK, body)
}

// fill makes the tabs, and what is in the one that is shown.
func (p *runPage) fill(v *view) error {
	known := false
	for _, t := range runTabs {
		one := tab{ID: t.id, Name: t.name, URL: p.URL, Active: t.id == p.Tab}
		if t.id != "overview" {
			one.URL += "?tab=" + t.id
		}
		if between := v.r.URL.Query().Get("between"); between != "" && (t.id == "timeline" || t.id == "logs") {
			one.URL += "&between=" + url.QueryEscape(between)
		}
		p.Tabs = append(p.Tabs, one)
		if !one.Active {
			continue
		}
		known = true
		if err := t.fill(v, p); err != nil {
			return err
		}
	}
	if !known {
		return missing(v)
	}
	return nil
}

// panel opens a task run beside the tab.
func (p *runPage) panel(v *view, seq string) error {
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil || n < 0 {
		return missing(v)
	}
	p.Task, err = readTask(v, &p.Run.Run, strconv.FormatInt(n, 10), true)
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	q.Del("task")
	p.Task.Shut = p.URL
	if len(q) > 0 {
		p.Task.Shut += "?" + q.Encode()
	}
	return nil
}

// summary tells in a sentence how a run that has ended went.
func summary(r *api.Run, t *api.TaskCounts) string {
	if !r.State.Final() {
		return ""
	}
	parts := []string{strings.ToUpper(lookOf(r.State).Word[:1]) + lookOf(r.State).Word[1:] + " in " + span(r.Finished.Sub(r.Created))}
	if t.Completed > 0 {
		parts = append(parts, plural(int(t.Completed), "task run")+" completed")
	}
	for _, c := range []struct {
		n    int64
		word string
	}{{t.Failed, "failed"}, {t.Cancelled, "cancelled"}, {t.Skipped, "skipped"}, {t.Retries, "tried again"}} {
		if c.n > 0 {
			parts = append(parts, number(c.n)+" "+c.word)
		}
	}
	return strings.Join(parts, "; ") + "."
}

// tasksTab is the run's task runs.
type tasksTab struct {
	taskTable

	Query  string
	By     string // what they are counted by, "" for one by one
	Views  []savedView
	Ways   []savedView // to count them
	Groups *taskGroups
}

var runTaskViews = []link{
	{"All", ""},
	{"Not done", "-state:completed"},
	{"Problems", "state:problems"},
	{"Running", "state:running"},
	{"Waiting for a slot", "why:slots"},
	{"Retrying", "state:awaiting_retry"},
	{"Cached", "cached:yes"},
}

func fillTasks(v *view, p *runPage) error {
	q := v.r.URL.Query()
	text := strings.TrimSpace(q.Get("q"))
	p.Tasks = &tasksTab{Query: text, By: q.Get("by"), Ways: groupLinks(p.URL, q, q.Get("by"), true)}
	p.Tasks.views(p.URL)
	if p.Tasks.By != "" {
		groups, err := readGroups(v, p.Tasks.By, p.Run.ID, text, p.URL, url.Values{"tab": {"tasks"}})
		p.Tasks.Groups = groups
		return err
	}
	t, err := readTasks(v, at("/runs/%/tasks", p.Run.ID), text)
	if err != nil {
		return err
	}
	t.OneRun = true
	all := "all of this run"
	chosen := choosing(text, q, "tag", "state")
	if chosen != "" {
		all += " that match the filter"
	}
	t.Bulk = bulkTasks.bar(v, strings.TrimSpace("run:"+p.Run.ID+" "+chosen), all)
	for i := range t.Rows { // beside the table, which stays
		with := v.r.URL.Query()
		with.Set("task", strconv.FormatInt(t.Rows[i].Seq, 10))
		t.Rows[i].URL = p.URL + "?" + with.Encode()
		t.Rows[i].Open = q.Get("task") == with.Get("task")
	}
	p.Tasks.taskTable = t
	return nil
}

// views are the saved filters, of the run with a URL.
func (t *tasksTab) views(run string) {
	for _, one := range runTaskViews {
		u := run + "?tab=tasks"
		if one.URL != "" {
			u += "&q=" + url.QueryEscape(one.URL)
		}
		t.Views = append(t.Views, savedView{link: link{one.Name, u}, Active: one.URL == t.Query})
	}
}
