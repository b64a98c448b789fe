package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// view is one request for a page.
type view struct {
	site *site
	w    http.ResponseWriter
	r    *http.Request
	page page
}

// page is what the shell shows, and what a page's own template finds under Body.
type page struct {
	Base  string // the relative URL of the root: "./", "../", …
	Title string
	Nav   string // the entry of the rail that this page belongs to
	Crumb []link // what stands before the title
	// State is of what the page is about, for the icon and the title; "" for none.
	State string
	// Topics are those of the event stream upon which the page is fetched again, Pace
	// how long to wait for more of them, in milliseconds.
	Topics []string
	Pace   int
	Query  string // in the search box
	// Scripts are modules that the page needs beside those of all pages.
	Scripts []string

	Me       httpapi.Me
	Server   httpapi.Server
	CanWrite bool // the viewer may change something
	Flash    *flash
	Theme    string // "light", "dark" or ""
	Times    string // "utc" or ""
	Narrow   bool   // the rail shows icons only
	Dense    bool   // rows of tables are low
	Static   string // where the static files are
	Here     string // this page's path and query, relative to the root
	Body     any
	Now      time.Time
}

// link is one.
type link struct{ Name, URL string }

// flash is what became of an action, shown once.
type flash struct {
	Text string `json:"text"`
	Bad  bool   `json:"bad,omitempty"`
}

const (
	flashCookie = "runnel_flash"
	themeCookie = "runnel_theme"
	timesCookie = "runnel_times"
	railCookie  = "runnel_rail"
	rowsCookie  = "runnel_rows"

	columnsCookie = "runnel_columns"
)

// policy is the Content-Security-Policy of all pages: nothing inline, nothing from
// elsewhere.
const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// page serves one with do.
func (s *site) page(do func(*view) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &view{site: s, w: w, r: r}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "private, no-cache")
		depth := strings.Count(r.URL.EscapedPath(), "/") - 1
		v.page.Base = "./" + strings.Repeat("../", max(depth, 0))
		if depth > 0 {
			v.page.Base = strings.Repeat("../", depth)
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		if err := do(v); err != nil {
			v.failed(err)
		}
	})
}

// maxForm bounds what a form sends.
const maxForm = 1 << 20

// show renders a page. Its ETag is of what it shows, so that one that was fetched again
// for nothing costs nothing more.
func (v *view) show(name string, status int, body any) error {
	if err := v.frame(); err != nil {
		return err
	}
	return v.render(name, status, body)
}

// frame reads what the shell shows.
func (v *view) frame() error {
	var err error
	if v.page.Me, err = get[httpapi.Me](v, "/me", nil); err != nil {
		return err
	}
	if v.page.Server, err = get[httpapi.Server](v, "/server", nil); err != nil {
		return err
	}
	v.page.CanWrite = !v.page.Server.ReadOnly && (v.page.Me.Role == httpapi.Operator || v.page.Me.Role == httpapi.Admin)
	return nil
}

func (v *view) render(name string, status int, body any) error {
	p := &v.page
	p.Body, p.Now = body, v.site.now()
	p.Static = p.Base + "static/" + v.site.static.hash + "/"
	p.Theme, p.Times, p.Narrow = v.preference(themeCookie), v.preference(timesCookie), v.preference(railCookie) == "narrow"
	p.Dense = v.preference(rowsCookie) == "dense"
	p.Here = strings.TrimPrefix(v.r.URL.EscapedPath(), "/")
	if v.r.URL.RawQuery != "" {
		p.Here += "?" + v.r.URL.RawQuery
	}
	slices.Sort(p.Scripts)
	p.Scripts = slices.DeleteFunc(slices.Compact(p.Scripts), func(name string) bool { _, ok := v.site.static.files[name]; return !ok })
	p.Flash = v.takeFlash()
	p.Pace = cmp.Or(p.Pace, 1000)
	var b bytes.Buffer
	if err := v.site.pages[name].ExecuteTemplate(&b, "shell", p); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if status == http.StatusOK && p.Flash == nil {
		sum := sha256.Sum256(b.Bytes())
		tag := `"` + hex.EncodeToString(sum[:12]) + `"`
		h.Set("ETag", tag)
		if v.r.Header.Get("If-None-Match") == tag {
			v.w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	v.send(status, b.Bytes())
	return nil
}

// send writes a page, gzipped for who takes that.
func (v *view) send(status int, text []byte) {
	h := v.w.Header()
	h.Add("Vary", "Accept-Encoding")
	if !strings.Contains(v.r.Header.Get("Accept-Encoding"), "gzip") {
		v.w.WriteHeader(status)
		_, _ = v.w.Write(text)
		return
	}
	h.Set("Content-Encoding", "gzip")
	v.w.WriteHeader(status)
	z, _ := gzip.NewWriterLevel(v.w, gzip.BestSpeed) // there is such a level
	_, _ = z.Write(text)
	_ = z.Close() // nobody is left to be told
}

// failed shows what went wrong. Who is not known is sent to log in.
func (v *view) failed(err error) {
	if v.r.Context().Err() != nil {
		return // nobody is left to be told
	}
	p, ok := errors.AsType[*problem](err)
	switch {
	case ok && p.Status == http.StatusUnauthorized && v.r.URL.Path != "/login":
		if v.r.Method == http.MethodGet {
			_ = v.redirect("login?" + url.Values{"next": {relative(v.r.URL)}}.Encode()) // it never fails
			return
		}
		_ = v.redirect("login")
		return
	case !ok:
		v.site.log.Error("web: a page could not be made", "path", v.r.URL.Path, "error", err)
		p = &problem{Status: http.StatusInternalServerError, Code: "internal", Title: "Something went wrong here", Detail: "The server's log has it."}
		if e, ours := errors.AsType[*api.Error](err); ours {
			p.Detail = e.Error()
		}
	}
	v.page.Title, v.page.State, v.page.Topics, v.page.Crumb = p.Title, "", nil, nil
	_ = v.frame() // the error page does without
	if err := v.render("error", p.Status, p); err != nil {
		http.Error(v.w, p.Detail, p.Status)
	}
}

// relative gives a URL as seen from the root.
func relative(u *url.URL) string {
	text := strings.TrimPrefix(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		text += "?" + u.RawQuery
	}
	return text
}

// redirect sends the browser to a path that is relative to the root. Location is
// relative too, since the prefix that the browser sees may not be known here.
func (v *view) redirect(to string) error {
	v.w.Header().Set("Location", v.page.Base+to)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// done redirects after an action, and says what became of it.
func (v *view) done(to, text string) error {
	v.tell(&flash{Text: text})
	return v.redirect(to)
}

// tell keeps a flash for the page that comes next.
func (v *view) tell(f *flash) {
	mark := ""
	if f.Bad {
		mark = "!"
	}
	v.cookie(flashCookie, base64.RawURLEncoding.EncodeToString([]byte(mark+f.Text)), 60, true)
}

func (v *view) takeFlash() *flash {
	c, err := v.r.Cookie(flashCookie)
	if err != nil || c.Value == "" {
		return nil
	}
	v.cookie(flashCookie, "", -1, true)
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return nil
	}
	rest, bad := strings.CutPrefix(string(text), "!")
	return &flash{Text: rest, Bad: bad}
}

func (v *view) preference(name string) string {
	if c, err := v.r.Cookie(name); err == nil {
		switch c.Value {
		case "light", "dark", "utc", "narrow", "dense":
			return c.Value
		}
	}
	return ""
}

func (v *view) cookie(name, value string, age int, hidden bool) {
	http.SetCookie(v.w, &http.Cookie{ //nolint:gosec // Secure as the connection is; nothing secret is in it
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: hidden,
		Secure: v.r.TLS != nil || v.r.Header.Get("X-Forwarded-Proto") == "https", SameSite: http.SameSiteLaxMode,
	})
}

const year = 365 * 24 * 60 * 60

// preferences are what setPreference takes: cookies, and their values.
var preferences = map[string]map[string]string{
	"theme": {"light": themeCookie, "dark": themeCookie, "auto": themeCookie},
	"times": {"utc": timesCookie, "local": timesCookie},
	"rail":  {"narrow": railCookie, "wide": railCookie},
	"rows":  {"dense": rowsCookie, "roomy": rowsCookie},
}

// setPreference keeps how somebody wants to see pages, in their browser.
func setPreference(v *view) error {
	for name, values := range preferences {
		if value := v.r.PostFormValue(name); values[value] != "" {
			v.cookie(values[value], value, year, false)
		}
	}
	v.chooseColumns(v.r.PostFormValue("table"))
	return v.redirect(inside(v.r.PostFormValue("back")))
}

// inside gives a path that is relative to the root, "" for what leads out.
func inside(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(to, "/") || strings.HasPrefix(to, "\\") || strings.Contains(u.Path, "..") {
		return ""
	}
	return to
}
