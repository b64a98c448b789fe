package web

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// eventsTab is what happened one by one, as the API has it.
type eventsTab struct {
	Type, State, Task string // what is chosen
	Types, States     []string
	Rows              []eventRow
	Pager             pager
	Lines             string // where all that is chosen is, a line each
}

// eventRow is one thing that happened.
type eventRow struct {
	httpapi.Happened

	Look look
	Type string
	URL  string // of the task run
	JSON string
}

// shownEvents is how many are on a page.
const shownEvents = "200"

var eventTypes = []string{"run", "task", "request"}

func fillEvents(v *view, p *runPage) error {
	q := v.r.URL.Query()
	e := &eventsTab{Type: q.Get("type"), State: strings.ToLower(q.Get("state")), Task: strings.TrimSpace(q.Get("name")), Types: eventTypes}
	for s := api.Pending; s <= api.Skipped; s++ {
		e.States = append(e.States, lookOf(s).Word)
	}
	p.Events = e
	ask := url.Values{}
	for name, value := range map[string]string{"type": e.Type, "state": e.State, "task": e.Task} {
		if value != "" {
			ask.Set(name, value)
		}
	}
	path := at("/runs/%/history", p.Run.ID)
	e.Lines = base[1:] + path + "/lines?" + ask.Encode()
	ask.Set("limit", shownEvents)
	if before := q.Get("cursor"); before != "" {
		ask.Set("before", before)
	}
	found, err := get[struct {
		Items  []json.RawMessage `json:"items"`
		More   bool              `json:"more"`
		Before string            `json:"before"`
	}](v, path, ask)
	if err != nil {
		return err
	}
	var next *string
	if found.More {
		next = &found.Before
	}
	e.Pager = paging(v.r.URL, next, len(found.Items))
	for _, raw := range slices.Backward(found.Items) { // the newest first, as lists that go on are
		row := eventRow{JSON: string(raw)}
		if err := json.Unmarshal(raw, &row.Happened); err != nil {
			return err
		}
		row.is(p)
		e.Rows = append(e.Rows, row)
	}
	return nil
}

// is fills in what kind of thing it is.
func (r *eventRow) is(p *runPage) {
	switch {
	case r.Action != "":
		r.Type, r.Look = "request", look{"asked", "●"}
	case r.TaskRun != "":
		r.Type, r.Look, r.URL = "task", named(r.State, r.Of), panelURL(p, r.TaskRun)
	default:
		r.Type, r.Look = "run", lookOf(r.State)
	}
}
