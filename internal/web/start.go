package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// startForm asks for the arguments of a task or flow: one field for each, or all of
// them as JSON.
func startForm(v *view, t *api.TaskInfo, asJSON bool) *sheet {
	u := at("flows/%", t.Name)
	v.page.Nav, v.page.Crumb = "flows", []link{{"Flows", "flows"}, {t.Name, u}}
	s := &sheet{Preview: true, confirmation: confirmation{
		Title: "Run " + t.Name, Reason: true, Action: u + "/start", Button: "Start the run", Back: u,
	}}
	if t.Description != "" {
		s.Text = []string{t.Description}
	}
	if len(t.Params) > 0 {
		s.Modes = []savedView{
			{link: link{"Fields", u + "/start"}, Active: !asJSON},
			{link: link{"JSON", u + "/start?json=1"}, Active: asJSON},
		}
	}
	if asJSON {
		s.Hidden = []link{{"json", "1"}}
		s.Fields = append(s.Fields, field{Name: "args", Label: "Arguments, a JSON array", Long: true, Value: "[]", Note: "It takes " + strings.Join(t.Params, ", ") + "."})
	} else {
		for i, kind := range t.Params {
			s.Fields = append(s.Fields, argumentField(i, kind))
		}
	}
	s.Fields = append(s.Fields,
		field{Name: "name", Label: "Name of the run", Place: t.Name},
		field{Name: "tags", Label: "Tags", Place: "none", Note: "Beside those of the task; commas between them."},
		field{Name: "delay", Label: "Begins after", Place: "at once", Note: "Such as 30s, 10m or 24h."},
		field{Name: "key", Label: "Idempotency key", Place: "none", Note: "With the same one again there is one run."},
	)
	return s
}

// argumentField asks for one argument, in the way that suits its JSON kind.
func argumentField(i int, kind string) field {
	f := field{Name: "arg" + strconv.Itoa(i+1), Label: "Argument " + strconv.Itoa(i+1) + ", " + kind}
	switch kind {
	case "boolean":
		f.Choices = []string{"false", "true"}
	case "integer", "number":
		f.Kind = "number"
	case "string":
	case "array":
		f.Long, f.Place = true, "[]"
	case "object":
		f.Long, f.Place = true, "{}"
	default:
		f.Long, f.Note = true, "Any JSON; text stands in quotes."
	}
	return f
}

// arguments reads them from a form, as JSON.
func arguments(t *api.TaskInfo, form url.Values) ([]json.RawMessage, error) {
	if form.Get("json") != "" {
		var args []json.RawMessage
		if err := json.Unmarshal([]byte(form.Get("args")), &args); err != nil {
			return nil, fault("args", "This is no JSON array: %v.", err)
		}
		return args, nil
	}
	var args []json.RawMessage
	for i, kind := range t.Params {
		name := "arg" + strconv.Itoa(i+1)
		raw, why := argument(kind, form.Get(name))
		if why != "" {
			return nil, fault(name, "%s", why)
		}
		args = append(args, raw)
	}
	return args, nil
}

// argument makes JSON of what was typed, or says why that can't be.
func argument(kind, text string) (raw json.RawMessage, why string) {
	if kind == "string" {
		quoted, err := json.Marshal(text)
		if err != nil {
			return nil, err.Error()
		}
		return quoted, ""
	}
	text = strings.TrimSpace(text)
	var value any
	err := json.Unmarshal([]byte(text), &value)
	if text == "" {
		return nil, "Type a value: " + kind + "."
	}
	if err != nil {
		return nil, "This is no JSON: " + err.Error() + "."
	}
	fits := true
	switch kind {
	case "integer":
		_, err := strconv.ParseInt(text, 10, 64)
		_, err2 := strconv.ParseUint(text, 10, 64)
		fits = err == nil || err2 == nil
	case "number":
		_, fits = value.(float64)
	case "boolean":
		_, fits = value.(bool)
	case "array":
		_, fits = value.([]any)
	case "object":
		_, fits = value.(map[string]any)
	}
	if !fits && value != nil {
		return nil, "This is no " + kind + "."
	}
	return json.RawMessage(text), ""
}

// startRequest reads what is to be submitted.
func startRequest(t *api.TaskInfo, form url.Values, now time.Time) (*httpapi.SubmitRequest, error) {
	args, err := arguments(t, form)
	if err != nil {
		return nil, err
	}
	r := &httpapi.SubmitRequest{Task: t.Name, Args: args, Name: strings.TrimSpace(form.Get("name"))}
	var o api.Options
	for tag := range strings.SplitSeq(form.Get("tags"), ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			o.AddTags = append(o.AddTags, tag)
		}
	}
	slices.Sort(o.AddTags)
	o.AddTags = slices.Compact(o.AddTags)
	if text := strings.TrimSpace(form.Get("delay")); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return nil, fault("delay", "“%s” is no time span such as 30s, 10m or 24h.", text)
		}
		o.StartAt = now.Add(d).UTC()
	}
	if !o.IsZero() {
		r.Options = &o
	}
	return r, nil
}

// startLine is the command that does the same.
func startLine(t *api.TaskInfo, r *httpapi.SubmitRequest, form url.Values) string {
	var args, flags []string
	dash := false
	for i, raw := range r.Args {
		text := string(raw)
		var word string
		if i < len(t.Params) && t.Params[i] == "string" && json.Unmarshal(raw, &word) == nil {
			text = word
		}
		dash = dash || strings.HasPrefix(text, "-")
		args = append(args, shell(text))
	}
	for _, f := range []link{{"--name", r.Name}, {"--at", strings.TrimSpace(form.Get("delay"))}, {"--key", strings.TrimSpace(form.Get("key"))}} {
		if f.URL != "" {
			flags = append(flags, f.Name, shell(f.URL))
		}
	}
	if r.Options != nil {
		for _, tag := range r.Options.AddTags {
			flags = append(flags, "--tag", shell(tag))
		}
	}
	words := slices.Concat([]string{"runnel run start", shell(t.Name)}, args, flags)
	if dash { // what looks like a flag is none
		words = slices.Concat([]string{"runnel run start"}, flags, []string{"--", shell(t.Name)}, args)
	}
	return strings.Join(words, " ")
}

func (v *view) flow() (*api.TaskInfo, error) {
	t, err := get[api.TaskInfo](v, at("/flows/%", v.r.PathValue("name")), nil)
	return &t, err
}

func askStart(v *view) error {
	t, err := v.flow()
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	form := startForm(v, t, q.Get("json") != "")
	r, err := startRequest(t, q, v.site.now())
	switch p, ok := errors.AsType[*problem](err); {
	case ok && q.Has("shown"):
		form.Soft = p.Detail
	case err == nil:
		form.Command = startLine(t, r, q)
	}
	if form.Command == "" {
		form.Command = exampleOf(t)
	}
	return v.open(form, q)
}

func doStart(v *view) error {
	t, err := v.flow()
	if err != nil {
		return err
	}
	form := startForm(v, t, v.text("json") != "")
	r, err := startRequest(t, v.form(), v.site.now())
	if err != nil {
		return v.reopen(form, err)
	}
	form.Command = startLine(t, r, v.form())
	header := http.Header{}
	if key := v.text("key"); key != "" {
		header.Set("Idempotency-Key", key)
	}
	run, err := changeWith[httpapi.RunDetail](v, http.MethodPost, "/runs", r, header)
	if err != nil {
		return v.reopen(form, err)
	}
	return v.done(at("runs/%", run.ID), "The run “"+run.Name+"” has begun.")
}
