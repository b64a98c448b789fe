package web

import (
	"cmp"
	"net/http"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

var operationRoutes = []route{
	{"GET /operations", showOperations},
	{"GET /operations/{id}", showOperation},
	{"GET /operations/{id}/stop", askStop},
	{"POST /operations/{id}/stop", doStop},
}

// operationRow is the same being done to many runs.
type operationRow struct {
	httpapi.Operation

	URL   string
	Title string
	Look  look
	Parts []part
	Left  int
}

// targets are what operations are done to, and where one of them is.
var targets = map[string]struct {
	one string
	url func(id string) string
}{
	"runs":      {"run", func(id string) string { return at("runs/%", id) }},
	"tasks":     {"task run", taskURL},
	"cache":     {"kept result", func(key string) string { return at("cache/%", key) }},
	"schedules": {"schedule", func(name string) string { return at("schedules/%", name) }},
}

// operationTitle says what is done, and to how many.
func operationTitle(o *httpapi.Operation) string {
	ask := runVerbs[o.Action].ask
	return cmp.Or(ask, o.Action) + " " + plural(o.Total, cmp.Or(targets[o.Target].one, o.Target))
}

var operationLooks = map[string]look{
	"running": looks["RUNNING"], "done": {"completed", "✓"}, "stopped": looks["CANCELLED"],
}

func operationRowOf(o *httpapi.Operation) operationRow {
	row := operationRow{Operation: *o, URL: at("operations/%", o.ID), Title: operationTitle(o), Look: operationLooks[o.State], Left: o.Total - o.Done - o.Failed}
	if o.State == "done" && o.Failed > 0 {
		row.Look = looks["FAILED"]
	}
	row.Parts = bar([]part{
		{look: look{"completed", "✓"}, N: int64(o.Done)}, {look: looks["FAILED"], N: int64(o.Failed)}, {look: looks["PENDING"], N: int64(row.Left)},
	})
	return row
}

func showOperations(v *view) error {
	v.page.Title, v.page.Nav, v.page.Topics = "Operations", "operations", []string{"runs"}
	found, err := get[httpapi.List[httpapi.Operation]](v, "/operations", nil)
	if err != nil {
		return err
	}
	rows := make([]operationRow, len(found.Items))
	for i := range found.Items {
		rows[i] = operationRowOf(&found.Items[i])
	}
	return v.show("operations", http.StatusOK, rows)
}

// operationPage is one operation.
type operationPage struct {
	operationRow

	One      string // what it is done to
	Some     []link // some that were chosen
	Failures []failureRow
	More     int // that failed beside those
	Actions  []action
}

type failureRow struct {
	httpapi.OperationFailure

	URL string
}

func showOperation(v *view) error {
	o, err := get[httpapi.Operation](v, at("/operations/%", v.r.PathValue("id")), nil)
	if err != nil {
		return err
	}
	body := operationPage{operationRow: operationRowOf(&o), More: max(o.Failed-len(o.Errors), 0)}
	v.page.Title, v.page.Nav, v.page.Crumb = body.Title, "operations", []link{{"Operations", "operations"}}
	v.page.Topics, v.page.State = []string{"runs"}, body.Look.Word
	if err := v.frame(); err != nil {
		return err
	}
	if to, known := targets[o.Target]; known {
		body.One = to.one
		for _, id := range o.Sample {
			body.Some = append(body.Some, link{id, to.url(id)})
		}
		for _, f := range o.Errors {
			body.Failures = append(body.Failures, failureRow{f, to.url(f.ID)})
		}
	}
	if v.page.CanWrite && o.State == "running" {
		body.Actions = []action{{Name: "Stop", URL: body.URL + "/stop", Danger: true}}
	}
	return v.render("operation", http.StatusOK, body)
}

func askStop(v *view) error {
	o, err := get[httpapi.Operation](v, at("/operations/%", v.r.PathValue("id")), nil)
	if err != nil {
		return err
	}
	row := operationRowOf(&o)
	v.page.Nav, v.page.Crumb = "operations", []link{{"Operations", "operations"}}
	return v.confirm(&confirmation{
		Title: "Stop the operation?", Text: []string{row.Title + ": " + number(o.Done) + " done, " + number(row.Left) + " left. What is done stays."},
		Reason: true, Action: row.URL + "/stop", Button: "Stop, and leave " + number(row.Left), Danger: true, Back: row.URL,
	})
}

func doStop(v *view) error {
	o, err := change[httpapi.Operation](v, http.MethodPost, at("/operations/%/stop", v.r.PathValue("id")), nil)
	if err != nil {
		return err
	}
	return v.done(at("operations/%", o.ID), "The operation is told to stop.")
}
