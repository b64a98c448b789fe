package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

var savedRoutes = []route{
	{"GET /new/filter", askSave},
	{"POST /new/filter", saveFilter},
	{"GET /filters/{target}/{name}/delete", askForget},
	{"POST /filters/{target}/{name}/delete", forgetFilter},
}

// sieve is what is beside the filter of a list: those that are saved, and what can be
// done about the one that is in use.
type sieve struct {
	Views  []savedView
	Save   string // URL of the form that saves it; "": it is saved, or may not be
	Forget string // URL that asks whether to delete it, "" for none
}

// readSieve gives the ready filters of a list, then those that people have saved. The
// one in use is marked.
func readSieve(v *view, target, text string, ready []link) (sieve, error) {
	s := sieve{Views: views(target, text, ready)}
	found, err := get[httpapi.List[httpapi.SavedFilter]](v, "/filters", url.Values{"target": {target}})
	if err != nil {
		return s, err
	}
	for _, one := range found.Items {
		own := views(target, text, []link{{one.Name, one.Q}})[0]
		s.Views = append(s.Views, own)
		if own.Active && v.page.CanWrite {
			s.Forget = at("filters/%/%/delete", target, one.Name)
		}
	}
	known := false
	for _, one := range s.Views {
		known = known || one.Active
	}
	if v.page.CanWrite && text != "" && !known {
		s.Save = "new/filter?" + url.Values{"target": {target}, "q": {text}}.Encode()
	}
	return s, nil
}

// saveForm is the form that gives a filter a name.
func saveForm(v *view, target, q string) (*confirmation, error) {
	if target != "runs" && target != "tasks" {
		return nil, missing(v)
	}
	v.page.Nav, v.page.Crumb = target, []link{{sentence(target), target}}
	return &confirmation{
		Title: "Save the filter", Text: []string{"It stands above the list, for everybody who uses this server."}, Items: []string{q},
		Fields: []field{{Name: "name", Label: "Name", Required: true, Note: "One that is saved under this name already is replaced."}},
		Hidden: []link{{"target", target}, {"q", q}}, Action: "new/filter", Button: "Save", Back: target + "?" + url.Values{"q": {q}}.Encode(),
	}, nil
}

func askSave(v *view) error {
	q := v.r.URL.Query()
	form, err := saveForm(v, q.Get("target"), strings.TrimSpace(q.Get("q")))
	if err != nil {
		return err
	}
	return v.confirm(form)
}

func saveFilter(v *view) error {
	target, name := v.text("target"), v.text("name")
	form, err := saveForm(v, target, v.text("q"))
	if err != nil {
		return err
	}
	if name == "" {
		return v.again(form, fault("name", "It needs a name."))
	}
	body := map[string]string{"q": v.text("q")}
	if _, err := change[httpapi.SavedFilter](v, http.MethodPut, at("/filters/%/%", target, name), body); err != nil {
		return v.again(form, err)
	}
	return v.done(form.Back, "The filter is saved as “"+name+"”.")
}

func askForget(v *view) error {
	target, name := v.r.PathValue("target"), v.r.PathValue("name")
	v.page.Nav = target
	from := target
	if v.r.URL.Query().Has("settings") {
		from = "settings"
	}
	return v.confirm(&confirmation{
		Hidden: []link{{"back", from}},
		Title:  "Delete the saved filter “" + name + "”?", Text: []string{"It is gone for everybody. What it chooses stays."},
		Reason: true, Action: at("filters/%/%/delete", target, name), Button: "Delete the filter", Danger: true, Back: from,
	})
}

func forgetFilter(v *view) error {
	target, name := v.r.PathValue("target"), v.r.PathValue("name")
	if _, err := change[any](v, http.MethodDelete, at("/filters/%/%", target, name), nil); err != nil {
		return err
	}
	return v.done(inside(v.text("back")), "The filter “"+name+"” is deleted.")
}
