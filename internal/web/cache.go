package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

var cacheRoutes = []route{
	{"GET /cache", showCache},
	{"GET /cache/{key}", showEntry},
	{"GET /cache/{key}/delete", askDeleteEntry},
	{"POST /cache/{key}/delete", deleteEntry},
	{"GET /empty/cache", askEmptyCache},
	{"POST /empty/cache", emptyCache},
	{"GET /explain/cache", showExplain},
}

// cachePage is the list of kept results.
type cachePage struct {
	Figures *cacheFigures
	Rows    []entryRow
	Pager   pager
	Task    string
	Prefix  string
	Older   string
	Wrong   string
	Chosen  bool // a filter is set
	Delete  string
}

// entryRow is a kept result in a table.
type entryRow struct {
	api.CacheEntry

	URL     string
	MadeBy  string
	Size    string
	Expired bool
	Inputs  string // the parts of its key, in short
}

// cacheFilter reads which results are meant. The API chooses by these.
func (v *view) cacheFilter(form url.Values) (url.Values, error) {
	q := url.Values{}
	for _, name := range []string{"task", "prefix"} {
		if text := form.Get(name); text != "" {
			q.Set(name, text)
		}
	}
	if text := form.Get("older"); text != "" {
		var d api.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d < 0 {
			return q, fault("older", "“%s” is no time span such as 24h.", text)
		}
		q.Set("before", v.site.now().Add(-time.Duration(d)).UTC().Format(time.RFC3339Nano))
	}
	return q, nil
}

func showCache(v *view) error {
	form := v.r.URL.Query()
	v.page.Title, v.page.Nav, v.page.Topics = "Cache", "cache", []string{"runs"}
	body := cachePage{Task: form.Get("task"), Prefix: form.Get("prefix"), Older: form.Get("older")}
	status := http.StatusOK
	q, err := v.cacheFilter(form)
	if p, ok := errors.AsType[*problem](err); ok {
		body.Wrong, status = p.Detail, p.Status
	}
	body.Chosen = len(q) > 0
	chosen := url.Values{"task": {body.Task}, "prefix": {body.Prefix}, "older": {body.Older}}
	body.Delete = "empty/cache?" + chosen.Encode()
	q.Set("limit", "50")
	if c := form.Get("cursor"); c != "" {
		q.Set("cursor", c)
	}
	found, err := get[list[api.CacheEntry]](v, "/cache", q)
	if err != nil {
		return err
	}
	for i := range found.Items {
		body.Rows = append(body.Rows, entryRowOf(&found.Items[i], v.site.now()))
	}
	if body.Figures, err = readCacheFigures(v); err != nil {
		return err
	}
	body.Pager = paging(v.r.URL, found.NextCursor, len(found.Items))
	return v.show("cache", status, body)
}

func entryRowOf(e *api.CacheEntry, now time.Time) entryRow {
	row := entryRow{CacheEntry: *e, URL: at("cache/%", e.Key), MadeBy: taskURL(e.TaskRun), Size: bytesOf(e.Size), Expired: !e.Live(now)}
	for i, p := range e.Parts {
		if i > 0 {
			row.Inputs += ", "
		}
		row.Inputs += p.Value
	}
	return row
}

// bytesOf writes a size.
func bytesOf(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	x := float64(n)
	for _, unit := range []string{" kB", " MB", " GB", " TB"} {
		if x /= 1000; x < 999.95 || unit == " TB" {
			return strconv.FormatFloat(x, 'f', 1, 64) + unit
		}
	}
	return ""
}

// entryPage is one kept result.
type entryPage struct {
	entryRow

	Result  document
	Actions []action
}

func showEntry(v *view) error {
	e, err := get[api.CacheEntry](v, at("/cache/%", v.r.PathValue("key")), nil)
	if err != nil {
		return err
	}
	v.page.Title, v.page.Nav, v.page.Crumb, v.page.Topics = e.Task, "cache", []link{{"Cache", "cache"}}, []string{"runs"}
	if err := v.frame(); err != nil {
		return err
	}
	body := entryPage{entryRow: entryRowOf(&e, v.site.now()), Result: documentOf(e.Result)}
	if v.page.CanWrite {
		body.Actions = []action{{Name: "Delete", URL: body.URL + "/delete", Danger: true}}
	}
	return v.render("cache_entry", http.StatusOK, body)
}

func askDeleteEntry(v *view) error {
	e, err := get[api.CacheEntry](v, at("/cache/%", v.r.PathValue("key")), nil)
	if err != nil {
		return err
	}
	u := at("cache/%", e.Key)
	v.page.Nav, v.page.Crumb = "cache", []link{{"Cache", "cache"}, {e.Task, u}}
	return v.confirm(&confirmation{
		Title: "Delete this kept result of “" + e.Task + "”?", Text: []string{"The next call with the same key runs the body. Runs that took it keep what they have."},
		Items: []string{e.Key}, Reason: true, Action: u + "/delete", Button: "Delete the result", Danger: true, Back: u,
	})
}

func deleteEntry(v *view) error {
	if _, err := change[any](v, http.MethodDelete, at("/cache/%", v.r.PathValue("key")), nil); err != nil {
		return err
	}
	return v.done("cache", "The kept result is deleted.")
}

// emptyForm asks which results are to go.
func emptyForm(v *view, form url.Values) (*confirmation, error) {
	v.page.Nav, v.page.Crumb = "cache", []link{{"Cache", "cache"}}
	c := &confirmation{
		Title: "Delete kept results?", Fields: []field{
			{Name: "task", Label: "That this task made", Place: "any", Value: form.Get("task")},
			{Name: "prefix", Label: "Whose key begins with", Place: "anything", Value: form.Get("prefix")},
			{Name: "older", Label: "Older than", Place: "any age", Value: form.Get("older"), Note: "Such as 24h."},
		},
		Reason: true, Action: "empty/cache", Button: "Delete them", Danger: true, Back: "cache",
	}
	q, err := v.cacheFilter(form)
	if err != nil {
		return c, err
	}
	all := len(q) == 0
	q.Set("limit", "500")
	found, err := get[list[api.CacheEntry]](v, "/cache", q)
	if err != nil {
		return c, err
	}
	count := plural(len(found.Items), "kept result")
	if found.NextCursor != nil {
		count = number(len(found.Items)) + " kept results or more"
	}
	c.Title, c.Button = "Delete "+count+"?", "Delete "+count
	if all {
		c.Text = []string{"That is all of them: each task whose results are kept runs its body again."}
	}
	for i := range found.Items[:min(len(found.Items), 5)] {
		c.Items = append(c.Items, found.Items[i].Key)
	}
	c.More = max(len(found.Items)-5, 0)
	return c, nil
}

func askEmptyCache(v *view) error {
	c, err := emptyForm(v, v.r.URL.Query())
	if err != nil {
		return v.again(c, err)
	}
	return v.confirm(c)
}

func emptyCache(v *view) error {
	q, err := v.cacheFilter(v.form())
	if err != nil {
		c, _ := emptyForm(v, v.form()) // what is wrong is known
		return v.again(c, err)
	}
	if len(q) == 0 {
		q.Set("all", "true")
	}
	a, err := v.request(http.MethodDelete, "/cache", q, nil, v.reason())
	if err != nil {
		return err
	}
	var gone httpapi.Deleted
	if err := json.Unmarshal(a.body.Bytes(), &gone); err != nil {
		return err
	}
	return v.done("cache", plural(gone.Deleted, "kept result")+" deleted.")
}
