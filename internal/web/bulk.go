package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

var bulkRoutes = slices.Concat(bulkRuns.routes(), bulkTasks.routes())

// bulkOf is what can be done to many of one kind at once.
type bulkOf struct {
	target string // of the operation; its list and forms are there, too
	one    string
	verbs  []string // in the order of their buttons
	verb   map[string]bulkVerb
}

// bulkVerb is what is asked before, and said after it.
type bulkVerb struct {
	button, ask, text string
	danger            bool
}

var (
	bulkRuns = &bulkOf{
		target: "runs", one: "run", verbs: []string{"cancel", "retry", "retry-all", "pause", "resume", "delete"},
		verb: func() map[string]bulkVerb {
			all := map[string]bulkVerb{}
			for name, verb := range runVerbs {
				all[name] = bulkVerb{verb.ask, verb.ask, verb.text, verb.danger}
			}
			return all
		}(),
	}
	bulkTasks = &bulkOf{
		target: "tasks", one: "task run", verbs: []string{"cancel", "retry"},
		verb: map[string]bulkVerb{
			"cancel": {"Cancel", "Cancel", "Bodies are told to end, and what has not begun never does. For what follows, their steps have failed.", true},
			"retry":  {"Retry from these", "Retry from", "Each runs again, and all that comes after it. A run is begun anew by one of its task runs at a time; the others of it are refused: retry the run, to run all that failed in it.", false},
		},
	}
)

// bulkBar is the buttons for the rows that are ticked.
type bulkBar struct {
	Action string // where the form is sent; relative to the root
	Verbs  []action
	Q      string // what chooses all; "": only those that are ticked can be chosen
	All    string // what choosing all is called
	Back   string // where it leads in the end; relative to the root
}

func (b *bulkOf) routes() []route {
	at := " /" + b.target + "/bulk"
	return []route{{"GET" + at, b.ask}, {"POST" + at, b.do}}
}

// bar gives the buttons, for the list that q chooses; nil for who may change nothing.
func (b *bulkOf) bar(v *view, q, all string) *bulkBar {
	if !v.page.CanWrite {
		return nil
	}
	bar := &bulkBar{Action: b.target + "/bulk", Q: q, All: all, Back: relative(v.r.URL)}
	for _, name := range b.verbs {
		bar.Verbs = append(bar.Verbs, action{Name: b.verb[name].button, URL: name, Danger: b.verb[name].danger})
	}
	return bar
}

// read reads what a form chose: those that are ticked, or all that a filter chooses.
func (b *bulkOf) read(form url.Values) (*httpapi.OperationRequest, error) {
	r := &httpapi.OperationRequest{Target: b.target, Action: form.Get("action"), IDs: form["id"]}
	if _, ok := b.verb[r.Action]; !ok {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Title: "What is to be done?", Detail: "Choose one of " + strings.Join(b.verbs, ", ") + "."}
	}
	if q := strings.TrimSpace(form.Get("q")); form.Has("all") && q != "" {
		r.IDs, r.Q = nil, q
	}
	if len(r.IDs) == 0 && r.Q == "" {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Title: "No " + b.one + "s are chosen", Detail: "Tick some, or choose all that match the filter."}
	}
	return r, nil
}

// back is where who asked goes.
func (b *bulkOf) back(form url.Values) string {
	if to := inside(form.Get("back")); to != "" {
		return to
	}
	return b.target
}

// ask says how many are meant, and shows some.
func (b *bulkOf) ask(v *view) error {
	form := v.r.URL.Query()
	r, err := b.read(form)
	if err != nil {
		return err
	}
	r.DryRun = true
	dry, err := change[httpapi.Operation](v, http.MethodPost, "/operations", r)
	if err != nil {
		return err
	}
	verb, many := b.verb[r.Action], plural(dry.Total, b.one)
	c := &confirmation{
		Title: verb.ask + " " + many + "?", Text: []string{verb.text}, Items: dry.Sample, More: dry.Total - len(dry.Sample),
		Hidden: []link{{"action", r.Action}}, Reason: true, Action: b.target + "/bulk", Button: verb.ask + " " + many, Danger: verb.danger, Back: b.back(form),
	}
	c.Hidden = append(c.Hidden, link{"back", c.Back})
	if r.Q != "" {
		c.Text = append(c.Text, "They are all that match "+r.Q+" when it begins.")
		c.Hidden = append(c.Hidden, link{"all", "1"}, link{"q", r.Q})
	}
	for _, id := range r.IDs {
		c.Hidden = append(c.Hidden, link{"id", id})
	}
	v.page.Nav, v.page.Crumb = b.target, []link{{sentence(b.target), b.target}}
	return v.confirm(c)
}

func (b *bulkOf) do(v *view) error {
	if err := v.r.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Code: "malformed", Title: "The form can’t be read", Detail: err.Error()}
	}
	r, err := b.read(v.r.PostForm)
	if err != nil {
		return err
	}
	r.Reason = strings.TrimSpace(v.r.PostForm.Get("reason"))
	began, err := change[httpapi.Operation](v, http.MethodPost, "/operations", r)
	if err != nil {
		return err
	}
	return v.done(b.back(v.r.PostForm), b.verb[r.Action].ask+" "+plural(began.Total, b.one)+": under way, see Operations.")
}
