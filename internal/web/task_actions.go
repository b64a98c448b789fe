package web

import (
	"net/http"
	"net/url"

	"github.com/runnel-dev/runnel/api"
)

// taskVerb is something that can be done to a task run.
type taskVerb struct {
	button, ask, text, done string
	danger                  bool
}

var taskVerbs = map[string]taskVerb{
	"retry": {
		"Retry from here", "Retry from",
		"It runs again, and all that comes after it. How the others ended stays, failures too; what was cancelled or never ran runs.", "runs again", false,
	},
	"cancel": {
		"Cancel", "Cancel", "Its body is told to end, or it never begins. For what follows, its step has failed.", "is being cancelled", true,
	},
}

// taskVerbRoutes ask, and do.
func taskVerbRoutes() []route {
	var all []route
	for name := range taskVerbs {
		at := "/runs/{id}/tasks/{seq}/" + name
		all = append(all,
			route{"GET " + at, func(v *view) error { return askTask(v, name) }},
			route{"POST " + at, func(v *view) error { return doTask(v, name) }})
	}
	return all
}

// taskActions gives what the states of a task run and its run allow. Those of a panel
// lead back to it.
func taskActions(run *api.Run, t *api.TaskRun, panel bool) []action {
	name := "retry"
	switch {
	case run.State.Final() && t.State.Final():
	case run.State.Final(), t.State.Final(), run.State == api.Cancelling:
		return nil
	default:
		name = "cancel"
	}
	verb, u := taskVerbs[name], taskURL(t.ID)+"/"+name
	if panel {
		u += "?panel=1"
	}
	return []action{{Name: verb.button, URL: u, Danger: verb.danger, First: name == "retry" && t.State != api.Completed}}
}

// taskBack is where who has asked for it goes: the page, or the run with the panel.
func taskBack(v *view, form url.Values) string {
	run, seq := v.r.PathValue("id"), v.r.PathValue("seq")
	if form.Has("panel") {
		return at("runs/%?task=%", run, seq)
	}
	return at("runs/%/tasks/%", run, seq)
}

func askTask(v *view, name string) error {
	run, seq := v.r.PathValue("id"), v.r.PathValue("seq")
	t, err := get[api.TaskRun](v, at("/runs/%/tasks/%", run, seq), nil)
	if err != nil {
		return err
	}
	form, verb, row := v.r.URL.Query(), taskVerbs[name], taskRowOf(&t)
	v.page.Nav, v.page.Crumb = "runs", []link{{"Runs", "runs"}, {short(run), at("runs/%", run)}, {row.Name, row.URL}}
	c := &confirmation{
		Title: verb.ask + " the task run “" + row.Name + "”?", Text: []string{verb.text}, Items: []string{t.ID},
		Reason: true, Action: taskURL(t.ID) + "/" + name, Button: verb.button, Danger: verb.danger, Back: taskBack(v, form),
	}
	if form.Has("panel") {
		c.Hidden = []link{{"panel", "1"}}
	}
	return v.confirm(c)
}

func doTask(v *view, name string) error {
	run, seq := v.r.PathValue("id"), v.r.PathValue("seq")
	t, err := change[api.TaskRun](v, http.MethodPost, at("/runs/%/tasks/%/", run, seq)+name, nil)
	if err != nil {
		return err
	}
	return v.done(taskBack(v, v.r.PostForm), "The task run “"+taskRowOf(&t).Name+"” "+taskVerbs[name].done+".")
}
