package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

var globalRoutes = []route{
	{"GET /new/global-limit", askNewGlobal},
	{"POST /new/global-limit", makeGlobal},
	{"GET /global-limits/{name}", showGlobal},
	{"GET /global-limits/{name}/set", askSetGlobal},
	{"POST /global-limits/{name}/set", setGlobal},
	{"GET /global-limits/{name}/reset", askResetGlobal},
	{"POST /global-limits/{name}/reset", resetGlobal},
	{"GET /global-limits/{name}/delete", askDeleteGlobal},
	{"POST /global-limits/{name}/delete", deleteGlobal},
}

// globalRow is a global limit in a table.
type globalRow struct {
	api.GlobalLimit

	URL   string
	Use   meter
	Rate  string // "" if slots come back when they are released
	Verbs []action
}

func globalRowOf(v *view, l *api.GlobalLimit) globalRow {
	row := globalRow{GlobalLimit: *l, URL: at("global-limits/%", l.Name), Use: meterOf(l.ActiveSlots, l.Limit)}
	if l.Decay > 0 {
		row.Rate = rate(l.Decay)
	}
	if v.page.CanWrite {
		row.Verbs = []action{{Name: "Change", URL: row.URL + "/set"}, {Name: "Delete", URL: row.URL + "/delete", Danger: true}}
	}
	return row
}

// rate writes how many come back, in the unit in which that is a number people read.
func rate(perSecond float64) string {
	for _, u := range []struct {
		name    string
		seconds float64
	}{{"a second", 1}, {"a minute", 60}, {"an hour", 3600}, {"a day", 86400}} {
		if n := perSecond * u.seconds; n >= 1 || u.seconds == 86400 {
			return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0") + " " + u.name
		}
	}
	return ""
}

func readGlobals(v *view) ([]globalRow, error) {
	found, err := get[list[api.GlobalLimit]](v, "/global-limits", url.Values{"limit": {"200"}})
	var rows []globalRow
	for i := range found.Items {
		rows = append(rows, globalRowOf(v, &found.Items[i]))
	}
	return rows, err
}

// globalPage is one global limit: who has its slots, who waits.
type globalPage struct {
	globalRow

	Holders []slotRow
	Waiters []slotRow
	More    int // waiters beside those
	Actions []action
}

// slotRow is a body that has slots, or waits for some.
type slotRow struct {
	api.SlotHolder

	URL string
}

func slotRows(all []api.SlotHolder) []slotRow {
	rows := make([]slotRow, len(all))
	for i, h := range all {
		rows[i] = slotRow{SlotHolder: h, URL: taskURL(h.TaskRun)}
	}
	return rows
}

func (v *view) global() (*api.GlobalLimit, string, http.Header, error) {
	l, version, err := written[api.GlobalLimit](v, at("/global-limits/%", v.r.PathValue("name")))
	u := at("global-limits/%", l.Name)
	v.page.Nav, v.page.Crumb = "limits", []link{{"Limits", "limits"}, {l.Name, u}}
	return &l, u, version, err
}

func showGlobal(v *view) error {
	l, u, _, err := v.global()
	if err != nil {
		return err
	}
	v.page.Title, v.page.Crumb, v.page.Topics = l.Name, []link{{"Limits", "limits"}}, []string{"limits", "runs"}
	if err := v.frame(); err != nil {
		return err
	}
	body := globalPage{globalRow: globalRowOf(v, l), Holders: slotRows(l.Holders), Waiters: slotRows(l.Waiters), More: max(l.Waiting-len(l.Waiters), 0)}
	if v.page.CanWrite {
		body.Actions = []action{{Name: "Change", URL: u + "/set", First: true}, {Name: "Reset", URL: u + "/reset"}, {Name: "Delete", URL: u + "/delete", Danger: true}}
	}
	return v.render("global_limit", http.StatusOK, body)
}

func globalFields(l *api.GlobalLimit) []field {
	limit, decay, active := "", "", "1"
	if l != nil {
		limit = strconv.Itoa(l.Limit)
		if l.Decay > 0 {
			decay = strconv.FormatFloat(l.Decay, 'g', -1, 64)
		}
		if l.Inactive {
			active = ""
		}
	}
	return []field{
		{Name: "limit", Label: "Slots", Kind: "number", Min: "0", Required: true, Value: limit, Note: "With 0 nobody gets any, and asking is an error."},
		{Name: "slot_decay_per_second", Label: "Come back by themselves, a second", Kind: "number", Min: "0", Value: decay, Place: "none", Note: "For a rate: 10 slots of which 0.5 come back a second allow 10 at once and 30 a minute. Empty: they come back when they are released."},
		{Name: "active", Label: "It is in force", Kind: "checkbox", Value: active, Note: "Else nobody is counted and nobody waits."},
	}
}

// globalSent reads the form.
func (v *view) globalSent() (map[string]any, error) {
	n, err := v.count("limit")
	if err != nil {
		return nil, err
	}
	decay := 0.0
	if text := v.text("slot_decay_per_second"); text != "" {
		if decay, err = strconv.ParseFloat(text, 64); err != nil || decay < 0 {
			return nil, fault("slot_decay_per_second", "“%s” is no number of 0 or more.", text)
		}
	}
	return map[string]any{"limit": n, "slot_decay_per_second": decay, "active": v.text("active") != ""}, nil
}

func newGlobalForm(v *view) *confirmation {
	v.page.Nav, v.page.Crumb = "limits", []link{{"Limits", "limits"}}
	return &confirmation{
		Title: "New global limit", Text: []string{"Bodies take slots of it by name while they run, in Go with runnel.Occupy."},
		Fields: append([]field{{Name: "name", Label: "Name", Required: true}}, globalFields(nil)...),
		Reason: true, Action: "new/global-limit", Button: "Create the limit", Back: "limits",
	}
}

func askNewGlobal(v *view) error { return v.confirm(newGlobalForm(v)) }

func makeGlobal(v *view) error {
	form, name := newGlobalForm(v), v.text("name")
	sent, err := v.globalSent()
	if err == nil && name == "" {
		err = fault("name", "Type a name.")
	}
	if err == nil {
		if _, known := get[api.GlobalLimit](v, at("/global-limits/%", name), nil); known == nil {
			err = fault("name", "There is a global limit of this name already: change that one.")
		}
	}
	if err == nil {
		_, err = change[api.GlobalLimit](v, http.MethodPut, at("/global-limits/%", name), sent)
	}
	if err != nil {
		return v.again(form, err)
	}
	return v.done(at("global-limits/%", name), "The global limit “"+name+"” is there.")
}

func setGlobalForm(l *api.GlobalLimit, u string) *confirmation {
	return &confirmation{
		Title: "Change the global limit “" + l.Name + "”", Text: []string{number(l.ActiveSlots) + " slots are in use, " + number(l.Waiting) + " bodies wait."},
		Fields: globalFields(l), Hidden: []link{{"was", l.Updated.Format(time.RFC3339Nano)}},
		Reason: true, Action: u + "/set", Button: "Set the limit", Back: u,
	}
}

func askSetGlobal(v *view) error {
	l, u, _, err := v.global()
	if err != nil {
		return err
	}
	return v.confirm(setGlobalForm(l, u))
}

func setGlobal(v *view) error {
	l, u, version, err := v.global()
	if err != nil {
		return err
	}
	sent, err := v.globalSent()
	if was := v.text("was"); err == nil && was != "" && was != l.Updated.Format(time.RFC3339Nano) {
		err = fault("limit", "Somebody has changed it since you looked: it has %s slots now.", number(l.Limit))
	}
	if err == nil {
		_, err = changeWith[api.GlobalLimit](v, http.MethodPut, at("/global-limits/%", l.Name), sent, version)
	}
	if err != nil {
		return v.again(setGlobalForm(l, u), err)
	}
	return v.done(u, "The global limit “"+l.Name+"” is set.")
}

func askResetGlobal(v *view) error {
	l, u, _, err := v.global()
	if err != nil {
		return err
	}
	return v.confirm(&confirmation{
		Title:  "Reset the global limit “" + l.Name + "”?",
		Text:   []string{plural(l.ActiveSlots, "slot") + " in use, " + number(l.Waiting) + " waiting. All slots are taken to be free; who uses one now goes on."},
		Reason: true, Action: u + "/reset", Button: "Reset, " + plural(l.ActiveSlots, "slot"), Danger: true, Back: u,
	})
}

func resetGlobal(v *view) error {
	l, u, _, err := v.global()
	if err != nil {
		return err
	}
	if _, err := change[any](v, http.MethodPost, at("/global-limits/%/reset", l.Name), nil); err != nil {
		return err
	}
	return v.done(u, "The slots of the global limit “"+l.Name+"” are free.")
}

func askDeleteGlobal(v *view) error {
	l, u, _, err := v.global()
	if err != nil {
		return err
	}
	return v.confirm(&confirmation{
		Title:  "Delete the global limit “" + l.Name + "”?",
		Text:   []string{number(l.ActiveSlots) + " slots are in use, " + number(l.Waiting) + " bodies wait, and go on. Bodies that ask for it later are not bounded, or fail if they are strict."},
		Reason: true, Action: u + "/delete", Button: "Delete the limit", Danger: true, Back: u,
	})
}

func deleteGlobal(v *view) error {
	l, _, _, err := v.global()
	if err != nil {
		return err
	}
	if _, err := change[any](v, http.MethodDelete, at("/global-limits/%", l.Name), nil); err != nil {
		return err
	}
	return v.done("limits", "The global limit “"+l.Name+"” is deleted.")
}
