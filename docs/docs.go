// Package docs is the documentation, as it is in the repository: so that what a
// program says of itself fits the program.
package docs

import "embed"

// Files are the pages, in Markdown.
//
//go:embed *.md
var Files embed.FS

// Dashboard is one for Grafana.
//
//go:embed grafana.json
var Dashboard []byte

// Decisions are why it is as it is, below the folder decisions.
//
//go:embed decisions/*.md
var Decisions embed.FS
