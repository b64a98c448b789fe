package filter

import (
	"strings"
	"unicode"
)

// Last is the end of a filter that somebody types: what may become a field, or a value
// of one.
type Last struct {
	Begin int    // where it begins in the text, in bytes
	Field string // "" while there is no colon
	Value string // what is typed of it, or of the field's name; a quotation without its quotes
}

// LastOf finds it. What stands before it is not looked at: it may be wrong still.
func LastOf(text string) Last {
	begin, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && isSpace(c):
			begin = i + 1
		}
	}
	l := Last{Begin: begin}
	if strings.HasPrefix(text[l.Begin:], "-") {
		l.Begin++
	}
	word := text[l.Begin:]
	if name, value, ok := strings.Cut(word, ":"); ok && name != "" && strings.TrimFunc(name, func(r rune) bool { return r < unicode.MaxASCII && isNameByte(byte(r)) }) == "" {
		l.Field = strings.ToLower(name)
		l.Begin += len(name) + 1
		word = value
	}
	if comma := lastComma(word); comma >= 0 && l.Field != "" {
		l.Begin += comma + 1
		word = word[comma+1:]
	}
	l.Value = strings.ReplaceAll(strings.Trim(word, `"`), `\"`, `"`)
	return l
}

// lastComma gives where the last alternative begins, less one.
func lastComma(word string) int {
	at, quoted := -1, false
	for i := 0; i < len(word); i++ {
		switch c := word[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && c == ',':
			at = i
		}
	}
	return at
}

// Doc says what a field is, "" if the target has none of the name.
func Doc(name string, target Target) string {
	if f := find(name, target); f != nil {
		return f.doc
	}
	return ""
}

// Values gives those of a field that people want often, or all if they are few; nil if
// they are names, which whoever has them must add.
func Values(name string, target Target) []string {
	switch name {
	case "state":
		if target == Runs {
			return []string{"problems", "live", "final", "pending", "scheduled", "running", "paused", "cancelling", "completed", "failed", "cancelled", "crashed"}
		}
		return stateNames()
	case "cached":
		return []string{"yes", "no"}
	case "since", "created", "started", "ended":
		return []string{"1h", "24h", "7d"}
	case "duration":
		return []string{">1s", ">30s", ">10m"}
	case "attempt":
		return []string{">1"}
	case "retries":
		return []string{">0"}
	case "why":
		return []string{"slots", "queue", "backoff", "scheduled", "paused", "worker", "answer", "cache", "limit", "parallelism", "dependencies"}
	}
	return nil
}

// Quote writes a text so that it is read as one value.
func Quote(text string) string { return quote(text) }
