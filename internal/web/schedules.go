package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

var scheduleRoutes = []route{
	{"GET /schedules", showSchedules},
	{"GET /schedules/{name}", showSchedule},
	{"GET /new/schedule", askNewSchedule},
	{"POST /new/schedule", makeSchedule},
	{"GET /schedules/{name}/edit", askEditSchedule},
	{"POST /schedules/{name}/edit", editSchedule},
	{"GET /schedules/{name}/trigger", askTrigger},
	{"POST /schedules/{name}/trigger", doTrigger},
	{"GET /schedules/{name}/pause", func(v *view) error { return askTurn(v, "pause") }},
	{"POST /schedules/{name}/pause", func(v *view) error { return doTurn(v, "pause") }},
	{"GET /schedules/{name}/resume", func(v *view) error { return askTurn(v, "resume") }},
	{"POST /schedules/{name}/resume", func(v *view) error { return doTurn(v, "resume") }},
	{"GET /schedules/{name}/skip", askSkip},
	{"POST /schedules/{name}/skip", doSkip},
	{"GET /schedules/{name}/backfill", askBackfill},
	{"POST /schedules/{name}/backfill", doBackfill},
	{"GET /schedules/{name}/delete", askDeleteSchedule},
	{"POST /schedules/{name}/delete", deleteSchedule},
}

// scheduleRow is a schedule in a table.
type scheduleRow struct {
	api.Schedule

	URL   string
	Runs  string // what it runs, as one word
	Words string // its times
	Spec  string // the same as it was written
	First time.Time
	Past  []square // its last runs, oldest first
	Verbs []action
}

type schedulesPage struct {
	Rows    []scheduleRow
	Pager   pager
	Actions []action
	Day     *day
}

// shownStates bounds how many runs of schedules are read for a page.
const shownStates = 280

func showSchedules(v *view) error {
	v.page.Title, v.page.Nav, v.page.Topics = "Schedules", "schedules", []string{"schedules", "runs"}
	ask := url.Values{"limit": {"50"}}
	if c := v.r.URL.Query().Get("cursor"); c != "" {
		ask.Set("cursor", c)
	}
	found, err := get[list[api.Schedule]](v, "/schedules", ask)
	if err != nil {
		return err
	}
	if err := v.frame(); err != nil {
		return err
	}
	body := schedulesPage{Pager: paging(v.r.URL, found.NextCursor, len(found.Items))}
	left := shownStates
	for i := range found.Items {
		row := v.scheduleRow(&found.Items[i])
		n := min(len(row.Last), left)
		left -= n
		if row.Past, err = squaresOf(v, row.Last[:n]); err != nil {
			return err
		}
		body.Rows = append(body.Rows, row)
	}
	if body.Day, err = readDay(v, body.Rows); err != nil {
		return err
	}
	if v.page.CanWrite {
		body.Actions = []action{{Name: "New schedule", URL: "new/schedule", First: true}}
	}
	return v.render("schedules", http.StatusOK, body)
}

func (v *view) scheduleRow(s *api.Schedule) scheduleRow {
	row := scheduleRow{Schedule: *s, URL: at("schedules/%", s.Name), Runs: firstTask(s.Pipeline), Words: words(&s.Timetable), Spec: s.Timetable.Cron}
	if row.Spec == "" {
		row.Spec = "every " + time.Duration(s.Timetable.Every).String()
	}
	if row.Runs == "" {
		row.Runs = "a pipeline"
	}
	if len(s.Next) > 0 {
		row.First = s.Next[0]
	}
	if v.page.CanWrite {
		row.Verbs = []action{{Name: "Trigger", URL: row.URL + "/trigger"}, {Name: turnOf(s), URL: row.URL + "/" + strings.ToLower(turnOf(s))}}
	}
	return row
}

func turnOf(s *api.Schedule) string {
	if s.Paused {
		return "Resume"
	}
	return "Pause"
}

// squaresOf reads runs that a schedule made, newest first, and gives them oldest first.
// Those that are gone are left out.
func squaresOf(v *view, last []api.ScheduledRun) ([]square, error) {
	var out []square
	for _, l := range slices.Backward(last) {
		r, err := get[api.Run](v, at("/runs/%", l.Run), nil)
		if p, ok := errors.AsType[*problem](err); ok && p.Status == http.StatusNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		s := squareOf(&r)
		s.Text = "for " + clock(l.At) + " UTC"
		out = append(out, s)
	}
	return out, nil
}

// schedulePage is one schedule.
type schedulePage struct {
	scheduleRow

	Times  []moment // the next
	Around []moment // those when the clocks are changed
	Change string
	What   document
	Made   []runRow
	Facts  []fact
	All    string // URL of all its runs
	Verbs  []action
}

func (v *view) schedule() (*api.Schedule, string, http.Header, error) {
	s, version, err := written[api.Schedule](v, at("/schedules/%", v.r.PathValue("name")))
	u := at("schedules/%", s.Name)
	v.page.Nav, v.page.Crumb = "schedules", []link{{"Schedules", "schedules"}, {s.Name, u}}
	return &s, u, version, err
}

func showSchedule(v *view) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	v.page.Title, v.page.Crumb, v.page.Topics = s.Name, []link{{"Schedules", "schedules"}}, []string{"schedules", "runs"}
	if err := v.frame(); err != nil {
		return err
	}
	body := schedulePage{scheduleRow: v.scheduleRow(s), What: documentOf(s.Pipeline), Facts: scheduleFacts(s)}
	body.All = "runs?" + url.Values{"q": {"schedule:" + quoted(s.Name)}}.Encode()
	if !s.Paused {
		next, err := get[struct{ Times []time.Time }](v, at("/schedules/%/next", s.Name), url.Values{"n": {"10"}})
		if err != nil {
			return err
		}
		body.Times = momentsOf(next.Times, zoneOf(&s.Timetable))
	}
	if body.Change, body.Around, err = v.around(&s.Timetable); err != nil {
		return err
	}
	for _, l := range s.Last {
		r, err := get[api.Run](v, at("/runs/%", l.Run), nil)
		if p, ok := errors.AsType[*problem](err); ok && p.Status == http.StatusNotFound {
			continue
		}
		if err != nil {
			return err
		}
		body.Made = append(body.Made, rowOf(&r))
	}
	if v.page.CanWrite {
		body.Verbs = []action{
			{Name: "Trigger", URL: u + "/trigger", First: true},
			{Name: turnOf(s), URL: u + "/" + strings.ToLower(turnOf(s))},
			{Name: "Skip next", URL: u + "/skip"},
			{Name: "Backfill", URL: u + "/backfill"},
			{Name: "Delete", URL: u + "/delete", Danger: true},
		}
		if s.Paused {
			body.Verbs = slices.DeleteFunc(body.Verbs, func(a action) bool { return a.Name == "Skip next" })
		}
	}
	return v.render("schedule", http.StatusOK, body)
}

func scheduleFacts(s *api.Schedule) []fact {
	facts := []fact{
		{"While the last run is live", overlapSays[s.Overlap], ""},
		{"Times nobody attended", catchUpSays[s.CatchUp], ""},
		{"At most late by", span(time.Duration(s.Window)), ""},
		{"Made", plural(int(s.Made), "run") + ", " + number(s.Live) + " live", ""},
		{"Skipped", number(s.Skipped), ""},
		{"Missed", number(s.Missed), ""},
	}
	for _, tag := range s.Tags {
		facts = append(facts, fact{"Tag", tag, ""})
	}
	return facts
}

var overlapSays = map[api.Overlap]string{
	api.OverlapSkip: "skip", api.OverlapAllow: "run beside it", api.OverlapQueue: "wait for its end", api.OverlapCancel: "cancel it",
}

var catchUpSays = map[api.CatchUp]string{api.CatchUpLatest: "one run, for the last", api.CatchUpAll: "a run for each", api.CatchUpNone: "none"}

// pipelineOf gives what a form says is to be run: a pipeline, or a task and its
// arguments.
func pipelineOf(form url.Values) (task string, args []json.RawMessage, pipeline json.RawMessage, err error) {
	task = strings.TrimSpace(form.Get("task"))
	text := strings.TrimSpace(form.Get("pipeline"))
	switch {
	case task == "" && text == "":
		return "", nil, nil, fault("task", "What is to be run? Name a task or flow, or give a pipeline.")
	case task != "" && text != "":
		return "", nil, nil, fault("pipeline", "Name a task or flow, or give a pipeline, not both.")
	case text != "":
		if !json.Valid([]byte(text)) {
			return "", nil, nil, fault("pipeline", "This is no JSON.")
		}
		return "", nil, json.RawMessage(text), nil
	}
	if text := strings.TrimSpace(form.Get("args")); text != "" {
		if err := json.Unmarshal([]byte(text), &args); err != nil {
			return "", nil, nil, fault("args", "This is no JSON array: %v.", err)
		}
	}
	return task, args, nil, nil
}
