package web

import "net/http"

// action is a button that asks before it does something: a link to the page that asks,
// which live.js shows as a dialog.
type action struct {
	Name   string
	URL    string // relative to the root
	Danger bool
	First  bool // the one that people come for
}

// confirmation asks whether something is to be done, and says what and to how many.
type confirmation struct {
	Title  string
	Text   []string
	Items  []string // some of what it will be done to
	More   int      // and so many others
	Hidden []link   // fields that are sent along: names and values
	Fields []field
	Reason bool   // ask for one
	Action string // where the form is sent; relative to the root
	Button string
	Danger bool
	Back   string // where who changed their mind goes; relative to the root
	Wrong  string // why what was sent was refused, if that belongs to no field
}

// field is one of a form.
type field struct {
	Name, Label, Value, Note string
	Kind                     string            // of the input; default text. Of a checkbox, Value is "1" if it is ticked
	Choices                  []string          // it is one of these
	Suggest                  []string          // it may be one of these
	Hints                    map[string]string // what is said beside those that are suggested
	Min                      string
	Place                    string // what stands there while it is empty
	Long                     bool   // of several lines
	Required                 bool
	Error                    string // what is wrong with what was typed
}

// confirm shows what asks.
func (v *view) confirm(c *confirmation) error {
	v.page.Title = c.Title
	return v.show("confirm", http.StatusOK, c)
}
