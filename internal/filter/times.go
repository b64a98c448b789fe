package filter

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// layouts of times, and how long each of them is.
var layouts = []struct {
	layout string
	span   func(time.Time) time.Time // the end of what begins there
}{
	{time.RFC3339Nano, func(t time.Time) time.Time { return t.Add(time.Nanosecond) }},
	{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
	{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
}

// span reads a time, which is in UTC if it does not say, and gives its end: a day
// goes on for 24 hours.
func span(text string) (from, to time.Time, err error) {
	for _, l := range layouts {
		if t, err := time.Parse(l.layout, text); err == nil {
			return t.UTC(), l.span(t.UTC()), nil
		}
	}
	return from, to, fmt.Errorf("%q is no time: want one as in 2026-11-26, 2026-11-26T12:30 or 2026-11-26T12:30:00Z", text)
}

// readTime reads a time, one..another, or how long ago.
func readTime(v *value) (err error) {
	if d, wrong := duration(v.text); wrong == nil {
		if v.op == "" {
			v.op = "<"
		}
		v.ago, v.from = true, d
		return nil
	}
	low, high, ok := strings.Cut(v.text, "..")
	if v.at, v.by, err = span(low); err != nil || !ok {
		return err
	}
	if v.op != "" {
		return errors.New("a range is not compared")
	}
	v.op = ".."
	if _, v.by, err = span(high); err == nil && !v.by.After(v.at) {
		err = errBackwards
	}
	return err
}

// readSince reads how long ago at most, or since when.
func readSince(v *value) error {
	if v.op != "" {
		return errNoCompare
	}
	if err := readTime(v); err != nil {
		return err
	}
	if v.op == ".." {
		return errors.New("since has no end; created takes one..another")
	}
	if !v.ago {
		v.op = ">="
	}
	return nil
}

// compareTime reports whether a time is as the value says. A value that is so long
// ago compares how long ago it is.
func (v *value) compareTime(t, now time.Time) bool {
	if t.IsZero() {
		return false
	}
	if v.ago {
		return v.compare(int64(now.Sub(t)))
	}
	switch v.op {
	case ">":
		return !t.Before(v.by)
	case ">=":
		return !t.Before(v.at)
	case "<":
		return t.Before(v.at)
	case "<=":
		return t.Before(v.by)
	}
	return !t.Before(v.at) && t.Before(v.by)
}
