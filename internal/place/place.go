// Package place reads which database a DSN names.
//
// It must not know how one is opened.
package place

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// Kind is what keeps the data.
type Kind uint8

// The kinds.
const (
	Memory Kind = iota + 1
	SQLite
	Postgres
	Server
)

// Place is what a DSN says.
type Place struct {
	Kind Kind
	DSN  string // as it was given: of Postgres and Server there is no more
	Path string // of SQLite
	Sync string // of SQLite: "full", "normal" or, for the default, ""
}

// keywords is the form that PostgreSQL's may have beside that of a URL.
var keywords = regexp.MustCompile(`^\s*(host|hostaddr|port|user|password|dbname|service)\s*=`)

// Read reads one. Its errors don't show what may hold a password.
func Read(dsn string) (Place, error) {
	kind, rest, found := strings.Cut(dsn, ":")
	switch {
	case found && kind == "memory" && rest == "":
		return Place{Kind: Memory, DSN: dsn}, nil
	case kind == "sqlite" && rest != "" && rest[0] != '?':
		return readSQLite(dsn, rest)
	case strings.HasPrefix(rest, "//") && (kind == "postgres" || kind == "postgresql"), keywords.MatchString(dsn):
		return Place{Kind: Postgres, DSN: dsn}, nil
	case strings.HasPrefix(rest, "//") && (kind == "http" || kind == "https"):
		return Place{Kind: Server, DSN: dsn}, nil
	}
	return Place{}, api.Errorf(api.ErrInvalid, "", `the dsn is of no kind that is known: want "memory:", "sqlite:FILE", "postgres://USER@HOST/DATABASE" or "https://HOST"`)
}

func readSQLite(dsn, rest string) (Place, error) {
	path, query, _ := strings.Cut(rest, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return Place{}, api.Errorf(api.ErrInvalid, "", "dsn %q: %w", dsn, err)
	}
	d := Place{Kind: SQLite, DSN: dsn, Path: path}
	for name, values := range params {
		if name != "sync" || len(values) != 1 || values[0] != "full" && values[0] != "normal" {
			return Place{}, api.Errorf(api.ErrInvalid, "", "dsn %q: the only parameter is sync=full or sync=normal", dsn)
		}
		d.Sync = values[0]
	}
	return d, nil
}
