package web

import (
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
	Look  look
	Parts []part
	Left  int
}

var operationLooks = map[string]look{
	"running": looks["RUNNING"], "done": {"completed", "✓"}, "stopped": looks["CANCELLED"],
}

func operationRowOf(o *httpapi.Operation) operationRow {
	row := operationRow{Operation: *o, URL: at("operations/%", o.ID), Look: operationLooks[o.State], Left: o.Total - o.Done - o.Failed}
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

	Runs     []link // some that were chosen
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
	v.page.Title, v.page.Nav, v.page.Crumb = runVerbs[o.Action].ask+" "+plural(o.Total, "run"), "operations", []link{{"Operations", "operations"}}
	v.page.Topics, v.page.State = []string{"runs"}, body.Look.Word
	if err := v.frame(); err != nil {
		return err
	}
	for _, id := range o.Sample {
		body.Runs = append(body.Runs, link{id, at("runs/%", id)})
	}
	for _, f := range o.Errors {
		body.Failures = append(body.Failures, failureRow{f, at("runs/%", f.Run)})
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
		Title: "Stop the operation?", Text: []string{runVerbs[o.Action].ask + " " + plural(o.Total, "run") + ": " + number(o.Done) + " done, " + number(row.Left) + " left. What is done stays."},
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
