package web

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// runVerbRoutes ask, and do.
func runVerbRoutes() []route {
	var all []route
	for name := range runVerbs {
		all = append(all,
			route{"GET /runs/{id}/" + name, func(v *view) error { return askRun(v, name) }},
			route{"POST /runs/{id}/" + name, func(v *view) error { return doRun(v, name) }})
	}
	return all
}

// runVerb is something that can be done to a run.
type runVerb struct {
	ask, text, done string
	danger          bool
	path            string // under the run, where that is not the verb
	sent            any    // with it
}

var runVerbs = map[string]runVerb{
	"cancel": {ask: "Cancel", text: "What runs is told to end, and what waits does not begin. It can be retried.", done: "is being cancelled", danger: true},
	"pause":  {ask: "Pause", text: "Bodies that run come to their end, and nothing new begins until it is resumed.", done: "is paused"},
	"resume": {ask: "Resume", text: "It goes on where it stands.", done: "goes on"},
	"retry":  {ask: "Retry", text: "What has failed, was cancelled or never ran is run again; what has completed stays.", done: "is retried"},
	"retry-all": {
		ask: "Rerun", text: "All of it runs again, with the same inputs; what has completed, too.", done: "runs again",
		path: "retry", sent: httpapi.RetryRequest{What: "all"},
	},
	"delete": {ask: "Delete", text: "The run goes for good, with its task runs, results and logs.", done: "is deleted", danger: true},
}

// runActions gives what a run's state allows.
func runActions(r *api.Run) []action {
	var names []string
	switch {
	case r.State == api.Paused:
		names = []string{"resume", "cancel"}
	case r.State == api.Cancelling:
	case !r.State.Final():
		names = []string{"pause", "cancel"}
	case r.State == api.Completed:
		names = []string{"retry-all", "delete"}
	default:
		names = []string{"retry", "retry-all", "delete"}
	}
	actions := make([]action, len(names))
	for i, name := range names {
		verb := runVerbs[name]
		actions[i] = action{Name: verb.ask, URL: at("runs/%/", r.ID) + name, Danger: verb.danger, First: i == 0 && (name == "resume" || name == "retry")}
	}
	return actions
}

func askRun(v *view, name string) error {
	run, err := get[httpapi.RunDetail](v, at("/runs/%", v.r.PathValue("id")), nil)
	if err != nil {
		return err
	}
	verb, url := runVerbs[name], at("runs/%", run.ID)
	v.page.Nav, v.page.Crumb = "runs", []link{{"Runs", "runs"}, {run.Name, url}}
	return v.confirm(&confirmation{
		Title: verb.ask + " the run “" + run.Name + "”?", Text: []string{verb.text}, Items: []string{run.ID},
		Reason: true, Action: url + "/" + name, Button: verb.ask + " the run", Danger: verb.danger, Back: url,
	})
}

func doRun(v *view, name string) error {
	id := v.r.PathValue("id")
	run, err := get[httpapi.RunDetail](v, at("/runs/%", id), nil)
	if err != nil {
		return err
	}
	verb := runVerbs[name]
	url, method, target := at("runs/%", id), http.MethodPost, at("/runs/%/", id)+cmp.Or(verb.path, name)
	if name == "delete" {
		url, method, target = "runs", http.MethodDelete, at("/runs/%", id)
	}
	if _, err = change[any](v, method, target, verb.sent); err != nil {
		return err
	}
	return v.done(url, "The run “"+run.Name+"” "+verb.done+".")
}

// taskURL gives the page of a task run, relative to the root, "" for no id.
func taskURL(id string) string {
	run, seq, ok := strings.Cut(id, "/")
	if !ok {
		return ""
	}
	return at("runs/%/tasks/%", run, seq)
}
