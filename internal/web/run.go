package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// runPage is one run.
type runPage struct {
	Run      httpapi.RunDetail
	URL      string // of it, relative to the root
	Look     look
	Progress []part
	Actions  []action
	Tabs     []tab
	Tab      string
	First    *api.Failure // the first one, of a run that failed
	FirstURL string
	Groups   []errorGroup
	Names    []nameRow
	Summary  string
}

// tab is one of a page.
type tab struct {
	ID, Name, URL string
	Active        bool
	Count         int64
}

// nameRow is all task runs of one name.
type nameRow struct {
	Name   string
	Counts api.TaskCounts
	Parts  []part
	Total  int64
	URL    string // those task runs
}

// errorGroup is failures with one text.
type errorGroup struct {
	N              int
	Task, Text     string
	TaskRun, First string
}

func showRun(v *view) error {
	id := v.r.PathValue("id")
	run, err := get[httpapi.RunDetail](v, at("/runs/%", id), nil)
	if err != nil {
		return err
	}
	body := &runPage{Run: run, URL: at("runs/%", id), Look: lookOf(run.State), Tab: cmp.Or(v.r.URL.Query().Get("tab"), "overview")}
	v.page.Title, v.page.Nav, v.page.Crumb = run.Name, "runs", []link{{"Runs", "runs"}}
	v.page.State, v.page.Topics, v.page.Pace = body.Look.Word, []string{"run:" + run.ID}, 250
	if err := v.frame(); err != nil {
		return err
	}
	if v.page.CanWrite {
		body.Actions = runActions(&run.Run)
	}
	t := totals(&run.Run)
	body.Progress = bar(partsOf(&t, body.URL+"?tab=tasks&q="))
	body.names()
	body.failures()
	return v.render("run", http.StatusOK, body)
}

// names makes the table of task names.
func (p *runPage) names() {
	for _, name := range slices.Sorted(maps.Keys(p.Run.Tasks)) {
		c := p.Run.Tasks[name]
		u := p.URL + "?tab=tasks&q=" + url.QueryEscape("task:"+name+" ")
		row := nameRow{Name: name, Counts: c, Parts: bar(partsOf(&c, u)), URL: u}
		row.Total = c.Completed + c.Failed + c.Cancelled + c.Skipped
		p.Names = append(p.Names, row)
	}
}

// failures groups the causes of a run's failure by what they say.
func (p *runPage) failures() {
	f := p.Run.Failure
	if f == nil {
		return
	}
	var leaves []*api.Failure
	var walk func(*api.Failure)
	walk = func(f *api.Failure) {
		for _, c := range f.Causes {
			walk(c)
		}
		if len(f.Causes) == 0 && len(leaves) < api.MaxCauses {
			leaves = append(leaves, f)
		}
	}
	walk(f)
	p.First = leaves[0]
	p.FirstURL = taskURL(p.First.TaskRun)
	at := map[[2]string]int{}
	for _, l := range leaves {
		key := [2]string{l.Task, l.Message}
		i, ok := at[key]
		if !ok {
			i = len(p.Groups)
			at[key] = i
			p.Groups = append(p.Groups, errorGroup{Task: l.Task, Text: l.Message, TaskRun: l.TaskRun, First: taskURL(l.TaskRun)})
		}
		p.Groups[i].N++
	}
	slices.SortStableFunc(p.Groups, func(a, b errorGroup) int { return b.N - a.N })
}
