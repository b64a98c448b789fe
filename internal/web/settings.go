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

var settingRoutes = []route{
	{"GET /settings", showSettings},
	{"GET /new/token", askNewToken},
	{"POST /new/token", makeToken},
	{"GET /tokens/{name}/delete", askDeleteToken},
	{"POST /tokens/{name}/delete", deleteToken},
	{"GET /audit", showAudit},
}

// settingsPage is how somebody sees pages, and what this server is.
type settingsPage struct {
	Choices   []choice
	Facts     []fact
	Admin     bool
	Tokens    []httpapi.Token
	NoTokens  string // why there are none
	Processes []api.Process
	Filters   []keptFilter
}

// keptFilter is a filter that somebody has saved.
type keptFilter struct {
	httpapi.SavedFilter

	URL, Delete string
}

// choice is a preference, kept in a cookie.
type choice struct {
	Name, Label string
	Of          []option
}

type option struct {
	Value, Label string
	Chosen       bool
}

func showSettings(v *view) error {
	v.page.Title, v.page.Nav = "Settings", "settings"
	if err := v.frame(); err != nil {
		return err
	}
	body := settingsPage{Choices: v.choices(), Facts: v.serverFacts(), Admin: v.page.Me.Role == httpapi.Admin, Processes: v.page.Server.Health.Processes}
	saved, err := get[httpapi.List[httpapi.SavedFilter]](v, "/filters", nil)
	if err != nil {
		return err
	}
	for _, one := range saved.Items {
		kept := keptFilter{SavedFilter: one, URL: one.Target + "?" + url.Values{"q": {one.Q}}.Encode()}
		if v.page.CanWrite {
			kept.Delete = at("filters/%/%/delete?settings=1", one.Target, one.Name)
		}
		body.Filters = append(body.Filters, kept)
	}
	if body.Admin {
		found, err := get[httpapi.List[httpapi.Token]](v, "/tokens", nil)
		p, ok := mendable(err)
		switch {
		case ok:
			body.NoTokens = p.Detail
		case err != nil:
			return err
		}
		body.Tokens = found.Items
	}
	return v.render("settings", http.StatusOK, body)
}

func (v *view) choices() []choice {
	theme, times, rail, rows := v.preference(themeCookie), v.preference(timesCookie), v.preference(railCookie), v.preference(rowsCookie)
	return []choice{
		{"theme", "Colours", []option{{"auto", "As the system", theme == ""}, {"light", "Light", theme == "light"}, {"dark", "Dark", theme == "dark"}}},
		{"times", "Times", []option{{"local", "Of this browser", times == ""}, {"utc", "UTC", times == "utc"}}},
		{"rail", "Side bar", []option{{"wide", "Words", rail == ""}, {"narrow", "Icons", rail == "narrow"}}},
		{"rows", "Rows", []option{{"roomy", "Roomy", rows == ""}, {"dense", "Dense", rows == "dense"}}},
	}
}

func (v *view) serverFacts() []fact {
	s, h := &v.page.Server, &v.page.Server.Health
	facts := []fact{
		{"Version", s.Version, ""},
		{"You are", strings.Trim(v.page.Me.Name+", "+string(v.page.Me.Role), ", "), ""},
		{"Writes", map[bool]string{true: "refused, it is read-only", false: "taken"}[s.ReadOnly], ""},
		{"Takes bodies of", "at most " + bytesOf(s.MaxBody), ""},
		{"Runs that have ended", keptFor(time.Duration(h.Retention)), ""},
		{"Data", cmp.Or(h.Store, "not known"), ""},
		{"Database", map[bool]string{true: "answers", false: "can’t be reached"}[h.Reachable], ""},
		{"Not durable yet", plural(h.Waiting, "change"), ""},
		{"Bodies here", number(h.Bodies), "workers"},
		{"Refused as too late", number(h.Late), ""},
		{"Begun anew", plural(h.Restarts, "time"), ""},
	}
	if h.LastError != "" {
		facts = append(facts, fact{"Last error of the database", h.LastError, ""})
	}
	return facts
}

// keptFor says for how long something is kept.
func keptFor(d time.Duration) string {
	switch days := d / (24 * time.Hour); {
	case d == 0:
		return "are kept for ever"
	case d%(24*time.Hour) == 0:
		return "are kept for " + plural(int(days), "day")
	}
	return "are kept for " + span(d)
}

// roles are those of tokens, with what each may do.
var roles = []string{"read-only", "operator", "admin", "worker"}

func newTokenForm(v *view) *confirmation {
	v.page.Nav, v.page.Crumb = "settings", []link{{"Settings", "settings"}}
	return &confirmation{
		Title: "New token", Fields: []field{
			{Name: "name", Label: "Name", Required: true, Note: "Of who will use it, in letters, digits, dots and dashes; the audit log has it."},
			{Name: "role", Label: "Role", Choices: roles, Note: "Read-only looks; an operator also changes runs, limits and schedules; an admin also makes tokens; a worker only claims tasks."},
			{Name: "expires_in", Label: "Good for", Place: "ever", Note: "Such as 720h."},
		},
		Reason: true, Action: "new/token", Button: "Create the token", Back: "settings",
	}
}

func askNewToken(v *view) error { return v.confirm(newTokenForm(v)) }

// makeToken makes one, and shows its secret, this once: it is in no cookie and no URL.
func makeToken(v *view) error {
	form := newTokenForm(v)
	r := httpapi.TokenRequest{Name: v.text("name"), Role: httpapi.Role(v.text("role"))}
	var err error
	switch text := v.text("expires_in"); {
	case !slices.Contains(roles, v.text("role")):
		err = fault("role", "Choose one of %s.", strings.Join(roles, ", "))
	case text != "":
		if r.Expires.UnmarshalText([]byte(text)) != nil || r.Expires <= 0 {
			err = fault("expires_in", "“%s” is no time span such as 720h.", text)
		}
	}
	if err != nil {
		return v.again(form, err)
	}
	made, err := change[httpapi.NewToken](v, http.MethodPost, "/tokens", r)
	if err != nil {
		return v.again(form, err)
	}
	v.page.Title = "The token " + made.Name
	v.w.Header().Set("Cache-Control", "no-store")
	return v.show("secret", http.StatusCreated, made)
}

func askDeleteToken(v *view) error {
	name := v.r.PathValue("name")
	v.page.Nav, v.page.Crumb = "settings", []link{{"Settings", "settings"}}
	return v.confirm(&confirmation{
		Title: "Delete the token “" + name + "”?", Text: []string{"Whoever uses it is shut out within seconds, and so are browsers that have logged in with it."},
		Reason: true, Action: at("tokens/%/delete", name), Button: "Delete the token", Danger: true, Back: "settings",
	})
}

func deleteToken(v *view) error {
	name := v.r.PathValue("name")
	if _, err := change[any](v, http.MethodDelete, at("/tokens/%", name), nil); err != nil {
		return err
	}
	return v.done("settings", "The token “"+name+"” is deleted.")
}

// auditPage is who changed what.
type auditPage struct {
	Rows []httpapi.Audited
	Who  string
}

func showAudit(v *view) error {
	v.page.Title, v.page.Nav, v.page.Crumb = "Audit", "settings", []link{{"Settings", "settings"}}
	body := auditPage{Who: strings.TrimSpace(v.r.URL.Query().Get("who"))}
	q := url.Values{"limit": {"200"}}
	if body.Who != "" {
		q.Set("who", body.Who)
	}
	found, err := get[httpapi.List[httpapi.Audited]](v, "/audit", q)
	if err != nil {
		return err
	}
	body.Rows = found.Items
	return v.show("audit", http.StatusOK, body)
}
