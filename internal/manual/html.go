package manual

import (
	"bytes"
	"html/template"
	"net/url"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// elsewhere is where files are that are not served.
const elsewhere = "https://github.com/runnel-dev/runnel/blob/main/"

// html makes HTML of a document. What is HTML in it is left out; there is none.
func (m *manual) html(file string, source []byte) (template.HTML, error) {
	md := goldmark.New(
		goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(linker{m, file}, 100))),
	)
	var b bytes.Buffer
	if err := md.Convert(source, &b); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil //nolint:gosec // of our own documents, and escaped
}

// linker has links lead to where documents are served, and names images, which are not.
type linker struct {
	m    *manual
	file string
}

// Transform changes the tree of a document.
func (l linker) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var images []*ast.Image
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // it never fails
		switch n := n.(type) {
		case *ast.Link:
			if entering {
				n.Destination = []byte(l.to(string(n.Destination)))
			}
		case *ast.Image:
			if entering {
				images = append(images, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, image := range images {
		named := ast.NewEmphasis(1)
		for c := image.FirstChild(); c != nil; c = image.FirstChild() {
			named.AppendChild(named, c)
		}
		image.Parent().ReplaceChild(image.Parent(), image, named)
	}
}

// to gives a link as it is from the page of the document.
func (l linker) to(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Path == "" {
		return link
	}
	target := path.Join(path.Dir(l.file), u.Path)
	if target == "grafana.json" {
		return link // is served beside the pages
	}
	p, ok := l.m.pages[target]
	if !ok {
		return elsewhere + path.Join("docs", target)
	}
	u.Path = strings.Repeat("../", strings.Count(place(l.file), "/")) + p.URL
	return u.String()
}
