package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

var diffRoutes = []route{
	{"GET /runs/{id}/diff", diffBefore},
	{"GET /runs/{id}/diff/{other}", showDiff},
}

// diffBefore compares a run with another one: which one the form says, else the one of
// its name that came before.
func diffBefore(v *view) error {
	id := v.r.PathValue("id")
	run, err := get[httpapi.RunDetail](v, at("/runs/%", id), nil)
	if err != nil {
		return err
	}
	if with := strings.TrimSpace(v.r.URL.Query().Get("with")); with != "" {
		found, err := get[httpapi.Found](v, "/search", map[string][]string{"q": {with}})
		if err != nil {
			return err
		}
		if len(found.Runs) != 1 {
			return v.undiffed(id, "“"+with+"” is not the beginning of one run's id.")
		}
		return v.redirect(at("runs/%/diff/%", found.Runs[0], id))
	}
	before, err := runBefore(v, &run.Run)
	if err != nil {
		return err
	}
	if before == "" {
		return v.undiffed(id, "There is no run “"+run.Name+"” before this one to compare it with.")
	}
	return v.redirect(at("runs/%/diff/%", before, id))
}

// undiffed goes back to a run that can't be compared.
func (v *view) undiffed(id, why string) error {
	v.tell(&flash{Text: why, Bad: true})
	return v.redirect(at("runs/%", id))
}

// diffPage is two runs side by side, the first of which is what the other is measured by.
type diffPage struct {
	Sides  []diffSide
	Same   bool
	Inputs []diffInput
	Cut    bool // there are more of them
	Tasks  []diffTask
	More   bool // a run has more task runs than were looked at
	Form   string
}

type diffSide struct {
	httpapi.DiffSide

	Look look
	URL  string
	Mark string // A or B
}

type diffInput struct{ Path, A, B string }

// diffTask is the task runs of a name in both.
type diffTask struct {
	Name   string
	A, B   httpapi.TaskTimes
	Change string // of the median
	Slower bool
}

func showDiff(v *view) error {
	a, b := v.r.PathValue("id"), v.r.PathValue("other")
	d, err := get[httpapi.RunDiff](v, at("/runs/%/diff/%", a, b), nil)
	if err != nil {
		return err
	}
	v.page.Title, v.page.Nav, v.page.Crumb = "Compared", "runs", []link{{"Runs", "runs"}, {d.B.Name, at("runs/%", b)}}
	v.page.Topics = []string{"run:" + d.A.ID, "run:" + d.B.ID}
	body := diffPage{Same: d.Same, Cut: len(d.Input) == httpapi.MaxDifferences, More: d.More, Form: at("runs/%/diff", b)}
	for i, side := range []httpapi.DiffSide{d.A, d.B} {
		body.Sides = append(body.Sides, diffSide{side, lookOf(side.State), at("runs/%", side.ID), []string{"A", "B"}[i]})
	}
	for _, in := range d.Input {
		body.Inputs = append(body.Inputs, diffInput{in.Path, oneLine(in.A), oneLine(in.B)})
	}
	for _, t := range d.Tasks {
		one := diffTask{Name: t.Task, A: t.A, B: t.B}
		one.Change, one.Slower = changed(t.A.Median, t.B.Median)
		body.Tasks = append(body.Tasks, one)
	}
	return v.show("diff", http.StatusOK, body)
}

// oneLine is a value in a row of a table.
func oneLine(raw json.RawMessage) string {
	const most = 300
	if r := []rune(string(raw)); len(r) > most {
		return string(r[:most]) + " …"
	}
	return string(raw)
}

// changed tells by how much a time differs from another one, and whether that should
// worry. Times below a millisecond differ by themselves.
func changed(from, to api.Duration) (text string, slower bool) {
	if from <= 0 || to <= 0 || max(from, to) < api.Duration(time.Millisecond) {
		return "", false
	}
	if share := float64(to) / float64(from); share < 10 {
		percent := int(share*100+0.5) - 100
		switch {
		case percent == 0:
			return "same", false
		case percent > 0:
			return "+" + strconv.Itoa(percent) + "%", percent >= 50
		}
		return "−" + strconv.Itoa(-percent) + "%", false
	}
	return "× " + number(int64(to/from)), true
}

// Parts is how many task runs there are in each state, as a bar.
func (t diffTask) Parts(of string) []part {
	counts := t.A.States
	if of == "B" {
		counts = t.B.States
	}
	return stateParts(counts)
}
