package web

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

var limitRoutes = []route{
	{"GET /limits", showLimits},
	{"GET /limits/{tag}", showLimit},
	{"GET /new/limit", askNewLimit},
	{"POST /new/limit", makeLimit},
	{"GET /limits/{tag}/set", askSetLimit},
	{"POST /limits/{tag}/set", setLimit},
	{"GET /limits/{tag}/reset", askResetLimit},
	{"POST /limits/{tag}/reset", resetLimit},
	{"GET /limits/{tag}/release", askReleaseSlot},
	{"POST /limits/{tag}/release", releaseSlot},
	{"GET /limits/{tag}/delete", askDeleteLimit},
	{"POST /limits/{tag}/delete", deleteLimit},
}

// limitsPage is the list of limits: those of tags, and those that bodies use by name.
type limitsPage struct {
	Tags    []limitRow
	Pager   pager
	Globals []globalRow
	Actions []action
}

// limitRow is a limit of a tag in a table.
type limitRow struct {
	api.Limit

	URL   string
	Use   meter
	Wait  *spark // how long 95 of 100 waited for a slot; nil: nobody did, or it is not known
	Stuck bool   // the first in line has waited for longer than they did
	Verbs []action
}

// stuckAfter is how long the first in line waits at least before that is worth a word.
const stuckAfter = 2 * time.Second

// meter is how much is in use of what there is.
type meter struct {
	look

	Width int // of a thousand
	Over  bool
	Text  string
}

func meterOf(used, of int) meter {
	m := meter{look: looks["RUNNING"], Text: number(used) + " of " + number(of), Over: used > of}
	switch {
	case used >= of && used > 0:
		m.Width = barWidth
	case used > 0:
		m.Width = max(used*barWidth/of, leastPart)
	}
	if m.Over {
		m.look = retrying
		m.Text += ", more than allowed"
	}
	return m
}

func showLimits(v *view) error {
	v.page.Title, v.page.Nav, v.page.Topics = "Limits", "limits", []string{"limits", "runs"}
	ask := url.Values{"limit": {"100"}}
	if c := v.r.URL.Query().Get("cursor"); c != "" {
		ask.Set("cursor", c)
	}
	found, err := get[list[api.Limit]](v, "/limits", ask)
	if err != nil {
		return err
	}
	if err := v.frame(); err != nil {
		return err
	}
	waits, err := limitWaits(v)
	if err != nil {
		return err
	}
	body := limitsPage{Pager: paging(v.r.URL, found.NextCursor, len(found.Items))}
	for i := range found.Items {
		row := v.limitRow(&found.Items[i])
		row.Wait = waits[row.Tag]
		body.Tags = append(body.Tags, row)
	}
	if body.Globals, err = readGlobals(v); err != nil {
		return err
	}
	if v.page.CanWrite {
		body.Actions = []action{{Name: "New limit on a tag", URL: "new/limit", First: true}, {Name: "New global limit", URL: "new/global-limit"}}
	}
	return v.render("limits", http.StatusOK, body)
}

func (v *view) limitRow(l *api.Limit) limitRow {
	row := limitRow{Limit: *l, URL: at("limits/%", l.Tag), Use: meterOf(l.Active, l.Limit)}
	row.Stuck = !l.WaitingSince.IsZero() && time.Since(l.WaitingSince) > max(time.Duration(l.WaitP95), stuckAfter)
	if v.page.CanWrite {
		row.Verbs = []action{{Name: "Reset", URL: row.URL + "/reset"}, {Name: "Delete", URL: row.URL + "/delete", Danger: true}}
	}
	return row
}

// limitPage is one limit of a tag: who has its slots, who waits.
type limitPage struct {
	limitRow

	Holders     []holderRow
	MoreHolders int
	Waiters     []holderRow
	MoreWaiters int
	Runs        int // that have slots or wait, of those shown
	Changes     []event
	Actions     []action
	Charts      []chart // none before something was measured
}

// holderRow is a task run that has a slot, or is in line for one.
type holderRow struct {
	taskRow

	Place int
	Since time.Time
	About time.Duration // until its turn; 0: nobody can tell
	Free  string        // URL of what takes its slot away
	Also  []string      // other tags that it needs at the same time
	Gone  bool          // nothing is known of it any more
}

// shownHolders is how many holders and waiters are read one by one.
const shownHolders = 25

func showLimit(v *view) error {
	tag := v.r.PathValue("tag")
	l, err := get[api.Limit](v, at("/limits/%", tag), nil)
	if err != nil {
		return err
	}
	v.page.Title, v.page.Nav, v.page.Crumb = l.Tag, "limits", []link{{"Limits", "limits"}}
	v.page.Topics = []string{"limits", "runs"}
	if err := v.frame(); err != nil {
		return err
	}
	body := limitPage{limitRow: v.limitRow(&l)}
	body.MoreHolders = max(l.Active-shownHolders, 0)
	body.MoreWaiters = max(l.Waiting-shownHolders, 0)
	if body.Holders, err = readHolders(v, tag, l.ActiveSlots); err != nil {
		return err
	}
	if body.Waiters, err = readHolders(v, tag, l.Waiters); err != nil {
		return err
	}
	runs := map[string]bool{}
	for _, row := range slices.Concat(body.Holders, body.Waiters) {
		runs[row.Run] = true
	}
	body.Runs = len(runs)
	if body.Changes, _, err = asked(v, base+at("/limits/%", tag), limitChange); err != nil {
		return err
	}
	if body.Charts, err = limitCharts(v, tag); err != nil {
		return err
	}
	for i := range body.Waiters {
		w := &body.Waiters[i]
		w.About = (&api.WaitingSlot{Limit: l.Limit, Place: w.Place, MedianHold: l.MedianHold}).About()
	}
	if v.page.CanWrite {
		u := body.URL
		for i := range body.Holders {
			body.Holders[i].Free = u + "/release?" + url.Values{"slot": {body.Holders[i].ID}}.Encode()
		}
		body.Actions = []action{{Name: "Change", URL: u + "/set", First: true}, {Name: "Reset", URL: u + "/reset"}, {Name: "Delete", URL: u + "/delete", Danger: true}}
	}
	return v.render("limit", http.StatusOK, body)
}

// limitChange says what a request did to a limit.
func limitChange(a *httpapi.Audited, rest string) string {
	switch {
	case rest == "reset":
		return "reset"
	case rest != "":
		return ""
	case a.Method == http.MethodDelete:
		return "deleted"
	}
	return "set"
}

// readHolders reads the first of some task runs.
func readHolders(v *view, tag string, ids []string) ([]holderRow, error) {
	var rows []holderRow
	for i, id := range ids[:min(len(ids), shownHolders)] {
		row, err := readHolder(v, id)
		if err != nil {
			return nil, err
		}
		row.Place = i + 1
		if row.Waiting != nil {
			for _, s := range row.Waiting.Slots {
				if s.Tag != tag {
					row.Also = append(row.Also, s.Tag)
				}
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// readHolder reads a task run, which may have gone meanwhile.
func readHolder(v *view, id string) (holderRow, error) {
	u := taskURL(id)
	if u == "" {
		return holderRow{taskRow: taskRow{TaskRun: api.TaskRun{ID: id, Name: id}}, Gone: true}, nil
	}
	t, err := get[api.TaskRun](v, "/"+u, nil)
	if p, ok := errors.AsType[*problem](err); ok && p.Status == http.StatusNotFound {
		return holderRow{taskRow: taskRow{TaskRun: api.TaskRun{ID: id, Name: short(id)}}, Gone: true}, nil
	}
	row := holderRow{taskRow: taskRowOf(&t)}
	if n := len(t.History); n > 0 {
		row.Since = t.History[n-1].Time
	}
	return row, err
}

// tagField is where a tag is typed. Those that tasks are registered with are suggested,
// and those that task runs have, of the newest, with how many carry each.
func tagField(v *view) field {
	f := field{Name: "tag", Label: "Tag", Required: true, Value: v.r.URL.Query().Get("tag"), Hints: map[string]string{}}
	registered, carried := map[string]int{}, map[string]int{}
	// What can't be read is left out: it would only be a help.
	if tasks, err := get[httpapi.List[api.TaskInfo]](v, "/flows", nil); err == nil {
		for _, t := range tasks.Items {
			for _, tag := range slices.Concat(t.Options.Tags, t.Options.AddTags) {
				registered[tag]++
			}
		}
	}
	if groups, err := get[httpapi.TaskGroups](v, "/groups/tasks", url.Values{"by": {"tag"}}); err == nil {
		for _, g := range groups.Groups {
			if g.Key != "" {
				registered[g.Key] += 0
				carried[g.Key] = g.Count
			}
		}
	}
	f.Suggest = slices.Sorted(maps.Keys(registered))
	for _, tag := range f.Suggest {
		f.Hints[tag] = plural(registered[tag], "task") + ", " + plural(carried[tag], "task run")
	}
	return f
}

// zeroNote says what a limit of 0 does, which is not what people expect.
const zeroNote = "With 0 a task run that has the tag is aborted, not delayed."

// limitField is where the number is typed. What runs already is not counted anew.
func limitField(value string) field {
	return field{Name: "limit", Label: "Limit", Value: value, Kind: "number", Min: "0", Required: true, Note: "How many task runs with the tag run at a time. " + zeroNote}
}

func newLimitForm(v *view) *confirmation {
	v.page.Nav, v.page.Crumb = "limits", []link{{"Limits", "limits"}}
	return &confirmation{
		Title: "New limit on a tag", Text: []string{"Task runs that run already are not counted until they ask for a slot."},
		Fields: []field{tagField(v), limitField("")},
		Reason: true, Action: "new/limit", Button: "Create the limit", Back: "limits",
	}
}

func askNewLimit(v *view) error { return v.confirm(newLimitForm(v)) }

func makeLimit(v *view) error {
	form, tag := newLimitForm(v), v.text("tag")
	n, err := v.count("limit")
	if err == nil && tag == "" {
		err = fault("tag", "Type the tag.")
	}
	if err == nil {
		_, err = get[api.Limit](v, at("/limits/%", tag), nil)
		switch p, known := errors.AsType[*problem](err); {
		case err == nil:
			err = fault("tag", "There is a limit on this tag already: change that one.")
		case known && p.Status == http.StatusNotFound:
			err = nil
		}
	}
	if err == nil && n == 0 && v.text("zero") == "" {
		return v.sureOfZero(form, tag)
	}
	if err == nil {
		_, err = change[api.Limit](v, http.MethodPost, "/limits", map[string]any{"tag": tag, "limit": n})
	}
	if err != nil {
		return v.again(form, err)
	}
	return v.done("limits", limitSaid(tag, n))
}

// sureOfZero asks once more.
func (v *view) sureOfZero(form *confirmation, tag string) error {
	form.keep(v.form())
	form.Danger, form.Button = true, "Abort them"
	form.Wrong = "With a limit of 0 every task run with the tag “" + tag + "” is aborted, not delayed. To hold them back, pause their runs or their queue."
	form.Hidden = append(form.Hidden, link{"zero", "1"})
	v.page.Title = form.Title
	return v.show("confirm", http.StatusOK, form)
}

func limitSaid(tag string, n int) string {
	if n == 0 {
		return "Task runs with the tag “" + tag + "” are aborted from now on."
	}
	return "At most " + plural(n, "task run") + " with the tag “" + tag + "” will run at a time."
}

func setLimitForm(v *view, l *api.Limit) *confirmation {
	u := at("limits/%", l.Tag)
	v.page.Nav, v.page.Crumb = "limits", []link{{"Limits", "limits"}, {l.Tag, u}}
	return &confirmation{
		Title:  "Change the limit on the tag “" + l.Tag + "”",
		Text:   []string{"It is " + number(l.Limit) + ". " + number(l.Active) + " in use, " + number(l.Waiting) + " waiting. Lowered below what is in use, nothing is stopped: slots that come back are not given out again until there are few enough."},
		Fields: []field{limitField(strconv.Itoa(l.Limit))}, Hidden: []link{{"was", strconv.Itoa(l.Limit)}},
		Reason: true, Action: u + "/set", Button: "Set the limit", Back: u,
	}
}

func askSetLimit(v *view) error {
	l, err := get[api.Limit](v, at("/limits/%", v.r.PathValue("tag")), nil)
	if err != nil {
		return err
	}
	return v.confirm(setLimitForm(v, &l))
}

// setLimit sets a limit that is still as it was shown to who changes it.
func setLimit(v *view) error {
	path := at("/limits/%", v.r.PathValue("tag"))
	l, version, err := written[api.Limit](v, path)
	if err != nil {
		return err
	}
	form := setLimitForm(v, &l)
	n, err := v.count("limit")
	switch was := v.text("was"); {
	case err != nil:
	case was != "" && was != strconv.Itoa(l.Limit):
		err = fault("limit", "It was %s when you looked, and somebody has set it to %s meanwhile.", was, number(l.Limit))
	case n == 0 && l.Limit != 0 && v.text("zero") == "":
		return v.sureOfZero(form, l.Tag)
	default:
		_, err = changeWith[api.Limit](v, http.MethodPut, path, httpapi.LimitValue{Limit: n}, version)
	}
	if err != nil {
		return v.again(form, err)
	}
	return v.done(v.back(at("limits/%", l.Tag)), limitSaid(l.Tag, n))
}

// back is where the form says that it came from.
func (v *view) back(otherwise string) string {
	if to := inside(v.text("back")); to != "" {
		return to
	}
	return otherwise
}
