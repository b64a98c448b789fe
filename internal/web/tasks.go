package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

var taskRoutes = []route{
	{"GET /tasks", showTasks},
	{"GET /runs/{id}/tasks/{seq}", showTask},
}

// taskTable is a list of task runs.
type taskTable struct {
	Rows    []taskRow
	Pager   pager
	OneRun  bool // all are of the run whose page it is
	Columns *columns
	Bulk    *bulkBar // for the rows that are ticked; nil: they can't be
}

// taskRow is a task run in a table.
type taskRow struct {
	api.TaskRun

	URL    string
	RunURL string
	Look   look
	More   string // what the state's own name adds
	// WorkerURL is what began last on the same worker.
	WorkerURL string
	Waited    time.Duration
	Why       string
	Bad       bool // Why is an error
	Open      bool // its panel is
}

// readTasks reads a page of a list of task runs.
func readTasks(v *view, from, text string) (taskTable, error) {
	q := v.r.URL.Query()
	ask := url.Values{"limit": {"100"}}
	if text != "" {
		ask.Set("q", text)
	}
	if c := q.Get("cursor"); c != "" {
		ask.Set("cursor", c)
	}
	for _, name := range []string{"tag", "task", "state"} {
		if name == "task" && from != "/tasks" {
			continue // there it is a number: that of the panel
		}
		if values := q[name]; len(values) > 0 {
			ask[name] = values
		}
	}
	found, err := get[list[api.TaskRun]](v, from, ask)
	if err != nil {
		return taskTable{}, err
	}
	t := taskTable{Columns: v.columns("tasks"), Pager: paging(v.r.URL, found.NextCursor, len(found.Items))}
	for i := range found.Items {
		t.Rows = append(t.Rows, taskRowOf(&found.Items[i]))
	}
	return t, nil
}

func taskRowOf(t *api.TaskRun) taskRow {
	r := taskRow{
		TaskRun: *t, URL: taskURL(t.ID), RunURL: at("runs/%", t.Run), Look: named(t.State, t.StateName), More: stateName(t.State, t.StateName),
		Why: t.Reason, Waited: waited(t), WorkerURL: tasksLike("worker:" + quoted(t.Worker)),
	}
	switch {
	case t.Failure != nil:
		r.Why, r.Bad = firstLine(t.Failure.Error()), true
	case t.Cache != nil && t.Cache.From != "":
		r.Why = "from " + short(t.Cache.From)
	}
	return r
}

// waited is how long a task run stood before its first body began: 0 if that is not
// known.
func waited(t *api.TaskRun) time.Duration {
	if t.Started.IsZero() || len(t.History) == 0 {
		return 0
	}
	return max(0, t.Started.Sub(t.History[0].Time))
}

// tasksPage is the list of task runs of all runs.
type tasksPage struct {
	taskTable
	sieve

	Query  string
	By     string      // what they are counted by, "" for one by one
	Ways   []savedView // to count them
	Groups *taskGroups
}

var taskViews = []link{
	{"All", ""},
	{"Running", "state:running"},
	{"Waiting for a slot", "why:slots"},
	{"Nobody serves the queue", "why:queue"},
	{"Retrying", "state:awaiting_retry"},
	{"Failed 24 h", "state:problems ended:24h"},
	{"Stuck 1 h", "state:running duration:>1h"},
	{"Slowest 1 h", "ended:1h duration:>1m"},
	{"Cached", "cached:yes"},
}

func showTasks(v *view) error {
	text := strings.TrimSpace(v.r.URL.Query().Get("q"))
	v.page.Title, v.page.Nav, v.page.Topics, v.page.Query = "Tasks", "tasks", []string{"runs"}, text
	q := v.r.URL.Query()
	body := tasksPage{Query: text, By: q.Get("by")}
	body.Ways = groupLinks("tasks", q, body.By, false)
	var err error
	if body.By != "" {
		body.Groups, err = readGroups(v, body.By, "", text, "tasks", nil)
	} else {
		body.taskTable, err = readTasks(v, "/tasks", text)
	}
	if err != nil {
		return err
	}
	if err := v.frame(); err != nil {
		return err
	}
	if body.sieve, err = readSieve(v, "tasks", text, taskViews); err != nil {
		return err
	}
	body.Bulk = bulkTasks.bar(v, choosing(text, q, "tag", "task", "state"), "all that match the filter")
	return v.render("tasks", http.StatusOK, body)
}

// quoted is a value of the filter language that may have spaces.
func quoted(text string) string {
	if text == "" || strings.ContainsAny(text, " \t\n\r,:\"\\") || strings.Trim(text[:1], "-<>") == "" {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return text
}

// seqOf gives the number in a task run's id, -1 for no id.
func seqOf(taskRun string) int64 {
	_, text, _ := strings.Cut(taskRun, "/")
	n, err := strconv.ParseInt(cmp.Or(text, "-1"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// number0 writes one for a URL.
func number0[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }
