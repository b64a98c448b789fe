package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func (env *Env) showOverview(f *facts, o *overview) {
	p := &env.printer
	health, color := "ok", "32"
	if !o.Server.Health.Ready() {
		health, color = "not well", "31"
	}
	f.painted("health", health, color)
	f.line("live runs", liveText(o.Live, o.More))
	rate := func(name string) string {
		v, ok := o.Rates[name]
		if !ok {
			return "?"
		}
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	if len(o.Rates) > 0 {
		f.line("task runs", fmt.Sprintf("%s begun, %s ended, %s failed, %s tried again per second", rate("tasks_started"), rate("tasks_finished"), rate("tasks_failed"), rate("retries")))
		f.line("runs", fmt.Sprintf("%s submitted, %s ended per second", rate("runs_submitted"), rate("runs_finished")))
		var times []string
		for _, t := range []struct{ name, text string }{{"wait_p95", "waited"}, {"run_p95", "ran"}} {
			if ms, ok := o.Rates[t.name]; ok {
				times = append(times, t.text+" "+short(time.Duration(ms*float64(time.Millisecond))))
			}
		}
		if len(times) > 0 {
			f.line("95 of 100", strings.Join(times, ", ")+" or less")
		}
	}
	env.showQueues(f, o.Queues)
	env.showWorkers(f, o.Workers)
	var rows [][]string
	for _, l := range o.Limits[:min(len(o.Limits), topRows)] {
		rows = append(rows, []string{l.Tag, p.number(int64(l.Active)) + "/" + p.number(int64(l.Limit)), p.number(int64(l.Waiting))})
	}
	f.part(heading("limits", len(o.Limits), topRows), []string{"TAG", "IN USE", "WAITING"}, rows)
	rows = nil
	for i := range o.Runs {
		r := &o.Runs[i]
		s := httpapi.SummaryOf(r, env.Now())
		rows = append(rows, []string{r.ID, r.Name, p.state(r.State), p.number(s.Ended) + "/" + p.number(s.Known), p.took(r.Created, r.Finished)})
	}
	f.part("newest live runs", []string{"ID", "NAME", "STATE", "DONE", "FOR"}, rows)
}

// showQueues shows the first few, which [overview.sort] puts there.
func (env *Env) showQueues(f *facts, queues []api.Queue) {
	p := &env.printer
	var rows [][]string
	for _, q := range queues[:min(len(queues), topRows)] {
		state := ""
		switch {
		case !q.Paused.IsZero():
			state = "paused"
		case q.Workers == 0:
			state = "no worker serves it"
		}
		rows = append(rows, []string{q.Name, p.number(int64(q.Ready)), p.number(int64(q.Running)), p.moment(q.Oldest), state})
	}
	f.part(heading("queues", len(queues), topRows), []string{"NAME", "READY", "RUNNING", "OLDEST", ""}, rows)
}

// showWorkers shows the first few.
func (env *Env) showWorkers(f *facts, workers []api.Worker) {
	p := &env.printer
	var rows [][]string
	for i := range workers[:min(len(workers), topRows)] {
		w := &workers[i]
		busy := p.number(int64(w.Busy)) + "/" + p.number(int64(w.Concurrency))
		rows = append(rows, []string{w.Name, busy, p.number(int64(w.Flows)), workerState(w), p.moment(w.Since)})
	}
	f.part(heading("workers", len(workers), topRows), []string{"NAME", "BUSY", "FLOWS", "STATE", "SINCE"}, rows)
}

// heading says how many there are, if not all are shown.
func heading(what string, n, shown int) string {
	if n > shown {
		return fmt.Sprintf("%s, %d of %d", what, shown, n)
	}
	return what
}

// liveText is as in "1 paused, 3 running".
func liveText(live map[string]int, more bool) string {
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(live)) {
		parts = append(parts, fmt.Sprintf("%d %s", live[state], state))
	}
	if more {
		parts = append(parts, "and more")
	}
	return strings.Join(append(parts, "none")[:max(len(parts), 1)], ", ")
}

// short is span for what may be less than a tenth of a second.
func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(10 * time.Microsecond).String()
	}
	return span(d)
}
