package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// fault is what is wrong with one field of a form.
func fault(field, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return &problem{
		Status: http.StatusUnprocessableEntity, Code: api.ErrInvalid.Code, Title: "That can’t be", Detail: text,
		Errors: []flaw{{Message: text, Location: field}},
	}
}

// again shows a form once more: with what was typed, and what is wrong with it. What no
// other input would mend is given back.
func (v *view) again(c *confirmation, err error) error {
	p, ok := mendable(err)
	if !ok {
		return err
	}
	c.keep(v.form())
	c.blame(p)
	v.page.Title = c.Title
	return v.show("confirm", p.Status, c)
}

// mendable tells what other input would mend.
func mendable(err error) (*problem, bool) {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		return nil, false
	}
	switch p.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return p, true
	}
	return nil, false
}

// notFound tells what there is not.
func notFound(err error) (*problem, bool) {
	p, ok := errors.AsType[*problem](err)
	return p, ok && p.Status == http.StatusNotFound
}

// keep fills in what was sent.
func (c *confirmation) keep(form url.Values) {
	for i := range c.Fields {
		c.Fields[i].Value = strings.TrimSpace(form.Get(c.Fields[i].Name))
	}
}

// blame puts what is wrong where it belongs.
func (c *confirmation) blame(p *problem) {
	flaws := p.Errors
	if len(flaws) == 0 {
		where, text, found := strings.Cut(p.Detail, ": ")
		if !found {
			where, text = "", p.Detail
		}
		if c.field(where) == nil {
			where, text = "", p.Detail
		}
		flaws = []flaw{{Message: text, Location: where}}
	}
	for _, f := range flaws {
		if at := c.field(f.Location); at != nil {
			at.Error = join(at.Error, f.Message)
		} else {
			c.Wrong = join(c.Wrong, f.Message)
		}
	}
}

func join(text, more string) string {
	if text == "" {
		return more
	}
	return text + "; " + more
}

// field finds the one that a place such as "body.timetable.cron" is of.
func (c *confirmation) field(location string) *field {
	parts := strings.FieldsFunc(location, func(r rune) bool { return r == '.' || r == '[' || r == '/' })
	for _, part := range slices.Backward(parts) {
		for j := range c.Fields {
			if c.Fields[j].Name == part {
				return &c.Fields[j]
			}
		}
	}
	return nil
}

// text reads a field of the form that was sent.
func (v *view) text(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }

// count reads a whole number from the form that was sent.
func (v *view) count(name string) (int, error) {
	text := v.text(name)
	n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	switch {
	case text == "":
		return 0, fault(name, "Type a whole number, 0 or more.")
	case err != nil || n < 0:
		return 0, fault(name, "“%s” is no whole number of 0 or more.", text)
	}
	return n, nil
}

// written reads what is known of a thing, and its version, which a change of it is to
// name.
func written[T any](v *view, path string) (thing T, version http.Header, err error) {
	a, err := v.request(http.MethodGet, path, nil, nil, nil)
	if err != nil {
		return thing, nil, err
	}
	thing, err = decoded[T](a)
	return thing, http.Header{"If-Match": a.header.Values("ETag")}, err
}

// form is what was sent.
func (v *view) form() url.Values {
	if v.r.PostForm == nil {
		_ = v.r.ParseForm() // of what can't be read there is nothing, which the fields are blamed for
	}
	return v.r.PostForm
}
