package web

import (
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

var flowRoutes = []route{
	{"GET /flows", showFlows},
	{"GET /flows/{name}", showFlow},
	{"GET /flows/{name}/start", askStart},
	{"POST /flows/{name}/start", doStart},
}

// flowRow is a registered task or flow in a table.
type flowRow struct {
	api.TaskInfo

	URL   string
	Types string // what it takes and gives
	Last  []square
	Next  time.Time // when a schedule runs it
	Of    int       // runs that have ended, of the newest ones
	Bad   int       // of those, in how many a call of it failed

	took  []time.Duration // by those runs
	usual                 // of took; 0: none has ended
}

// square is a run as a square of its state's colour.
type square struct {
	Look look
	URL  string
	Text string
	Took time.Duration // 0 while it is live
}

func squareOf(r *api.Run) square {
	text := r.Name + ", " + clock(r.Created)
	if r.Schedule != nil {
		text = "for " + clock(r.Schedule.At)
	}
	s := square{Look: lookOf(r.State), URL: at("runs/%", r.ID), Text: text}
	if r.State.Final() {
		s.Took = r.Finished.Sub(r.Created)
	}
	return s
}

// shownSquares is how many runs stand beside a flow.
const shownSquares = 10

type flowsPage struct {
	Flows, Tasks []flowRow
}

func showFlows(v *view) error {
	v.page.Title, v.page.Nav, v.page.Topics = "Flows", "flows", []string{"runs", "workers", "schedules"}
	rows, err := flowRows(v)
	if err != nil {
		return err
	}
	next, err := nextTimes(v)
	if err != nil {
		return err
	}
	var body flowsPage
	for _, row := range rows {
		row.Next = next[row.Name]
		if row.Kind == "flow" {
			body.Flows = append(body.Flows, row)
		} else {
			body.Tasks = append(body.Tasks, row)
		}
	}
	return v.show("flows", http.StatusOK, body)
}

// flowRows gives all that is registered, with how the newest runs of each went. Those are
// read once, not for each name.
func flowRows(v *view) ([]flowRow, error) {
	known, err := get[httpapi.List[api.TaskInfo]](v, "/flows", nil)
	if err != nil {
		return nil, err
	}
	runs, err := get[list[api.Run]](v, "/runs", url.Values{"limit": {"500"}})
	if err != nil {
		return nil, err
	}
	rows := make([]flowRow, 0, len(known.Items))
	for i := range known.Items {
		row := flowRowOf(&known.Items[i])
		for j := range runs.Items {
			row.ran(&runs.Items[j])
		}
		slices.Reverse(row.Last)
		row.usual = usualOf(row.took)
		rows = append(rows, row)
	}
	return rows, nil
}

func flowRowOf(t *api.TaskInfo) flowRow {
	return flowRow{TaskInfo: *t, URL: at("flows/%", t.Name), Types: "(" + strings.Join(t.Params, ", ") + ") → " + t.Result}
}

// ran notes a run that called it.
func (f *flowRow) ran(r *api.Run) {
	counts, called := r.Tasks[f.Name]
	if !called && r.Name != f.Name {
		return
	}
	if len(f.Last) < shownSquares {
		f.Last = append(f.Last, squareOf(r))
	}
	if r.State.Final() {
		f.Of++
		f.took = append(f.took, r.Finished.Sub(r.Created))
		if counts.Failed > 0 {
			f.Bad++
		}
	}
}

// nextTimes gives when schedules run which task next.
func nextTimes(v *view) (map[string]time.Time, error) {
	all, err := get[list[api.Schedule]](v, "/schedules", url.Values{"limit": {"200"}})
	next := map[string]time.Time{}
	for i := range all.Items {
		s := &all.Items[i]
		name := firstTask(s.Pipeline)
		if len(s.Next) > 0 && (next[name].IsZero() || s.Next[0].Before(next[name])) {
			next[name] = s.Next[0]
		}
	}
	return next, err
}

// firstTask gives the name of the task that a pipeline begins with, "" for a group.
func firstTask(pipeline []byte) string {
	task, _ := oneCall(pipeline)
	return task
}

// oneCall reads the first step of a pipeline, if it is a call.
func oneCall(pipeline []byte) (task string, args []json.RawMessage) {
	var p struct {
		Steps []struct {
			Task string            `json:"task"`
			Args []json.RawMessage `json:"args"`
		} `json:"steps"`
	}
	if json.Unmarshal(pipeline, &p) != nil || len(p.Steps) == 0 {
		return "", nil
	}
	return p.Steps[0].Task, p.Steps[0].Args
}

// flowPage is one registered task or flow.
type flowPage struct {
	flowRow

	Facts     []fact
	Runs      []runRow
	All       string // URL of all runs of it
	Schedules []link
	Drawing   template.HTML
	Example   string // a command that runs it
}

func showFlow(v *view) error {
	name := v.r.PathValue("name")
	t, err := get[api.TaskInfo](v, at("/flows/%", name), nil)
	if err != nil {
		return err
	}
	v.page.Title, v.page.Nav, v.page.Crumb, v.page.Topics = t.Name, "flows", []link{{"Flows", "flows"}}, []string{"runs", "schedules"}
	runs, err := get[list[api.Run]](v, "/runs", url.Values{"q": {"task:" + quoted(name)}, "limit": {"20"}})
	if err != nil {
		return err
	}
	schedules, err := get[list[api.Schedule]](v, "/schedules", url.Values{"limit": {"200"}})
	if err != nil {
		return err
	}
	drawing, err := v.request(http.MethodGet, at("/flows/%/graph", name), url.Values{"format": {"svg"}}, nil, nil)
	if err != nil {
		return err
	}
	if err := v.frame(); err != nil {
		return err
	}
	body := flowPage{flowRow: flowRowOf(&t), Facts: factsOf(&t), Example: exampleOf(&t), All: "runs?" + url.Values{"q": {"task:" + quoted(name)}}.Encode()}
	if drawing.body.Len() <= maxSVG {
		body.Drawing = template.HTML(drawing.body.String()) //nolint:gosec // internal/graphview made it, which escapes names
	}
	for i := range runs.Items {
		body.Runs = append(body.Runs, rowOf(&runs.Items[i]))
		body.ran(&runs.Items[i])
	}
	body.usual = usualOf(body.took)
	for i := range schedules.Items {
		if s := &schedules.Items[i]; firstTask(s.Pipeline) == name {
			body.Schedules = append(body.Schedules, link{s.Name, at("schedules/%", s.Name)})
		}
	}
	return v.render("flow", http.StatusOK, body)
}

// factsOf tells what a task was declared with.
func factsOf(t *api.TaskInfo) []fact {
	o := &t.Options
	facts := []fact{{"Kind", t.Kind, ""}, {"Takes", strings.Join(t.Params, ", "), ""}, {"Gives", t.Result, ""}, {"Package", t.Package, ""}}
	if len(t.Params) == 0 {
		facts[1].Text = "nothing"
	}
	for _, tag := range slices.Concat(o.Tags, o.AddTags) {
		facts = append(facts, fact{"Tag", tag, "tasks?" + url.Values{"q": {"tag:" + quoted(tag)}}.Encode()})
	}
	for _, f := range []struct {
		name string
		d    api.Duration
	}{{"Time-out", o.Timeout}, {"Heartbeat", o.HeartbeatTimeout}, {"Kept in the cache", o.CacheExpiration}, {"Starts after", o.StartAfter}} {
		if f.d > 0 {
			facts = append(facts, fact{f.name, span(time.Duration(f.d)), ""})
		}
	}
	if o.Retry != nil && o.Retry.Max > 0 {
		facts = append(facts, fact{"Retries", number(o.Retry.Max), ""})
	}
	if o.Queue != "" {
		facts = append(facts, fact{"Queue", o.Queue, "workers"})
	}
	if o.Priority != nil {
		facts = append(facts, fact{"Priority", number(*o.Priority), ""})
	}
	return facts
}

// exampleOf is a command that runs a task or flow.
func exampleOf(t *api.TaskInfo) string {
	return "runnel run start " + shell(t.Name) + strings.Repeat(" ARG", len(t.Params))
}
