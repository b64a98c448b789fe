package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// cacheFigures sum up what is kept, and what that was good for.
type cacheFigures struct {
	httpapi.CacheStats

	Size  string
	Looks string // how many look-ups there were
	Rate  string // of look-ups that found a result, "" for none
	Spent string // how long bodies would have run
}

func readCacheFigures(v *view) (*cacheFigures, error) {
	s, err := get[httpapi.CacheStats](v, "/stats/cache", nil)
	f := &cacheFigures{CacheStats: s, Size: bytesOf(s.Bytes), Spent: span(time.Duration(s.Saved))}
	if looks := s.Hits + s.Misses; looks > 0 {
		f.Looks = number(looks)
		f.Rate = number(s.Hits*100/looks) + " %"
	}
	return f, err
}

// explainPage says whether a call would take a kept result.
type explainPage struct {
	Task, Args string
	Tasks      []string
	Wrong      string
	Report     *api.CacheReport
	Nearest    *entryRow
}

func showExplain(v *view) error {
	q := v.r.URL.Query()
	v.page.Title, v.page.Nav, v.page.Crumb = "Explain", "cache", []link{{"Cache", "cache"}}
	body := explainPage{Task: strings.TrimSpace(q.Get("task")), Args: strings.TrimSpace(q.Get("args"))}
	known, err := get[httpapi.List[api.TaskInfo]](v, "/flows", nil)
	if err != nil {
		return err
	}
	for _, t := range known.Items {
		body.Tasks = append(body.Tasks, t.Name)
	}
	if body.Task == "" {
		return v.show("explain", http.StatusOK, body)
	}
	ask := url.Values{}
	if body.Args != "" {
		ask.Set("args", body.Args)
	}
	report, err := get[api.CacheReport](v, at("/flows/%/cache", body.Task), ask)
	p, ok := mendable(err)
	if !ok && err != nil {
		var none bool
		if p, none = notFound(err); !none {
			return err
		}
	}
	if p != nil {
		body.Wrong = p.Detail
		return v.show("explain", p.Status, body)
	}
	body.Report = &report
	if report.Nearest != nil {
		row := entryRowOf(report.Nearest, v.site.now())
		body.Nearest = &row
	}
	return v.show("explain", http.StatusOK, body)
}
