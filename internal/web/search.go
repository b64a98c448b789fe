package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// searchPage is what the box at the top found: static/suggest.js shows it below the box.
type searchPage struct {
	Query string
	Hits  []hit
	Runs  string // URL of the runs that it would choose as a filter
}

// hit is something that was found.
type hit struct {
	link

	Kind string
}

// search leads from the search box: to a run by the beginning of its id, to the runs
// that a filter chooses, else to what is named so.
func search(v *view) error {
	q := strings.TrimSpace(v.r.URL.Query().Get("q"))
	body := searchPage{Query: q, Runs: "runs?" + url.Values{"q": {q}}.Encode()}
	// A list is asked for by what shows it while somebody types; Enter goes on.
	list := v.r.URL.Query().Has("list")
	if strings.Contains(q, ":") && !list {
		return v.redirect(body.Runs)
	}
	found := httpapi.Found{}
	if q != "" {
		var err error
		if found, err = get[httpapi.Found](v, "/search", url.Values{"q": {q}}); err != nil {
			return err
		}
	}
	for _, id := range found.Runs {
		body.Hits = append(body.Hits, hit{link{id, at("runs/%", id)}, "run"})
	}
	for _, e := range nav() {
		if strings.Contains(strings.ToLower(e.Name), strings.ToLower(q)) {
			body.Hits = append(body.Hits, hit{link{e.Name, e.URL}, "page"})
		}
	}
	for _, h := range found.Hits {
		body.Hits = append(body.Hits, hit{link{h.Name, hitURL(&h)}, cmp.Or(kindNames[h.Kind], h.Kind)})
	}
	switch {
	case list:
	case len(found.Runs) == 1:
		return v.redirect(at("runs/%", found.Runs[0]))
	case len(found.Runs) > 1:
		return v.redirect("runs?" + url.Values{"q": {"id:" + q}}.Encode())
	case len(body.Hits) == 1:
		return v.redirect(body.Hits[0].URL)
	case len(body.Hits) == 0:
		return v.redirect(body.Runs)
	}
	v.page.Title, v.page.Query = "Found", q
	return v.show("search", http.StatusOK, body)
}

var kindNames = map[string]string{"global-limit": "global limit", "worker": "process"}

// hitURL is the page of what was found.
func hitURL(h *httpapi.Hit) string {
	switch h.Kind {
	case "run":
		return at("runs/%", h.ID)
	case "flow", "task":
		return at("flows/%", h.ID)
	case "queue":
		return tasksLike("queue:" + quoted(h.ID))
	}
	return at(h.Kind+"s/%", h.ID) // limits, global limits, schedules, workers
}
