package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// check reads a page, reports what is wrong with it, and gives where it leads.
func (s *site) check(t *testing.T, u *url.URL) []*url.URL {
	t.Helper()
	r := s.get(t, strings.TrimPrefix(u.String(), s.url))
	switch {
	case r.status == http.StatusSeeOther:
		return []*url.URL{r.to(t)}
	case r.status != http.StatusOK:
		t.Errorf("%s answers %d: %.300s", u, r.status, r.text)
		return nil
	case !strings.HasPrefix(r.header.Get("Content-Type"), "text/html"):
		return nil
	case strings.Contains(u.Path, "/docs/"): // those of httpapi
		return nil
	}
	if policy := r.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") {
		t.Errorf("%s has the Content-Security-Policy %q", u, policy)
	}
	doc, err := html.Parse(strings.NewReader(r.text))
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{page: u.String(), t: t, ids: map[string]bool{}, count: map[string]int{}, labels: map[string]bool{}}
	c.walk(doc)
	c.finish()
	var to []*url.URL
	for _, l := range c.links {
		next, err := u.Parse(l)
		if err != nil {
			t.Errorf("%s has a link to %q", u, l)
			continue
		}
		next.Fragment = ""
		if next.Host == u.Host {
			to = append(to, next)
		}
	}
	return to
}

// checker looks at a page's elements.
type checker struct {
	page   string
	t      *testing.T
	ids    map[string]bool
	labels map[string]bool // ids that labels are for
	refers []string        // ids that something refers to
	inputs []*html.Node    // that need a label
	count  map[string]int  // of each element
	links  []string
	levels []string // headings in order
}

func (c *checker) errorf(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("%s: "+format, append([]any{c.page}, args...)...)
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func (c *checker) walk(n *html.Node) {
	if n.Type == html.ElementNode {
		c.element(n)
	}
	for child := range n.ChildNodes() {
		c.walk(child)
	}
}

func (c *checker) element(n *html.Node) {
	if n.Namespace == "" {
		c.count[n.Data]++
	}
	for _, a := range n.Attr {
		switch {
		case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
			c.errorf("<%s> has the inline attribute %s", n.Data, a.Key)
		case a.Key == "id":
			if c.ids[a.Val] {
				c.errorf("the id %q is there twice", a.Val)
			}
			c.ids[a.Val] = true
		case a.Key == "aria-labelledby", a.Key == "aria-describedby", a.Key == "for":
			c.refers = append(c.refers, strings.Fields(a.Val)...)
		case strings.Contains(a.Val, "ZgotmplZ"):
			c.errorf("<%s> has %s=%q, which the template refused", n.Data, a.Key, a.Val)
		}
	}
	switch n.Data {
	case "a", "link":
		c.links = append(c.links, attr(n, "href"))
		if n.Data == "a" && strings.TrimSpace(inner(n)) == "" && attr(n, "aria-label") == "" {
			c.errorf("the link to %s says nothing", attr(n, "href"))
		}
	case "button":
		if strings.TrimSpace(inner(n)) == "" && attr(n, "aria-label") == "" {
			c.errorf("a button says nothing")
		}
	case "script":
		if attr(n, "src") == "" || strings.TrimSpace(inner(n)) != "" {
			c.errorf("a script is inline")
		}
		c.links = append(c.links, attr(n, "src"))
	case "style":
		c.errorf("a style is inline")
	case "th":
		if attr(n, "scope") == "" {
			c.errorf("the table head %q has no scope", inner(n))
		}
	case "label":
		c.labels[attr(n, "for")] = true
	case "input", "select", "textarea":
		if attr(n, "type") != "hidden" && attr(n, "aria-label") == "" {
			c.inputs = append(c.inputs, n)
		}
	case "h1", "h2", "h3", "h4":
		c.levels = append(c.levels, n.Data)
	case "form":
		if method := attr(n, "method"); (method == "" || strings.EqualFold(method, "get")) && !has(n, "data-modal") {
			c.links = append(c.links, attr(n, "action"))
		}
	}
}

// inner is the text in an element.
func inner(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for child := range n.ChildNodes() {
			walk(child)
		}
	}
	walk(n)
	return b.String()
}

func (c *checker) finish() {
	for name, want := range map[string]int{"h1": 1, "main": 1, "title": 1, "header": 1} {
		if c.count[name] != want {
			c.errorf("has %d <%s>, want %d", c.count[name], name, want)
		}
	}
	if !slices.Contains(c.links, "#main") {
		c.errorf("has no link that skips to the content")
	}
	for i, level := range c.levels {
		before := "h0"
		if i > 0 {
			before = c.levels[i-1]
		}
		if level[1] > before[1]+1 {
			c.errorf("<%s> follows <%s>", level, before)
		}
	}
	for _, id := range c.refers {
		if !c.ids[id] {
			c.errorf("refers to the id %q, which is not there", id)
		}
	}
	for _, n := range c.inputs {
		wrapped := n.Parent != nil && n.Parent.Data == "label"
		if !wrapped && !c.labels[attr(n, "id")] {
			c.errorf("<%s name=%q> has no label", n.Data, attr(n, "name"))
		}
	}
}
