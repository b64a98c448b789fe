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
	l := Last{Begin: lastOutside(text, isSpace) + 1}
	if strings.HasPrefix(text[l.Begin:], "-") {
		l.Begin++
	}
	word := text[l.Begin:]
	if name, value, ok := strings.Cut(word, ":"); ok && name != "" && strings.TrimFunc(name, func(r rune) bool { return r < unicode.MaxASCII && isNameByte(byte(r)) }) == "" {
		l.Field = strings.ToLower(name)
		l.Begin += len(name) + 1
		word = value
	}
	if l.Field != "" {
		last := lastOutside(word, func(c byte) bool { return c == ',' }) + 1
		l.Begin, word = l.Begin+last, word[last:]
	}
	l.Value = strings.ReplaceAll(strings.Trim(word, `"`), `\"`, `"`)
	return l
}

// lastOutside gives the place of the last byte outside quotes that is of a kind, -1 for
// none.
func lastOutside(text string, is func(byte) bool) int {
	at, quoted := -1, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && is(c):
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
