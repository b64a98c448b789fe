// Package manual serves the documentation to browsers: what is in docs, as HTML, with
// nothing from elsewhere.
//
// It must not know what else is served, nor who looks: documentation is for everybody.
package manual

import (
	"bytes"
	_ "embed" // template and style
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/runnel-dev/runnel/docs"
)

// page is one of the documents.
type page struct {
	file  string // within docs, as in decisions/0001-x.md
	URL   string // below /docs/
	Title string
	show  func() ([]byte, error) // once, since it stays as it is
}

// taken are documents whose place is that of something else: docs/api is the reference
// of all routes.
var taken = map[string]string{"api": "rest"}

// place gives where a document is served, below /docs/.
func place(file string) string {
	name := strings.TrimSuffix(file, ".md")
	if other, ok := taken[name]; ok {
		return other
	}
	return name
}

// manual is all documents, by file.
type manual struct {
	pages     map[string]*page
	Documents []*page // in the order of their names
	Decisions []*page
}

func load() (*manual, error) {
	m := &manual{pages: map[string]*page{}}
	for _, from := range []struct {
		files fs.FS
		match string
		list  *[]*page
	}{{docs.Files, "*.md", &m.Documents}, {docs.Decisions, "decisions/*.md", &m.Decisions}} {
		names, err := fs.Glob(from.files, from.match)
		if err != nil {
			return nil, err
		}
		for _, file := range names {
			text, err := fs.ReadFile(from.files, file)
			if err != nil {
				return nil, err
			}
			if strings.HasSuffix(file, "0000-template.md") {
				continue
			}
			first, _, _ := strings.Cut(string(text), "\n")
			p := &page{file: file, URL: place(file), Title: strings.ReplaceAll(strings.TrimPrefix(first, "# "), "`", "")}
			p.show = sync.OnceValues(func() ([]byte, error) { return m.render(p, text) })
			m.pages[file] = p
			*from.list = append(*from.list, p)
		}
	}
	return m, nil
}

//go:embed page.html
var pageHTML string

//go:embed manual.css
var css []byte

var layout = template.Must(template.New("").Parse(pageHTML))

// shown is what a page is made of.
type shown struct {
	*manual

	Title string
	Here  string // its URL
	Up    string // from the page to /docs/
	Text  template.HTML
}

func (m *manual) write(s shown) ([]byte, error) {
	s.manual = m
	var b bytes.Buffer
	err := layout.Execute(&b, s)
	return b.Bytes(), err
}

func (m *manual) render(p *page, text []byte) ([]byte, error) {
	html, err := m.html(p.file, text)
	if err != nil {
		return nil, err
	}
	return m.write(shown{Title: p.Title, Here: p.URL, Up: strings.Repeat("../", strings.Count(p.URL, "/")), Text: html})
}

// Handle puts the documentation on a mux: /docs/, and a page below it for each document.
func Handle(mux *http.ServeMux) {
	m, err := load()
	if err != nil {
		panic(err) // it is part of the program
	}
	index, err := m.write(shown{Title: "Documentation"})
	if err != nil {
		panic(err) // as above
	}
	mux.HandleFunc("GET /docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "docs/") // relative, so that it holds below a prefix
		w.WriteHeader(http.StatusMovedPermanently)
	})
	mux.HandleFunc("GET /docs/{$}", func(w http.ResponseWriter, _ *http.Request) { send(w, "text/html; charset=utf-8", index) })
	mux.HandleFunc("GET /docs/manual.css", func(w http.ResponseWriter, _ *http.Request) { send(w, "text/css; charset=utf-8", css) })
	mux.HandleFunc("GET /docs/grafana.json", func(w http.ResponseWriter, _ *http.Request) { send(w, "application/json", docs.Dashboard) })
	for _, p := range m.pages {
		mux.HandleFunc("GET "+path.Join("/docs", p.URL), func(w http.ResponseWriter, _ *http.Request) {
			text, err := p.show()
			if err != nil {
				http.Error(w, "the page can't be made", http.StatusInternalServerError)
				return
			}
			send(w, "text/html; charset=utf-8", text)
		})
	}
}

func send(w http.ResponseWriter, kind string, text []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write(text)
}
