package httpapi

import (
	"regexp"

	"github.com/danielgtaylor/huma/v2"
)

// goisms are what Go's packages say of bad input in terms of Go, which means nothing to
// who sent it and tells of the inside; and what is said instead.
var goisms = []struct {
	said  *regexp.Regexp
	plain string
}{
	{regexp.MustCompile(`invalid date/time for format \S*`), "this is no time: want one such as 2026-11-27T10:00:00Z"},
	{regexp.MustCompile(`json: cannot unmarshal (\w+)(?: \S+)? into Go (?:value|struct field \S+) of type .*`), "this $1 does not fit here"},
	{regexp.MustCompile(`\b(?:json|base64|parsing time|strconv\.\w+|regexp|url|time): `), ""},
	{regexp.MustCompile(`\berror parsing regexp: `), ""},
}

// plainly says what was said without terms of Go.
func plainly(text string) string {
	for _, g := range goisms {
		text = g.said.ReplaceAllString(text, g.plain)
	}
	return text
}

// plainErrors is plainly for each.
func plainErrors(all []*huma.ErrorDetail) []*huma.ErrorDetail {
	for _, e := range all {
		e.Message = plainly(e.Message)
	}
	return all
}
