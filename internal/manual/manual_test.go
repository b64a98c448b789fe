package manual_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/runnel-dev/runnel/internal/manual"
)

// served is the documentation below a prefix.
func served(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	manual.Handle(mux)
	for _, of := range []string{"api", "errors"} { // those of internal/httpapi
		mux.HandleFunc("GET /docs/"+of, func(http.ResponseWriter, *http.Request) {})
	}
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	s := httptest.NewServer(http.StripPrefix("/here", mux))
	t.Cleanup(s.Close)
	return s
}

// seen is what stands in a page.
type seen struct {
	header      http.Header
	ids         map[string]bool
	links, from []string // where it leads, and what it loads
	count       map[string]int
	title, text string
}

func read(t *testing.T, at string) *seen {
	t.Helper()
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s answers %d", at, resp.StatusCode)
	}
	s := &seen{header: resp.Header, ids: map[string]bool{}, count: map[string]int{}}
	doc, err := html.Parse(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		switch {
		case n.Type == html.TextNode:
			s.text += n.Data
			continue
		case n.Type != html.ElementNode:
			continue
		case n.Data == "title" && n.FirstChild != nil:
			s.title = n.FirstChild.Data
		}
		s.count[n.Data]++
		for _, a := range n.Attr {
			switch {
			case a.Key == "id" && s.ids[a.Val]:
				t.Errorf("%s has the id %s twice", at, a.Val)
			case a.Key == "id":
				s.ids[a.Val] = true
			case a.Key == "href" && n.Data == "a":
				s.links = append(s.links, a.Val)
			case a.Key == "href", a.Key == "src":
				s.from = append(s.from, a.Val)
			}
		}
	}
	return s
}

// Every page is there, from the first one on, and every link leads somewhere: also to the
// heading that it names, and below a prefix.
func TestLinksLeadSomewhere(t *testing.T) {
	s := served(t)
	first, err := url.Parse(s.URL + "/here/docs") // which redirects
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get(first.String()); err != nil || resp.Request.URL.Path != "/here/docs/" || resp.Body.Close() != nil {
		t.Errorf("/docs leads to %v, %v", resp, err)
	}
	pages := map[string]*seen{}
	todo := []*url.URL{first.JoinPath("/")}
	fragments := map[string]map[string]string{} // page, id, where the link is
	for len(todo) > 0 {
		u := todo[0]
		todo = todo[1:]
		if pages[u.String()] != nil {
			continue
		}
		p := read(t, u.String())
		pages[u.String()] = p
		for _, l := range p.links {
			to, err := u.Parse(l)
			if err != nil {
				t.Errorf("%s has the link %q", u, l)
				continue
			}
			if to.Host != u.Host {
				if !strings.HasPrefix(l, "https://") {
					t.Errorf("%s leads to %q", u, l)
				}
				continue
			}
			id := to.Fragment
			to.Fragment = ""
			if id != "" {
				if fragments[to.String()] == nil {
					fragments[to.String()] = map[string]string{}
				}
				fragments[to.String()][id] = u.String()
			}
			todo = append(todo, to)
		}
	}
	for at, ids := range fragments {
		for id, from := range ids {
			if !pages[at].ids[id] {
				t.Errorf("%s leads to #%s of %s, which is not there", from, id, at)
			}
		}
	}
	for _, name := range []string{"guarantees", "cli", "rest", "databases", "decisions/0022-upkeep-needs-no-engine"} {
		if pages[s.URL+"/here/docs/"+name] == nil {
			t.Errorf("nothing leads to %s", name)
		}
	}
	if len(pages) < 40 {
		t.Errorf("there are %d pages", len(pages))
	}
}

// A page says what it is, loads nothing from elsewhere and runs nothing.
func TestPages(t *testing.T) {
	s := served(t)
	for path, want := range map[string]struct{ title, text string }{
		"":                                    {"Documentation · runnel", "Why it is as it is"},
		"databases":                           {"Looking after a database · runnel", "runnel db export backup.jsonl.gz"},
		"pages":                               {"Pages · runnel", ""},
		"decisions/0005-a-flow-is-done-again": {"0005: a flow is done again, call by call · runnel", "The decision."},
	} {
		p := read(t, s.URL+"/here/docs/"+path)
		if p.title != want.title || !strings.Contains(p.text, want.text) {
			t.Errorf("/docs/%s has the title %q, want %q, and the text %q", path, p.title, want.title, want.text)
		}
		if p.count["h1"] != 1 || p.count["main"] != 1 || p.count["script"] != 0 || p.count["img"] != 0 {
			t.Errorf("/docs/%s has the elements %v", path, p.count)
		}
		for _, from := range p.from {
			if strings.Contains(from, "://") {
				t.Errorf("/docs/%s loads %s", path, from)
			}
		}
		if policy := p.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'") {
			t.Errorf("/docs/%s has the policy %q", path, policy)
		}
	}
	resp, err := http.Get(s.URL + "/here/docs/manual.css")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/css") {
		t.Errorf("the style: %d %s", resp.StatusCode, resp.Header)
	}
}
