package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
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
	Best  []cacheTask
}

// cacheTask is what the cache was good for to one task.
type cacheTask struct {
	httpapi.CacheTaskStats

	URL   string // to its results
	Size  string
	Looks string
	Rate  string
	Spent string
}

// bestTasks is how many tasks are shown that saved most.
const bestTasks = 5

// best gives those tasks that the cache saved most time, of those that it saved some.
func best(all []httpapi.CacheTaskStats) []cacheTask {
	all = slices.DeleteFunc(slices.Clone(all), func(s httpapi.CacheTaskStats) bool { return s.Hits == 0 })
	slices.SortStableFunc(all, func(a, b httpapi.CacheTaskStats) int { return cmp.Compare(b.Saved, a.Saved) })
	var out []cacheTask
	for _, s := range all[:min(len(all), bestTasks)] {
		t := cacheTask{CacheTaskStats: s, URL: "cache?" + url.Values{"task": {s.Task}}.Encode(), Size: bytesOf(s.Bytes), Spent: span(time.Duration(s.Saved))}
		t.Looks, t.Rate = hitRate(s.CacheCounts)
		out = append(out, t)
	}
	return out
}

// hitRate tells how many look-ups there were, and which part of them found a result; "" for
// none.
func hitRate(c httpapi.CacheCounts) (looks, rate string) {
	n := c.Hits + c.Misses
	if n == 0 {
		return "", ""
	}
	return number(n), number(c.Hits*100/n) + " %"
}

func readCacheFigures(v *view) (*cacheFigures, error) {
	s, err := get[httpapi.CacheStats](v, "/stats/cache", nil)
	f := &cacheFigures{CacheStats: s, Size: bytesOf(s.Bytes), Spent: span(time.Duration(s.Saved)), Best: best(s.Tasks)}
	f.Looks, f.Rate = hitRate(s.CacheCounts)
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
