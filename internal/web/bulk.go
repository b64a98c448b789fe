package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

var bulkRoutes = []route{
	{"GET /runs/bulk", askBulk},
	{"POST /runs/bulk", doBulk},
}

// bulkVerbs are what can be done to many runs, in the order of their buttons.
var bulkVerbs = []string{"cancel", "retry", "retry-all", "pause", "resume", "delete"}

// bulkActions are the buttons for the runs that are ticked. Their URL is the verb.
func bulkActions() []action {
	all := make([]action, len(bulkVerbs))
	for i, name := range bulkVerbs {
		all[i] = action{Name: runVerbs[name].ask, URL: name, Danger: runVerbs[name].danger}
	}
	return all
}

// bulkOf reads what a form chose: the runs that are ticked, or all that a filter
// chooses.
func bulkOf(form url.Values) (*httpapi.OperationRequest, error) {
	r := &httpapi.OperationRequest{Action: form.Get("action"), IDs: form["id"]}
	if _, ok := runVerbs[r.Action]; !ok {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Title: "What is to be done?", Detail: "Choose one of " + strings.Join(bulkVerbs, ", ") + "."}
	}
	if q := strings.TrimSpace(form.Get("q")); form.Has("all") && q != "" {
		r.IDs, r.Q = nil, q
	}
	if len(r.IDs) == 0 && r.Q == "" {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Title: "No runs are chosen", Detail: "Tick some, or choose all that match the filter."}
	}
	return r, nil
}

// askBulk says how many runs are meant, and shows some.
func askBulk(v *view) error {
	form := v.r.URL.Query()
	r, err := bulkOf(form)
	if err != nil {
		return err
	}
	r.DryRun = true
	dry, err := change[httpapi.Operation](v, http.MethodPost, "/operations", r)
	if err != nil {
		return err
	}
	verb := runVerbs[r.Action]
	c := &confirmation{
		Title: verb.ask + " " + plural(dry.Total, "run") + "?", Text: []string{verb.text}, Items: dry.Sample, More: dry.Total - len(dry.Sample),
		Hidden: []link{{"action", r.Action}}, Reason: true, Action: "runs/bulk", Button: verb.ask + " " + plural(dry.Total, "run"), Danger: verb.danger, Back: "runs",
	}
	if r.Q != "" {
		c.Text = append(c.Text, "They are all that match "+r.Q+" when it begins.")
		c.Hidden = append(c.Hidden, link{"all", "1"}, link{"q", r.Q})
	}
	for _, id := range r.IDs {
		c.Hidden = append(c.Hidden, link{"id", id})
	}
	if form.Get("q") != "" {
		c.Back += "?" + url.Values{"q": {form.Get("q")}}.Encode()
	}
	v.page.Nav, v.page.Crumb = "runs", []link{{"Runs", "runs"}}
	return v.confirm(c)
}

func doBulk(v *view) error {
	if err := v.r.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Code: "malformed", Title: "The form can’t be read", Detail: err.Error()}
	}
	r, err := bulkOf(v.r.PostForm)
	if err != nil {
		return err
	}
	r.Reason = strings.TrimSpace(v.r.PostForm.Get("reason"))
	began, err := change[httpapi.Operation](v, http.MethodPost, "/operations", r)
	if err != nil {
		return err
	}
	to := "runs"
	if r.Q != "" {
		to += "?" + url.Values{"q": {r.Q}}.Encode()
	}
	return v.done(to, runVerbs[r.Action].ask+" "+plural(began.Total, "run")+": under way.")
}
