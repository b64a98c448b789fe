package web

import (
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/internal/manual"
)

//go:embed templates
var templateFiles embed.FS

// Options say how to serve pages.
type Options struct {
	Log *slog.Logger     // of pages that could not be made; default slog.Default()
	Now func() time.Time // default time.Now
}

// base is where the REST API is.
const base = "/api/v1"

// site is what all pages share.
type site struct {
	api    http.Handler
	log    *slog.Logger
	now    func() time.Time
	static *assets
	pages  map[string]*template.Template
	usuals usuals
	mux    *http.ServeMux
}

// route is one of the pages, or what a form of one is sent to.
type route struct {
	pattern string
	do      func(*view) error
}

// Handler serves pages, and hands to api what is not one: its routes, and what asks for
// no HTML.
func Handler(api http.Handler, opts Options) http.Handler {
	s := &site{api: api, log: opts.Log, now: opts.Now, static: loadAssets(), mux: http.NewServeMux()}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.pages = s.parse()
	var sameSite http.CrossOriginProtection
	sameSite.SetDenyHandler(http.HandlerFunc(s.foreign))
	for _, r := range routes() {
		s.mux.Handle(r.pattern, sameSite.Handler(s.page(r.do)))
	}
	s.mux.Handle("GET /static/{hash}/{name}", s.static)
	manual.Handle(s.mux)
	return http.HandlerFunc(s.serve)
}

// serve sends a request to its page, or to the API.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	_, pattern := s.mux.Handler(r)
	switch {
	case pattern != "":
		s.mux.ServeHTTP(w, r)
	case ofAPI(r.URL.Path) || !wantsHTML(r):
		s.api.ServeHTTP(w, r)
	default:
		s.page(missing).ServeHTTP(w, r)
	}
}

// ofAPI reports whether a path is served by the API's handler.
func ofAPI(path string) bool {
	for _, p := range []string{"/api", "/docs", "/healthz", "/readyz", "/metrics"} {
		if path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

func wantsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// shared are the templates that all pages have.
var shared = []string{"templates/shell.html", "templates/parts.html", "templates/task_parts.html", "templates/form_parts.html"}

// parse reads the templates: each page's with the shell and the parts.
func (s *site) parse() map[string]*template.Template {
	parts := template.Must(template.New("").Funcs(funcs()).ParseFS(templateFiles, shared...))
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err) // they are part of the program
	}
	pages := map[string]*template.Template{}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".html")
		if slices.Contains(shared, "templates/"+e.Name()) {
			continue
		}
		pages[name] = template.Must(template.Must(parts.Clone()).ParseFS(templateFiles, "templates/"+e.Name()))
	}
	return pages
}

// routes gives all pages.
func routes() []route {
	all := []route{
		{"GET /{$}", home},
		{"GET /search", search},
		{"GET /login", showLogin},
		{"POST /login", login},
		{"POST /logout", logout},
		{"POST /preferences", setPreference},
	}
	for _, more := range [][]route{runRoutes, runVerbRoutes(), bulkRoutes, nearRoutes, diffRoutes, taskRoutes, taskVerbRoutes()} {
		all = append(all, more...)
	}
	return append(all, otherRoutes()...)
}

// otherRoutes are those of the pages beside runs and tasks.
func otherRoutes() []route {
	return slices.Concat(
		limitRoutes,
		globalRoutes,
		flowRoutes,
		scheduleRoutes,
		workerRoutes,
		turnRoutes(),
		cacheRoutes,
		operationRoutes,
		settingRoutes,
		savedRoutes,
		statsRoutes,
	)
}

// home is the list of runs.
func home(v *view) error { return v.redirect("runs") }

// missing is the page of a path that there is not.
func missing(v *view) error {
	return &problem{Status: http.StatusNotFound, Code: "not_found", Title: "There is no such page", Detail: "Nothing is at " + v.r.URL.Path + "."}
}

// foreign refuses what a browser sends for a page of another site.
func (s *site) foreign(w http.ResponseWriter, r *http.Request) {
	s.page(func(*view) error {
		return &problem{Status: http.StatusForbidden, Code: "forbidden", Title: "Refused", Detail: "A page of another site may not change anything here."}
	}).ServeHTTP(w, r)
}
