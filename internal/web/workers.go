package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

var workerRoutes = []route{
	{"GET /workers", showWorkers},
	{"GET /workers/{id}", showWorker},
}

// queueRow is a queue in a table.
type queueRow struct {
	api.Queue

	Nobody bool   // serves it, and something waits
	Rate   *spark // of what came and what was done; nil: not known
	URL    string
}

// workerRow is a process in a table.
type workerRow struct {
	api.Worker

	URL   string
	Look  look
	Word  string
	Use   meter
	Load  string // of the machine; "": not known
	Tasks int
}

type workersPage struct {
	Queues  []queueRow
	Workers []workerRow
	Lonely  []string // queues in which something waits that nobody serves
}

func readWorkers(v *view) ([]workerRow, error) {
	found, err := get[httpapi.List[api.Worker]](v, "/workers", nil)
	var rows []workerRow
	for i := range found.Items {
		rows = append(rows, workerRowOf(&found.Items[i]))
	}
	return rows, err
}

func workerRowOf(w *api.Worker) workerRow {
	row := workerRow{Worker: *w, URL: at("workers/%", w.ID), Tasks: len(w.Tasks), Word: "active", Look: looks["RUNNING"]}
	switch {
	case w.Silent:
		row.Word, row.Look = "silent", look{"failed", "?"}
	case w.Draining:
		row.Word, row.Look = "draining", looks["CANCELLING"]
	case w.Concurrency == 0:
		row.Word, row.Look = "only submits", looks["PENDING"]
	case w.Busy == 0 && w.Flows == 0:
		row.Word, row.Look = "idle", looks["COMPLETED"]
	}
	row.Use = meterOf(w.Busy, w.Concurrency)
	if w.Memory > 0 {
		row.Load = strconv.FormatFloat(w.CPU, 'f', 2, 64) + " cores, " + bytesOf(w.Memory)
	}
	if w.Flows > 0 {
		row.Use.Text += ", and " + plural(w.Flows, "flow")
	}
	return row
}

func showWorkers(v *view) error {
	v.page.Title, v.page.Nav, v.page.Topics = "Workers", "workers", []string{"workers", "runs"}
	queues, err := get[httpapi.List[api.Queue]](v, "/queues", nil)
	if err != nil {
		return err
	}
	var body workersPage
	if body.Workers, err = readWorkers(v); err != nil {
		return err
	}
	rates, err := queueRates(v)
	if err != nil {
		return err
	}
	for _, q := range queues.Items {
		row := queueRow{Queue: q, Nobody: q.Workers == 0 && q.Ready > 0, URL: tasksLike("queue:" + quoted(q.Name)), Rate: rates[q.Name]}
		if row.Nobody {
			body.Lonely = append(body.Lonely, q.Name)
		}
		body.Queues = append(body.Queues, row)
	}
	return v.show("workers", http.StatusOK, body)
}

// queueRates draws by queue how much came and was done in a second, over a quarter of an
// hour.
func queueRates(v *view) (map[string]*spark, error) {
	came, err := get[httpapi.List[httpapi.MetricSeries]](v, "/metrics/queues", url.Values{"of": {"came"}})
	if err != nil {
		return nil, err
	}
	done, err := get[httpapi.List[httpapi.MetricSeries]](v, "/metrics/queues", nil)
	rates := map[string]*spark{}
	for i := range min(len(came.Items), len(done.Items)) {
		c, d := &came.Items[i], &done.Items[i]
		if s := sparkOf(ratePoints, c, d); s != nil && c.Name == d.Name {
			s.Text = s.Now[0] + " in, " + s.Now[1] + " done"
			s.Said = "A second: " + s.Text + "; at most " + s.Most
			rates[c.Name] = s
		}
	}
	return rates, err
}

// ratePoints is how many there are in a quarter of an hour.
const ratePoints = 90

// workerPage is one process.
type workerPage struct {
	workerRow

	Names   []link // of its tasks
	Running []taskRow
	Cut     bool      // it runs more than those
	Ended   []taskRow // last
	Bad     int       // of these
	Did     string    // URL of the list of what it did
	Facts   []fact
}

// shownCurrent is how many of the task runs that a process has are shown.
const shownCurrent = 200

func showWorker(v *view) error {
	w, err := get[api.Worker](v, at("/workers/%", v.r.PathValue("id")), nil)
	if _, gone := notFound(err); gone {
		return &problem{Status: http.StatusNotFound, Code: api.ErrNotFound.Code, Title: "No such process", Detail: "It has ended, or begun anew under another id."}
	}
	if err != nil {
		return err
	}
	body := workerPage{workerRow: workerRowOf(&w), Cut: len(w.Current) > shownCurrent, Did: tasksLike("worker:" + quoted(w.Name))}
	v.page.Title, v.page.Nav, v.page.Crumb, v.page.Topics = body.Name, "workers", []link{{"Workers", "workers"}}, []string{"workers", "runs"}
	body.Facts = []fact{{"Up for", span(v.site.now().Sub(body.Since).Round(time.Second)), ""}, {"Bodies at a time", number(body.Concurrency), ""}}
	if w.Version != "" {
		body.Facts = append(body.Facts, fact{"Version", w.Version, ""})
	}
	if body.Load != "" {
		body.Facts = append(body.Facts, fact{"Uses", body.Load, ""})
	}
	if w.Remote {
		body.Facts = append(body.Facts, fact{"Comes", "over HTTP", ""})
	}
	if body.All {
		body.Facts = append(body.Facts, fact{"Serves", "every queue", ""})
	}
	for _, q := range body.Queues {
		body.Facts = append(body.Facts, fact{"Serves", q, tasksLike("queue:" + quoted(q))})
	}
	for _, name := range body.Worker.Tasks {
		body.Names = append(body.Names, link{name, at("flows/%", name)})
	}
	for i := range w.Current[:min(len(w.Current), shownCurrent)] {
		body.Running = append(body.Running, taskRowOf(&w.Current[i]))
	}
	for i := range w.Recent {
		row := taskRowOf(&w.Recent[i])
		if row.Bad {
			body.Bad++
		}
		body.Ended = append(body.Ended, row)
	}
	return v.show("worker", http.StatusOK, body)
}

// tasksLike is the URL of the task runs that a filter chooses.
func tasksLike(q string) string { return "tasks?" + url.Values{"q": {q}}.Encode() }
