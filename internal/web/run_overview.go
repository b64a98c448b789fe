package web

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// overview is what a run's page opens on: its task runs by name, never one by one.
type overview struct {
	First    *api.Failure // the first one, of a run that failed
	FirstURL string
	RetryURL string // from the first failure on
	Groups   []errorGroup
	Names    []nameRow
	Columns  *columns
	More     bool // the times are not of all task runs
}

// nameRow is all task runs of one name.
type nameRow struct {
	Name  string
	Parts []part
	URL   string // those task runs
	N     api.TaskCounts
	All   int64 // those that have ended, and those that are known to come
	Other int64 // cancelled, skipped, waiting for another attempt

	Times httpapi.NamedTimes
	First string // URL of the task run of its newest error
}

// errorGroup is failures with one text.
type errorGroup struct {
	N              int
	Task, Text     string
	TaskRun, First string
}

func fillOverview(v *view, p *runPage) error {
	times, err := get[httpapi.RunTimes](v, at("/runs/%/times", p.Run.ID), nil)
	if err != nil {
		return err
	}
	byName := map[string]httpapi.NamedTimes{}
	for _, t := range times.Tasks {
		byName[t.Task] = t
	}
	if p.Summary != "" {
		p.Summary = strings.TrimSuffix(p.Summary, ".") + whereTime(&times) + "."
	}
	p.Overview = &overview{More: times.More, Columns: v.columns("names")}
	for _, name := range slices.Sorted(maps.Keys(p.Run.Tasks)) {
		c := p.Run.Tasks[name]
		u := p.URL + "?tab=tasks&q=" + url.QueryEscape("task:"+quoted(name))
		p.Overview.Names = append(p.Overview.Names, nameRow{
			Name: name, N: c, URL: u, Parts: bar(partsOf(&c, u+"+")), All: c.Ended() + c.Open(), Other: c.Cancelled + c.Skipped + c.Retrying,
			Times: byName[name], First: panelURL(p, byName[name].ErrorOf),
		})
	}
	p.Overview.failures(p)
	if v.page.CanWrite && p.Overview.First != nil && p.Run.State.Final() {
		p.Overview.RetryURL = p.URL + "/retry"
		if seq := seqOf(p.Overview.First.TaskRun); seq >= 0 {
			p.Overview.RetryURL = taskURL(p.Overview.First.TaskRun) + "/retry"
		}
		for i := range p.Actions { // one is the first thing to press, not two
			p.Actions[i].First = false
		}
	}
	return nil
}

// whereTime tells what took a run's time, for the sentence about one that has ended.
func whereTime(times *httpapi.RunTimes) string {
	text, most, cached := "", httpapi.NamedTimes{}, 0
	for _, t := range times.Tasks {
		cached += t.Cached
		if t.Total > most.Total {
			most = t
		}
	}
	if cached > 0 {
		text = "; " + number(cached) + " from the cache"
	}
	if most.Total > 0 && len(times.Tasks) > 1 {
		text += "; most time in " + most.Task + ", " + span(time.Duration(most.Total)) + " in all"
	}
	return text
}

// failures groups the causes of a run's failure by what they say.
func (o *overview) failures(p *runPage) {
	if p.Run.Failure == nil {
		return
	}
	leaves := leavesOf(p.Run.Failure)
	o.First = slices.MinFunc(leaves, func(a, b *api.Failure) int { return cmp.Compare(seqOf(a.TaskRun), seqOf(b.TaskRun)) })
	o.FirstURL = panelURL(p, o.First.TaskRun)
	at := map[[2]string]int{}
	for _, l := range leaves {
		key := [2]string{l.Task, l.Message}
		i, ok := at[key]
		if !ok {
			i = len(o.Groups)
			at[key] = i
			o.Groups = append(o.Groups, errorGroup{Task: l.Task, Text: l.Message, TaskRun: l.TaskRun, First: panelURL(p, l.TaskRun)})
		}
		o.Groups[i].N++
	}
	slices.SortStableFunc(o.Groups, func(a, b errorGroup) int { return b.N - a.N })
}

// leavesOf gives the failures that have no causes, in order.
func leavesOf(f *api.Failure) []*api.Failure {
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
	return leaves
}

// panelURL opens a task run beside the run's overview.
func panelURL(p *runPage, taskRun string) string {
	seq := seqOf(taskRun)
	if seq < 0 {
		return ""
	}
	tab := ""
	switch {
	case p.Events != nil:
		tab = "tab=history&show=events&"
	case p.Tab != "overview":
		tab = "tab=" + p.Tab + "&"
	}
	return p.URL + "?" + tab + "task=" + number0(seq)
}
