package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// sheet is a form that is a page of its own, and shows beside it what would come of it.
type sheet struct {
	confirmation

	Modes   []savedView // other ways to fill it in
	Command string      // that does the same
	Soft    string      // why what comes of it can't be shown yet
	Times   []moment    // at which it would make runs
	Around  []moment    // those when clocks are changed
	Change  string      // when that is
	Preview bool
}

// moment is a time of a schedule, in its own zone.
type moment struct {
	time.Time

	Text  string
	Moved bool // its distance to UTC is not that of the one before
}

// open shows a sheet, filled in with what the URL says.
func (v *view) open(s *sheet, q url.Values) error {
	for i := range s.Fields {
		if f := &s.Fields[i]; q.Has(f.Name) {
			f.Value = strings.TrimSpace(q.Get(f.Name))
		} else if f.Kind == "checkbox" && len(q) > 0 && q.Has("shown") {
			f.Value = ""
		}
	}
	v.page.Title, v.page.Scripts = s.Title, []string{"preview.js"}
	return v.show("sheet", http.StatusOK, s)
}

// reopen shows a sheet again, see [view.again].
func (v *view) reopen(s *sheet, err error) error {
	p, ok := mendable(err)
	if !ok {
		return err
	}
	s.keep(v.form())
	s.blame(p)
	v.page.Title, v.page.Scripts = s.Title, []string{"preview.js"}
	return v.show("sheet", p.Status, s)
}

// shell quotes a word for the command line.
func shell(word string) string {
	plain := word != ""
	for _, c := range word {
		plain = plain && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:,@%+=", c))
	}
	if plain {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
