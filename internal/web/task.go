package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// taskPage is one task run, as a page or as a panel beside its run.
type taskPage struct {
	taskRow

	Run      *api.Run
	Full     string // URL of its own page
	Shut     string // URL without the panel, "" on the page
	Src      string // what the REST API has of it
	Waiting  []fact
	Attempts []attempt
	Bar      []part // how its time went
	Cache    *cacheBox
	Near     []nearby
	Result   document
	Lines    []logLine
	Turns    []event
	Actions  []action
}

// fact is something that is known, and where more of it is.
type fact struct{ Name, Text, URL string }

// attempt is one time that the body ran.
type attempt struct {
	N        int
	Look     look
	From, To time.Time
	Message  string
}

// cacheBox is what the task run had to do with the cache.
type cacheBox struct {
	api.CacheUse

	Hit     bool
	FromURL string
	KeptURL string // of the kept result that its key leads to, "" if there is none
	Report  *api.CacheReport
}

func showTask(v *view) error {
	id, seq := v.r.PathValue("id"), v.r.PathValue("seq")
	run, err := get[httpapi.RunDetail](v, at("/runs/%", id), nil)
	if err != nil {
		return err
	}
	if err := v.frame(); err != nil {
		return err
	}
	p, err := readTask(v, &run.Run, seq, false)
	if err != nil {
		return err
	}
	v.page.Scripts = append(v.page.Scripts, "logs.js")
	v.page.Title, v.page.Nav, v.page.Crumb = p.Name, "runs", []link{{"Runs", "runs"}, {run.Name, at("runs/%", id)}}
	v.page.State, v.page.Topics, v.page.Pace = p.Look.Word, []string{"run:" + run.ID}, 250
	return v.render("task", http.StatusOK, p)
}

// readTask reads all that is shown of a task run, on its page or in a panel.
func readTask(v *view, run *api.Run, seq string, panel bool) (*taskPage, error) {
	src := at("/runs/%/tasks/%", run.ID, seq)
	v.page.Scripts = append(v.page.Scripts, "jsontree.js")
	t, err := get[api.TaskRun](v, src, nil)
	if err != nil {
		return nil, err
	}
	p := &taskPage{
		taskRow: taskRowOf(&t), Run: run, Full: taskURL(t.ID), Src: base[1:] + src,
		Waiting: waitsFor(t.Waiting), Attempts: attempts(&t), Bar: times(&t), Result: documentOf(t.Result), Turns: turns(&t),
	}
	for i := range p.Turns[:max(len(p.Turns)-1, 0)] {
		p.Turns[i+1].Delta = p.Turns[i+1].Time.Sub(p.Turns[i].Time)
	}
	if p.Near, err = around(v, run, &t); err != nil {
		return nil, err
	}
	if t.Cache != nil {
		p.Cache = &cacheBox{CacheUse: *t.Cache, Hit: t.Cache.From != "", FromURL: taskURL(t.Cache.From)}
		report, err := get[api.CacheReport](v, src+"/cache", nil)
		if _, refused := errors.AsType[*problem](err); err != nil && !refused {
			return nil, err
		}
		if err == nil {
			p.Cache.Report = &report
		}
		if _, err := get[api.CacheEntry](v, at("/cache/%", t.Cache.Key), nil); err == nil {
			p.Cache.KeptURL = at("cache/%", t.Cache.Key)
		}
	}
	if v.page.CanWrite {
		p.Actions = taskActions(run, &t, panel)
	}
	p.Lines, err = readLogs(v, src+"/logs", url.Values{"tail": {"50"}})
	return p, err
}

// waitsFor names what a task run waits for, with links to who has it.
func waitsFor(w *api.Waiting) []fact {
	if w == nil {
		return nil
	}
	var facts []fact
	for _, s := range w.Slots {
		facts = append(facts, fact{"Tag", s.Tag, at("limits/%", s.Tag)}, fact{"Slots", number(s.Taken) + " of " + number(s.Limit) + " taken", ""})
		if s.Place > 0 {
			facts = append(facts, fact{"Place in line", number(s.Place), ""})
		}
		for _, h := range s.Holders[:min(len(s.Holders), 5)] {
			facts = append(facts, fact{"Held by", short(h), taskURL(h)})
		}
	}
	if w.TaskRun != "" {
		facts = append(facts, fact{"Held by", short(w.TaskRun), taskURL(w.TaskRun)})
	}
	for _, id := range w.TaskRuns {
		facts = append(facts, fact{"Waits for", short(id), taskURL(id)})
	}
	return facts
}

// attempts reads from the history when the body ran.
func attempts(t *api.TaskRun) []attempt {
	var all []attempt
	for i, h := range t.History {
		if h.State != api.Running {
			continue
		}
		a := attempt{N: cmp.Or(h.Attempt, len(all)+1), Look: looks["RUNNING"], From: h.Time}
		if i+1 < len(t.History) {
			next := t.History[i+1]
			a.To, a.Look, a.Message = next.Time, named(next.State, next.Name), next.Message
			if !next.State.Final() {
				a.Look = looks["FAILED"] // that is why it is tried again
			}
		}
		all = append(all, a)
	}
	slices.Reverse(all)
	return all
}

// times gives how a task run's time went, as parts of a bar.
func times(t *api.TaskRun) []part {
	var parts []part
	for i, h := range t.History {
		if h.State.Final() {
			break
		}
		if i+1 == len(t.History) {
			break // what goes on ticks in the browser
		}
		to := t.History[i+1].Time
		n := max(to.Sub(h.Time).Microseconds(), 0)
		parts = append(parts, part{look: named(h.State, h.Name), N: n, Text: strings.ToLower(h.State.String()) + " for " + span(to.Sub(h.Time))})
	}
	return bar(parts)
}
