package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func askTrigger(v *view) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	return v.confirm(&confirmation{
		Title: "Make a run of “" + s.Name + "” now?", Text: []string{number(s.Live) + " of its runs are live. What happens while one is: " + overlapSays[s.Overlap] + ". Its times stay as they are."},
		Reason: true, Action: u + "/trigger", Button: "Trigger", Back: u,
	})
}

func doTrigger(v *view) error {
	s, _, _, err := v.schedule()
	if err != nil {
		return err
	}
	run, err := change[httpapi.RunDetail](v, http.MethodPost, at("/schedules/%/trigger", s.Name), nil)
	if err != nil {
		return err
	}
	return v.done(at("runs/%", run.ID), "The schedule “"+s.Name+"” has made this run.")
}

func askSkip(v *view) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	if len(s.Next) == 0 {
		return &problem{Status: http.StatusConflict, Code: api.ErrConflict.Code, Title: "There is nothing to skip", Detail: "The schedule “" + s.Name + "” has no next time."}
	}
	text := []string{"It makes no run for " + momentsOf(s.Next[:1], zoneOf(&s.Timetable))[0].Text + "."}
	if len(s.Next) > 1 {
		text = append(text, "It goes on with "+momentsOf(s.Next[1:2], zoneOf(&s.Timetable))[0].Text+".")
	}
	return v.confirm(&confirmation{
		Title: "Skip the next run of “" + s.Name + "”?", Text: text, Hidden: []link{{"at", instant(s.Next[0])}},
		Reason: true, Action: u + "/skip", Button: "Skip it", Back: u,
	})
}

// doSkip skips the time that was shown to who skips it, not the one after it.
func doSkip(v *view) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	if was := v.text("at"); len(s.Next) == 0 || was != "" && was != instant(s.Next[0]) {
		v.tell(&flash{Text: "That time has come meanwhile, or somebody has skipped it.", Bad: true})
		return v.redirect(u)
	}
	if _, err := change[api.Schedule](v, http.MethodPost, at("/schedules/%/skip", s.Name), nil); err != nil {
		return err
	}
	return v.done(u, "The next run of “"+s.Name+"” is skipped.")
}

// askTurn asks whether a schedule is to be paused, or resumed.
func askTurn(v *view, verb string) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	c := &confirmation{Title: "Pause the schedule “" + s.Name + "”?", Text: []string{"It makes no runs until it is resumed. Those that are live go on."}, Button: "Pause", Reason: true, Action: u + "/" + verb, Back: u}
	if verb == "resume" {
		c.Title, c.Text, c.Button = "Resume the schedule “"+s.Name+"”?", []string{"It goes on from its next time; those that passed make no runs. To have them, backfill."}, "Resume"
	}
	return v.confirm(c)
}

func doTurn(v *view, verb string) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	if _, err := change[api.Schedule](v, http.MethodPost, at("/schedules/%/", s.Name)+verb, nil); err != nil {
		return err
	}
	return v.done(u, "The schedule “"+s.Name+"” is "+strings.TrimSuffix(verb, "e")+"ed.")
}

func askDeleteSchedule(v *view) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	return v.confirm(&confirmation{
		Title: "Delete the schedule “" + s.Name + "”?", Text: []string{"The " + plural(int(s.Made), "run") + " that it made stay, and " + number(s.Live) + " live ones go on."},
		Reason: true, Action: u + "/delete", Button: "Delete the schedule", Danger: true, Back: u,
	})
}

func deleteSchedule(v *view) error {
	s, _, _, err := v.schedule()
	if err != nil {
		return err
	}
	if _, err := change[any](v, http.MethodDelete, at("/schedules/%", s.Name), nil); err != nil {
		return err
	}
	return v.done("schedules", "The schedule “"+s.Name+"” is deleted.")
}

const localTime = "2006-01-02T15:04"

// maxBackfill is how many times a backfill is counted up to.
const maxBackfill = 1000

func backfillForm(s *api.Schedule, u string, now time.Time) *confirmation {
	zone := zoneOf(&s.Timetable)
	today := now.In(zone).Truncate(time.Minute)
	note := "In " + zone.String() + "."
	return &confirmation{
		Title: "Backfill “" + s.Name + "”", Text: []string{"Makes the runs of times that have passed. First it says how many there are."},
		Fields: []field{
			{Name: "from", Label: "From", Kind: "datetime-local", Required: true, Value: today.AddDate(0, 0, -1).Format(localTime), Note: note},
			{Name: "to", Label: "Up to", Kind: "datetime-local", Required: true, Value: today.Format(localTime), Note: "Not included. " + note},
		},
		Reason: true, Action: u + "/backfill", Button: "Count them", Back: u,
	}
}

func askBackfill(v *view) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	return v.confirm(backfillForm(s, u, v.site.now()))
}

// stretch reads from when to when.
func (v *view) stretch(s *api.Schedule) (from, to time.Time, err error) {
	for _, f := range []struct {
		name string
		to   *time.Time
	}{{"from", &from}, {"to", &to}} {
		if *f.to, err = time.ParseInLocation(localTime, v.text(f.name), zoneOf(&s.Timetable)); err != nil {
			return from, to, fault(f.name, "“%s” is no time such as 2026-11-01T02:30.", v.text(f.name))
		}
	}
	if !from.Before(to) {
		return from, to, fault("to", "It is not after the beginning.")
	}
	return from, to, nil
}

// doBackfill counts the runs, and makes them once somebody has seen how many they are.
func doBackfill(v *view) error {
	s, u, _, err := v.schedule()
	if err != nil {
		return err
	}
	form := backfillForm(s, u, v.site.now())
	from, to, err := v.stretch(s)
	if err != nil {
		return v.again(form, err)
	}
	if v.text("sure") != v.text("from")+v.text("to") {
		return v.countBackfill(s, form, from, to)
	}
	made, err := change[httpapi.Backfilled](v, http.MethodPost, at("/schedules/%/backfill", s.Name), map[string]time.Time{"from": from, "to": to})
	if err != nil {
		return v.again(form, err)
	}
	return v.done(u, plural(made.Made, "run")+" made.")
}

func (v *view) countBackfill(s *api.Schedule, form *confirmation, from, to time.Time) error {
	times, err := v.preview(&s.Timetable, from.Add(-time.Nanosecond), maxBackfill)
	if err != nil {
		return v.again(form, err)
	}
	n := 0
	for n < len(times) && times[n].Before(to) {
		n++
	}
	form.keep(v.form())
	if n == 0 {
		return v.again(form, fault("to", "None of its times is in between."))
	}
	for _, m := range momentsOf(times[:min(n, 5)], zoneOf(&s.Timetable)) {
		form.Items = append(form.Items, m.Text)
	}
	form.More = max(n-5, 0)
	count := plural(n, "run")
	if n == maxBackfill {
		count = number(n) + " runs or more"
	}
	form.Title, form.Button = "Make "+count+" of “"+s.Name+"”?", "Make "+count
	form.Hidden = append(form.Hidden, link{"sure", v.text("from") + v.text("to")})
	v.page.Title = form.Title
	return v.show("confirm", http.StatusOK, form)
}
