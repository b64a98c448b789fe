package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// graphTab is the run as a graph. SVG is what who has no JavaScript sees.
type graphTab struct {
	Src   string // what the island reads
	SVG   template.HTML
	Forms []link // the graph in other forms
}

// maxSVG is how large a drawing is put into the page.
const maxSVG = 200 << 10

func fillGraph(v *view, p *runPage) error {
	src := at("/runs/%/graph", p.Run.ID)
	q := url.Values{"format": {"svg"}}
	for _, name := range []string{"open", "problems"} {
		if values := v.r.URL.Query()[name]; len(values) > 0 {
			q[name] = values
		}
	}
	a, err := v.request(http.MethodGet, src, q, nil, nil)
	if err != nil {
		return err
	}
	v.page.Scripts = []string{"graph.js"}
	p.Graph = &graphTab{Src: base[1:] + src}
	if a.body.Len() <= maxSVG {
		p.Graph.SVG = template.HTML(a.body.String()) //nolint:gosec // internal/graphview made it, which escapes names
	}
	for _, f := range []link{{"SVG", "svg"}, {"Mermaid", "mermaid"}, {"DOT", "dot"}, {"text", "text"}} {
		p.Graph.Forms = append(p.Graph.Forms, link{f.Name, p.Graph.Src + "?format=" + f.URL})
	}
	return nil
}

// timelineTab is when each task run waited and ran. Rows are what who has no JavaScript
// sees.
type timelineTab struct {
	taskTable

	Src string
}

func fillTimeline(v *view, p *runPage) error {
	t, err := readTasks(v, at("/runs/%/tasks", p.Run.ID), "")
	if err != nil {
		return err
	}
	t.OneRun = true
	v.page.Scripts = []string{"timeline.js"}
	p.Timeline = &timelineTab{taskTable: t, Src: base[1:] + at("/runs/%/timeline", p.Run.ID)}
	return nil
}

// logsTab is the run's log. Lines are the last ones, for who has no JavaScript.
type logsTab struct {
	Src   string
	T0    int64  // when the run was created, as the timeline counts: milliseconds since 1970
	Names string // of its tasks, as JSON
	Lines []logLine
}

type logLine struct {
	api.LogLine

	Seq int64
	URL string
}

// lastLines is how many lines are in the page.
const lastLines = "200"

func fillLogs(v *view, p *runPage) error {
	src := at("/runs/%/logs", p.Run.ID)
	ask := url.Values{"tail": {lastLines}}
	t0 := p.Run.Created.UnixMilli()
	if from, to, ok := stretch(v.r.URL.Query().Get("between")); ok {
		ask.Set("since", iso(time.UnixMilli(t0+int64(from))))
		ask.Set("until", iso(time.UnixMilli(t0+int64(to)+1)))
	}
	lines, err := readLogs(v, src, ask)
	if err != nil {
		return err
	}
	names, err := json.Marshal(slices.Sorted(maps.Keys(p.Run.Tasks)))
	v.page.Scripts = []string{"logs.js"}
	p.Logs = &logsTab{Src: base[1:] + src, T0: t0, Names: string(names), Lines: lines}
	return err
}

// stretch reads the stretch of time that the timeline and the log have in common, as in
// "12.5-400": milliseconds since the run was created.
func stretch(text string) (from, to float64, ok bool) {
	a, b, _ := strings.Cut(text, "-")
	from, err1 := strconv.ParseFloat(a, 64)
	to, err2 := strconv.ParseFloat(b, 64)
	const most = 1e13 // more than any run is old
	return from, to, err1 == nil && err2 == nil && from >= 0 && from < to && to < most
}

// readLogs reads lines, each of which is an object of its own.
func readLogs(v *view, src string, q url.Values) ([]logLine, error) {
	a, err := v.request(http.MethodGet, src, q, nil, nil)
	if err != nil {
		return nil, err
	}
	var lines []logLine
	for text := range bytes.Lines(a.body.Bytes()) {
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var l logLine
		if err := json.Unmarshal(text, &l.LogLine); err != nil {
			return nil, err
		}
		l.Seq, l.URL = seqOf(l.TaskRun), taskURL(l.TaskRun)
		lines = append(lines, l)
	}
	return lines, nil
}

// dataTab is what went in and what came out.
type dataTab struct {
	Params, Result, State document
	Args                  bool // Params are the arguments of one call, of Task
	Task                  string
	Command               string // that starts the same
	Failure               *api.Failure
	Pending               bool
}

// document is a value as JSON.
type document struct {
	Text string
	Size int
}

// maxJSON is how much of a value is put into a page.
const maxJSON = 64 << 10

func documentOf(raw []byte) document {
	d := document{Size: len(raw)}
	var b bytes.Buffer
	switch {
	case len(raw) == 0:
	case len(raw) > maxJSON:
		d.Text = strings.ToValidUTF8(string(raw[:maxJSON]), "") + "\n… cut here"
	case json.Indent(&b, raw, "", "  ") != nil:
		d.Text = string(raw)
	default:
		d.Text = b.String()
	}
	return d
}

func fillData(v *view, p *runPage) error {
	raw, err := get[json.RawMessage](v, at("/runs/%/pipeline", p.Run.ID), nil)
	if err != nil {
		return err
	}
	v.page.Scripts = []string{"jsontree.js"}
	p.Data = &dataTab{Params: documentOf(raw)}
	if spec, err := api.ParseSpec(raw); err == nil && len(spec.Steps) == 1 && spec.Steps[0].Call != nil {
		c := spec.Steps[0].Call
		p.Data.Args, p.Data.Task = true, c.Task
		args, err := json.Marshal(slices.Concat([]json.RawMessage{}, c.Args))
		if err != nil {
			return err
		}
		p.Data.Params = documentOf(args)
		if info, err := get[api.TaskInfo](v, at("/flows/%", c.Task), nil); err == nil { // else it is not registered any more
			p.Data.Command = startLine(&info, &httpapi.SubmitRequest{Args: c.Args}, url.Values{})
		}
	}
	out, err := get[httpapi.Outcome](v, at("/runs/%/result", p.Run.ID), nil)
	if no, ok := errors.AsType[*problem](err); ok && no.Status == http.StatusConflict {
		p.Data.Pending = true
		return nil
	}
	p.Data.Result, p.Data.State, p.Data.Failure = documentOf(out.Result), documentOf(out.FinalState), out.Failure
	return err
}

// historyTab is what became of the run, in order.
type historyTab struct {
	Query  string // which task runs it is of; "": all, and the run itself
	Events []event
	Cut    bool // there are more task runs than were looked at
	Audit  bool // what people did is among them
}

// event is something that happened.
type event struct {
	Time     time.Time
	Look     look
	Text     string
	Who, Why string
	Name     string // of the task run, "" for the run
	URL      string // of it
	Delta    time.Duration
}

// historyTasks is of how many task runs the history shows each turn.
const historyTasks = 200

func fillHistory(v *view, p *runPage) error {
	if v.r.URL.Query().Get("show") == "events" {
		return fillEvents(v, p)
	}
	h := &historyTab{Query: strings.TrimSpace(v.r.URL.Query().Get("q"))}
	p.History = h
	ask := url.Values{"limit": {number0(historyTasks)}}
	if h.Query != "" {
		ask.Set("q", h.Query)
	} else {
		h.Events = runTurns(p)
	}
	tasks, err := get[list[api.TaskRun]](v, at("/runs/%/tasks", p.Run.ID), ask)
	if err != nil {
		return err
	}
	h.Cut = tasks.NextCursor != nil
	for i := range tasks.Items {
		t := &tasks.Items[i]
		for _, e := range turns(t) {
			e.Name, e.URL = t.Name, panelURL(p, t.ID)
			h.Events = append(h.Events, e)
		}
	}
	if h.Query == "" {
		if err := h.people(v, p.Run.ID); err != nil {
			return err
		}
	}
	slices.SortStableFunc(h.Events, func(a, b event) int { return a.Time.Compare(b.Time) })
	for i := 1; i < len(h.Events); i++ {
		h.Events[i].Delta = h.Events[i].Time.Sub(h.Events[i-1].Time)
	}
	return nil
}

// runTurns gives what became of the run itself.
func runTurns(p *runPage) []event {
	created := event{Time: p.Run.Created, Look: looks["PENDING"], Text: "created"}
	if s := p.Run.Schedule; s != nil {
		created.Text = "created by schedule " + s.Name + " for " + clock(s.At) + " UTC"
	}
	if !p.Run.State.Final() {
		return []event{created}
	}
	end := event{Time: p.Run.Finished, Look: p.Look, Text: p.Look.Word}
	if p.Run.Failure != nil {
		end.Why = firstLine(p.Run.Failure.Message)
	}
	return []event{created, end}
}

// turns gives what became of a task run.
func turns(t *api.TaskRun) []event {
	var all []event
	for _, h := range t.History {
		e := event{Time: h.Time, Look: named(h.State, h.Name), Text: h.State.String(), Why: h.Message}
		e.Text = cmp.Or(spaced(h.Name), e.Look.Word)
		if h.Attempt > 1 || t.Attempt > 1 && h.Attempt > 0 {
			e.Text += ", attempt " + number(h.Attempt)
		}
		all = append(all, e)
	}
	return all
}

// people adds what was done to the run by request. The audit is for admins.
func (h *historyTab) people(v *view, run string) error {
	events, allowed, err := asked(v, base+"/runs/"+run, func(_ *httpapi.Audited, verb string) string {
		if verb == "" {
			return ""
		}
		return "asked to " + strings.ReplaceAll(verb, "/", " ")
	})
	h.Audit, h.Events = allowed, append(h.Events, events...)
	return err
}

// asked gives what was changed by request of the thing at a path of the API, the newest
// last; nothing, and false, to whoever may not read the audit. say names what was done
// under the path, "" for what is not to be told.
func asked(v *view, path string, say func(a *httpapi.Audited, rest string) string) (events []event, allowed bool, err error) {
	path, err = url.PathUnescape(path)
	if err != nil {
		return nil, false, err
	}
	audit, err := get[list[httpapi.Audited]](v, "/audit", url.Values{"limit": {"500"}, "path": {path}})
	if no, ok := errors.AsType[*problem](err); ok && no.Status == http.StatusForbidden {
		return nil, false, nil
	}
	for _, a := range slices.Backward(audit.Items) {
		rest, deeper := strings.CutPrefix(a.Path, path+"/")
		if !deeper && a.Path != path {
			continue // of another one, whose name begins so
		}
		if !deeper {
			rest = ""
		}
		e := event{Time: a.Time, Look: look{"asked", "●"}, Text: say(&a, rest), Who: cmp.Or(a.Who, a.From), Why: a.Reason}
		if e.Text == "" {
			continue
		}
		if a.Status >= http.StatusBadRequest {
			e.Text += ", refused"
		}
		events = append(events, e)
	}
	return events, err == nil, err
}
