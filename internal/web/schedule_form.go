package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// zones are suggested; any name of the IANA database will do.
var zones = []string{
	"UTC", "Europe/London", "Europe/Berlin", "Europe/Athens", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
	"America/Sao_Paulo", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney",
}

func scheduleFields(s *api.Schedule, flows []string) []field {
	fields := []field{
		{Name: "task", Label: "Task or flow", Suggest: flows},
		{Name: "args", Label: "Its arguments, a JSON array", Place: "[]"},
		{Name: "pipeline", Label: "Or a pipeline, as JSON", Long: true, Note: "docs/pipeline-json.md has its form."},
		{Name: "cron", Label: "At these times", Place: "30 2 * * *", Note: "Minute, hour, day of month, month, day of week; or such as @daily."},
		{Name: "every", Label: "Or every", Place: "15m"},
		{Name: "zone", Label: "In the time zone", Place: "UTC", Suggest: zones},
		{Name: "overlap", Label: "While the last run is live", Choices: []string{"skip", "allow", "queue", "cancel"}, Note: "Make no run, make one beside it, make it afterwards, or cancel the live one."},
		{Name: "catch_up", Label: "Of times that nobody attended", Choices: []string{"latest", "all", "none"}},
		{Name: "window", Label: "At most late by", Place: "1h"},
		{Name: "tags", Label: "Tags", Place: "none", Note: "Of all its task runs; commas between them."},
	}
	if s == nil {
		return fields
	}
	var pretty string
	if doc := documentOf(s.Pipeline); len(s.Pipeline) <= maxJSON {
		pretty = doc.Text
	}
	every := ""
	if s.Timetable.Every > 0 {
		every = time.Duration(s.Timetable.Every).String()
	}
	for i, value := range []string{"", "", pretty, s.Timetable.Cron, every, s.Timetable.Zone, string(s.Overlap), string(s.CatchUp), time.Duration(s.Window).String(), strings.Join(s.Tags, ", ")} {
		fields[i].Value = value
	}
	return fields
}

// scheduleSent reads the form.
func scheduleSent(form url.Values) (*httpapi.ScheduleRequest, error) {
	r, err := timetableSent(form)
	if err != nil {
		return nil, err
	}
	r.Task, r.Args, r.Pipeline, err = pipelineOf(form)
	if err != nil {
		return nil, err
	}
	r.Overlap, r.CatchUp = api.Overlap(form.Get("overlap")), api.CatchUp(form.Get("catch_up"))
	if text := strings.TrimSpace(form.Get("window")); text != "" {
		if err := r.Window.UnmarshalText([]byte(text)); err != nil || r.Window < 0 {
			return nil, fault("window", "“%s” is no time span such as 1h.", text)
		}
	}
	for tag := range strings.SplitSeq(form.Get("tags"), ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			r.Tags = append(r.Tags, tag)
		}
	}
	return r, nil
}

// timetableSent reads when.
func timetableSent(form url.Values) (*httpapi.ScheduleRequest, error) {
	r := &httpapi.ScheduleRequest{Timetable: api.Timetable{Cron: strings.TrimSpace(form.Get("cron")), Zone: strings.TrimSpace(form.Get("zone"))}}
	if text := strings.TrimSpace(form.Get("every")); text != "" {
		if err := r.Timetable.Every.UnmarshalText([]byte(text)); err != nil || r.Timetable.Every <= 0 {
			return nil, fault("every", "“%s” is no time span such as 15m.", text)
		}
	}
	switch {
	case r.Timetable.Cron == "" && r.Timetable.Every == 0:
		return nil, fault("cron", "At which times? Give an expression, or a time span below.")
	case r.Timetable.Cron != "" && r.Timetable.Every != 0:
		return nil, fault("every", "Give an expression or a time span, not both.")
	}
	return r, nil
}

// timely checks a timetable before it is sent, so that what is wrong with it is told where
// it belongs.
func (v *view) timely(t *api.Timetable) error {
	_, err := v.preview(t, v.site.now(), 1)
	p, ok := errors.AsType[*problem](err)
	switch {
	case !ok || p.Status != http.StatusUnprocessableEntity:
		return err
	case strings.Contains(p.Detail, "time zone"):
		return fault("zone", "%s", p.Detail)
	case t.Every > 0:
		return fault("every", "%s", p.Detail)
	}
	return fault("cron", "%s", p.Detail)
}

// schedulePreview shows what comes of the form so far.
func (v *view) schedulePreview(s *sheet, form url.Values) error {
	r, err := timetableSent(form)
	if err == nil {
		var times []time.Time
		if times, err = v.preview(&r.Timetable, v.site.now(), 10); err == nil {
			s.Times = momentsOf(times, zoneOf(&r.Timetable))
			s.Change, s.Around, err = v.around(&r.Timetable)
		}
	}
	if p, ok := errors.AsType[*problem](err); ok {
		s.Soft = p.Detail
		return nil
	}
	return err
}

func newScheduleForm(v *view) (*sheet, error) {
	v.page.Nav, v.page.Crumb = "schedules", []link{{"Schedules", "schedules"}}
	flows, err := get[httpapi.List[api.TaskInfo]](v, "/flows", nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range flows.Items {
		names = append(names, f.Name)
	}
	return &sheet{Preview: true, confirmation: confirmation{
		Title: "New schedule", Fields: append([]field{{Name: "name", Label: "Name", Required: true}}, scheduleFields(nil, names)...),
		Reason: true, Action: "new/schedule", Button: "Create the schedule", Back: "schedules",
	}}, nil
}

func askNewSchedule(v *view) error {
	form, err := newScheduleForm(v)
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	if q.Get("cron") != "" || q.Get("every") != "" {
		if err := v.schedulePreview(form, q); err != nil {
			return err
		}
	} else {
		form.Soft = "Its next times stand here once you have said when."
	}
	return v.open(form, q)
}

func makeSchedule(v *view) error {
	name := v.text("name")
	form, err := newScheduleForm(v)
	if err != nil {
		return err
	}
	r, err := scheduleSent(v.form())
	if err == nil {
		err = v.timely(&r.Timetable)
	}
	if err == nil && name == "" {
		err = fault("name", "Type a name.")
	}
	if err == nil {
		if _, known := get[json.RawMessage](v, at("/schedules/%", name), nil); known == nil {
			err = fault("name", "There is a schedule of this name already: change that one.")
		}
	}
	if err == nil {
		_, err = change[api.Schedule](v, http.MethodPut, at("/schedules/%", name), r)
	}
	if err != nil {
		return v.reschedule(form, err)
	}
	return v.done(at("schedules/%", name), "The schedule “"+name+"” is there.")
}

// reschedule shows the form again, with what comes of it.
func (v *view) reschedule(form *sheet, err error) error {
	if p := v.schedulePreview(form, v.form()); p != nil {
		return p
	}
	return v.reopen(form, err)
}

func editForm(s *api.Schedule, u string) *sheet {
	return &sheet{Preview: true, confirmation: confirmation{
		Title: "Change the schedule “" + s.Name + "”", Fields: scheduleFields(s, nil), Hidden: []link{{"was", s.Updated.Format(time.RFC3339Nano)}},
		Reason: true, Action: u + "/edit", Button: "Change the schedule", Back: u,
	}}
}

func askEditSchedule(v *view) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	form, q := editForm(s, u), v.r.URL.Query()
	if !q.Has("shown") && !q.Has("cron") {
		q = url.Values{"cron": {s.Timetable.Cron}, "zone": {s.Timetable.Zone}}
		if s.Timetable.Every > 0 {
			q.Set("every", time.Duration(s.Timetable.Every).String())
		}
	}
	if err := v.schedulePreview(form, q); err != nil {
		return err
	}
	return v.open(form, q)
}

func editSchedule(v *view) error {
	s, u, version, err := v.schedule()
	if err != nil {
		return err
	}
	r, err := scheduleSent(v.form())
	if was := v.text("was"); err == nil && was != "" && was != s.Updated.Format(time.RFC3339Nano) {
		err = &problem{Status: http.StatusPreconditionFailed, Code: httpapi.CodePrecondition, Detail: "Somebody has changed it since you looked; look at it again, then decide."}
	}
	if err == nil {
		r.Timetable.From = s.Timetable.From
		err = v.timely(&r.Timetable)
	}
	if err == nil {
		_, err = changeWith[api.Schedule](v, http.MethodPut, at("/schedules/%", s.Name), r, version)
	}
	if err != nil {
		return v.reschedule(editForm(s, u), err)
	}
	return v.done(u, "The schedule “"+s.Name+"” is changed.")
}
