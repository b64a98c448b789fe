package web

import (
	"net/url"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

var nearRoutes = []route{
	{"GET /runs/{id}/before", func(v *view) error { return near(v, runBefore, "before") }},
	{"GET /runs/{id}/after", func(v *view) error { return near(v, runAfter, "after") }},
}

// near leads to another run of the same name. It is looked for only when somebody asks.
func near(v *view, find func(*view, *api.Run) (string, error), which string) error {
	run, err := get[httpapi.RunDetail](v, at("/runs/%", v.r.PathValue("id")), nil)
	if err != nil {
		return err
	}
	id, err := find(v, &run.Run)
	if err != nil {
		return err
	}
	if id == "" {
		v.tell(&flash{Text: "There is no run “" + run.Name + "” " + which + " this one.", Bad: true})
		id = run.ID
	}
	return v.redirect(at("runs/%", id))
}

func runBefore(v *view, r *api.Run) (string, error) {
	found, err := get[list[api.Run]](v, "/runs", url.Values{"name": {r.Name}, "until": {instant(r.Created)}, "limit": {"1"}})
	if err != nil || len(found.Items) == 0 {
		return "", err
	}
	return found.Items[0].ID, nil
}

// runAfter goes through those that came after from the newest on: lists know no other
// direction.
func runAfter(v *view, r *api.Run) (id string, err error) {
	q := url.Values{"name": {r.Name}, "since": {instant(r.Created)}, "limit": {"500"}}
	for range 20 {
		found, err := get[list[api.Run]](v, "/runs", q)
		if err != nil {
			return "", err
		}
		for i := range found.Items {
			if found.Items[i].ID == r.ID {
				return id, nil
			}
			id = found.Items[i].ID
		}
		if found.NextCursor == nil {
			break
		}
		q.Set("cursor", *found.NextCursor)
	}
	return id, nil
}

// instant writes a time for a query.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
